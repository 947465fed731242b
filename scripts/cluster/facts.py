"""The facts about a cluster that a deployment needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scripts.cluster.kubectl import get_items, kubectl
from scripts.cluster.rights import Right, get_allowed, may, missing
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

#: The kinds of objects that addons and facts are read from.
SEEN = "deployments,daemonsets,nodes,storageclasses,ingressclasses,pods"
CONTROLLERS = ("traefik", "nginx", "haproxy")  # the chart knows how each takes a path off
#: Daemon sets that enforce NetworkPolicies: that of minikube's default network, this project's, and
#: those of `minikube start --cni`.
ENFORCERS = ("kindnet", "network-policies", "calico-node", "cilium")
#: What decides whether the app gets an Ingress and NetworkPolicies in somebody else's cluster.
ASKED = (
    Right("list", "storageclasses"),
    Right("list", "ingressclasses"),
    Right("create", "ingresses"),
    Right("create", "networkpolicies"),
)


@dataclass(frozen=True)
class Facts:
    """What the plan's tasks 1.4 and 4.0 ask about a cluster.

    policies: the daemon set that enforces NetworkPolicies; empty if none does.
    capacity: what pods can use of the node, in Kubernetes quantities.
    no_ingress: why the app gets no Ingress, empty when it gets one. no_policies: it gets no
    NetworkPolicies, because this user may make none.
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
    no_ingress: str = ""
    no_policies: bool = False

    def __str__(self) -> str:
        storage = f"storage class {self.default_storage_class or 'not known'}"
        ingress = f"ingress class {self.ingress_class}"
        if self.no_ingress:
            ingress = f"no Ingress, because {self.no_ingress}"
        return f"Kubernetes {self.kubernetes}, {storage}, {ingress}"


def _on_every_node(item: Mapping[str, Any]) -> bool:
    """Return whether a daemon set has a ready pod on every node where it should have one."""
    status = item.get("status", {})
    return bool(status.get("numberReady", 0) == status.get("desiredNumberScheduled", 0) > 0)


@answers.understood("kubectl")
def read(
    run: Run, tools: Mapping[str, Found], seen: Sequence[Mapping[str, Any]] | None = None
) -> Facts:
    """Read the facts from the cluster, or from objects that were just read (SEEN).

    Raises STORAGE-CLASS-MISSING or INGRESS-CLASS-MISSING.
    """
    return parse_facts(**_by_kind(seen or get_items(run, tools, SEEN, "-A")))


def there(
    run: Run, tools: Mapping[str, Found], seen: Sequence[Mapping[str, Any]] | None = None
) -> Facts:
    """Read the facts of a cluster that somebody else made, as far as this user may read them.

    What it lacks is no failure: the app gets no Ingress then, and volumes of whatever class the
    person names.
    """
    reads = _by_kind(seen or get_allowed(run, tools, SEEN))
    told = answers.read(kubectl(run, tools, "get", "--raw", "/version").stdout, "kubectl")
    lacks = {one.what for one in missing(run, tools, ASKED)}
    found = _told(**reads, version=told["gitVersion"])
    why = _no_ingress(run, tools, reads["classes"]["items"], found, lacks)
    no_policies = "networkpolicies" in lacks
    if "storageclasses" not in lacks and not found.default_storage_class:
        run.say(
            "no storage class is the default: name one in a values file (phase4.release.values)"
        )
    if why:
        run.say(f"the app gets no Ingress, because {why}")
        found = replace(found, ingress_class="", ingress_controller="", controller_pods=())
    return replace(found, no_ingress=why, no_policies=no_policies)


def _no_ingress(
    run: Run,
    tools: Mapping[str, Found],
    classes: Sequence[Mapping[str, Any]],
    found: Facts,
    lacks: Collection[str],
) -> str:
    """Why the app can have no Ingress here; empty when it can."""
    if "ingressclasses" in lacks or "ingresses" in lacks:
        return "this user may not look for a class or make one"
    if not classes:
        return "the cluster has no ingress class"
    if not any(word in found.ingress_controller for word in CONTROLLERS):
        known = ", ".join(CONTROLLERS)
        return f"{found.ingress_controller} is none of the controllers known here ({known})"
    if "traefik" in found.ingress_controller and not may(run, tools, "create", "middlewares"):
        return "Traefik needs a Middleware for it, and this user may make none"
    return ""


def _by_kind(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Objects by their kind, as arguments of `parse_facts`."""
    return {
        name: {"items": [item for item in items if item["kind"] == kind]}
        for name, kind in (
            ("nodes", "Node"),
            ("storage", "StorageClass"),
            ("classes", "IngressClass"),
            ("pods", "Pod"),
            ("daemons", "DaemonSet"),
        )
    }


@answers.understood("kubectl")
def parse_facts(nodes: Any, storage: Any, classes: Any, pods: Any, daemons: Any) -> Facts:
    """Read the facts from the output of `kubectl get ... -o json`, one argument per kind."""
    found = _told(nodes, storage, classes, pods, daemons)
    if not found.default_storage_class:
        raise failure(
            "STORAGE-CLASS-MISSING",
            "storageclass",
            "the cluster has no default storage class, so the database would get no volume",
            f"storage classes: {', '.join(found.storage_classes) or 'none'}",
            "on a cluster of this project, `invoke cluster-up` adds one",
        )
    if not classes["items"]:
        raise failure(
            "INGRESS-CLASS-MISSING",
            "ingressclass",
            "the cluster has no ingress class, so nothing would serve the Ingress",
            remedy="`invoke cluster-up` adds a controller",
        )
    return found


def _told(
    nodes: Any, storage: Any, classes: Any, pods: Any, daemons: Any, version: str = ""
) -> Facts:
    """What these objects say, whatever is missing among them. version: where no node was seen."""
    default = [
        one["metadata"]["name"]
        for one in storage["items"]
        if _is_default(one, "storageclass.kubernetes.io/is-default-class")
    ]
    name, controller = _chosen(classes["items"])
    word = next((kind for kind in CONTROLLERS if kind in controller), controller)
    serving = [
        pod
        for pod in pods["items"]
        if word and any(word in container["image"] for container in pod["spec"]["containers"])
    ]
    first = nodes["items"][0]["status"] if nodes["items"] else {}
    about, allocatable = first.get("nodeInfo", {}), first.get("allocatable", {})
    return Facts(
        about.get("kubeletVersion") or version,
        about.get("containerRuntimeVersion") or "a runtime that is not known",
        default[0] if default else "",
        tuple(one["metadata"]["name"] for one in storage["items"]),
        name,
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
            name: allocatable[name]
            for name in ("cpu", "memory", "pods", "ephemeral-storage")
            if name in allocatable
        },
    )


def _chosen(classes: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Name and controller of the ingress class to use; empty when there is none.

    The default one, else one whose controller is known here, else any.
    """

    def rank(one: Mapping[str, Any]) -> tuple[bool, bool]:
        is_default = _is_default(one, "ingressclass.kubernetes.io/is-default-class")
        return is_default, any(word in one["spec"]["controller"] for word in CONTROLLERS)

    best = max(classes, key=rank, default=None)
    return (best["metadata"]["name"], best["spec"]["controller"]) if best else ("", "")


def _is_default(item: Any, annotation: str) -> bool:
    return (item["metadata"].get("annotations") or {}).get(annotation) == "true"
