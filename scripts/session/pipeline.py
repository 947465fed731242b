"""Runs stages in the order of their needs, those that do not need each other side by side, and keeps the timings; or only tells what they would do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from scripts.session.progress import Progress
from scripts.session.run import Run
from scripts.session.shell import Interrupted, Planned
from scripts.session.timings import Timing


@dataclass(frozen=True)
class Stage:
    """A step: what it needs by name, and the function that gets the run and the results of what came before."""

    name: str
    needs: tuple[str, ...]
    work: Callable[[Run, Mapping[str, Any]], Any]
    summary: Callable[[Any], str] = lambda result: ""


@dataclass(frozen=True)
class Outcome:
    """Results by stage name, and the timings in the order in which stages ended."""

    results: Mapping[str, Any]
    timings: tuple[Timing, ...]


def needed(stages: Mapping[str, Stage], targets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The targets and all that they need: name -> its needs."""
    graph: dict[str, tuple[str, ...]] = {}
    pending = list(targets)
    while pending:
        name = pending.pop()
        if name not in graph:
            graph[name] = stages[name].needs
            pending += stages[name].needs
    return graph


def execute(
    run: Run,
    stages: Mapping[str, Stage],
    targets: Iterable[str],
    progress: Progress,
    record: Callable[[Sequence[Timing]], None] = lambda timings: None,
) -> Outcome:
    """Run the targets and what they need.

    The first failure cancels what runs beside it and is raised when that has ended. Ctrl-C does the same. record: gets the
    timings in either case.
    """
    sorter = TopologicalSorter(needed(stages, targets))
    sorter.prepare()
    began = time.monotonic()
    results: dict[str, Any] = {}
    timings: list[Timing] = []
    running: dict[Future[Any], tuple[str, float]] = {}
    failed: BaseException | None = None
    try:
        with ThreadPoolExecutor(max_workers=16, thread_name_prefix="stage") as pool:
            try:
                while sorter.is_active():
                    for name in sorter.get_ready() if not failed else ():
                        running[pool.submit(_run, run, stages[name], results, progress)] = (
                            name,
                            time.monotonic() - began,
                        )
                    if not running:
                        break
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        name, start = running.pop(future)
                        error = future.exception()
                        stopped = isinstance(error, Interrupted)
                        status = "passed" if error is None else "stopped" if stopped else "failed"
                        timings.append(Timing(name, start, time.monotonic() - began, status))
                        if error is None:
                            results[name] = future.result()
                            sorter.done(name)
                        else:
                            progress.failed(name, stopped)
                            # What was cancelled because of the first failure is no cause of its own.
                            failed = (
                                error
                                if failed is None or isinstance(failed, Interrupted)
                                else failed
                            )
                            run.shell.cancel()
            except BaseException:
                run.shell.cancel()
                raise
    finally:
        timings += [
            Timing(name, start, time.monotonic() - began, "stopped")
            for name, start in running.values()
        ]
        record(timings)
    if failed:
        raise failed
    return Outcome(results, tuple(timings))


def rehearse(
    run: Run, stages: Mapping[str, Stage], targets: Iterable[str], progress: Progress
) -> None:
    """Tell, stage by stage, which commands a run would give now. `run` has a dry shell: what only looks does run.

    A stage that cannot go on without its own effects is open, and what needs it is known only then.
    """
    results: dict[str, Any] = {}
    opened: set[str] = set()
    for name in TopologicalSorter(needed(stages, targets)).static_order():
        waits = tuple(need for need in stages[name].needs if need in opened)
        before, summary, said = len(run.shell.planned), "", list[str]()
        if not waits:
            try:
                results[name] = stages[name].work(run.saying(said.append), results)
                summary = stages[name].summary(results[name])
            except Exception as error:
                # Without the effects of what it would have done, anything may go wrong; with nothing done, something is wrong.
                if len(run.shell.planned) == before and not isinstance(error, Planned):
                    raise
                opened.add(name)
        else:
            opened.add(name)
        progress.planned(name, tuple(run.shell.planned[before:]), tuple(said), waits, summary)


def _run(run: Run, stage: Stage, results: Mapping[str, Any], progress: Progress) -> Any:
    began = time.monotonic()
    progress.started(stage.name)
    result = stage.work(run.saying(lambda text: progress.said(stage.name, text)), results)
    progress.finished(stage.name, time.monotonic() - began, stage.summary(result))
    return result


def critical_path(stages: Mapping[str, Stage], timings: Iterable[Timing]) -> list[Timing]:
    """The chain of stages that the end waited for: from the last to end, back through whichever need ended last."""
    by_name = {timing.name: timing for timing in timings}
    path = [max(by_name.values(), key=lambda timing: timing.end)] if by_name else []
    while path and (
        needs := [by_name[name] for name in stages[path[0].name].needs if name in by_name]
    ):
        path.insert(0, max(needs, key=lambda timing: timing.end))
    return path
