"""The documents agree with what they describe."""

import re
import subprocess
import sys

import pytest
from invoke import Collection

import tasks
from scripts.release.chart_readme import updated
from scripts.session.settings import ROOT

DOCUMENTS = [
    path
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "history").rglob("*.md"),
        *(ROOT / "helm-chart").glob("*.md"),
    ]
]


def _anchors(path):
    return {
        re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        assert path.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in _anchors(path), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_fit_a_screen_except_tables_and_links(document):
    if document.parent.name == "helm-chart":
        pytest.skip("partly generated from values.yaml")
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if not line.startswith("|") and "](" not in line:
            assert len(line) <= 100, f"{document.name}:{number} has {len(line)} columns"


def test_the_readme_names_every_task_and_no_other():
    listed = subprocess.run(
        [sys.executable, "-m", "invoke", "--list", "--list-format=flat"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE))
    named = set(
        re.findall(r"^\| `invoke ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    assert known == named


def test_the_charts_table_is_the_one_of_its_values():
    readme = (ROOT / "helm-chart" / "README.md").read_text()
    assert updated(readme, (ROOT / "helm-chart" / "values.yaml").read_text()) == readme


def _commands():
    """Every `invoke ...` and `nox ...` of the documents: (file, words)."""
    for path in [
        ROOT / "README.md",
        ROOT / "TROUBLESHOOTING.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        ROOT / "helm-chart/README.md",
    ]:
        text = path.read_text()
        pieces = re.findall(r"`([^`\n]+)`", text) + [
            line
            for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines()
        ]
        for piece in pieces:
            for command in re.split(r"&&|;|\|", piece.partition(" #")[0]):
                words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
                if words[:1] in (["invoke"], ["nox"]):
                    yield path.name, words


def test_every_command_in_the_documents_exists_with_its_options():
    program = Collection.from_module(tasks)
    contexts = {context.name: context for context in program.to_contexts()}
    sessions = set(re.findall(r"@nox\.session\ndef (\w+)", (ROOT / "noxfile.py").read_text()))
    seen = list(_commands())
    assert len(seen) > 60
    for file, words in seen:
        if words[0] == "nox":
            assert set(word for word in words[1:] if not word.startswith("-")) <= sessions, (
                f"{file}: {' '.join(words)}"
            )
            continue
        rest = words[3:] if words[1:2] == ["-f"] else words[1:]
        if not rest or rest[0] in ("...", "--list", "--print-completion-script"):
            continue
        assert rest[0] in contexts, f"{file}: {' '.join(words)}"
        for option in (word.partition("=")[0] for word in rest[1:] if word.startswith("--")):
            assert option in contexts[rest[0]].flags, f"{file}: {' '.join(words)}"
