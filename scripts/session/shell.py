"""The only place that starts a process.

Commands are lists of arguments, never strings for a shell. Output is returned as text. Secrets are
masked wherever a command or its output is shown or logged. Every call has a time limit, and Ctrl-C
ends what is running.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sh

from scripts.session.findings import Failure, failure

DEFAULT_TIMEOUT = 120.0
PR_SET_PDEATHSIG = 1  # of prctl(2)
#: Loaded before any fork: a child may do little between fork and exec.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
TAIL_LINES = 25
GRACE = 10.0  # seconds for a program to end after it was asked to

#: Commands that only read, by program and first words. A dry run runs these and no others.
#: "" stands for every command of a program.
READS = {
    "apt-cache": ("",),
    "docker": (
        "--version",
        "ai version",
        "buildx version",
        "container inspect",
        "image inspect",
        "image ls",
        "info",
        "logs",
        "port",
        "ps",
        "volume inspect",
    ),
    "dockerd": ("--version",),
    "go": ("version",),
    "helm": ("get", "history", "lint", "list", "template", "version"),
    "kagent": ("version",),
    "kubectl": ("config view", "get", "logs", "top", "version"),
    "kubectl-ai": ("version",),
    "lsof": ("",),
    "minikube": ("status", "version"),
    "ss": ("",),
}


@dataclass(frozen=True)
class Result:
    """What a process returned.

    code: its exit status, negative for a signal. seconds: wall time.
    """

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """The process exited with status 0."""
        return self.code == 0

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines of its output, stderr after stdout."""
        said = (self.stdout.rstrip() + "\n" + self.stderr.rstrip()).strip()
        return "\n".join(said.splitlines()[-lines:])


class Interrupted(Exception):
    """The run was cancelled (Ctrl-C, SIGTERM, or another stage failed), and its processes ended."""


class Planned(Exception):
    """A dry run cannot know what follows, because something was not really done."""


@dataclass
class Shell:
    """Starts processes with one environment, keeps a transcript, and masks secrets.

    path: directories that are put before PATH. transcript: a file that gets one line per command.
    dry: start only commands that change nothing, and keep the others in `planned`.
    """

    path: tuple[Path, ...] = ()
    transcript: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    dry: bool = False
    planned: list[str] = field(default_factory=list)
    _secrets: set[str] = field(default_factory=set)
    _running: dict[int, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def another(self) -> Shell:
        """Return a shell with the same secrets that is not cancelled together with this one."""
        return replace(self, _running={}, _lock=threading.Lock(), _cancelled=threading.Event())

    def hide(self, *secrets: str) -> None:
        """Mask these values from now on."""
        self._secrets.update(secret for secret in secrets if len(secret) >= 4)

    def mask(self, text: str) -> str:
        """Return `text` with every known secret replaced."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "********")
        return text

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment that processes get."""
        merged = {**os.environ, **self.environment, **(extra or {})}
        merged["PATH"] = os.pathsep.join([*map(str, self.path), merged.get("PATH", os.defpath)])
        return merged

    def which(self, program: str) -> str | None:
        """Return the path at which processes of this shell find `program`."""
        return shutil.which(program, path=self.env()["PATH"])

    def run(
        self,
        *argv: str | Path,
        stdin: str | bytes | Path | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
        reads: bool = False,
    ) -> Result:
        """Run a command to its end.

        timeout: seconds. on_line: called with each line of stdout and stderr as it comes. check:
        raise Failure COMMAND-FAILED on a status other than 0. reads: the command changes nothing,
        though it is not in READS. Raises COMMAND-TIMEOUT, Interrupted, or COMMAND-FAILED for a
        missing program.
        """
        if self.dry and not reads and not only_reads([str(part) for part in argv]):
            return self._skip([str(part) for part in argv])
        return self._finish(
            [str(part) for part in argv], [], stdin, timeout, env, cwd, on_line, check
        )

    def pipe(
        self, *commands: Sequence[str | Path], timeout: float = 600, check: bool = True
    ) -> Result:
        """Run `first | ... | last` through kernel pipes; nothing is buffered or written to disk.

        The result is the last one's, with the status of the last that failed.
        """
        *sources, target = ([str(part) for part in command] for command in commands)
        if self.dry:
            return self._skip(_piped([*sources, target]))
        return self._finish(target, sources, None, timeout, None, None, None, check)

    def detach(self, *argv: str | Path, log: Path) -> None:
        """Start a process that outlives this one. Its output is appended to `log`."""
        if self.dry:
            self._skip([str(part) for part in argv])
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        self._note([str(part) for part in argv], "detached")
        with log.open("ab") as out:
            self._command(str(argv[0]))(
                *map(str, argv[1:]),
                _out=out,
                _err=out,
                _bg=True,
                _bg_exc=False,
                _new_session=True,
                _env=self.env(),
            )

    def plan(self, what: str) -> None:
        """In a dry run, note what would be done here, and raise Planned. Otherwise do nothing."""
        if self.dry:
            self.planned.append(what)
            raise Planned

    def _skip(self, argv: list[str]) -> Result:
        self.planned.append("$ " + self.mask(_words(argv)))
        return Result(tuple(argv), 0, "", "", 0.0)

    def cancel(self) -> None:
        """End every running process, by SIGKILL after GRACE if need be, and start no more."""
        first = not self._cancelled.is_set()
        self._cancelled.set()
        self._signal_all(signal.SIGTERM)
        if first:
            late = threading.Timer(GRACE, self._signal_all, (signal.SIGKILL,))
            late.daemon = True
            late.start()

    def _signal_all(self, number: int) -> None:
        with self._lock:
            running = list(self._running.values())
        _signal(running, number)

    @property
    def cancelled(self) -> bool:
        """cancel() was called."""
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> None:
        """Pause between two looks at a condition. A dry run does not wait, but raises Planned.

        Raises Interrupted as soon as the run is cancelled.
        """
        if self.dry:
            raise Planned
        if self._cancelled.wait(seconds):
            raise Interrupted

    def until(self, ready: Callable[[], bool], timeout: float, every: float = 0.5) -> bool:
        """Ask `ready` until it is true (return True) or `timeout` seconds passed (return False)."""
        deadline = time.monotonic() + timeout
        while not ready():
            if time.monotonic() > deadline:
                return False
            self.wait(every)
        return True

    def _command(self, program: str) -> Any:
        found = self.which(program)
        if not found:
            raise failure(
                "COMMAND-FAILED",
                program,
                f"{program} is not on PATH",
                remedy="`invoke check` says which tools are needed and where they come from",
            )
        return sh.Command(found)

    def _finish(
        self,
        argv: list[str],
        sources: list[list[str]],
        stdin: str | bytes | Path | None,
        timeout: float,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        on_line: Callable[[str], None] | None,
        check: bool,
    ) -> Result:
        """Run a command, or `source | ... | argv`, and judge how it ended."""
        if self._cancelled.is_set():
            raise Interrupted
        options = _options(self.env(env), cwd)
        with contextlib.ExitStack() as opened:
            given = opened.enter_context(stdin.open("rb")) if isinstance(stdin, Path) else stdin
            result, timed_out = self._run(argv, sources, given, timeout, options, on_line)
        self._note(list(result.argv), f"{result.code} in {result.seconds:.2f}s")
        if self._cancelled.is_set():
            raise Interrupted
        if timed_out:
            raise self._too_slow(result, argv[0], timeout)
        if check and not result.ok:
            raise self._failed(result, argv[0])
        return result

    def _run(
        self,
        argv: list[str],
        sources: list[list[str]],
        stdin: Any,
        timeout: float,
        options: dict[str, Any],
        on_line: Callable[[str], None] | None,
    ) -> tuple[Result, bool]:
        """Start, wait, and collect what was said; and whether it was ended after `timeout`."""
        out, err = _Lines(on_line), _Lines(on_line)
        started = time.monotonic()
        feeders: list[Any] = []
        if stdin is not None:
            options["_in"] = stdin
        for source in sources:
            feeders.append(_start(self._command(source[0]), source, {**options, "_piped": True}))
            options["_in"] = feeders[-1]
        if on_line:
            options.update(_out=out, _err=err)
        process = _start(self._command(argv[0]), argv, options)
        code, timed_out = self._wait([*feeders, process], timeout)
        if not on_line:
            # A callback costs 0.1 s per command (the pause of sh's reader). What sh collects
            # itself is complete at the end.
            out(process.process.stdout)
            for member in (*feeders, process):
                err(member.process.stderr)
        for feeder in reversed(feeders):
            code = code or feeder.process.exit_code or 0
        shown = tuple(_piped([*sources, argv]))
        seconds = time.monotonic() - started
        return Result(shown, code, out.text(), err.text(), seconds), timed_out

    def _too_slow(self, result: Result, program: str, timeout: float) -> Failure:
        command = self.mask(_words(result.argv))
        return failure(
            "COMMAND-TIMEOUT",
            Path(program).name,
            f"`{command}` did not finish within {timeout:.0f} s and was ended",
            evidence=self.mask(result.tail()),
            remedy="run it again; if it stays slow, check this machine's load and disk",
        )

    def _failed(self, result: Result, program: str) -> Failure:
        return failure(
            "COMMAND-FAILED",
            Path(program).name,
            f"`{self.mask(_words(result.argv))}` exited with status {result.code}",
            evidence=self.mask(result.tail()),
            remedy="the lines above are the program's own words; "
            "you can run the same command by hand",
        )

    def _wait(self, members: Sequence[Any], seconds: float) -> tuple[int, bool]:
        """Wait for the end of the last.

        Return its exit status, and whether all were ended after `seconds`.
        """
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _signal(members, signal.SIGKILL)

        # Not sh's own: its wait(timeout=...) returns before all output is read, and its _timeout
        # does not end children.
        timer = threading.Timer(seconds, expire)
        with self._lock:
            self._running.update({id(member): member for member in members})
        timer.start()
        try:
            if self._cancelled.is_set():
                self.cancel()
            with contextlib.suppress(sh.ErrorReturnCode):  # a signal: the status is negative
                members[-1].wait()
            return members[-1].process.exit_code, expired.is_set()
        finally:
            timer.cancel()
            with self._lock:
                for member in members:
                    self._running.pop(id(member), None)

    def _note(self, argv: list[str], outcome: str) -> None:
        if self.transcript:
            self.transcript.parent.mkdir(parents=True, exist_ok=True)
            with self.transcript.open("a", encoding="utf-8") as log:
                log.write(self.mask(f"{time.strftime('%H:%M:%S')} {_words(argv)} -> {outcome}\n"))


def _options(env: Mapping[str, str], cwd: Path | None) -> dict[str, Any]:
    """What every command is started with, in the words of sh."""
    usual = {
        "_env": env,
        "_ok_code": range(256),
        "_tty_out": False,
        "_new_group": True,
        "_bg": True,
        "_bg_exc": False,
        "_preexec_fn": _ends_with(os.getpid()),
    }
    return {**usual, **({"_cwd": str(cwd)} if cwd else {})}


def _ends_with(parent: int) -> Callable[[], None] | None:
    """What a child does before its program starts, so that it ends when `parent` is killed.

    A helm or a build that goes on alone would cross the next run. Linux alone can do that; the
    kernel watches the thread that started the child, which waits for it in `run`.
    """
    if LIBC is None:
        return None
    set_signal = LIBC.prctl

    def before() -> None:
        set_signal(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it was killed between the fork and here
            os._exit(128 + signal.SIGTERM)

    return before


def _start(command: Any, argv: Sequence[str], options: Mapping[str, Any]) -> Any:
    """Start a program.

    Raises COMMAND-FAILED if the kernel refuses: a file for another processor, or too many
    arguments.
    """
    try:
        return command(*argv[1:], **options)
    except sh.ForkException as error:
        words = next(
            (line.strip() for line in reversed(str(error).splitlines()) if "Error" in line),
            str(error)[:200],
        )
        remedy = (
            "check that it is made for this processor and system; "
            "`invoke check` says where each tool comes from"
        )
        raise failure(
            "COMMAND-FAILED", argv[0], f"{argv[0]} cannot be started", words, remedy
        ) from error


def only_reads(argv: Sequence[str]) -> bool:
    """Return whether READS lists this command as one that changes nothing."""
    words = list(argv[1:])
    # kubectl's options that come before its command, with their values.
    while words and words[0] in ("--context", "-n", "--namespace"):
        del words[:2]
    if "--dry-run=server" in words:
        return True
    said = " ".join(words[:2])
    return any(
        said == known or said.startswith(f"{known} ") or not known
        for known in READS.get(Path(argv[0]).name, ())
    )


def _signal(processes: Sequence[Any], number: int) -> None:
    """Signal processes and their children. One that has already ended is no error."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            process.signal_group(number)


def _piped(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the words of `first | ... | last`."""
    return [word for command in commands for word in ("|", *command)][1:]


def _words(argv: Sequence[str]) -> str:
    """Return a command as a person reads it: on one line, long arguments shortened."""
    return " ".join(word if len(word) < 200 else word[:200] + "..." for word in argv).replace(
        "\n", " "
    )


class _Lines:
    """Collects a stream and passes on each line as it comes."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._chunks: list[str] = []
        self._on_line = on_line

    def __call__(self, chunk: str | bytes) -> None:
        text = chunk.decode("utf-8", "replace") if isinstance(chunk, bytes) else chunk
        self._chunks.append(text)
        if self._on_line and text.strip():
            self._on_line(text.rstrip())

    def text(self) -> str:
        """Return all of it."""
        return "".join(self._chunks)
