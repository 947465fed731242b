"""The cluster below the app: nodes, the cluster's own pods, clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.checks.diagnosis.observed import Item, Observed, is_ready, name_of, of_kind
from scripts.session.findings import Finding

#: Pods of kube-system that every app needs: their label, and what they do.
SYSTEM = {"kube-dns": "names inside the cluster", "kube-proxy": "the way from Services to pods"}
PRESSURES = {
    "DiskPressure": "disk space",
    "MemoryPressure": "memory",
    "PIDPressure": "process numbers",
}
SKEW = 30.0  # seconds; tokens and certificates do not bear more
WATCHES = "stop a cluster that you do not need, or sudo sysctl fs.inotify.max_user_instances=512"


def nodes(seen: Observed) -> list[Finding]:
    """Nodes that run out of something, are not ready, or are cordoned."""
    found = []
    for node in of_kind(seen.cluster, "Node"):
        conditions = {one["type"]: one for one in node["status"].get("conditions", [])}
        found += _pressures(node, conditions)
        found += _not_ready(node, conditions.get("Ready", {}))
    return found


def _pressures(node: Item, conditions: Mapping[str, Any]) -> list[Finding]:
    name = name_of(node)
    remedy = (
        "free some on this machine (docker system prune), or give the cluster more (phase4.cluster)"
    )
    return [
        Finding(
            "NODE-PRESSURE",
            f"node/{name}",
            f"the node {name} runs out of {what}",
            conditions[pressure].get("message", ""),
            remedy,
        )
        for pressure, what in PRESSURES.items()
        if conditions.get(pressure, {}).get("status") == "True"
    ]


def _not_ready(node: Item, ready: Mapping[str, Any]) -> list[Finding]:
    name = name_of(node)
    if ready.get("status") != "True":
        told, words = f"the node {name} is not ready", ready.get("message", "")
        remedy = "`invoke cluster-down`, then `invoke deploy`"
    elif node["spec"].get("unschedulable"):
        told, words = f"the node {name} takes no new pods: it is cordoned", ""
        remedy = f"kubectl uncordon {name}"
    else:
        return []
    return [Finding("NODE-NOT-READY", f"node/{name}", told, words, remedy)]


def system(seen: Observed) -> list[Finding]:
    """Pods of kube-system without which no app works."""
    if seen.system is None:
        return []
    found = []
    for label, what in SYSTEM.items():
        labelled = [pod for pod in seen.system if _label(pod) == label]
        if any(is_ready(pod) for pod in labelled):
            continue
        states = [f"{name_of(pod)} {pod['status']['phase']}" for pod in labelled]
        said = [line for pod in labelled for line in seen.logs.get(name_of(pod), "").splitlines()]
        watches = any("too many open files" in line for line in said)
        found.append(
            Finding(
                "CLUSTER-SYSTEM-DOWN",
                f"kube-system/{label}",
                f"{label} does not run: {what} does not work"
                + (
                    ": the clusters here use up what the kernel lets a user watch"
                    if watches
                    else ""
                ),
                "\n".join([*states, *said[-4:]]) or f"no pod of {label}",
                WATCHES
                if watches
                else f"kubectl -n kube-system get pods -l k8s-app={label}; "
                "`invoke cluster-down`, then `invoke deploy` starts the cluster anew",
            )
        )
    return found


def _label(pod: Item) -> str:
    return str((pod["metadata"].get("labels") or {}).get("k8s-app", ""))


def clock(seen: Observed) -> list[Finding]:
    """Clocks that differ too much."""
    if seen.skew <= SKEW:
        return []
    return [
        Finding(
            "CLOCK-SKEW",
            "clock",
            f"the engine's clock differs from this machine's by {seen.skew:.0f} s",
            remedy="set the clock; with Docker Desktop, restart it after the machine slept",
        )
    ]
