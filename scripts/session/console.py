"""A task's session: settings, shell and display put together.

Every way to end is turned into words and an exit code.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.session import pipeline
from scripts.session.cache import locked
from scripts.session.findings import BROKEN_PIPE, EXIT_CODES, INTERRUPTED, Failure, Finding, failure
from scripts.session.pipeline import Outcome
from scripts.session.progress import Progress
from scripts.session.run import Run
from scripts.session.settings import Settings
from scripts.session.shell import Interrupted, Shell
from scripts.session.stage import Stage
from scripts.session.timings import write_timings

TRANSCRIPTS = 200  # of runs, kept


@dataclass(frozen=True)
class Session:
    """What a task works with."""

    context: Run
    progress: Progress

    def run(self, *targets: Stage[Any]) -> Outcome:
        """Run these stages and what they need, alone."""
        with self.alone():
            return self.execute(*targets)

    def execute(self, *targets: Stage[Any]) -> Outcome:
        """Run these stages and what they need; for those who are alone already."""
        logs = self.context.settings.cache / "logs"
        with self.progress:
            return pipeline.execute(
                self.context,
                targets,
                self.progress,
                lambda ended: write_timings(logs, ended),
            )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other run work on this cluster meanwhile: two that change it would cross.

        Raises DEPLOY-RUNNING.
        """
        settings = self.context.settings
        lock = settings.cache / "locks" / f"run-{settings.cluster_key}"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(lock, blocking=False))
            except BlockingIOError as error:
                raise failure(
                    "DEPLOY-RUNNING",
                    str(lock),
                    "another run works on this cluster just now",
                    remedy="wait for it to end, then run this again",
                ) from error
            yield

    def rehearse(self, *targets: Stage[Any]) -> None:
        """Tell what `run` would do with these targets, and do nothing."""
        pipeline.rehearse(self.context, targets, self.progress)


@contextlib.contextmanager
def open_session(
    values: Mapping[str, Any],
    as_json: bool,
    yes: bool,
    stop: Callable[..., BaseException],
    dry: bool = False,
    app: str = "",
    context: str = "",
) -> Iterator[Session]:
    """Give a task its session.

    stop: `stop(message, code)` makes the exception that ends the program with a code. app,
    context: the app's folder and the kubeconfig's context that the person named, else empty.
    """
    progress = Progress("json" if as_json else None)
    shell = Shell(dry=dry)
    signal.signal(signal.SIGTERM, _as_interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup's wish is heeded
        signal.signal(signal.SIGHUP, _hung_up)
    try:
        settings = Settings.load(values, app, context)
        shell.transcript = settings.cache / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        if not dry:
            _forget_oldest(shell.transcript.parent)
        shell.path = (settings.cache / "bin",)
        attended = (
            sys.stdin.isatty()
            and progress.mode != "json"
            and not (yes or settings.assume_yes or dry)
        )
        yield Session(
            Run(
                settings,
                shell,
                progress.note,
                _confirm(progress, shell, attended),
                _ask(progress, attended),
                attended,
            ),
            progress,
        )
    except Failure as error:
        progress.findings(error.findings)
        _say_transcript(progress, shell)
        raise stop("", error.exit_code) from error
    except (KeyboardInterrupt, Interrupted) as error:
        # A third Ctrl-C would end in a traceback, and nothing sooner: what runs ends within GRACE.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shell.cancel()
        progress.note(
            "Interrupted. Nothing is lost: run the same command again and it goes on from here."
        )
        raise stop("", INTERRUPTED) from error
    except (
        BrokenPipeError
    ) as error:  # whoever read our output (`| head`) has gone: nobody is left to tell
        shell.cancel()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise stop("", BROKEN_PIPE) from error
    except Exception as error:  # the one place that catches all: nobody is to see a bare traceback
        progress.findings((_unexpected(error, shell),))
        raise stop("", EXIT_CODES["internal"]) from error


def _forget_oldest(logs: Path) -> None:
    """Keep the transcripts of the newest runs: every run writes one. Their names tell the time."""
    old = sorted(logs.glob("[0-9]*-[0-9]*.log"))[:-TRANSCRIPTS]
    for path in old:
        with contextlib.suppress(OSError):  # another run does the same, or they are not ours
            path.unlink()


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _hung_up(number: int, frame: object) -> None:
    """The terminal was closed: end as after Ctrl-C, and write no more to it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        # Not isatty(): a terminal that was closed is none any more.
        if stat.S_ISCHR(os.fstat(stream).st_mode):
            os.dup2(nowhere, stream)
    _as_interrupt(number, frame)


def _confirm(progress: Progress, shell: Shell, attended: bool) -> Callable[[str], bool]:
    def confirm(what: str) -> bool:
        if shell.dry:
            return True  # what follows is told as part of the plan
        if not attended:
            progress.note(f"Without asking, I {what}.")
            return True
        return progress.asks(what, shell.wait)

    return confirm


def _ask(progress: Progress, attended: bool) -> Callable[[str, bool], str]:
    def ask(what: str, secret: bool) -> str:
        return progress.asks_for(what, secret) if attended else ""

    return ask


def _unexpected(error: BaseException, shell: Shell) -> Finding:
    """A failure that nobody foresaw.

    Where it happened goes to the transcript, one sentence to the person.
    """
    if shell.transcript:
        shell.transcript.parent.mkdir(parents=True, exist_ok=True)
        with shell.transcript.open("a", encoding="utf-8") as log:
            log.write(shell.mask("".join(traceback.format_exception(error))))
    full = isinstance(error, OSError) and error.errno == 28
    return Finding(
        "DISK-TOO-SMALL" if full else "COMMAND-FAILED",
        type(error).__name__,
        "the disk is full"
        if full
        else f"something unforeseen went wrong: {shell.mask(str(error))}",
        f"{traceback.extract_tb(error.__traceback__)[-1]}",
        "free some space and run the command again"
        if full
        else f"run the command again; if it stays so, report it with {shell.transcript}",
    )


def _say_transcript(progress: Progress, shell: Shell) -> None:
    if shell.transcript and shell.transcript.exists() and progress.mode != "json":
        progress.note(f"  Every command of this run: {shell.transcript}")
