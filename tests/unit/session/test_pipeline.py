import io
import json
import threading
import time
from dataclasses import replace

import pytest

from scripts.session.findings import Failure, failure
from scripts.session.pipeline import critical_path, execute, needed, rehearse
from scripts.session.progress import Progress
from scripts.session.shell import Interrupted, Shell
from scripts.session.stage import milestone, stage
from scripts.session.timings import Timing, junit


@pytest.fixture
def progress():
    return Progress("json")


def _nothing(run):
    return None


def _sleep(run):
    return run.shell.run("sleep", "30")


def test_stages_run_after_their_needs_and_get_their_results(make_run, progress):
    a = stage("a", lambda run: 1)
    b = stage("b", lambda run, one: one + 1, a)
    outcome = execute(make_run(), [b], progress)
    assert (outcome[a], outcome[b]) == (1, 2)
    assert [timing.name for timing in outcome.timings] == ["a", "b"]


def test_what_must_only_have_ended_gives_no_result(make_run, progress):
    done = []
    first = stage("first", lambda run: done.append("first"))
    second = stage("second", lambda run: done.append("second"), after=(first,))
    execute(make_run(), [second], progress)
    assert done == ["first", "second"]


def test_independent_stages_run_side_by_side(make_run, progress):
    met = threading.Barrier(2, timeout=5)
    a = stage("a", lambda run: met.wait() is not None)
    b = stage("b", lambda run: met.wait() is not None)
    outcome = execute(make_run(), [a, b], progress)
    assert outcome[a] and outcome[b]


def test_who_needs_a_milestone_starts_while_the_other_stage_runs(make_run, progress):
    """The long stage ends only when the one that needs the milestone has run."""
    seen = threading.Event()

    def start(run):
        run.reached("half-way")
        return seen.wait(5)

    long = stage("long", start)
    point = milestone("half-way", of=long)
    short = stage("short", lambda run, passed: seen.set() or passed, point)
    outcome = execute(make_run(), [long, short], progress)
    assert (outcome[long], outcome[short]) == (True, True)
    assert {timing.name for timing in outcome.timings} == {"short", "long"}


def test_a_milestone_that_is_not_passed_is_false_in_the_end(make_run, progress):
    ended = []
    long = stage("long", lambda run: ended.append(True))
    short = stage("short", lambda run, passed: (passed, len(ended)), milestone("point", of=long))
    outcome = execute(make_run(), [short], progress)
    assert outcome[short] == (False, 1)


def test_a_failure_before_a_milestone_ends_who_waits_for_it(make_run, progress):
    def fail(run):
        raise failure("CLUSTER-START-FAILED", "x", "the cause")

    bad = stage("bad", fail)
    short = stage("short", lambda run, passed: None, milestone("point", of=bad))
    with pytest.raises(Failure, match="the cause"):
        execute(make_run(), [short], progress)


def test_the_first_failure_ends_what_runs_beside_it_and_is_the_one_told(make_run, progress):
    def fail(run):
        time.sleep(0.2)
        raise failure("IMAGE-BUILD-FAILED", "x", "the cause")

    bad = stage("bad", fail)
    after = stage("after", _nothing, after=(bad,))
    started = time.monotonic()
    with pytest.raises(Failure, match="the cause"):
        execute(make_run(), [stage("slow", _sleep), after], progress)
    assert time.monotonic() - started < 5


def test_cancelling_ends_the_run(make_run, progress):
    run = make_run()
    threading.Timer(0.2, run.shell.cancel).start()
    with pytest.raises(Interrupted):
        execute(run, [stage("slow", _sleep)], progress)


def test_needed_is_the_targets_and_what_leads_to_them():
    a = stage("a", _nothing)
    b = stage("b", _nothing, after=(a,))
    assert needed([b]) == {a: (), b: (a,)}


def test_the_critical_path_goes_back_through_what_ended_last():
    quick, slow = stage("quick", _nothing), stage("slow", _nothing)
    end = stage("end", _nothing, after=(quick, slow))
    timings = [Timing("quick", 0, 1), Timing("slow", 0, 5), Timing("end", 5, 6)]
    assert [timing.name for timing in critical_path([end], timings)] == ["slow", "end"]


def test_the_times_of_a_run_that_failed_are_kept_too(make_run, progress):
    kept = []
    good = stage("good", lambda run: 1)
    slow = stage("slow", _sleep, after=(good,))
    bad = stage("bad", lambda run: run.shell.run("sh", "-c", "sleep 0.3; exit 1"), after=(good,))
    after = stage("after", _nothing, after=(bad,))
    with pytest.raises(Failure):
        execute(make_run(), [slow, after], progress, kept.extend)
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

    def build(run):
        run.say("building")
        run.shell.run("touch", made)
        assert made.exists()

    look = stage(
        "look", lambda run: run.shell.run("echo", "fine", reads=True).stdout.strip(), says=str
    )
    built = stage("build", build, after=(look,))
    use = stage("use", lambda run: 1 / 0, after=(built,))
    beside = stage("beside", _nothing, after=(look,))
    late = stage("late", lambda run, passed: 1 / 0, milestone("point", of=built))
    rehearse(replace(make_run(), shell=Shell(dry=True)), [use, beside, late], Progress("plain"))
    assert not made.exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "look            nothing to do: fine"
    assert sorted(lines[1:]) == sorted(
        [
            "build",
            "    building",
            f"    $ touch {made}",
            "use             known after build",
            "late            known after point",
            "beside          nothing to do",
        ]
    )


def test_a_rehearsal_raises_what_is_wrong_already(make_run, progress):
    def fail(run):
        raise failure("DISK-TOO-SMALL", "x", "the cause")

    with pytest.raises(Failure, match="the cause"):
        rehearse(replace(make_run(), shell=Shell(dry=True)), [stage("bad", fail)], progress)


class _Slow(io.StringIO):
    """A terminal that gives way between two writes."""

    def write(self, text):
        written = super().write(text)
        time.sleep(0.0005)
        return written


def test_events_of_stages_side_by_side_are_whole_lines(monkeypatch):
    out = _Slow()
    monkeypatch.setattr("sys.stdout", out)
    progress = Progress("json")
    threads = [
        threading.Thread(target=lambda: [progress.note("x") for _ in range(20)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = out.getvalue().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["note"] * 160
