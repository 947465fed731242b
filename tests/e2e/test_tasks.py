"""Every task that the README lists does its work on the live cluster, alone.

Those that take something away have tests of their own.
"""

import re
import subprocess

import pytest

from scripts.session.settings import ROOT

ELSEWHERE = {
    "cluster-down",
    "db-restore",
    "destroy",
    "dev",
    "mcp",
    "open",
    "rollback",
    "shell",
    "supply-export",
    "supply-prune",
    "support-bundle",
    "undeploy",
    "verify",
    "adr",
    "phr",
    "db-dump",
}
TASKS = [
    name
    for name in re.findall(r"^\| `invoke ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    if name not in ELSEWHERE
]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_alone(task):
    result = subprocess.run(
        ["invoke", task], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip()
    assert "Traceback" not in result.stdout + result.stderr
