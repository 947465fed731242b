"""Many deploys of changing files: nothing grows beyond its bound."""

from __future__ import annotations

import json
import random
import subprocess

from scripts.images.builds import KEPT
from scripts.session.console import TRANSCRIPTS
from tests.chaos.results import Result
from tests.chaos.world import World

DEPLOYS = 10  # of each step
CONTENTS = "/var/lib/containerd"  # of the node: images and their layers
REVISIONS = 10  # what helm keeps by default


def step(world: World, result: Result, chance: random.Random) -> None:
    """Ten deploys, each of a changed file, and what there is afterwards."""
    result.what = f"{DEPLOYS} deploys of changing files"
    before = _counts(world)
    took = []
    for number in range(DEPLOYS):
        part = chance.choice(("backend", "backend", "frontend", "both"))
        world.change(part, f"{result.seed}-growth-{result.number}-{number}")
        ended = world.deploy()
        took.append(ended.seconds)
        result.check(ended.status == 0, f"deploy {number}: {ended.status} {ended.first}")
    after = _counts(world)
    result.seconds["a deploy"] = round(sum(took) / len(took), 1)
    result.seen = {name: [before[name], after[name]] for name in after}
    result.named = ", ".join(f"{name} {before[name]} > {after[name]}" for name in after)
    bounds = {
        "images of the app in the engine": 2 * (KEPT + 2),
        "revisions": REVISIONS,
        "transcripts": TRANSCRIPTS + 1,
        "volumes of the engine": before["volumes of the engine"],
        "containers of trials": 0,
        "claims": before["claims"],
    }
    for name, most in bounds.items():
        result.check(after[name] <= most, f"{name}: {after[name]}, more than {most}")


def _counts(world: World) -> dict[str, int]:
    """Of what deploys leave behind; sizes in MB."""
    logs = world.run.settings.cache / "logs"
    app = ("--filter", "reference=todo-chatbot-frontend", "--filter",
           "reference=todo-chatbot-backend")  # fmt: skip
    return {
        "images of the app in the engine": len(_lines("docker", "image", "ls", *app, "--quiet")),
        "images in the node": len(_lines(*world.node, "crictl", "images", "--quiet")),
        "revisions": len(world.history()),
        "transcripts": len(list(logs.glob("[0-9]*-[0-9]*.log"))),
        "volumes of the engine": len(_lines("docker", "volume", "ls", "--quiet")),
        "containers of trials": len(world.containers()),
        "claims": len(world.kube("get", "pvc", "-o", "name").split()),
        "MB of logs": sum(path.stat().st_size for path in logs.glob("*")) // 10**6,
        "MB in the node": int(
            _lines(*world.node, "du", "-sm", "/var/lib/containerd")[0].split()[0]
        ),
        "MB of build cache": _build_cache(),
    }


def _build_cache() -> int:
    for line in _lines("docker", "system", "df", "--format", "{{json .}}"):
        one = json.loads(line)
        if one["Type"] == "Build Cache":
            size = one["Size"]
            for unit, factor in (("GB", 1000), ("MB", 1), ("kB", 0), ("B", 0)):
                if size.endswith(unit):
                    return int(float(size.removesuffix(unit)) * factor)
    return 0


def _lines(*argv: str) -> list[str]:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.splitlines()
