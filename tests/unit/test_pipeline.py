import threading
import time

import pytest

from scripts.findings import Failure, failure
from scripts.pipeline import Stage, Timing, critical_path, execute, needed
from scripts.progress import Progress
from scripts.shell import Interrupted


def _stages(*stages):
    return {stage.name: stage for stage in stages}


@pytest.fixture
def progress():
    return Progress("json")


def test_stages_run_after_their_needs_and_get_their_results(make_run, progress):
    stages = _stages(Stage("a", (), lambda run, done: 1), Stage("b", ("a",), lambda run, done: done["a"] + 1), Stage("other", (), lambda run, done: 1 / 0))
    outcome = execute(make_run(), stages, ["b"], progress)
    assert dict(outcome.results) == {"a": 1, "b": 2}
    assert [timing.name for timing in outcome.timings] == ["a", "b"]


def test_independent_stages_run_side_by_side(make_run, progress):
    met = threading.Barrier(2, timeout=5)
    stages = _stages(Stage("a", (), lambda run, done: met.wait() is not None), Stage("b", (), lambda run, done: met.wait() is not None))
    assert execute(make_run(), stages, ["a", "b"], progress).results == {"a": True, "b": True}


def test_the_first_failure_ends_what_runs_beside_it_and_is_the_one_told(make_run, progress):
    def fail(run, done):
        time.sleep(0.2)
        raise failure("IMAGE-BUILD-FAILED", "x", "the cause")

    stages = _stages(
        Stage("slow", (), lambda run, done: run.shell.run("sleep", "30")), Stage("bad", (), fail), Stage("after", ("bad",), lambda run, done: None)
    )
    started = time.monotonic()
    with pytest.raises(Failure, match="the cause"):
        execute(make_run(), stages, ["slow", "after"], progress)
    assert time.monotonic() - started < 5


def test_cancelling_ends_the_run(make_run, progress):
    run = make_run()
    threading.Timer(0.2, run.shell.cancel).start()
    with pytest.raises(Interrupted):
        execute(run, _stages(Stage("slow", (), lambda run, done: run.shell.run("sleep", "30"))), ["slow"], progress)


def test_needed_is_the_targets_and_what_leads_to_them():
    stages = _stages(Stage("a", (), None), Stage("b", ("a",), None), Stage("c", (), None))
    assert set(needed(stages, ["b"])) == {"a", "b"}


def test_the_critical_path_goes_back_through_what_ended_last():
    stages = _stages(Stage("quick", (), None), Stage("slow", (), None), Stage("end", ("quick", "slow"), None))
    timings = [Timing("quick", 0, 1), Timing("slow", 0, 5), Timing("end", 5, 6)]
    assert [timing.name for timing in critical_path(stages, timings)] == ["slow", "end"]
