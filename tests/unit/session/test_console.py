"""How a run ends: by a signal, with its terminal, and beside another run."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time

import pytest

from scripts.session import console
from scripts.session.settings import ROOT
from scripts.session.shell import Shell

#: A task that waits for a program, and says how it ended.
WAITS = """
import sys
from pathlib import Path
from scripts.session import console

def stop(message, code):
    Path(sys.argv[1], "ended").write_text(f"{code}")
    return SystemExit(code)

settings = {"supply": {"cache": sys.argv[1]}}
with console.open_session(settings, False, True, stop) as session:
    session.context.shell.run("sh", "-c", "echo $$ > $0; exec sleep 60", Path(sys.argv[1], "began"))
"""


@pytest.fixture
def waiting(tmp_path):
    """A task that waits, at a terminal of its own: the process, its terminal, its folder."""
    own, theirs = pty.openpty()

    def at_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run below nohup

    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path)], cwd=ROOT, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True, preexec_fn=at_terminal,
    )  # fmt: skip
    os.close(theirs)
    began = tmp_path / "began"
    assert Shell().until(lambda: began.exists() and began.read_text().strip(), 20, 0.05)
    yield process, own, tmp_path
    process.kill()
    process.wait()


def _gone(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_closed_terminal_ends_a_run_as_ctrl_c_does(waiting):
    process, terminal, folder = waiting
    os.close(terminal)
    assert process.wait(10) == 130
    assert (folder / "ended").read_text() == "130"
    assert Shell().until(lambda: _gone(int((folder / "began").read_text())), 5, 0.05)


def test_a_run_below_nohup_goes_on_without_its_terminal(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    try:
        assert Shell().until(lambda: (tmp_path / "began").exists(), 20, 0.05)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130
    finally:
        process.kill()


#: A stage whose program heeds no SIGTERM.
HEEDLESS = """
import sys
from pathlib import Path
from scripts.session import console, shell
from scripts.session.stage import stage

shell.GRACE = 1.0
program = "trap '' TERM; echo $$ > $0; while :; do sleep 0.1; done"
slow = stage("slow", lambda run: run.shell.run("sh", "-c", program, Path(sys.argv[1], "began")))
settings = {"supply": {"cache": sys.argv[1]}}
with console.open_session(settings, False, True, lambda _, code: SystemExit(code)) as session:
    session.run(slow)
"""


def test_an_impatient_person_sees_no_traceback(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDLESS, str(tmp_path)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert Shell().until(lambda: (tmp_path / "began").exists(), 20, 0.05)
        for _ in range(4):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        said = process.communicate(timeout=15)[0]
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "Interrupted. Nothing is lost" in said


def test_the_newest_transcripts_are_kept(tmp_path):
    for number in range(console.TRANSCRIPTS + 5):
        (tmp_path / f"20261130-{number:06}.log").touch()
    (tmp_path / "dockerd.log").touch()
    console._forget_oldest(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == console.TRANSCRIPTS + 1
    assert left[0] == "20261130-000005.log"
    assert left[-1] == "dockerd.log"
