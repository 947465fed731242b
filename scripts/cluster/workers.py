"""A cluster of several nodes: the others join the first, and pods reach each other across them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.cluster.kubectl import get_items, kubectl
from scripts.machine.engine import Engine
from scripts.session import answers, settings
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

POD_NETWORK = (Path(__file__).parent / "inside" / "pod-network").read_text(encoding="utf-8")
ALL_PODS = "10.244.0.0/16"  # what minikube gives kubeadm
JOINS, READY = 300.0, 180.0  # seconds


@dataclass(frozen=True)
class _Node:
    """name: also that of its container. pods: the range of its pods' addresses."""

    name: str
    address: str
    pods: str


def names(profile: str, count: int) -> tuple[str, ...]:
    """The nodes' names, as minikube gives them: those of the containers too."""
    return (profile, *(f"{profile}-m{number:02d}" for number in range(2, count + 1)))


def join(
    run: Run,
    engine: Engine,
    tools: Mapping[str, Found],
    minikube: Found,
    environment: dict[str, str],
    own_network: bool,
) -> None:
    """Let the other nodes join a new cluster, one after another: minikube can do no two at once.

    own_network: minikube was told to leave the pods' network out. Its own bridge gives the pods of
    every node the same addresses, and kindnet is in no package registry. Raises
    CLUSTER-START-FAILED.
    """
    wanted = run.settings.cluster
    _publish_no_more(run)
    for name in names(wanted.profile, wanted.nodes)[1:]:
        run.say(f"the node {name} joins")
        joined = run.shell.run(
            minikube.path, "node", "add", "-p", wanted.profile, "--worker",
            timeout=JOINS, env=environment, check=False,
        )  # fmt: skip
        if not joined.ok:
            raise failure(
                "CLUSTER-START-FAILED",
                f"node {name}",
                f"the node {name} could not join the cluster",
                joined.tail(12),
                "run the command again: it makes the cluster anew; or take fewer nodes "
                "(phase4.cluster.nodes)",
            )
    if own_network:
        _connect(run, engine, tools)
    kubectl(
        run, tools, "wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={READY:.0f}s",
        timeout=READY + 30,
    )  # fmt: skip


def are_well(run: Run, engine: Engine, tools: Mapping[str, Found]) -> bool:
    """Whether every node runs and is ready.

    A node that was stopped counts as ready for most of a minute, and one whose container was
    started by hand runs without a kubelet: so both are asked.
    """
    wanted = run.settings.cluster
    format_ = ("container", "inspect", "--format", "{{.State.Running}}")
    state = run.shell.run(
        engine.client, *format_, *names(wanted.profile, wanted.nodes), check=False
    )
    return state.ok and set(state.stdout.split()) == {"true"} and _all_ready(run, tools)


@answers.understood("kubectl")
def _all_ready(run: Run, tools: Mapping[str, Found]) -> bool:
    found = get_items(run, tools, "nodes")
    ready = [
        one["status"]
        for item in found
        for one in item["status"].get("conditions", [])
        if one["type"] == "Ready"
    ]
    return len(found) == run.settings.cluster.nodes and set(ready) == {"True"}


@answers.understood("minikube")
def _publish_no_more(run: Run) -> None:
    """The first node has the ingress's port of this machine; minikube would give it to all."""
    place = settings.minikube_home() / "profiles" / run.settings.cluster.profile / "config.json"
    run.shell.plan("take the ingress's port out of what minikube gives to further nodes")
    if run.shell.dry:
        return
    config = json.loads(place.read_text(encoding="utf-8"))
    config["ExposedPorts"] = []
    place.write_text(json.dumps(config, indent="\t"), encoding="utf-8")


def _connect(run: Run, engine: Engine, tools: Mapping[str, Found]) -> None:
    found: list[_Node] = []

    def all_have_ranges() -> bool:
        found[:] = [one for item in get_items(run, tools, "nodes") if (one := _node(item))]
        return len(found) == run.settings.cluster.nodes

    if not run.shell.until(all_have_ranges, JOINS) and not run.shell.dry:
        raise failure(
            "CLUSTER-START-FAILED",
            "nodes",
            f"only {len(found)} of {run.settings.cluster.nodes} nodes got a range for their pods",
            "\n".join(f"{one.name} {one.pods}" for one in found),
            "run the command again: it makes the cluster anew",
        )

    def connect(node: _Node) -> None:
        others = [part for one in found if one != node for part in (one.pods, one.address)]
        argv = (engine.client, "exec", "-i", node.name, "sh", "-s", node.pods, ALL_PODS, *others)
        run.shell.run(*argv, stdin=POD_NETWORK)

    with ThreadPoolExecutor(max(1, len(found))) as pool:
        list(pool.map(connect, found))


@answers.understood("kubectl")
def _node(item: dict[str, Any]) -> _Node | None:
    addresses = {one["type"]: one["address"] for one in item["status"].get("addresses", [])}
    pods = item["spec"].get("podCIDR") or ""
    address = addresses.get("InternalIP", "")
    return _Node(item["metadata"]["name"], address, pods) if pods and address else None
