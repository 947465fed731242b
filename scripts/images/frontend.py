"""What the build of a frontend gets: the app's files, what its packages are installed from, and our programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from scripts.images.context import File, with_added
from scripts.session.settings import ROOT

WEB = Path("scripts/images/web")
SOURCE, MANIFESTS = "source", "manifests"  # folders of the build's context
INSTALLED_FROM = (
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    ".npmrc",
)


def lay_out(files: Iterable[File], added: Mapping[str, bytes]) -> tuple[File, ...]:
    """The context of frontend.Dockerfile for an app's files, with `added` (name -> content) among them."""
    source = with_added(files, added)
    return (
        *_below(MANIFESTS, (file for file in source if file.name in INSTALLED_FROM)),
        *programs(),
        *_below(SOURCE, source),
    )


def programs() -> tuple[File, ...]:
    """The web server's configuration, and the programs that build and start a frontend."""
    paths = sorted(path for path in (ROOT / WEB).rglob("*") if path.is_file())
    # Programs have no suffix. A checkout does not keep the mode on every system.
    return tuple(
        File(path.relative_to(ROOT).as_posix(), not path.suffix, path.read_bytes())
        for path in paths
    )


def _below(folder: str, files: Iterable[File]) -> list[File]:
    return [replace(file, name=f"{folder}/{file.name}") for file in files]
