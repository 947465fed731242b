"""Run stages in the order of their needs, side by side where they do not need each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, TypeVar

from scripts.session.progress import Progress
from scripts.session.run import Run
from scripts.session.shell import Interrupted, Planned
from scripts.session.stage import Milestone, Stage
from scripts.session.timings import Timing

R = TypeVar("R")


@dataclass(frozen=True)
class Outcome:
    """What a run of stages left.

    It holds a result by stage, and the timings in the order in which the stages ended.
    """

    results: Mapping[Stage[Any], Any]
    timings: tuple[Timing, ...]

    def __getitem__(self, one: Stage[R]) -> R:
        result: R = self.results[one]
        return result


def needed(targets: Iterable[Stage[Any]]) -> dict[Stage[Any], tuple[Stage[Any], ...]]:
    """The targets and all that they need: stage -> the stages that must have ended before it."""
    graph: dict[Stage[Any], tuple[Stage[Any], ...]] = {}
    pending = list(targets)
    while pending:
        one = pending.pop()
        if one not in graph:
            graph[one] = one.needs + one.after
            pending += graph[one]
    return graph


def execute(
    run: Run,
    targets: Iterable[Stage[Any]],
    progress: Progress,
    record: Callable[[Sequence[Timing]], None] = lambda timings: None,
) -> Outcome:
    """Run the targets and what they need.

    The first failure cancels what runs beside it and is raised when that has ended. Ctrl-C does the
    same. record: gets the timings in either case.
    """
    running = _Running(run, progress, needed(targets))
    try:
        with ThreadPoolExecutor(max_workers=16, thread_name_prefix="stage") as pool:
            try:
                running.to_the_end(pool)
            except BaseException:
                run.shell.cancel()
                raise
    finally:
        record(running.all_timings())
    if running.failed:
        raise running.failed
    return Outcome(running.results, tuple(running.timings))


class _Running:
    """The state of one `execute`: which stages run, and what those that ended left."""

    def __init__(
        self, run: Run, progress: Progress, graph: dict[Stage[Any], tuple[Stage[Any], ...]]
    ) -> None:
        self._run, self._progress = run, progress
        self._began = time.monotonic()
        self._futures: dict[Future[Any], tuple[Stage[Any], float]] = {}
        self._points = {one: Future[bool]() for one in graph if isinstance(one, Milestone)}
        # A milestone is waited for from the moment at which the stage that passes it may start.
        self._sorter = TopologicalSorter({one: graph[_starter(one)] for one in graph})
        self.results: dict[Stage[Any], Any] = {}
        self.timings: list[Timing] = []
        self.failed: BaseException | None = None

    def to_the_end(self, pool: ThreadPoolExecutor) -> None:
        """Start what is ready, take in what ends, until all is done or something failed."""
        self._sorter.prepare()
        while self._sorter.is_active():
            for one in self._sorter.get_ready() if not self.failed else ():
                future = self._points[one] if isinstance(one, Milestone) else self._start(pool, one)
                self._futures[future] = (one, self._clock())
            if not self._futures:
                return
            for future in wait(self._futures, return_when=FIRST_COMPLETED).done:
                self._take_in(future)

    def all_timings(self) -> list[Timing]:
        """Those of ended stages; what still runs when it is cut off counts as stopped."""
        cut = [
            Timing(one.name, start, self._clock(), "stopped")
            for one, start in self._futures.values()
            if not isinstance(one, Milestone)
        ]
        return [*self.timings, *cut]

    def _clock(self) -> float:
        return time.monotonic() - self._began

    def _start(self, pool: ThreadPoolExecutor, one: Stage[Any]) -> Future[Any]:
        given = [self.results[need] for need in one.needs]
        future = pool.submit(_work, self._run.reaching(self._reach), one, given, self._progress)
        future.add_done_callback(lambda _: self._close_points(one))
        return future

    def _reach(self, name: str) -> None:
        for point, future in self._points.items():
            if point.name == name and not future.done():
                future.set_result(True)

    def _close_points(self, ended: Stage[Any]) -> None:
        for point, future in self._points.items():
            if point.of is ended and not future.done():
                future.set_result(False)

    def _take_in(self, future: Future[Any]) -> None:
        one, start = self._futures.pop(future)
        error = future.exception()
        if error is None:
            self.results[one] = future.result()
            self._sorter.done(one)
        else:
            self._progress.failed(one.name, isinstance(error, Interrupted))
            # What was cancelled because of the first failure is no cause of its own.
            if self.failed is None or isinstance(self.failed, Interrupted):
                self.failed = error
            self._run.shell.cancel()
        if not isinstance(one, Milestone):
            self.timings.append(Timing(one.name, start, self._clock(), _status(error)))


def _starter(one: Stage[Any]) -> Stage[Any]:
    return one.of if isinstance(one, Milestone) and one.of else one


def _status(error: BaseException | None) -> str:
    return "passed" if error is None else "stopped" if isinstance(error, Interrupted) else "failed"


def _work(run: Run, one: Stage[Any], given: Sequence[Any], progress: Progress) -> Any:
    began = time.monotonic()
    progress.started(one.name)
    result = one.work(run.saying(lambda text: progress.said(one.name, text)), *given)
    progress.finished(one.name, time.monotonic() - began, one.says(result))
    return result


def rehearse(run: Run, targets: Iterable[Stage[Any]], progress: Progress) -> None:
    """Tell, stage by stage, which commands a run would give now. `run` has a dry shell.

    What only looks does run. A stage that cannot go on without its own effects is open, and what
    needs it can be told only after that.
    """
    graph = needed(targets)
    results: dict[Stage[Any], Any] = {}
    for one in TopologicalSorter(graph).static_order():
        waits = tuple(need.name for need in graph[one] if need not in results)
        before, said = len(run.shell.planned), list[str]()
        if not waits:
            _rehearse_one(run.saying(said.append), one, results)
        summary = one.says(results[one]) if one in results else ""
        if not isinstance(one, Milestone):
            commands = tuple(run.shell.planned[before:])
            progress.planned(one.name, commands, tuple(said), waits, summary)


def _rehearse_one(run: Run, one: Stage[Any], results: dict[Stage[Any], Any]) -> None:
    before = len(run.shell.planned)
    try:
        results[one] = one.work(run, *(results[need] for need in one.needs))
    except Exception as error:
        # Without the effects of what it would have done, anything may go wrong. With nothing done,
        # something is wrong.
        if len(run.shell.planned) == before and not isinstance(error, Planned):
            raise


def critical_path(targets: Iterable[Stage[Any]], timings: Iterable[Timing]) -> list[Timing]:
    """The chain of stages that the end waited for: from the last to end, back to the first.

    At each step back it follows the need that ended last.
    """
    graph = {one.name: [need.name for need in needs] for one, needs in needed(targets).items()}
    by_name = {timing.name: timing for timing in timings}
    path = [max(by_name.values(), key=lambda timing: timing.end)] if by_name else []
    while path and (needs := [by_name[name] for name in graph[path[0].name] if name in by_name]):
        path.insert(0, max(needs, key=lambda timing: timing.end))
    return path
