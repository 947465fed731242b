"""A docker engine of another Debian, beside the machine's own and unknown to it.

It has a root file system, a folder for its data, a network namespace and a containerd of its own.
Needs root. Everything that uses it runs in its network namespace too: what a container publishes
on loopback is published there.
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
PACKAGES = "ca-certificates,docker.io,docker-cli,docker-buildx"
NETWORK = "phase4-engines"  # of the namespace, and of the cable to it
OUTER, INNER, SUBNET = "10.201.77.1", "10.201.77.2", "10.201.77.0/30"
START_TIMEOUT = 60.0  # seconds

#: Becomes dockerd. $1: the new root; $2: its configuration; the other arguments: folders that have
#: the same path inside as outside. A privileged container must not get at the machine's root, which
#: a mere chroot would leave in its reach.
ENTER = """
set -e
root=$1 options=$2
shift 2
mount --bind "$root" "$root"
for folder in "$@"; do
  mkdir -p "$root$folder"
  mount --bind "$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/outside"
cd "$root"
pivot_root . outside
cd /
umount --lazy /outside
exec dockerd --config-file="$options"
"""


@dataclass(frozen=True)
class Kind:
    """A kind of engine.

    containerd_store: images lie in containerd's store, as they do by default from Docker 29 on.
    programs: a folder with dockerd, docker-proxy and runc, if they are not those of Debian.
    """

    name: str
    containerd_store: bool
    programs: Path | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Lab:
    """An engine that runs. address: for DOCKER_HOST. process: number of its dockerd."""

    address: str
    process: int


def inside(*command: str) -> list[str]:
    """A command in the engine's network."""
    return ["nsenter", f"--net=/run/netns/{NETWORK}", *command]


def _do(*command: str | Path, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def make_root(folder: Path, mirror: str) -> Path:
    """A Debian with docker, made by debootstrap from this mirror (an address)."""
    root = folder / "root"
    if not (root / "usr" / "sbin" / "dockerd").exists():
        own_mounts = ("unshare", "--mount", "--propagation", "private")
        options = ("--variant=minbase", f"--include={PACKAGES}")
        _do(*own_mounts, "debootstrap", *options, SUITE, root, mirror, timeout=900)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    return root


@contextmanager
def network():
    """A network namespace with a way out through this machine's."""
    outer, inner = "phase4-eng0", "phase4-eng1"
    rules = (
        ("filter", "FORWARD", "-i", outer, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-o", outer, "-j", "ACCEPT"),
        ("nat", "POSTROUTING", "-s", SUBNET, "!", "-o", outer, "-j", "MASQUERADE"),
    )

    def clear():
        for table, chain, *rule in rules:
            while not subprocess.run(
                ["iptables", "-w", "-t", table, "-D", chain, *rule], capture_output=True
            ).returncode:
                pass
        for words in (("link", "delete", outer), ("netns", "delete", NETWORK)):
            subprocess.run(["ip", *words], capture_output=True)

    clear()  # of a run that was killed
    try:
        _do("ip", "netns", "add", NETWORK)
        peer = ("peer", "name", inner, "netns", NETWORK)
        _do("ip", "link", "add", outer, "type", "veth", *peer)
        _do("ip", "address", "add", f"{OUTER}/30", "dev", outer)
        _do("ip", "link", "set", outer, "up")
        there = ("ip", "-n", NETWORK)
        _do(*there, "link", "set", "lo", "up")
        _do(*there, "address", "add", f"{INNER}/30", "dev", inner)
        _do(*there, "link", "set", inner, "up")
        _do(*there, "route", "add", "default", "via", OUTER)
        for table, chain, *rule in rules:
            _do("iptables", "-w", "-t", table, "-I", chain, *rule)
        yield
    finally:
        clear()


@contextmanager
def engine(folder: Path, root: Path, kind: Kind, shared: tuple[Path, ...] = ()):
    """Run an engine in `root` with its data in `folder`: a Lab. `network` must be there.

    shared: further folders that containers may mount. The data is gone afterwards.
    """
    data, socket = folder / "engine", folder / "docker.sock"
    options = {
        "data-root": f"{data}",
        "hosts": [f"unix://{socket}"],
        "features": {"containerd-snapshotter": kind.containerd_store},
    }
    data.mkdir(parents=True, exist_ok=True)
    (root / "etc" / "docker").mkdir(parents=True, exist_ok=True)
    (root / "etc" / "docker" / "engine.json").write_text(json.dumps(options))
    programs = [kind.programs] if kind.programs else []
    same = [f"{path}" for path in (folder, *shared, *programs)]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    command = ["sh", "-c", ENTER, "sh", f"{root}", "/etc/docker/engine.json", *same]
    entering = inside("unshare", "--mount", "--propagation", "private", *command)
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            entering, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log,
        )  # fmt: skip
    lab = Lab(f"unix://{socket}", process.pid)
    docker = ["docker", f"--host={lab.address}"]
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while subprocess.run([*docker, "version"], capture_output=True).returncode:
            told = (folder / "dockerd.log").read_text()[-3000:]
            assert time.monotonic() < deadline and process.poll() is None, told
            time.sleep(0.2)
        yield lab
    finally:
        with suppress(subprocess.TimeoutExpired):
            listed = subprocess.run([*docker, "ps", "-aq"], capture_output=True, text=True).stdout
            if listed.split():
                gone = [*docker, "rm", "--force", "--volumes", *listed.split()]
                subprocess.run(gone, capture_output=True, timeout=120)
        process.terminate()
        process.wait(60)
        shutil.rmtree(data, ignore_errors=True)
        socket.unlink(missing_ok=True)


def client(root: Path, folder: Path) -> dict[str, str]:
    """Copy the docker command of `root`, with buildx: the variables that make it the one in use."""
    commands, plugins = folder / "bin", folder / "docker" / "cli-plugins"
    for source, target in (
        (root / "usr" / "bin" / "docker", commands),
        (root / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-buildx", plugins),
    ):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "DOCKER_CONFIG": f"{plugins.parent}"}
