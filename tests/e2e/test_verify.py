"""What is said about a release that works, and about one that does not."""

import base64
import json
import subprocess
import tarfile
from xml.etree import ElementTree

import pytest


def _invoke(*arguments, timeout=300):
    return subprocess.run(["invoke", *arguments], capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def measured(kube, run):
    """metrics-server needs a minute to know pods that are new."""
    assert run.shell.until(
        lambda: kube("top", "pods", "--no-headers", check=False).count("todo-app-") == 3, 200, 3
    )


@pytest.fixture
def left(kube):
    """How many accounts of `verify` there are, and how many todos of theirs."""
    counted = (
        "select count(distinct users.id), "
        "count(todos.id) filter (where todos.deleted_at is null) "
        "from users left join todos on todos.owner_id = users.id "
        "where users.email like 'verify-%'"
    )
    command = ("exec", "todo-app-postgres-0", "--", "psql", "-U", "todo", "-d", "todo", "-Atc")
    return lambda: [int(number) for number in kube(*command, counted).strip().split("|")]


def test_every_acceptance_line_holds_and_the_report_says_so(tmp_path, browser_path, measured, left):
    accounts, todos = left()
    result = _invoke("verify", "--restart", "--report", str(tmp_path))
    assert result.returncode == 0, result.stdout[-3000:]
    rows = json.loads((tmp_path / "verify.json").read_text())
    assert {row["status"] for row in rows} == {"passed"}, [
        row for row in rows if row["status"] != "passed"
    ]
    assert next(row for row in rows if row["task"] == "5.3")["evidence"].startswith(
        "a todo was there again"
    )
    suite = ElementTree.parse(tmp_path / "verify.xml").getroot()
    assert int(suite.get("tests")) == len(rows)
    page = (tmp_path / "verify.html").read_text()
    assert "Todo chatbot: works" in page
    assert "data:image/png" in page
    assert left() == [accounts + 1, todos], "the todos that it made are gone"


def test_a_line_that_does_not_hold_fails_verify_and_diagnose_names_the_cause(kube, run, tmp_path):
    kube(
        "patch",
        "service",
        "todo-app-backend",
        "--type=merge",
        "-p",
        '{"spec": {"selector": {"app.kubernetes.io/component": "other"}}}',
    )
    try:
        assert run.shell.until(lambda: _invoke("diagnose").returncode == 20, 30, 1)
        diagnosed = _invoke("diagnose").stdout
        assert (
            diagnosed.split("\n\n", 1)[-1]
            .lstrip()
            .startswith("the service todo-app-backend selects no pod")
        ), diagnosed
        assert "SERVICE-SELECTOR in TROUBLESHOOTING.md" in diagnosed
        result = _invoke("verify", "--report", str(tmp_path))
        assert result.returncode == 21
        assert "VERIFY-FAILED in TROUBLESHOOTING.md" in result.stdout
        failed = {
            row["line"]
            for row in json.loads((tmp_path / "verify.json").read_text())
            if row["status"] == "failed"
        }
        assert {
            "All services have endpoints",
            "Backend health endpoint responds",
            "No critical issues",
        } <= failed
    finally:
        _invoke("deploy", "--yes")
    assert _invoke("diagnose").returncode == 0


@pytest.fixture
def secrets(as_json):
    return {
        base64.b64decode(value).decode()
        for value in as_json("get", "secret", "todo-app-credentials")["data"].values()
    }


def test_the_support_bundle_has_everything_but_secrets(tmp_path, secrets, user):
    assert len(secrets) >= 3
    target = tmp_path / "bundle.tar.gz"
    result = _invoke("support-bundle", "--path", str(target))
    assert result.returncode == 0, result.stdout
    with tarfile.open(target) as archive:
        files = {member.name: archive.extractfile(member).read().decode() for member in archive}
    for name in (
        "versions.txt",
        "events.txt",
        "objects.yaml",
        "release-history.txt",
        "secrets-by-name.txt",
        "runs/timings.json",
    ):
        assert files[f"bundle/{name}"].strip(), name
    assert "POSTGRES_PASSWORD" in files["bundle/secrets-by-name.txt"]
    assert any(
        name.startswith("bundle/logs/todo-app-backend") and text.strip()
        for name, text in files.items()
    )
    everything = "".join(files.values())
    for secret in (*secrets, user.token):
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode() not in everything


def test_health_shows_use_restarts_and_levels():
    result = _invoke("health", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    used = [one["row"] for one in events if (one["event"], one["name"]) == ("row", "Use")]
    assert {row["container"] for row in used} == {"frontend", "backend", "postgres"}, result.stdout
