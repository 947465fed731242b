"""Commands of a copy of the project, started as a person would, and ended as an accident would."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from scripts.session.settings import ROOT

MARK = "PHASE4_CHAOS"  # a variable that a command and all that it starts have
LIMIT = 600.0  # seconds for one command


def copy_of_project(folder: Path) -> Path:
    """A copy of the work tree, as git would list it: files of it are changed while it is used."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder


@dataclass(frozen=True)
class Ended:
    """How a command ended. status: negative for a signal. seconds: wall time."""

    status: int
    output: str
    seconds: float

    @property
    def events(self) -> list[dict]:
        """What it said with --json."""
        found = []
        for line in self.output.splitlines():
            with contextlib.suppress(ValueError):
                if line.startswith("{"):
                    found.append(json.loads(line))
        return found

    @property
    def first(self) -> str:
        """Code and first line of what it found wrong; else its last note."""
        for one in self.events:
            if one["event"] == "finding":
                return f"{one['name']}: {one['summary']}"
        notes = [one["text"] for one in self.events if one["event"] == "note"]
        return notes[-1] if notes else self.output[-200:].strip()

    def images(self) -> set[str]:
        """The app's images that a deploy planned."""
        for one in self.events:
            if one["event"] == "finished" and one["name"] == "plan-images":
                return set(one["summary"].split(", "))
        return set()

    @property
    def code(self) -> str:
        """The code of the first finding, empty without one."""
        return next((one["name"] for one in self.events if one["event"] == "finding"), "")


class Command:
    """A command that runs: what it says is collected while it does.

    terminal: it has a terminal of its own, which `hang_up` closes.
    """

    def __init__(self, project: Path, *arguments: str, terminal: bool = False, **variables: str):
        self.mark = uuid.uuid4().hex
        argv = [sys.executable, "-m", "invoke", *arguments]
        env = {**os.environ, **variables, MARK: self.mark, "PYTHONUNBUFFERED": "1"}
        self.began = time.monotonic()
        self.lines: list[str] = []
        self._heard = threading.Condition()
        self._open = True
        self._own, theirs = pty.openpty() if terminal else os.pipe()

        def prepare() -> None:
            # A run in the background may have been started with these ignored.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            argv, cwd=project, env=env, stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=prepare,
        )  # fmt: skip
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = b""
        while self._open:
            try:
                data = os.read(self._own, 65536)
            except OSError:  # a terminal whose other end is closed
                data = b""
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            with self._heard:
                self.lines += [line.decode(errors="replace").rstrip("\r") for line in whole]
                self._heard.notify_all()
        with self._heard:
            if self._open:
                os.close(self._own)
            self._open = False
            self._heard.notify_all()

    def heard(self, number: int, timeout: float) -> bool:
        """Wait until it has said so many lines. False if it ended before, or time is over."""
        with self._heard:
            self._heard.wait_for(lambda: len(self.lines) >= number or not self._open, timeout)
            return len(self.lines) >= number

    def said(self, words: str, timeout: float) -> bool:
        """Wait until it has said these words."""
        with self._heard:
            self._heard.wait_for(
                lambda: any(words in line for line in self.lines) or not self._open, timeout
            )
            return any(words in line for line in self.lines)

    def ends_within(self, seconds: float) -> bool:
        """Wait so long at most; whether it has ended."""
        try:
            self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def hang_up(self) -> None:
        """Close its terminal, as a window does: the kernel sends SIGHUP to who reads from it."""
        with self._heard:
            if self._open:
                os.close(self._own)
            self._open = False

    def end(self, timeout: float = LIMIT) -> Ended:
        """Wait for its end. What does not end in time is killed, with a status of 124."""
        status = 124
        if self.ends_within(timeout):
            status = self.process.returncode
        else:
            self.process.kill()
            self.process.wait()
        took = time.monotonic() - self.began
        if self._open:
            self._reader.join(5)
        return Ended(status, "\n".join(self.lines), took)

    def running(self) -> list[str]:
        """What still runs of all that it started, by its mark in their environments."""
        return [words for _, words in marked(self.mark)]

    def stages(self) -> list[str]:
        """The stages that run, by what it said with --json."""
        now: dict[str, None] = {}
        for one in Ended(0, "\n".join(self.lines), 0).events:
            if one["event"] == "started":
                now[one["name"]] = None
            elif one["event"] in ("finished", "failed", "stopped"):
                now.pop(one["name"], None)
        return list(now)


def marked(mark: str) -> list[tuple[int, str]]:
    """The processes whose environment has this mark: number and words."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words:  # a zombie has none
                    found.append((int(folder.name), words.strip()[:160]))
        except OSError:  # it has ended meanwhile, or belongs to somebody else
            continue
    return found


def invoke(project: Path, *arguments: str, timeout: float = LIMIT, **variables: str) -> Ended:
    """Run a task to its end."""
    return Command(project, *arguments, **variables).end(timeout)
