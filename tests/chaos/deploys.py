"""A deploy is ended at a random moment: by Ctrl-C, by a signal, or with its terminal."""

from __future__ import annotations

import random
import signal
import time

from tests.chaos.commands import Command, Ended
from tests.chaos.load import Load, somebody
from tests.chaos.results import Result
from tests.chaos.world import World, until

WAYS = ("SIGINT", "SIGTERM", "SIGKILL", "hang-up", "SIGINT twice")
ENDS = 30.0  # seconds for a command to end after it was asked to
GONE = 3.0  # seconds for what it started to end after it
#: What the diagnosis may say of a release whose deploy was cut off. It may also be well.
FIRST = {"RELEASE-STUCK", "RELEASE-MISSING", "ROLLOUT-TIMEOUT", "PROBE-FAILING", "POD-PENDING"}
FIRST |= {"HOSTS-ENTRY"}  # of another cluster on this machine


def later(world: World, result: Result, chance: random.Random) -> None:
    """A deploy of a changed app, over one that serves and is used meanwhile."""
    way = WAYS[result.number % len(WAYS)]
    part = chance.choice(("backend", "backend", "frontend", "both"))
    result.what = f"later deploy, {way}"
    if part not in world.usual:
        world.change(part, f"{result.seed}-usual")
        assert world.deploy(part).status == 0
    with Load(somebody(world.address, world.host), 8, 2, 2) as load:
        world.change(part, f"{result.seed}-{result.number}")
        _accident(world, result, chance, way, part)
        result.seen["part"] = part
    result.check(not (lost := load.lost()), f"{len(lost)} acknowledged writes are lost")
    result.seen |= {"written": len(load.acknowledged), "refused": dict(load.failed)}
    result.check(not load.failed, f"requests failed meanwhile: {dict(load.failed)}")


def first(world: World, result: Result, chance: random.Random) -> None:
    """A first deploy on a cluster that is there: the release was taken off before."""
    way = WAYS[result.number % len(WAYS)]
    result.what = f"first deploy, {way}"
    gone = Command(world.project, "undeploy", "--yes", "--json").end()
    result.check(gone.status == 0, f"undeploy: {gone.status} {gone.first}")
    if "first" not in world.usual:
        assert world.deploy("first").status == 0
        Command(world.project, "undeploy", "--yes", "--json").end()
    world.change("backend", f"{result.seed}-first-{result.number}")
    _accident(world, result, chance, way, "first")


def _accident(world: World, result: Result, chance: random.Random, way: str, usual: str) -> None:
    """Start a deploy, end it, and ask the three questions."""
    before, folders = world.containers(), world.leftovers()
    command = _ended_at_random(world, result, chance, way, usual)
    asked = time.monotonic()
    ended = command.ends_within(ENDS)
    result.seconds["to end"] = round(time.monotonic() - asked, 2)
    result.check(ended, f"it did not end within {ENDS:.0f} s: {command.running()}")
    _judge_words(result, command, way)
    # Half of the people run it again at once; the others look what has become of it.
    if chance.random() < 0.5:
        well = until(lambda: not command.running(), GONE)
        result.check(well, f"left running after {GONE:.0f} s: {command.running()}")
        said = world.diagnose()
        result.seconds["diagnose"] = round(said.seconds, 1)
        result.named = said.first
        if said.status != 0:
            result.check(said.code in FIRST, f"the diagnosis: {said.first}")
    after = world.deploy()
    result.seconds["next"] = round(after.seconds, 1)
    result.check(after.status == 0, f"the next deploy: {after.status} {after.first}")
    _judge_release(world, result, after)
    # They go without anybody who waits for them.
    until(lambda: not world.containers() - before, GONE * 3)
    left = world.containers() - before
    result.check(not left, f"containers of trials: {left}")
    result.check(not command.running(), f"still running: {command.running()}")
    result.check(not world.in_node(), f"in the node: {world.in_node()}")
    rest = world.leftovers() - folders
    result.check(not rest, f"folders left behind: {rest}")


def _ended_at_random(
    world: World, result: Result, chance: random.Random, way: str, usual: str
) -> Command:
    """A deploy that was ended at a moment of its way, or after a line that it said.

    One that came to its end before is followed by another, which is ended sooner.
    """
    seconds, lines = world.usual[usual]
    by_line = way != "hang-up" and chance.random() < 0.6
    share, delay = chance.random(), chance.uniform(0.0, 0.4)
    options = ("--yes",) if way == "hang-up" and chance.random() < 0.7 else ("--yes", "--json")
    while True:
        command = Command(world.project, "deploy", *options, terminal=way == "hang-up")
        if by_line:
            command.heard(max(1, round(share * lines)), seconds * 3)
            time.sleep(delay)
        else:
            command.ends_within(share * seconds)
        if command.process.poll() is None or share < 0.05:
            break
        share *= 0.6
        world.change("backend", f"{result.seed}-{result.number}-{share}")
    after = time.monotonic() - command.began
    result.moment = f"after {after:.2f} s, {len(command.lines)} lines, in {command.stages()}"
    if way == "hang-up":
        command.hang_up()
    else:
        name, _, twice = way.partition(" ")
        command.process.send_signal(getattr(signal, name))
        if twice and not command.ends_within(chance.uniform(0.05, 0.6)):
            command.process.send_signal(getattr(signal, name))
    return command


def _judge_words(result: Result, command: Command, way: str) -> None:
    """What a person reads of a command that was interrupted; nothing reads a closed terminal."""
    if way in ("SIGKILL", "hang-up"):
        return
    ended = command.end(5)
    # It had not begun: Python was still being read. Or it had said its last word.
    if not command.lines or any("Deployed in" in line for line in command.lines):
        return
    result.check(ended.status == 130, f"status {ended.status}: {ended.first}")
    result.check("Traceback" not in ended.output, f"a traceback: {ended.output[-800:]}")
    result.check("Interrupted" in ended.first, f"its last words: {ended.first}")


def _judge_release(world: World, result: Result, after: Ended) -> None:
    """What was wanted runs, and nothing of the deploy that was ended is in the way."""
    wanted = after.images()
    result.check(world.images() == wanted, f"pods run {world.images()}, wanted {wanted}")
    stuck = [one for one in world.history() if one.startswith("pending")]
    result.check(not stuck, f"revisions: {stuck}")
