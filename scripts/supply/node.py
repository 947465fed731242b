"""The parts of a minikube cluster, built from package registries alone.

minikube does not know where they come from. Its cache holds a preload of Kubernetes' programs and
images, like the one that it would download, and --base-image gives it a node image of this project.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.machine import buildkit
from scripts.machine.architecture import architecture
from scripts.machine.engine import Engine
from scripts.session.cache import digest, make_once, scratch, tree_digest
from scripts.session.run import Run
from scripts.session.settings import minikube_home
from scripts.supply import bases, golang
from scripts.supply.archive import pack

KUBERNETES = golang.KUBERNETES_VERSION
REGISTRY = "registry.k8s.io"

#: What kubeadm 1.35 runs: program -> the image reference that it asks for.
CONTROL_PLANE = {
    "kube-apiserver": f"{REGISTRY}/kube-apiserver:{KUBERNETES}",
    "kube-controller-manager": f"{REGISTRY}/kube-controller-manager:{KUBERNETES}",
    "kube-scheduler": f"{REGISTRY}/kube-scheduler:{KUBERNETES}",
    "etcd": f"{REGISTRY}/etcd:3.6.6-0",
    "coredns": f"{REGISTRY}/coredns/coredns:v1.13.1",
    "pause": f"{REGISTRY}/pause:3.10.1",
}
KUBE_PROXY = f"{REGISTRY}/kube-proxy:{KUBERNETES}"
PROGRAMS = ("kubelet", "kubeadm", "kubectl")
#: Where kubeadm's manifests expect a program, if not in /usr/local/bin.
FOLDERS = {"pause": "", "coredns": ""}
#: minikube considers a node's images complete only if this one is there, of an addon that is not
#: used here. So the smallest image gets this name too.
NEVER_USED = "gcr.io/k8s-minikube/storage-provisioner:v5"
#: Where minikube looks for a preload (its pkg/minikube/download/preload.go), below its cache.
PRELOAD = (
    "preloaded-tarball/preloaded-images-k8s-v18-"
    f"{KUBERNETES}-containerd-overlay2-{architecture()}.tar.lz4"
)

#: What is added to the cluster once it runs.
ADDONS = {
    "local-path-provisioner": "docker.io/phase4/local-path-provisioner:v0.0.30",
    "metrics-server": "docker.io/phase4/metrics-server:v0.9.0",
    "traefik": "docker.io/phase4/traefik:v3.6.12",
}
_POLICIES_KEY = digest(
    tree_digest(golang.MODULE / "network-policies"), tree_digest(bases.IMAGES / "iptables")
)
NETWORK_POLICIES = f"docker.io/phase4/network-policies:{_POLICIES_KEY}"
BUSYBOX = "docker.io/phase4/busybox:1"
#: Programs that no node and no machine needs beside the images that hold them.
IN_IMAGES = (*CONTROL_PLANE, "kube-proxy", "network-policies", *ADDONS)


@dataclass(frozen=True)
class NodeParts:
    """What a node is made of. base_image: the reference for --base-image."""

    base_image: str


@dataclass(frozen=True)
class ClusterParts:
    """What Kubernetes needs on a node. programs: name -> file. archives: those of its images."""

    programs: Mapping[str, Path]
    archives: tuple[Path, ...]


@dataclass(frozen=True)
class AddonImages:
    """The images of the addons.

    archives: reference -> image archive to load into the node; empty if upstream's images are
    pulled.
    """

    archives: Mapping[str, Path]


def node_reference() -> str:
    """The reference of the node's image, built or not."""
    key = digest(
        tree_digest(bases.IMAGES / "minikube-node"),
        tree_digest(golang.MODULE),
        bases.stand_in_reference("debian"),
    )
    return f"phase4/minikube-node:{key}"


def node_image(run: Run, engine: Engine, upstream: bool) -> NodeParts | None:
    """Build the node's image if the engine does not have it. Return None if upstream's is used."""
    if upstream:
        return None
    reference = node_reference()
    if buildkit.image_id(run, engine, reference):
        return NodeParts(reference)
    crictl = golang.build(run, "crictl")
    kicbase = golang.module_files(run, "k8s.io/minikube") / "deploy" / "kicbase"
    debian = bases.stand_in(run, engine, "debian")
    with scratch("node") as context:
        shutil.copytree(bases.IMAGES / "minikube-node", context, dirs_exist_ok=True)
        for path in (crictl, kicbase / "entrypoint", kicbase / "containerd.toml"):
            shutil.copy(path, context / path.name)
        return NodeParts(
            bases.build_stand_in(run, engine, "minikube-node", context, reference, {"BASE": debian})
        )


def cluster_parts(run: Run, engine: Engine, upstream: bool) -> ClusterParts | None:
    """Build Kubernetes' three programs and seven images for a node, into minikube's cache.

    A new node gets all of it from the preload. If an image is missing later, minikube takes them
    all from here, one by one. Returns None if upstream's are used.
    """
    if upstream:
        return None
    programs = {program: golang.build(run, program) for program in PROGRAMS}
    images = {
        **{
            reference: _packed(run, program, reference)
            for program, reference in CONTROL_PLANE.items()
        },
        KUBE_PROXY: _saved(run, engine, "iptables", KUBE_PROXY, "kube-proxy"),
    }
    cache = minikube_home() / "cache"
    for program, binary in programs.items():
        _replace(run, cache / "linux" / architecture() / KUBERNETES / program, binary)
    for reference, archive in images.items():
        # minikube's localpath.SanitizeCacheDir turns ':' into '_'.
        _replace(run, cache / "images" / architecture() / reference.replace(":", "_"), archive)
    return ClusterParts(programs, tuple(images.values()))


def preload(
    run: Run, engine: Engine, node: NodeParts | None, parts: ClusterParts | None
) -> NodeParts | None:
    """Put a preload into minikube's cache; minikube unpacks it into a new node. Return `node`.

    The preload has Kubernetes' programs, and containerd's folder with the images. It is made once,
    with the node's own containerd. Without it, each start would send every archive over ssh and
    unpack it twice (5 s).
    """
    if not (node and parts):
        return None
    archive = make_once(
        _preload_place(run, node, parts),
        lambda target: _unpacked(run, engine, node.base_image, parts, target),
    )
    _replace(run, minikube_home() / "cache" / PRELOAD, archive)
    return node


def _preload_place(run: Run, node: NodeParts, parts: ClusterParts) -> Path:
    made = (
        f"{path.parent.name}/{path.name}" for path in (*parts.programs.values(), *parts.archives)
    )
    name = f"preload-{digest(node.base_image, NEVER_USED, *made)}.tar.lz4"
    return run.settings.cache / "images" / name


def _unpacked(run: Run, engine: Engine, image: str, parts: ClusterParts, target: Path) -> None:
    """Have the node's own containerd unpack the images, and pack its folder and the programs."""
    run.say("unpacking Kubernetes' images once for all nodes")
    # On a volume: containerd's snapshots are overlays, and an overlay cannot lie on another.
    start = (
        "run", "--detach", "--privileged", "--stop-signal", "TERM", "--volume", "/var",
        "--entrypoint", "containerd", image,
    )  # fmt: skip
    container = run.shell.run(engine.client, *start).stdout.strip()
    ctr = (engine.client, "exec", "--interactive", container, "ctr", "--namespace=k8s.io")
    try:
        run.shell.until(lambda: run.shell.run(*ctr, "version", check=False).ok, 30)
        for archive in parts.archives:
            run.shell.run(*ctr, "images", "import", "-", stdin=archive, timeout=300)
        run.shell.run(*ctr, "images", "tag", CONTROL_PLANE["pause"], NEVER_USED)
        folder = f"/var/lib/minikube/binaries/{KUBERNETES}"
        run.shell.run(engine.client, "exec", container, "mkdir", "-p", folder)
        for program, binary in parts.programs.items():
            run.shell.run(engine.client, "cp", binary, f"{container}:{folder}/{program}")
        run.shell.run(engine.client, "stop", container)
        pack = f"tar -C /var -c lib/containerd lib/minikube | lz4 -1 > /out/{target.name}"
        read = (
            "run", "--rm", "--volumes-from", container, "--volume", f"{target.parent}:/out",
            "--entrypoint", "sh", image, "-c", pack,
        )  # fmt: skip
        run.shell.run(engine.client, *read, timeout=300)
    finally:
        run.shell.run(engine.client, "rm", "--force", "--volumes", container, check=False)


def addon_images(run: Run, engine: Engine, upstream: bool) -> AddonImages:
    """Build the images of the add-ons as archives; none where upstream's are pulled."""
    if upstream:
        return AddonImages({})
    archives = {
        BUSYBOX: _saved(run, engine, "busybox", BUSYBOX),
        NETWORK_POLICIES: _saved(run, engine, "iptables", NETWORK_POLICIES, "network-policies"),
    }
    for program, reference in ADDONS.items():
        archives[reference] = _packed(run, program, reference)
    return AddonImages(archives)


def places(run: Run) -> tuple[Path, ...]:
    """Where the files of a cluster from packages are kept, made or not.

    The preload comes last: it is made of others.
    """
    programs = {program: golang.place(run, program) for program in PROGRAMS}
    archives = (
        *(_packed_place(run, program) for program in CONTROL_PLANE),
        _saved_place(run, "iptables", "kube-proxy"),
    )
    parts = ClusterParts(programs, archives)
    addons = (
        _saved_place(run, "busybox"),
        _saved_place(run, "iptables", "network-policies"),
        *(_packed_place(run, program) for program in ADDONS),
    )
    preloaded = _preload_place(run, NodeParts(node_reference()), parts)
    return (*programs.values(), *archives, *addons, preloaded)


def _packed_place(run: Run, program: str) -> Path:
    return run.settings.cache / "images" / f"{golang.place(run, program).parent.name}.tar"


def _packed(run: Run, program: str, reference: str) -> Path:
    """Return the archive of an image that holds one program and starts it."""
    folder = FOLDERS.get(program, "/usr/local/bin")
    path = f"{folder}/{program}"

    def make(target: Path) -> None:
        binary = golang.build(run, program)
        run.shell.plan(f"pack {reference}")
        pack(target, reference, {path: binary}, [path])

    return make_once(_packed_place(run, program), make)


def _saved_place(run: Run, name: str, program: str = "") -> Path:
    """Where the archive of images/<name> is kept. Its key is the same on every machine."""
    binary = golang.place(run, program).parent.name if program else ""
    key = digest(tree_digest(bases.IMAGES / name), binary, bases.stand_in_reference("debian"))
    return run.settings.cache / "images" / f"{program or name}-{key}.tar"


def _saved(run: Run, engine: Engine, name: str, reference: str, program: str = "") -> Path:
    """Build images/<name>, with `program` in its context. Save it as an archive of `reference`."""
    place = _saved_place(run, name, program)

    def make(target: Path) -> None:
        binary = golang.build(run, program) if program else None
        debian = bases.stand_in(run, engine, "debian")
        with scratch("image") as context:
            shutil.copytree(bases.IMAGES / name, context, dirs_exist_ok=True)
            if binary:
                shutil.copy(binary, context / binary.name)
            built = f"phase4/{place.stem.rpartition('-')[0]}:{place.stem.rpartition('-')[2]}"
            named = reference.removeprefix("docker.io/")
            bases.build_stand_in(
                run,
                engine,
                name,
                context,
                built,
                {"BASE": debian, **({"PROGRAM": program} if program else {})},
            )
            run.shell.run(engine.client, "tag", built, named)
            run.shell.run(engine.client, "save", "-o", target, named, timeout=300)

    return make_once(place, make)


def _replace(run: Run, target: Path, source: Path) -> None:
    """Make `target` the same file as `source`, without a copy if the file system allows that."""
    if target.exists() and target.stat().st_ino == source.stat().st_ino:
        return
    run.shell.plan(f"put {target.name} into minikube's cache")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.new")
    scratch.unlink(missing_ok=True)
    try:
        os.link(source, scratch)
    except OSError:  # another file system
        shutil.copy2(source, scratch)
    os.replace(scratch, target)
