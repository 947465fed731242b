"""The documents agree with what they describe."""

import re
import subprocess
import sys

import pytest

from scripts.chart_readme import updated
from scripts.settings import ROOT

DOCUMENTS = [path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "history").rglob("*.md"), *(ROOT / "helm-chart").glob("*.md")]]


def _anchors(path):
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        assert path.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in _anchors(path), f"{document.name} links to {target}"


def test_the_readme_names_every_task_and_no_other():
    listed = subprocess.run([sys.executable, "-m", "invoke", "--list", "--list-format=flat"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tasks = set(re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE))
    named = set(re.findall(r"^\| `invoke ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert tasks == named


def test_the_charts_table_is_the_one_of_its_values():
    readme = (ROOT / "helm-chart" / "README.md").read_text()
    assert updated(readme, (ROOT / "helm-chart" / "values.yaml").read_text()) == readme
