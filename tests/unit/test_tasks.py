"""tasks.py says in one sentence where it cannot run, before anything else fails."""

import subprocess
import sys

import pytest

from scripts.session.settings import ROOT


@pytest.mark.parametrize(
    ("pretend", "code"),
    [
        ("sys.platform = 'win32'", "WINDOWS-WITHOUT-LINUX"),
        ("sys.version_info = (3, 9, 2)", "PYTHON-TOO-OLD"),
    ],
)
def test_it_cannot_run_here(pretend, code):
    program = f"import runpy, sys; {pretend}; runpy.run_path('tasks.py')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 10
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"({code} in TROUBLESHOOTING.md)")
