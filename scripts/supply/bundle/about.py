"""What a bundle says of itself: for which machine, what is in it, and under which licences."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.machine.architecture import architecture
from scripts.supply import stock
from scripts.supply.bundle.form import DamagedError

FORMAT = 1
FILES, IMAGES = "files.tar.zst", "images.tar.zst"
#: The folders of the cache that a bundle may bring something into.
FOLDERS = ("go", "images", "requirements", "tools")
_PATH = re.compile(rf"({'|'.join(FOLDERS)})(/[A-Za-z0-9][\w.+-]*)+")

_APACHE, _GO = "Apache-2.0", "and those of the modules in scripts/supply/go/go.sum"
_DEBIAN = "Debian main: each package's own, /usr/share/common-licenses"
#: By the name of a program or an image. What is not listed is a Go program under Apache-2.0.
LICENCES = {
    "traefik": f"MIT {_GO}",
    "busybox": "GPL-2.0-only",
    "pause": "MIT",
    "kube-proxy": f"{_APACHE} {_GO}; iptables and ipset: GPL-2.0-or-later",
    "network-policies": f"{_APACHE} {_GO}; iptables and ipset: GPL-2.0-or-later",
    "debian": _DEBIAN,
    "python": f"PSF-2.0; {_DEBIAN}",
    "node": f"MIT; {_DEBIAN}",
    "nginx": f"BSD-2-Clause; {_DEBIAN}",
    "postgres": f"PostgreSQL; {_DEBIAN}",
    "minikube-node": f"{_APACHE} {_GO}; {_DEBIAN}",
    "preload": f"{_APACHE} {_GO}; iptables and ipset: GPL-2.0-or-later",
    "requirements": "none: a list of packages",
}


@dataclass(frozen=True)
class Stored:
    """A part as it is stored: its size in bytes, and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """A file of the cache. size in bytes. program: it can be run."""

    size: int
    sha256: str
    program: bool
    licence: str


@dataclass(frozen=True)
class Image:
    """An image. id: what the engine called it (sha256:...)."""

    id: str
    licence: str


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle.

    versions: of what the parts are. files: path below the cache -> file. images: by reference.
    parts: as they are stored, in their order. app: the folder's name of the app that is in it.
    """

    parts: Mapping[str, Stored]
    files: Mapping[str, Entry]
    images: Mapping[str, Image]
    versions: Mapping[str, str] = field(default_factory=stock.versions)
    system: str = platform.system()
    architecture: str = field(default_factory=architecture)
    format: int = FORMAT
    made: str = ""
    app: str = ""

    def to_json(self) -> bytes:
        """As it stands in the file."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()


def head(text: bytes) -> dict[str, Any]:
    """What every format has: `format`, `system`, `architecture`, `versions`. Raises DamagedError.

    A later format may have other fields beside them.
    """
    try:
        read = json.loads(text)
        assert isinstance(read, dict)
        int(read["format"]), str(read["system"]), str(read["architecture"]), dict(read["versions"])
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise DamagedError("the manifest") from error
    return read


def parse(text: bytes) -> Manifest:
    """Read a manifest of this format. Raises DamagedError, also for a path out of the cache."""
    read = head(text)
    try:
        read["parts"] = {name: Stored(**read["parts"][name]) for name in (FILES, IMAGES)}
        read["files"] = {name: Entry(**one) for name, one in read["files"].items()}
        read["images"] = {name: Image(**one) for name, one in read["images"].items()}
        manifest = Manifest(**read)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError("the manifest") from error
    for name in manifest.files:
        if not _PATH.fullmatch(name):
            raise DamagedError(f"the manifest: {name} does not lie in the cache")
    return manifest


def licence_of(name: str) -> str:
    """The licence of a file (by its path below the cache) or an image (by its reference)."""
    words = re.sub(r":.*|\.tar.*|\.json$", "", name).split("/")
    # go/etcd-KEY/etcd, images/etcd-KEY.tar, phase4/node-20:KEY, requirements/KEY.json
    subject = words[0] if words[0] == "requirements" else words[1 if len(words) > 1 else 0]
    for known in sorted(LICENCES, key=len, reverse=True):
        if subject == known or subject.startswith(f"{known}-"):
            return LICENCES[known]
    return "the app's own, and those of its packages" if len(words) == 1 else f"{_APACHE} {_GO}"
