"""PostgreSQL is killed, or its pod is taken away, while todos are written through the ingress."""

from __future__ import annotations

import json
import random
import subprocess
import time

from tests.chaos.load import Load, somebody
from tests.chaos.results import Result
from tests.chaos.world import World, until

RATE = 40.0  # writes a second that are asked for, of four people at once
BACK = 90.0  # seconds until the API must write again
POD = "todo-app-postgres-0"
#: What the diagnosis may say within seconds of such an accident. It may also be well.
FIRST = {"CRASH-LOOP", "DATABASE-UNREACHABLE", "PROBE-FAILING", "POD-PENDING", "ROLLOUT-TIMEOUT"}
FIRST |= {"HOSTS-ENTRY"}  # of another cluster on this machine


def _kill_server(world: World, _chance: random.Random) -> None:
    """SIGKILL of the server, the first process of its container, as the kernel would send it."""
    _said([*world.node, "kill", "-9", _server(world)])


def _kill_process(world: World, chance: random.Random) -> None:
    """SIGKILL of one of the server's processes: it ends all connections, and recovers."""
    server = _server(world)
    children = _said([*world.node, "cat", f"/proc/{server}/task/{server}/children"]).split()
    _said([*world.node, "kill", "-9", chance.choice(children)])


def _server(world: World) -> str:
    label = f"io.kubernetes.pod.namespace={world.namespace}"
    listed = _said([*world.node, "crictl", "ps", "-q", "--name", "^postgres$", "--label", label])
    container = json.loads(_said([*world.node, "crictl", "inspect", listed.split()[0]]))
    return str(container["info"]["pid"])


def _delete(world: World, _chance: random.Random) -> None:
    world.kube("delete", "pod", POD, "--wait=false")


def _delete_at_once(world: World, _chance: random.Random) -> None:
    world.kube("delete", "pod", POD, "--grace-period=0", "--force", "--wait=false")


ACCIDENTS = (
    ("SIGKILL of the server", _kill_server),
    ("pod deleted", _delete),
    ("SIGKILL of one of its processes", _kill_process),
    ("pod deleted without grace", _delete_at_once),
)


def accident(world: World, result: Result, chance: random.Random) -> None:
    """One of them at a random moment of steady writing; then ten seconds' worth more of it."""
    name, do = ACCIDENTS[result.number % len(ACCIDENTS)]
    result.what = f"PostgreSQL: {name}"
    # The kubelet's pause before it starts a container again grows with each end of it.
    result.check(world.ready(), "it was not well before")
    with Load(somebody(world.address, world.host), RATE, 4, 1, again=True) as load:
        wait = chance.uniform(0.5, 2.0)
        time.sleep(wait)
        moment = time.monotonic()
        do(world, chance)
        # What it does to requests shows within some seconds, or not at all.
        until(lambda: bool(load.failed), 5, 0.05)
        until(load.steady, BACK)
    back = load.back_after(moment)
    result.moment = f"after {wait:.1f} s of writing, {len(load.acknowledged)} acknowledged"
    result.check(load.steady(), f"it did not write again within {BACK:.0f} s")
    result.seconds["back"] = round(back, 2)
    lost = load.lost()
    result.check(not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged writes are lost")
    result.check(load.twice() == 0, f"{load.twice()} keys made two todos")
    result.seen |= {"written": len(load.acknowledged), "refused": dict(load.failed)}
    said = world.diagnose()
    result.named = said.first
    result.check(said.status == 0 or said.code in FIRST, f"the diagnosis: {said.first}")
    if result.number % 10 == 0:
        after = world.deploy()
        result.seconds["next"] = round(after.seconds, 1)
        result.check(after.status == 0, f"the next deploy: {after.status} {after.first}")


def _said(argv: list[str]) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout
