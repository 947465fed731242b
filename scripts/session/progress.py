"""What the person sees.

On a terminal: live steps. Elsewhere: plain lines. With --json: one JSON object per event.
"""

from __future__ import annotations

import json
import select
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from scripts.session.findings import Finding

COLOURS = {"backend": "cyan", "frontend": "magenta", "postgres": "yellow"}
Mode = Literal["live", "plain", "json"]


class Progress:
    """Shows stages when they start, report and end. Thread-safe, as stages run side by side."""

    def __init__(self, mode: Mode | None = None) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.mode: Mode = mode or ("live" if self.console.is_terminal else "plain")
        self._running: dict[str, tuple[float, str]] = {}
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self.mode == "live":
            self._live = Live(
                console=self.console,
                get_renderable=self._picture,
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def aside(self) -> None:
        """From now on, write to standard error: standard output belongs to a protocol."""
        self.console.stderr = True

    def started(self, stage: str) -> None:
        """Show that a stage begins."""
        with self._lock:
            self._running[stage] = (time.monotonic(), "")
        self._event("started", stage)

    def said(self, stage: str, text: str) -> None:
        """Show what a running stage does."""
        with self._lock:
            began = self._running.get(stage, (time.monotonic(), ""))[0]
            self._running[stage] = (began, text)
        self._event("said", stage, text=text)
        if self.mode == "plain":
            self._line(f"{self._clock()}  {stage:<15} {text}")

    def finished(self, stage: str, seconds: float, summary: str) -> None:
        """Show that a stage is done."""
        with self._lock:
            self._running.pop(stage, None)
        self._event("finished", stage, seconds=round(seconds, 3), summary=summary)
        if self.mode == "live":
            self._line(f"[green]✓[/] {stage:<15} [dim]{seconds:6.1f} s[/]  {escape(summary)}")
        elif self.mode == "plain":
            result = f": {summary}" if summary else ""
            self._line(f"{self._clock()}  {stage:<15} done in {seconds:.1f} s{result}")

    def failed(self, stage: str, stopped: bool) -> None:
        """Show that a stage failed, or was `stopped` because another failed.

        The findings are shown at the end.
        """
        with self._lock:
            self._running.pop(stage, None)
        word, mark = ("stopped", "[dim]·[/]") if stopped else ("failed", "[red]✗[/]")
        self._event(word, stage)
        if self.mode != "json":
            self._line(
                f"{mark} {stage:<15} {word}"
                if self.mode == "live"
                else f"{self._clock()}  {stage:<15} {word}"
            )

    def planned(
        self,
        stage: str,
        commands: tuple[str, ...],
        said: tuple[str, ...],
        waits: tuple[str, ...],
        summary: str,
    ) -> None:
        """Show, in a dry run, what a stage would do, and what it would say.

        waits: the stages that must run before this can be known.
        """
        self._event("planned", stage, commands=commands, said=said, after=waits, summary=summary)
        if self.mode == "json":
            return
        told = (
            f"known after {', '.join(waits)}"
            if waits
            else ""
            if commands
            else f"nothing to do{': ' + summary if summary else ''}"
        )
        self._line(escape(f"{stage:<15} {told}".rstrip()))
        for line in (*said, *commands) if commands else ():
            self._line(escape(f"    {line}"))

    def asks(self, question: str, wait: Callable[[float], None]) -> bool:
        """Ask the person a yes/no question. Only for a terminal where somebody answers.

        wait: pauses for some seconds, and raises if the run is cancelled.
        """
        if self._live:
            self._live.stop()
        try:
            self.console.print(f"May I {escape(question)}? \\[y/N] ", end="")
            while not select.select([sys.stdin], [], [], 0)[0]:
                wait(0.1)
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        finally:
            if self._live:
                self._live.start()

    def asks_for(self, what: str, secret: bool) -> str:
        """Ask the person for a value. A secret is not shown while it is typed."""
        if self._live:
            self._live.stop()
        try:
            return self.console.input(f"Please give {escape(what)}: ", password=secret).strip()
        except EOFError:
            return ""
        finally:
            if self._live:
                self._live.start()

    def findings(self, found: tuple[Finding, ...]) -> None:
        """Show what is wrong: the sentence, the evidence, what to do, the code."""
        for finding in found:
            if self.mode == "json":
                self._event(
                    "finding",
                    finding.code,
                    subject=finding.subject,
                    summary=finding.summary,
                    evidence=finding.evidence,
                    remedy=finding.remedy,
                )
                continue
            self.console.print(f"\n[bold red]{escape(finding.summary)}[/]")
            for line in finding.evidence.splitlines():
                self.console.print(f"    [dim]{escape(line)}[/]")
            if finding.remedy:
                self.console.print(f"  What to do: {escape(finding.remedy)}")
            self.console.print(f"  [dim]{finding.code} in TROUBLESHOOTING.md[/]")

    def note(self, text: str) -> None:
        """Show a line that belongs to no stage."""
        self._event("note", "", text=text)
        if self.mode != "json":
            self._line(escape(text))

    def log(self, source: str, text: str) -> None:
        """Show a line of a pod's log, in the colour of its source."""
        self._event("log", source, text=text)
        if self.mode != "json":
            self.console.print(
                f"[{COLOURS.get(source, 'green')}]{escape(source):<9}[/] {escape(text)}"
            )

    def table(self, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Show a small table."""
        if self.mode == "json":
            for row in rows:
                self._event("row", title, row=dict(zip(columns, row, strict=True)))
            return
        table = Table(
            *columns,
            title=title,
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="dim",
        )
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print(table)

    def _line(self, text: str) -> None:
        self.console.print(text, markup=self.mode == "live")

    def _clock(self) -> str:
        return f"{time.monotonic() - self._started:7.1f}"

    def _event(self, kind: str, stage: str, **more: object) -> None:
        if self.mode == "json":
            event = {"event": kind, "name": stage, "at": round(time.time(), 3), **more}
            with self._writing:  # print() writes a line and its end apart: stages would mix theirs
                sys.stdout.write(json.dumps(event) + "\n")
                sys.stdout.flush()

    def _picture(self) -> Group:
        now = time.monotonic()
        with self._lock:
            running = list(self._running.items())
        return Group(
            *(
                Spinner("dots", f"{stage:<15} [dim]{now - began:6.1f} s[/]  {escape(text[:90])}")
                for stage, (began, text) in running
            )
        )
