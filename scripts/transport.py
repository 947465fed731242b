"""Bring images into the node, and prove that they arrived: `minikube image load` can fail with status 0
(kubernetes/minikube#21393), so the node's image ID is compared with ours afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.findings import failure
from scripts.run import Run
from scripts.shell import Shell
from scripts.supply.engine import Engine
from scripts.supply.tools import Found

LOAD_TIMEOUT = 600.0


@dataclass(frozen=True)
class Loaded:
    """images: reference -> image ID, each seen on the node. sent: the references that had to travel."""

    images: Mapping[str, str]
    sent: tuple[str, ...]


def load_images(run: Run, engine: Engine, minikube: Found, node: str, images: Mapping[str, str]) -> Loaded:
    """Make sure that the node has each image under its reference, with the engine's own ID (reference -> sha256:...).

    An image that the node has already does not travel. Raises IMAGE-LOAD-FAILED when the IDs differ afterwards.
    """
    present = node_images(run.shell, engine, node)
    missing = {name: wanted for name, wanted in images.items() if not _is_there(run, engine, node, present, name, wanted)}
    for reference in missing:
        run.say(f"sending {reference} to {node}")
        if _has_containerd(run.shell, engine, node):
            run.shell.pipe([engine.client, "save", reference], _import(engine, node), timeout=LOAD_TIMEOUT)
        else:
            run.shell.run(minikube.path, "-p", node, "image", "load", reference, timeout=LOAD_TIMEOUT)
    if missing:
        present = node_images(run.shell, engine, node)
    for reference, wanted in missing.items():
        if not _is_there(run, engine, node, present, reference, wanted):
            raise failure(
                "IMAGE-LOAD-FAILED",
                reference,
                f"{reference} was sent to the node {node}, but the node does not have it",
                f"image ID here:        {wanted}\nimage ID on the node: {present.get(normalized(reference), 'none')}",
                "run `invoke load-images` again; if it stays so, the node's disk may be full: minikube -p " + node + " ssh -- df -h /var",
            )
    return Loaded(dict(images), tuple(missing))


def load_archives(run: Run, engine: Engine, node: str, archives: Mapping[str, Path]) -> None:
    """Import image archives that the node lacks. The reference carries a version, so the name is enough to tell."""
    present = node_images(run.shell, engine, node) if archives else {}
    missing = {reference: archive for reference, archive in archives.items() if normalized(reference) not in present}
    for reference, archive in missing.items():
        run.say(f"sending {reference.removeprefix('docker.io/')} to {node}")
        run.shell.run(*_import(engine, node), stdin=archive, timeout=LOAD_TIMEOUT)
    present = node_images(run.shell, engine, node) if missing else present
    absent = [reference for reference in archives if normalized(reference) not in present]
    if absent:
        raise failure("IMAGE-LOAD-FAILED", absent[0], f"{absent[0]} was sent to the node {node}, but the node does not have it", remedy="run the command again")


def node_images(shell: Shell, engine: Engine, node: str) -> dict[str, str]:
    """The node's images: full reference -> image ID."""
    return parse_node_images(shell.run(engine.client, "exec", node, "crictl", "images", "-o", "json").stdout)


def parse_node_images(text: str) -> dict[str, str]:
    """Read `crictl images -o json`."""
    return {tag: image["id"] for image in json.loads(text)["images"] for tag in image.get("repoTags") or []}


def _is_there(run: Run, engine: Engine, node: str, present: Mapping[str, str], reference: str, wanted: str) -> bool:
    """The node has this image under this name: by its ID, or by its contents where the engine counts IDs otherwise."""
    found = present.get(normalized(reference), "")
    if not found or found == wanted:
        return bool(found)
    # An engine with containerd's image store (the default from 29 on) gives the manifest's digest as ID, the node the configuration's.
    here = run.shell.run(engine.client, "image", "inspect", reference)
    there = run.shell.run(engine.client, "exec", node, "crictl", "inspecti", "-o", "json", found)
    return contents_here(here.stdout) == contents_there(there.stdout)


def contents_here(text: str) -> dict[str, Any]:
    """What an image is made of, from `docker image inspect`: its layers and how it starts."""
    image = json.loads(text)[0]
    return _contents(image["RootFS"]["Layers"], image["Config"])


def contents_there(text: str) -> dict[str, Any]:
    """The same from `crictl inspecti -o json`."""
    image = json.loads(text)["info"]["imageSpec"]
    return _contents(image["rootfs"]["diff_ids"], image.get("config") or {})


def _contents(layers: list[str], config: Mapping[str, Any]) -> dict[str, Any]:
    return {"layers": layers, **{name: config.get(name) or None for name in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir")}}


def normalized(reference: str) -> str:
    """The full form of a reference, as container runtimes list it: todo:1 -> docker.io/library/todo:1."""
    first, _, rest = reference.partition("/")
    if not rest:
        return f"docker.io/library/{reference}"
    return reference if "." in first or ":" in first or first == "localhost" else f"docker.io/{reference}"


def _has_containerd(shell: Shell, engine: Engine, node: str) -> bool:
    return shell.run(engine.client, "exec", node, "test", "-S", "/run/containerd/containerd.sock", check=False).ok


def _import(engine: Engine, node: str) -> list[str | Path]:
    return [engine.client, "exec", "-i", node, "ctr", "--namespace=k8s.io", "images", "import", "-"]
