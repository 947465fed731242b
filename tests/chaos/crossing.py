"""Two commands at once that change one cluster: one waits or is refused by name, never both."""

from __future__ import annotations

import random
import signal
import time

from tests.chaos.commands import Command, Ended
from tests.chaos.results import Result
from tests.chaos.world import World

#: The first command and the second, which starts while the first runs.
PAIRS = (
    ("deploy", "deploy"),
    ("deploy", "undeploy"),
    ("dev", "deploy"),
    ("deploy", "rollback"),
    ("deploy", "cluster-down"),
    ("undeploy", "deploy"),
    ("dev", "dev"),
    ("deploy", "destroy"),
    ("dev", "undeploy"),
    ("rollback", "deploy"),
)
REFUSED = "DEPLOY-RUNNING"


def accident(world: World, result: Result, chance: random.Random) -> None:
    """Start one command, a second one a moment later, and see what came of both."""
    one, other = PAIRS[result.number % len(PAIRS)]
    result.what = f"{other} beside {one}"
    world.change("backend", f"{result.seed}-cross-{result.number}")
    if "rollback" in (one, other) and len(world.history()) < 2:
        world.deploy()
        world.change("backend", f"{result.seed}-cross-{result.number}-b")
    wait = chance.uniform(0.0, 4.0)
    first = Command(world.project, one, "--yes", "--json")
    if one == "dev":
        first.said("Ctrl-C ends", 240)
    time.sleep(wait)
    result.moment = f"after {wait:.1f} s"
    both_ran = first.process.poll() is None
    second = Command(world.project, other, "--yes", "--json")
    if other == "dev":
        second.said(REFUSED, 60)
    ended = second.end(300)
    still = first.process.poll() is None
    if one == "dev" and still:
        first.process.send_signal(signal.SIGINT)
    before = first.end(300)
    result.seen |= {"first": _told(before), "second": _told(ended)}
    if both_ran:
        _judge(result, before, ended, still)
    result.named = next((x.first for x in (ended, before) if x.code == REFUSED), "")
    for command in (first, second):
        result.check(not command.running(), f"still running: {command.running()}")
    after = world.deploy()
    result.seconds["next"] = round(after.seconds, 1)
    result.check(after.status == 0, f"the next deploy: {after.status} {after.first}")
    wanted = after.images()
    result.check(world.images() == wanted, f"pods run {world.images()}, wanted {wanted}")


def _judge(result: Result, first: Ended, second: Ended, still: bool) -> None:
    """still: the first one ran on when the second had ended."""
    refused = [one for one in (first, second) if one.code == REFUSED]
    well = [one for one in (first, second) if one.status == 0]
    result.check(len(refused) < 2, "both were refused")
    result.check(len(refused) + len(well) == 2, f"neither waited: {_told(first)}; {_told(second)}")
    result.check(not still or bool(refused), f"both ran: {_told(first)}; {_told(second)}")


def _told(ended: Ended) -> str:
    return f"{ended.status} {ended.first[:160]}"
