"""Pods are replaced while requests come steadily: none of them may fail."""

from __future__ import annotations

import random
import time

from tests.chaos.load import Load, somebody
from tests.chaos.results import Result
from tests.chaos.world import World

RATE = 80.0  # requests a second; a fifth of them pages, a quarter of the others writes
THREADS = 8
SETTLES = 4.0  # seconds after a rollout: an old pod's last ones
KINDS = ("restart of backend", "restart of frontend", "restart of both", "deploy of a change")


def accident(world: World, result: Result, chance: random.Random) -> None:
    """One rollout under load."""
    kind = KINDS[result.number % len(KINDS)]
    result.what = f"rollout under load: {kind}"
    result.check(world.ready(), "it was not well before")
    with Load(somebody(world.address, world.host), RATE, THREADS, 4, pages=5) as load:
        wait = chance.uniform(0.5, 2.0)
        time.sleep(wait)
        began = time.monotonic()
        if kind.startswith("deploy"):
            world.change(chance.choice(("backend", "frontend")), f"{result.seed}-{result.number}")
            after = world.deploy()
            result.check(after.status == 0, f"the deploy: {after.status} {after.first}")
        else:
            _restart(world, kind)
        result.seconds["rollout"] = round(time.monotonic() - began, 1)
        time.sleep(SETTLES)
    rate = load.sent / load.took
    result.moment = f"after {wait:.1f} s, {load.sent} requests, {rate:.0f} a second"
    result.seconds |= {"slowest answer": round(load.slowest, 2), "a second": round(rate, 1)}
    result.check(not load.failed, f"requests failed: {dict(load.failed)}")
    lost = load.lost()
    result.check(not lost, f"{len(lost)} acknowledged writes are lost")
    result.seen |= {"sent": load.sent, "written": len(load.acknowledged)}


def _restart(world: World, kind: str) -> None:
    names = [one for one in ("backend", "frontend") if one in kind or "both" in kind]
    deployments = [f"deployment/todo-app-{name}" for name in names]
    world.kube("rollout", "restart", *deployments)
    for one in deployments:
        world.kube("rollout", "status", one, "--timeout=150s", timeout=160)
