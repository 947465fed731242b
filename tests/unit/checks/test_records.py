"""Reports, numbered records, and what a support bundle masks."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from scripts.app.survey import read
from scripts.checks import records
from scripts.checks.acceptance import LINES, Row
from scripts.checks.health import levels, share
from scripts.checks.report import junit, page, write
from scripts.checks.support import redact
from scripts.session.findings import Failure
from scripts.session.settings import ROOT

ROWS = (
    Row("1.1", "All tools return valid versions", "passed", "kubectl v1.36.3", 0.1),
    Row("4.2", "All pods are Running", "failed", "todo-app-backend <Pending>", 0.2),
    Row("5.3", "Data persists across a restart", "not applicable", "not asked for", 0.0),
)
TIMINGS = [
    {"stage": "check", "start": 0.0, "end": 0.5, "status": "passed"},
    {"stage": "install", "start": 0.5, "end": 2.0, "status": "failed"},
]


def test_the_acceptance_table_as_junit():
    suite = junit(ROWS)
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [(case.get("classname"), case[0].tag) for case in suite] == [
        ("plan.1.1", "system-out"),
        ("plan.4.2", "failure"),
        ("plan.5.3", "skipped"),
    ]


def test_the_report_is_one_page_that_loads_nothing(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")
    text = page(ROWS, TIMINGS, {"backend": (0.1, 0.5, 70.0, 512.0)}, picture, "today")
    assert "todo-app-backend &lt;Pending&gt;" in text
    assert "1 of 3 lines failed" in text
    assert "100m of 500m" in text
    assert "1.5 s</text>" in text
    assert not re.search(r"(src|href)='?\"?https?:", text)
    assert "data:image/png;base64," in text


def test_the_report_is_written_with_what_the_run_left(tmp_path):
    (tmp_path / "timings.json").write_text(json.dumps(TIMINGS))
    path = write(tmp_path / "out", ROWS, {}, tmp_path, "today")
    assert {one.name for one in path.parent.iterdir()} == {
        "verify.html",
        "verify.json",
        "verify.xml",
    }
    assert json.loads((path.parent / "verify.json").read_text())[1]["status"] == "failed"


def test_every_task_of_the_plan_has_a_line():
    tasks = {task for task, _, _ in LINES}
    plan = (
        "1.1 1.2 1.3 1.4 2.1 2.1.a 2.2 2.3 3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 "
        "4.0 4.1 4.2 4.3 5.1 5.2 5.3 5.4 5.5 6.1 6.2 6.3 6.4 6.5"
    )
    assert tasks == set(plan.split())


@pytest.fixture
def history(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "history", tmp_path / "history")
    monkeypatch.setattr(records, "HISTORY", tmp_path / "history")
    return tmp_path / "history"


@pytest.mark.parametrize("kind", ["adr", "phr"])
def test_a_record_gets_the_next_number_its_title_and_a_line_in_the_list(history, kind):
    newest = max(int(path.name[:4]) for path in (history / kind).glob("[0-9]*.md"))
    path = records.new_record(kind, "Why we use: Traefik (again)", "2026-01-31")
    assert path.name == f"{newest + 1:04d}-why-we-use-traefik-again.md"
    text = path.read_text()
    assert "Why we use: Traefik (again)" in text
    assert "2026-01-31" in text
    assert "TITLE" not in text
    assert (
        (history / kind / "README.md")
        .read_text()
        .endswith(f"- [{newest + 1:04d}]({path.name}) Why we use: Traefik (again)\n")
    )
    assert records.new_record(kind, "next", "2026-01-31").name.startswith(f"{newest + 2:04d}")


def test_a_title_without_words_is_refused(history):
    with pytest.raises(Failure, match="RECORD-INVALID"):
        records.new_record("adr", "???", "2026-01-31")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("key sk-proj-abcdefgh1234567890 used", "sk-proj-ab"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "Bearer ********"),
        (
            "postgresql://todo:hunter22hunter22@db:5432/todo",
            "postgresql://todo:********@db:5432/todo",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, kept):
    masked = redact(text)
    assert "********" in masked
    assert masked.startswith(kept) or kept in masked
    assert not re.search("34567890|c2lnbmF0|hunter22", masked)


def test_use_over_time():
    samples = [
        {"backend": (cpu, 0.5, memory, 512.0)}
        for cpu, memory in ((0.0, 51.2), (0.5, 102.4), (0.05, 256.0))
    ]
    assert share("backend", samples) == (
        "50m of 500m",
        "256Mi of 512Mi",
        "▁█▁ up to 100%",
        "▁▂▅ up to 50%",
    )


def test_log_lines_by_level():
    assert levels(
        ['{"level": "info"}', '{"level": "error"}', '{"level": "info"}', "plain words", "", "[1]"]
    ) == {"info": 2, "plain": 2, "error": 1}


def test_a_run_is_kept_as_a_record_with_what_the_plan_wants(history):
    path = records.run_record(ROWS, "2026-01-31")
    text = path.read_text()
    assert "1-lines-do-not-hold" in path.name
    for heading in ("Tools", "Assistants", "Cluster", "The database", "Persistence", "Integration"):
        assert f"## {heading}\n" in text
    assert "| 1.1 All tools return valid versions | passed | kubectl v1.36.3 |" in text
    assert path.name in (history / "phr/README.md").read_text()
    assert "## Opinions" not in text


def test_a_run_keeps_what_assistants_said(history):
    said = {
        "time": "2026-01-31 10:00", "assistant": "the model at llm.example", "model": "small",
        "words": "the volume | is full", "diagnosis": ["VOLUME-FULL"], "agrees": True,
    }  # fmt: skip
    text = records.run_record(ROWS, "2026-01-31", [said]).read_text()
    assert (
        "| 2026-01-31 10:00 | the model at llm.example small | VOLUME-FULL | yes "
        "| the volume \\| is full |"
    ) in text


def test_the_decision_about_a_database_is_kept_with_the_lines_that_decide_it(history):
    path = records.database_record(read(ROOT / "tests" / "apps" / "rewrites-asyncpg"), "2026-01-31")
    text = path.read_text()
    assert "the-database-of-rewrites-asyncpg-postgres" in path.name
    assert '`: `DATABASE_URL = os.getenv("NEON_DATABASE_URL")`' in text
    assert re.search(r"`backend/src/database.py:\d+`", text)
    assert "PostgreSQL 16 as a StatefulSet" in text
    assert "force TLS" in text
    assert path.name in (history / "adr/README.md").read_text()


def test_verify_refuses_a_python_that_leaves_the_checks_out():
    script = "from scripts.checks.acceptance import verify; verify(None)"
    result = subprocess.run(
        [sys.executable, "-O", "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert "SETTINGS-INVALID: Python was told to leave out assertions" in result.stderr
