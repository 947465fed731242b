"""What a cluster from packages is made of, as it lies in the cache and in the engine.

This checkout decides what that is, down to the keys in the names. So it can be asked before
anything is made: a bundle is compared with it, and what else lies in the cache is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.machine.engine import Engine
from scripts.session.run import Run
from scripts.supply import bases, golang, node, tools

#: The base images of an app that asks for no version of its own.
USUAL_BASES = ("debian", "python", "node", "nginx", "postgres")
CLIENTS = ("kubectl", "helm")


@dataclass(frozen=True)
class Stock:
    """Files in the cache, by their whole path, and images in the engine, by reference."""

    files: tuple[Path, ...]
    images: tuple[str, ...]


def wanted(run: Run) -> Stock:
    """Name everything, made or not."""
    clients = [tools.place(run, name) for name in CLIENTS]
    minikube = golang.place(run, "minikube")
    images = [bases.stand_in_reference(name) for name in USUAL_BASES]
    return Stock((*clients, minikube, *node.places(run)), (node.node_reference(), *images))


def make(run: Run, engine: Engine) -> Stock:
    """Make what of it the node's stages do not make: tools of our own, and the base images.

    It is always made of packages, whether upstream answers or not.
    """
    for name in CLIENTS:
        tools.own(run, name, upstream=False)
    golang.build(run, "minikube")
    for name in USUAL_BASES:
        bases.stand_in(run, engine, name)
    return wanted(run)


def versions() -> dict[str, str]:
    """The pinned versions, for the sentence that says in what a bundle differs."""
    return {
        "Kubernetes": golang.KUBERNETES_VERSION,
        "minikube": golang.MINIKUBE_VERSION,
        "Go": golang.GO_VERSION,
        **{name: tools.TOOLS[name].version for name in CLIENTS},
        **{
            name: reference.rpartition(":")[2]
            for name, reference in {**node.CONTROL_PLANE, **node.ADDONS}.items()
            if not reference.endswith(f":{golang.KUBERNETES_VERSION}")
        },
        **{name: bases.BASES[name].official.partition(":")[2] for name in USUAL_BASES},
    }
