"""The facts about a cluster that a deployment needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.cluster.kubectl import get_items
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

#: The kinds of objects that addons and facts are read from.
SEEN = "deployments,daemonsets,nodes,storageclasses,ingressclasses,pods"
#: Daemon sets that enforce NetworkPolicies: that of minikube's default network, this project's, and
#: those of `minikube start --cni`.
ENFORCERS = ("kindnet", "network-policies", "calico-node", "cilium")


@dataclass(frozen=True)
class Facts:
    """What the plan's tasks 1.4 and 4.0 ask about a cluster.

    policies: the daemon set that enforces NetworkPolicies; empty if none does.
    capacity: what pods can use of the node, in Kubernetes quantities.
    """

    kubernetes: str
    runtime: str
    default_storage_class: str
    storage_classes: tuple[str, ...]
    ingress_class: str
    ingress_controller: str
    controller_pods: tuple[str, ...]
    policies: str
    capacity: Mapping[str, str]

    def __str__(self) -> str:
        classes = f"storage class {self.default_storage_class}, ingress class {self.ingress_class}"
        return f"Kubernetes {self.kubernetes}, {classes}"


def _on_every_node(item: Mapping[str, Any]) -> bool:
    """Return whether a daemon set has a ready pod on every node where it should have one."""
    status = item.get("status", {})
    return bool(status.get("numberReady", 0) == status.get("desiredNumberScheduled", 0) > 0)


@answers.understood("kubectl")
def read(run: Run, tools: Mapping[str, Found], seen: Sequence[Mapping[str, Any]] = ()) -> Facts:
    """Read the facts from the cluster, or from objects that were just read (SEEN).

    Raises STORAGE-CLASS-MISSING or INGRESS-CLASS-MISSING.
    """
    items = seen or get_items(run, tools, SEEN, "-A")
    reads = {
        name: {"items": [item for item in items if item["kind"] == kind]}
        for name, kind in (
            ("nodes", "Node"),
            ("storage", "StorageClass"),
            ("classes", "IngressClass"),
            ("pods", "Pod"),
            ("daemons", "DaemonSet"),
        )
    }
    return parse_facts(**reads)


@answers.understood("kubectl")
def parse_facts(nodes: Any, storage: Any, classes: Any, pods: Any, daemons: Any) -> Facts:
    """Read the facts from the output of `kubectl get ... -o json`, one argument per kind."""
    default = [
        one["metadata"]["name"]
        for one in storage["items"]
        if _is_default(one, "storageclass.kubernetes.io/is-default-class")
    ]
    if not default:
        raise failure(
            "STORAGE-CLASS-MISSING",
            "storageclass",
            "the cluster has no default storage class, so the database would get no volume",
            "storage classes: "
            + (", ".join(one["metadata"]["name"] for one in storage["items"]) or "none"),
            "on a cluster of this project, `invoke cluster-up` adds one",
        )
    if not classes["items"]:
        raise failure(
            "INGRESS-CLASS-MISSING",
            "ingressclass",
            "the cluster has no ingress class, so nothing would serve the Ingress",
            remedy="`invoke cluster-up` adds a controller",
        )
    chosen = next(
        (
            one
            for one in classes["items"]
            if _is_default(one, "ingressclass.kubernetes.io/is-default-class")
        ),
        classes["items"][0],
    )
    controller = chosen["spec"]["controller"]
    word = next(
        (kind for kind in ("traefik", "nginx", "haproxy") if kind in controller), controller
    )
    serving = [
        pod
        for pod in pods["items"]
        if any(word in container["image"] for container in pod["spec"]["containers"])
    ]
    first = nodes["items"][0]["status"]
    return Facts(
        first["nodeInfo"]["kubeletVersion"],
        first["nodeInfo"]["containerRuntimeVersion"],
        default[0],
        tuple(one["metadata"]["name"] for one in storage["items"]),
        chosen["metadata"]["name"],
        controller,
        tuple(
            f"{pod['metadata']['namespace']}/{pod['metadata']['name']} {pod['status']['phase']}"
            for pod in serving
        ),
        next(
            (
                one["metadata"]["name"]
                for one in daemons["items"]
                if one["metadata"]["name"] in ENFORCERS and _on_every_node(one)
            ),
            "",
        ),
        {
            name: first["allocatable"][name]
            for name in ("cpu", "memory", "pods", "ephemeral-storage")
            if name in first["allocatable"]
        },
    )


def _is_default(item: Any, annotation: str) -> bool:
    return (item["metadata"].get("annotations") or {}).get(annotation) == "true"
