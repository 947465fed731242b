"""Bring images into the cluster's nodes, and prove that they arrived.

`minikube image load` writes every image to a file, whole, and can fail with status 0
(kubernetes/minikube#21393). Here only the layers that a node lacks travel, all images in one
stream, to all nodes at once; then the nodes' image IDs are compared with ours. `_ways` lists where
the layers come from: the engine's own store, containerd's, or what `docker save` writes.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scripts.images import blobs, layers, registry
from scripts.images.builds import Images
from scripts.images.plans import Plan, Plans
from scripts.machine.engine import Engine
from scripts.session import answers
from scripts.session.cache import discard
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.settings import minikube_home
from scripts.session.shell import Result
from scripts.supply.node import AddonImages
from scripts.supply.tools import Found

LOAD_TIMEOUT = 600.0
RUNTIMES = ("containerd", "docker")
OWN_STORE = "overlay2"  # the driver of an engine that keeps layers as files of its own
#: Where a containerd keeps its blobs, below its folder: one that dockerd started, or the system's.
CONTENT = "io.containerd.content.v1.content/blobs"
SYSTEM_CONTAINERD = Path("/var/lib/containerd")
#: Of the blobs that a node has, the largest are left out: so many, and of so many bytes at least.
#: They are named to a program in one argument, which the kernel limits to 128 KB.
MOST_LEFT_OUT, LEAST_BYTES = 1000, 16 << 10
BREAK = "----"
#: Commands, each writing into the next, of: the run, the engine, images (reference -> ID), what the
#: node has (digest -> bytes), an image with Python.
Writing = Callable[[Run, Engine, Mapping[str, str], Mapping[str, int], str], list[list[str]]]
HOLDINGS = (Path(__file__).parent / "inside" / "holdings").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Loaded:
    """The images that the nodes have.

    images: reference -> the ID that the nodes give it, each seen on every node. sent: the
    references that had to travel.
    """

    images: Mapping[str, str]
    sent: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A node of the cluster, which is a container of the engine.

    runtime: containerd, docker, or another. profile: minikube's, where the cluster is this
    project's own; minikube itself is then the last way to bring an image in.
    """

    name: str
    runtime: str
    profile: str = field(default="", compare=False)

    def command(self, engine: Engine, *command: str) -> list[str]:
        """A command to run in it, standard input connected."""
        return [engine.client, "exec", "-i", self.name, *command]


@dataclass(frozen=True)
class Way:
    """How images reach the nodes of a cluster, and what they are called there.

    told: the same in words. nodes: those that are containers of this engine; images are put into
    them. push, pull: a registry, as this engine and as the nodes name it. With none of these,
    engine and cluster are one, and an image that is built is there. processor: what a node must
    have to run the images, where only some have it.
    """

    told: str
    nodes: tuple[Node, ...] = ()
    push: str = ""
    pull: str = ""
    processor: str = ""

    def __str__(self) -> str:
        return self.told

    def reference(self, name: str) -> str:
        """What the nodes call an image of this engine."""
        return f"{self.pull}/{short(name)}" if self.pull else name

    def named(self, plans: Plans) -> Plans:
        """The same plans, each image under the name that it has on the nodes."""

        def there(plan: Plan) -> Plan:
            return replace(plan, reference=self.reference(plan.reference))

        return replace(
            plans,
            frontend=there(plans.frontend),
            backend=there(plans.backend),
            postgres=self.reference(plans.postgres) if plans.postgres else "",
            services={name: there(one) for name, one in plans.services.items()},
        )


def short(reference: str) -> str:
    """A reference without its registry: docker.io/library/postgres:16 becomes postgres:16."""
    full = normalized(reference).partition("/")[2]
    return full.removeprefix("library/")


@dataclass(frozen=True)
class Holdings:
    """What a node holds.

    images: full reference -> image ID, of images that are whole. layers: digest -> size in bytes
    (0 where the size is not needed) of its layers. manifests: full reference -> digest of the
    image's manifest, where the node tells.
    """

    images: Mapping[str, str]
    layers: Mapping[str, int]
    manifests: Mapping[str, str] = field(default_factory=dict)


@answers.understood("minikube")
def nodes(profile: str) -> tuple[Node, ...]:
    """The nodes of a minikube profile, as its own configuration lists them."""
    config = json.loads(
        (minikube_home() / "profiles" / profile / "config.json").read_text(encoding="utf-8")
    )
    runtime = config["KubernetesConfig"]["ContainerRuntime"]
    return tuple(
        Node(f"{profile}-{one['Name']}" if one.get("Name") else profile, runtime, profile)
        for one in config["Nodes"]
    )


def look(
    run: Run, engine: Engine, references: Iterable[str], found: Iterable[Node] | None = None
) -> dict[Node, Holdings]:
    """What each node holds of these images, and all its layers.

    found: the nodes; those of this project's own cluster when they are left out.
    """
    found = nodes(run.settings.cluster.profile) if found is None else tuple(found)
    names = tuple(references)
    with ThreadPoolExecutor(len(found) or 1) as pool:
        return dict(
            zip(
                found, pool.map(lambda node: holdings(run, engine, node, names), found), strict=True
            )
        )


def load_images(
    run: Run,
    engine: Engine,
    minikube: Found,
    images: Mapping[str, str],
    python: str,
    held: Mapping[Node, Holdings] | None = None,
) -> Loaded:
    """Make sure that every node has each image under its reference, with the engine's own ID.

    images: reference -> sha256:...

    An image that a node has already does not travel. python: an image with Python, to read the
    engine's layers where this user may not. held: what the nodes had before the images were built;
    without it they are asked now. Raises IMAGE-LOAD-FAILED when the IDs differ afterwards.
    """
    known = held or look(run, engine, images)
    with ThreadPoolExecutor(len(known)) as pool:
        loaded = list(
            pool.map(
                lambda one: _load(run, engine, minikube, one[0], one[1], images, python),
                known.items(),
            )
        )
    return Loaded(
        loaded[0].images, tuple(sorted({reference for one in loaded for reference in one.sent}))
    )


def images_ahead(
    run: Run, engine: Engine, minikube: Found, plans: Plans, built: Images, new_node: bool
) -> bool:
    """Send the app's images to a new node while Kubernetes boots on it and leaves a core idle.

    new_node: the node came up just now. Returns whether the images were sent. A failure does no
    harm here: `load` looks at the node again.
    """

    def send() -> None:
        load_images(run, engine, minikube, built.references, plans.python)

    return new_node and _tried(run, send)


def addons_ahead(run: Run, engine: Engine, addons: AddonImages, new_node: bool) -> bool:
    """Send the add-ons' images to a new node, as `images_ahead` does with the app's."""
    return new_node and _tried(run, lambda: load_archives(run, engine, addons.archives))


def _tried(run: Run, send: Callable[[], None]) -> bool:
    try:
        send()
    except Failure as error:
        run.say(f"not all images could be sent early: {error.findings[0].summary}")
    return True


def look_at(run: Run, engine: Engine, plans: Plans, way: Way) -> dict[Node, Holdings]:
    """What each node holds of the images that are planned; nothing where none is looked into."""
    wanted = [plan.reference for plan in plans.every]
    return look(run, engine, [*wanted, *([plans.postgres] if plans.postgres else [])], way.nodes)


def load(
    run: Run,
    engine: Engine,
    minikube: Found,
    plans: Plans,
    built: Images,
    way: Way,
    held: Mapping[Node, Holdings],
    sent_early: bool,
) -> Loaded:
    """Make sure that every node has every image of the release, or can pull it.

    held: what `look_at` saw. sent_early: images came to the node after it was looked at, so it is
    looked at again. Raises IMAGE-LOAD-FAILED or IMAGE-PUSH-FAILED.
    """
    known = None if sent_early else held
    return _bring(run, engine, minikube, way, built.references, plans.python, known)


def load_source(
    run: Run, engine: Engine, minikube: Found, plans: Plans, way: Way, source: Mapping[str, str]
) -> Loaded:
    """Bring the dev loop's image of the frontend's source into the nodes."""
    return _bring(run, engine, minikube, way, source, plans.python, None)


def _bring(
    run: Run,
    engine: Engine,
    minikube: Found,
    way: Way,
    images: Mapping[str, str],
    python: str,
    held: Mapping[Node, Holdings] | None,
) -> Loaded:
    """Bring images by the way that this cluster has. images: reference -> the engine's ID."""
    if way.push:
        pushed = registry.push(run, engine, way.push, [short(name) for name in images], images)
        # What a node pulls has the ID of its manifest there, which cannot be compared.
        return Loaded({way.reference(name): "" for name in images}, pushed)
    if not way.nodes:
        return Loaded(dict(images), ())
    known = held or look(run, engine, images, way.nodes)
    return load_images(run, engine, minikube, images, python, known)


def _load(
    run: Run,
    engine: Engine,
    minikube: Found,
    node: Node,
    held: Holdings,
    images: Mapping[str, str],
    python: str,
) -> Loaded:
    """Send a node what it lacks.

    Its new layers are sent; if nothing else helps, whole images; at last minikube sends them.
    """
    lacking = travelled = _lacking(run, engine, node, held, images)
    for reference in lacking:
        run.say(f"sending {reference} to {node.name}")
    for way in _ways(engine) if node.runtime in RUNTIMES else ():
        if not lacking:
            break
        parts = way(run, engine, lacking, held.layers, python)
        run.shell.pipe(*parts, _import(engine, node), timeout=LOAD_TIMEOUT, check=False)
        if run.shell.dry:
            return Loaded(dict(images), tuple(travelled))
        held = holdings(run, engine, node, images)
        # All of them: one may have gone since the node was asked.
        lacking = _lacking(run, engine, node, held, images)
    for reference in lacking if node.profile else ():
        run.say(f"sending {reference} by minikube")
        run.shell.run(
            minikube.path,
            "-p",
            node.profile,
            "image",
            "load",
            reference,
            timeout=LOAD_TIMEOUT,
        )
    if lacking:
        held = holdings(run, engine, node, images)
    for reference, wanted in _lacking(run, engine, node, held, lacking).items():
        raise failure(
            "IMAGE-LOAD-FAILED",
            reference,
            f"{reference} was sent to the node {node.name}, but the node does not have it",
            f"image ID here:        {wanted}\n"
            f"image ID on the node: {held.images.get(normalized(reference), 'none that is whole')}",
            "run `invoke load-images` again; if it stays so, the node's disk may be full: "
            f"{engine.client} exec {node.name} df -h /var",
        )
    return Loaded(
        {reference: held.images[normalized(reference)] for reference in images}, tuple(travelled)
    )


def _lacking(
    run: Run, engine: Engine, node: Node, held: Holdings, images: Mapping[str, str]
) -> dict[str, str]:
    """Of these images, those that the node has not, or has with another ID."""
    return {
        reference: wanted
        for reference, wanted in images.items()
        if not _is_there(run, engine, node, held, reference, wanted)
    }


def holdings(run: Run, engine: Engine, node: Node, references: Iterable[str]) -> Holdings:
    """What a node holds: its images and its layers.

    An image of `references` counts only if all its contents are there.
    """
    names = [normalized(reference) for reference in references]
    filters = (f"name=={name}" for name in names)
    listed, checked, layers_there = run.shell.run(
        *node.command(engine, "sh", "-c", HOLDINGS, node.runtime, BREAK, *filters),
        reads=True,
    ).stdout.split(f"{BREAK}\n")
    manifests = whole(checked)
    broken = set(names) - set(manifests) if node.runtime == "containerd" else set()
    images = {
        name: image_id for name, image_id in parse_node_images(listed).items() if name not in broken
    }
    return Holdings(
        images,
        {name: int(size) for name, size in (line.split() for line in layers_there.splitlines())},
        manifests,
    )


def whole(text: str) -> dict[str, str]:
    """Read `ctr images check`: reference -> digest of the manifest, if all its contents are there.

    Its columns are REF TYPE DIGEST STATUS SIZE UNPACKED.
    """
    return dict(re.findall(r"^(\S+) +\S+ +(\S+) +complete \(", text, re.MULTILINE))


def _ways(engine: Engine) -> tuple[Writing, ...]:
    """How to write an archive of images, the cheapest way first.

    Each returns commands of which each writes into the next one.
    """
    if engine.driver == OWN_STORE:
        return _layers, _whole
    return _blobs, _filtered, _whole


def _layers(
    run: Run, engine: Engine, images: Mapping[str, str], there: Mapping[str, int], python: str
) -> list[list[str]]:
    """The layers that the node lacks, from the engine's own store."""
    listed = run.shell.run(
        engine.client,
        "image",
        "inspect",
        "--format",
        "{{range .RootFS.Layers}}{{println .}}{{end}}",
        *images,
        check=False,
    )
    left_out = {name: there[name] for name in listed.stdout.split() if name in there}
    plan = [json.dumps(_named(images)), json.dumps(left_out)]
    if _may_read(Path(engine.root) / "image" / "overlay2" / "imagedb" / "content"):
        return [[sys.executable, "-I", layers.__file__, engine.root, *plan]]
    volumes = {engine.root: "/engine"}
    return [_in_container(engine, python, layers.__file__, volumes, "/engine", *plan)]


def _blobs(
    run: Run, engine: Engine, images: Mapping[str, str], there: Mapping[str, int], python: str
) -> list[list[str]]:
    """The blobs that the node lacks, from containerd's store.

    Its containerd is one that dockerd started, in its own folder, or the system's.
    """
    roots = {f"{Path(engine.root) / 'containerd' / 'daemon'}": "/engine/containerd/daemon"}
    volumes = {engine.root: "/engine"}
    if SYSTEM_CONTAINERD.is_dir():
        roots[f"{SYSTEM_CONTAINERD}"] = volumes[f"{SYSTEM_CONTAINERD}"] = "/containerd"
    plan = [json.dumps(_largest(there)), json.dumps(_named(images))]
    stores = {f"{root}/{CONTENT}": f"{inside}/{CONTENT}" for root, inside in roots.items()}
    paths = [digest.replace(":", "/") for digest in images.values()]
    for store in stores:
        if all(_may_read(Path(store) / path) for path in paths):
            return [[sys.executable, "-I", blobs.__file__, *plan, store]]
    return [_in_container(engine, python, blobs.__file__, volumes, *plan, *stores.values())]


def _filtered(
    run: Run, engine: Engine, images: Mapping[str, str], there: Mapping[str, int], python: str
) -> list[list[str]]:
    """The same, where nobody knows the store's place: out of all that the engine writes."""
    writing = [sys.executable, "-I", blobs.__file__, json.dumps(_largest(there))]
    return [[engine.client, "save", *images], writing]


def _whole(
    run: Run, engine: Engine, images: Mapping[str, str], there: Mapping[str, int], python: str
) -> list[list[str]]:
    run.say("sending whole images")
    return [[engine.client, "save", *images]]


def _named(images: Mapping[str, str]) -> dict[str, str]:
    return {normalized(reference): image_id for reference, image_id in images.items()}


def _largest(there: Mapping[str, int]) -> list[str]:
    """The blobs of a node that are worth to be left out."""
    heavy = [name for name, size in there.items() if not size or size >= LEAST_BYTES]
    return sorted(heavy, key=lambda name: there[name], reverse=True)[:MOST_LEFT_OUT]


def _in_container(
    engine: Engine, python: str, program: str, volumes: Mapping[str, str], *arguments: str
) -> list[str]:
    """A program that reads folders of the engine's machine that this user may not read.

    volumes: folder -> where the program sees it.
    """
    isolated = [
        "--rm",
        "--network=none",
        "--read-only",
        *(f"--mount=type=bind,readonly,src={path},dst={at}" for path, at in volumes.items()),
        "--user=0",
        "--entrypoint=python3",
    ]
    source = Path(program).read_text(encoding="utf-8")
    return [engine.client, "run", *isolated, python, "-I", "-c", source, *arguments]


def _may_read(path: Path) -> bool:
    return os.access(path, os.R_OK)


def load_archives(run: Run, engine: Engine, archives: Mapping[str, Path]) -> None:
    """Import image archives that a node lacks.

    The reference carries a version, so the name is enough to tell.
    """

    def load_into(node: Node) -> None:
        present = holdings(run, engine, node, archives).images
        missing = {
            reference: archive
            for reference, archive in archives.items()
            if normalized(reference) not in present
        }
        for reference, archive in missing.items():
            run.say(f"sending {reference.removeprefix('docker.io/')} to {node.name}")
            if not archive.exists():  # found to be damaged by another stage
                raise _damaged(archive, reference)
            taken = run.shell.run(
                *_import(engine, node), stdin=archive, timeout=LOAD_TIMEOUT, check=False
            )
            if not taken.ok:
                raise _refused(archive, reference, node, taken)
        present = holdings(run, engine, node, archives).images if missing else present
        absent = [reference for reference in archives if normalized(reference) not in present]
        if absent:
            summary = f"{absent[0]} was sent to the node {node.name}, but the node does not have it"
            raise failure("IMAGE-LOAD-FAILED", absent[0], summary, remedy="run the command again")

    found = nodes(run.settings.cluster.profile) if archives else ()
    with ThreadPoolExecutor(len(found) or 1) as pool:
        list(pool.map(load_into, found))


def _refused(archive: Path, reference: str, node: Node, result: Result) -> Failure:
    """Why a node does not take an archive of the cache; a damaged one is made anew next time."""
    words = result.tail(3)
    if re.search(r"unexpected EOF|invalid tar header|digest|checksum|unrecognized", words):
        discard(archive)
        return _damaged(archive, reference, words)
    return failure(
        "IMAGE-LOAD-FAILED",
        reference,
        f"the node {node.name} does not take the archive of {reference}",
        f"{archive}\n{words}",
        "run the command again",
    )


def _damaged(archive: Path, reference: str, words: str = "") -> Failure:
    return failure(
        "IMAGE-LOAD-FAILED",
        reference,
        f"the archive of {reference} in the cache was damaged, and was deleted",
        f"{archive}\n{words}".strip(),
        "run the command again: it is made anew",
    )


@answers.understood("the node")
def parse_node_images(text: str) -> dict[str, str]:
    """Read `crictl images -o json`."""
    return {
        normalized(tag): image["id"]
        for image in json.loads(text)["images"]
        for tag in image.get("repoTags") or []
    }


def _is_there(
    run: Run, engine: Engine, node: Node, held: Holdings, reference: str, wanted: str
) -> bool:
    """Whether the node has this image under this name.

    The engine's ID of an image is the digest of its configuration, as the node's is; or that of its
    manifest, where the engine has containerd's store (the default from 29 on).
    """
    name = normalized(reference)
    found = held.images.get(name, "")
    is_same = bool(found) and wanted in (found, held.manifests.get(name))
    if is_same or not found or engine.driver == OWN_STORE:
        return is_same
    # minikube gives an image a manifest of its own, and a node that runs docker tells of none.
    here = run.shell.run(engine.client, "image", "inspect", reference)
    there = run.shell.run(
        *node.command(engine, "crictl", "inspecti", "-o", "json", found), reads=True
    )
    return contents_here(here.stdout) == contents_there(there.stdout)


@answers.understood("docker")
def contents_here(text: str) -> dict[str, Any]:
    """What an image is made of, from `docker image inspect`: its layers and how it starts."""
    image = json.loads(text)[0]
    return _contents(image["RootFS"]["Layers"], image["Config"])


@answers.understood("the node")
def contents_there(text: str) -> dict[str, Any]:
    """The same from `crictl inspecti -o json`."""
    image = json.loads(text)["info"]["imageSpec"]
    return _contents(image["rootfs"]["diff_ids"], image.get("config") or {})


def _contents(layers: list[str], config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "layers": layers,
        **{
            name: config.get(name) or None
            for name in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir")
        },
    }


def forget(run: Run, engine: Engine, references: Iterable[str], way: Way) -> None:
    """Take images off the nodes, with all their names. The engine keeps them for the next time."""
    names = sorted(map(normalized, references))
    for node in way.nodes if names else ():
        # The runtime deletes layers meanwhile; crictl itself would give up after 2 s.
        remove = node.command(engine, "crictl", "--timeout=60s", "rmi", *names)
        run.shell.run(*remove, timeout=90, check=False)


def normalized(reference: str) -> str:
    """The full form of a reference, as container runtimes list it.

    todo:1 becomes docker.io/library/todo:1.
    """
    first, _, rest = reference.partition("/")
    if not rest:
        return f"docker.io/library/{reference}"
    return (
        reference
        if "." in first or ":" in first or first == "localhost"
        else f"docker.io/{reference}"
    )


def _import(engine: Engine, node: Node) -> list[str]:
    return node.command(
        engine,
        *(
            ["docker", "load"]
            if node.runtime == "docker"
            else ["ctr", "--namespace=k8s.io", "images", "import", "-"]
        ),
    )
