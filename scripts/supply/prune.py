"""What of the cache is not needed any more once everything is made."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from scripts.session.cache import is_whole
from scripts.session.run import Run
from scripts.supply import golang, node, stock

ABANDONED = 3600.0  # seconds after which nobody works in a scratch folder any more


@dataclass(frozen=True)
class Waste:
    """Files and folders of one kind. size: bytes on the disk that come free with them."""

    what: str
    paths: tuple[Path, ...]
    size: int


@dataclass(frozen=True)
class Found:
    """What may go. kept: why the compiler's caches stay; empty if they may go too."""

    waste: tuple[Waste, ...]
    kept: str

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(one.size for one in self.waste)


def look(run: Run) -> Found:
    """Look for what may go. Deletes nothing.

    The compiler's caches stay while something that a cluster is made of is not made yet.
    """
    cache, wanted = run.settings.cache, set(stock.wanted(run).files)
    missing = sorted(place for place in wanted if not is_whole(place))
    kinds: dict[str, Iterable[Path]] = {
        "programs and images of earlier versions": _superseded(run, wanted),
        "bundles that were downloaded": [*cache.glob("bundle/*.tar"), *cache.glob("bundle/*.part")],
        "what interrupted runs left": _leftovers(cache),
    }
    if not missing:
        kinds |= {
            "Go's build cache": [cache / "go-build"],
            "sources of Go modules": [cache / "go-mod", *cache.glob("go/workspace-*")],
            "the Go toolchain": cache.glob("tools/go-*"),
            "programs that only images need": [
                golang.place(run, name).parent for name in node.IN_IMAGES
            ],
        }
    waste = (_waste(what, paths) for what, paths in kinds.items())
    kept = f"{missing[0].relative_to(cache)} is not made yet" if missing else ""
    return Found(tuple(one for one in waste if one.paths), kept)


def remove(run: Run, found: Found) -> None:
    """Delete what was found. What is needed again is fetched or made again."""
    for path in (path for one in found.waste for path in one.paths):
        run.shell.plan(f"delete {path}")
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _waste(what: str, paths: Iterable[Path]) -> Waste:
    there = tuple(sorted(path for path in paths if path.exists()))
    return Waste(what, there, sum(map(_size, there)))


def _size(path: Path) -> int:
    """Bytes that come free with it. A file that also lies in minikube's cache frees none."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    known = [file.lstat() for file in files]
    return sum(one.st_blocks * 512 for one in known if one.st_nlink == 1 or S_ISDIR(one.st_mode))


def _superseded(run: Run, wanted: Set[Path]) -> list[Path]:
    """Programs, archives and preloads of ours that have another key than this checkout wants."""
    names = "|".join(map(re.escape, (*golang.PROGRAMS, "busybox", "preload")))
    ours = re.compile(rf"({names})-[0-9a-f]{{16}}(\.tar|\.tar\.lz4)?")
    present = {golang.place(run, name).parent for name in golang.PROGRAMS}
    found = [path for folder in ("go", "images") for path in run.settings.cache.glob(f"{folder}/*")]
    return [
        path
        for path in found
        if ours.fullmatch(path.name) and path not in wanted and path not in present
    ]


def _leftovers(cache: Path) -> list[Path]:
    """Folders in which something is made that is moved to its place at the end."""
    patterns = (".bundle-*", "*/.*.*", "go/*/.*.*", "tools/*/.*.*")
    now = time.time()
    return [
        path
        for pattern in patterns
        for path in cache.glob(pattern)
        if path.is_dir() and now - path.stat().st_mtime > ABANDONED
    ]
