"""Which containers of the docker engine are the nodes of a cluster that somebody else made."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scripts.images.transport import Node
from scripts.machine.engine import Engine
from scripts.session import answers
from scripts.session.run import Run

#: For each tool that makes nodes of containers: the label with the cluster's name, the label with
#: the role, and the roles of nodes. All roles, where it makes nothing else.
MAKERS = (
    ("io.x-k8s.kind.cluster", "io.x-k8s.kind.role", ("control-plane", "worker")),
    ("k3d.cluster", "k3d.role", ("server", "agent")),
    ("name.minikube.sigs.k8s.io", "", ()),
)


@dataclass(frozen=True)
class _Container:
    """A container. cluster: maker and name of the cluster that it belongs to. is_node: of it."""

    name: str
    cluster: tuple[str, str]
    is_node: bool


def nodes_of(run: Run, engine: Engine, server: str) -> tuple[Node, ...]:
    """The nodes of the cluster whose API server has this address, if they are containers here."""
    names = names_of(run, engine, server)
    return tuple(Node(name, _runtime(run, engine, name)) for name in names)


def names_of(run: Run, engine: Engine, server: str) -> tuple[str, ...]:
    """Their names alone.

    server: as the kubeconfig has it. The engine is asked and not the cluster, which not everybody
    may read; and not the context's name, which anybody may choose.
    """
    listed = run.shell.run(engine.client, "ps", "--quiet", "--no-trunc", check=False).stdout.split()
    if not listed:
        return ()
    read = run.shell.run(engine.client, "container", "inspect", *listed, check=False)
    return node_names(answers.read(read.stdout or "[]", "docker"), server)


def node_names(inspected: Sequence[Mapping[str, Any]], server: str) -> tuple[str, ...]:
    """Read `docker container inspect`: the nodes of the cluster that answers at `server`."""
    serves = _serving(server)
    of_cluster = [(one, _container(one)) for one in inspected]
    cluster = next((known.cluster for one, known in of_cluster if known and serves(one)), None)
    return tuple(
        sorted(
            known.name
            for _, known in of_cluster
            if known and known.is_node and known.cluster == cluster
        )
    )


def _container(one: Mapping[str, Any]) -> _Container | None:
    """What the labels say of a container; None when it is of no cluster."""
    labels, name = one["Config"].get("Labels") or {}, str(one["Name"]).lstrip("/")
    for key, role, roles in MAKERS:
        if key in labels:
            # minikube gives each node a label of its own: todo, todo-m02, ...
            cluster = labels[key] if role else re.sub(r"-m\d+$", "", labels[key])
            return _Container(name, (key, cluster), not role or labels.get(role) in roles)
    return None


def _serving(server: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a container has the server's address itself, or publishes its port here."""
    parts = urlsplit(server)
    host, port = parts.hostname or "", str(parts.port or 443)

    def serves(one: Mapping[str, Any]) -> bool:
        network = one["NetworkSettings"]
        addresses = {at.get("IPAddress", "") for at in (network.get("Networks") or {}).values()}
        published = {
            at["HostPort"] for ports in (network.get("Ports") or {}).values() for at in ports or ()
        }
        return host in addresses or (is_loopback(host) and port in published)

    return serves


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _runtime(run: Run, engine: Engine, name: str) -> str:
    """The node's container runtime, as it names itself."""
    asked = run.shell.run(
        engine.client, "exec", name, "crictl", "version", check=False, timeout=30, reads=True
    )
    match = re.search(r"^RuntimeName:\s*(\S+)", asked.stdout, re.MULTILINE)
    return match.group(1) if match else ""
