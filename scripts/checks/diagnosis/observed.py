"""What was seen of a deployment, as data, and small questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.checks.database import Database
from scripts.session.findings import Finding

Item = Mapping[str, Any]
Objects = list[dict[str, Any]]
COMPONENTS = ("postgres", "backend", "frontend")  # in the order in which they need each other


@dataclass(frozen=True)
class Observed:
    """What was seen.

    state: the objects of the release's namespace. cluster: objects of the whole cluster.
    controllers: pods of ingress controllers. system: pods of kube-system; None: not asked for.
    release: helm's newest revision. secrets: name -> keys -> whether they have a value; None: they
    could not be read. database: as its own pod tells; None: it does not answer.
    elsewhere: Ingresses and Traefik's routes of all namespaces. middlewares: those of Traefik;
    None: it has none here. policies: the NetworkPolicies of all namespaces.
    logs: pod -> its last lines. answers: path -> status through the ingress, 0: no connection.
    name: the address that the host name resolves to. expected: the addresses that are right.
    skew: seconds between this machine's clock and the engine's.
    stale: workloads whose pods run another image than the node has under that name.
    proxy: the HTTP proxy of this machine's environment, empty without one.
    meant: the release is meant to have an Ingress. sees_controllers: this user may see the pods of
    an ingress controller, and they are on the cluster itself.
    """

    app: str
    host: str
    address: str
    state: Objects
    cluster: Objects = field(default_factory=list)
    controllers: Objects = field(default_factory=list)
    system: Objects | None = None
    secrets: Mapping[str, Mapping[str, bool]] | None = None
    release: Mapping[str, Any] | None = None
    logs: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    expected: tuple[str, ...] = ("127.0.0.1",)
    skew: float = 0.0
    stale: tuple[str, ...] = ()
    proxy: str = ""
    namespace: str = ""
    database: Database | None = None
    elsewhere: Objects = field(default_factory=list)
    middlewares: Objects | None = None
    policies: Objects = field(default_factory=list)
    meant: bool = True
    sees_controllers: bool = True

    def of(self, kind: str) -> Objects:
        """Objects of a kind in the release's namespace."""
        return of_kind(self.state, kind)


def of_kind(objects: Objects, kind: str) -> Objects:
    """Those of `objects` that are of a kind."""
    return [item for item in objects if item["kind"] == kind]


def name_of(item: Item) -> str:
    """The object's name."""
    return str(item["metadata"]["name"])


def subject_of(item: Item) -> str:
    """The object as findings name it, `deployment/todo-app-backend`."""
    return f"{item['kind'].lower()}/{name_of(item)}"


def is_ours(item: Item, release: str) -> bool:
    """The object belongs to the release, by its label."""
    labels = item["metadata"].get("labels") or {}
    return bool(labels.get("app.kubernetes.io/instance") == release)


def component_of(item: Item) -> str:
    """The component that an object belongs to; empty when its labels do not say."""
    labels = item["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/component", ""))


def component_named(state: Objects, subject: str) -> str:
    """The component of the object that a finding is about; empty when there is no such object."""
    found = (component_of(item) for item in state if subject_of(item) == subject)
    return next(found, "")


def is_ready(pod: Item) -> bool:
    """The pod's condition Ready is True."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def once(found: list[Finding]) -> list[Finding]:
    """Keep one finding for each code and subject."""
    return list({(one.code, one.subject): one for one in found}.values())
