import threading
import time
from dataclasses import replace

import pytest

from scripts.session.findings import Failure, failure
from scripts.session.pipeline import Stage, critical_path, execute, needed, rehearse
from scripts.session.progress import Progress
from scripts.session.shell import Interrupted, Shell
from scripts.session.timings import Timing, junit


def _stages(*stages):
    return {stage.name: stage for stage in stages}


@pytest.fixture
def progress():
    return Progress("json")


def test_stages_run_after_their_needs_and_get_their_results(make_run, progress):
    stages = _stages(
        Stage("a", (), lambda run, done: 1),
        Stage("b", ("a",), lambda run, done: done["a"] + 1),
        Stage("other", (), lambda run, done: 1 / 0),
    )
    outcome = execute(make_run(), stages, ["b"], progress)
    assert dict(outcome.results) == {"a": 1, "b": 2}
    assert [timing.name for timing in outcome.timings] == ["a", "b"]


def test_independent_stages_run_side_by_side(make_run, progress):
    met = threading.Barrier(2, timeout=5)
    stages = _stages(
        Stage("a", (), lambda run, done: met.wait() is not None),
        Stage("b", (), lambda run, done: met.wait() is not None),
    )
    assert execute(make_run(), stages, ["a", "b"], progress).results == {"a": True, "b": True}


def test_the_first_failure_ends_what_runs_beside_it_and_is_the_one_told(make_run, progress):
    def fail(run, done):
        time.sleep(0.2)
        raise failure("IMAGE-BUILD-FAILED", "x", "the cause")

    stages = _stages(
        Stage("slow", (), lambda run, done: run.shell.run("sleep", "30")),
        Stage("bad", (), fail),
        Stage("after", ("bad",), lambda run, done: None),
    )
    started = time.monotonic()
    with pytest.raises(Failure, match="the cause"):
        execute(make_run(), stages, ["slow", "after"], progress)
    assert time.monotonic() - started < 5


def test_cancelling_ends_the_run(make_run, progress):
    run = make_run()
    threading.Timer(0.2, run.shell.cancel).start()
    with pytest.raises(Interrupted):
        execute(
            run,
            _stages(Stage("slow", (), lambda run, done: run.shell.run("sleep", "30"))),
            ["slow"],
            progress,
        )


def test_needed_is_the_targets_and_what_leads_to_them():
    stages = _stages(Stage("a", (), None), Stage("b", ("a",), None), Stage("c", (), None))
    assert set(needed(stages, ["b"])) == {"a", "b"}


def test_the_critical_path_goes_back_through_what_ended_last():
    stages = _stages(
        Stage("quick", (), None), Stage("slow", (), None), Stage("end", ("quick", "slow"), None)
    )
    timings = [Timing("quick", 0, 1), Timing("slow", 0, 5), Timing("end", 5, 6)]
    assert [timing.name for timing in critical_path(stages, timings)] == ["slow", "end"]


def test_the_times_of_a_run_that_failed_are_kept_too(make_run, progress):
    kept = []
    stages = _stages(
        Stage("good", (), lambda run, done: 1),
        Stage("slow", ("good",), lambda run, done: run.shell.run("sleep", "30")),
        Stage("bad", ("good",), lambda run, done: run.shell.run("sh", "-c", "sleep 0.3; exit 1")),
        Stage("after", ("bad",), lambda run, done: 1),
    )
    with pytest.raises(Failure):
        execute(make_run(), stages, ["slow", "after"], progress, kept.extend)
    assert {one.name: one.status for one in kept} == {
        "good": "passed",
        "slow": "stopped",
        "bad": "failed",
    }
    suite = junit(kept)
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["bad"]
    assert float(suite.get("time")) >= 0.3


def test_a_rehearsal_tells_what_would_be_done_and_what_waits_for_it(make_run, capsys, tmp_path):
    made = tmp_path / "made"

    def build(run, done):
        run.say("building")
        run.shell.run("touch", made)
        assert made.exists()

    stages = _stages(
        Stage(
            "look",
            (),
            lambda run, done: run.shell.run("echo", "fine", reads=True).stdout.strip(),
            str,
        ),
        Stage("build", ("look",), build),
        Stage("use", ("build",), lambda run, done: 1 / 0),
        Stage("beside", ("look",), lambda run, done: None),
    )
    run = replace(make_run(), shell=Shell(dry=True))
    rehearse(run, stages, ["use", "beside"], Progress("plain"))
    assert not made.exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "look            nothing to do: fine"
    assert sorted(lines[1:]) == sorted(
        [
            "build",
            "    building",
            f"    $ touch {made}",
            "use             known after build",
            "beside          nothing to do",
        ]
    )


def test_a_rehearsal_raises_what_is_wrong_already(make_run, progress):
    def fail(run, done):
        raise failure("DISK-TOO-SMALL", "x", "the cause")

    with pytest.raises(Failure, match="the cause"):
        rehearse(
            replace(make_run(), shell=Shell(dry=True)),
            _stages(Stage("bad", (), fail)),
            ["bad"],
            progress,
        )
