"""What the build of a backend gets: the app's files, its packages' versions, and our programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scripts.images.context import File
from scripts.session.settings import ROOT

API = Path("scripts/images/api")
SOURCE, REQUIREMENTS = "source", "requirements.txt"  # in the build's context


def lay_out(files: Iterable[File], requirements: str) -> tuple[File, ...]:
    """The context of backend.Dockerfile for an app's files. requirements: every package, pinned."""
    return (
        File(REQUIREMENTS, False, requirements.encode()),
        *programs(),
        *(replace(file, name=f"{SOURCE}/{file.name}") for file in files),
    )


def programs() -> tuple[File, ...]:
    """The programs that prepare, start and watch a backend."""
    folders = ((ROOT / API / "bin").glob("*"), (ROOT / API / "phase4").glob("*.py"))
    # Programs for the shell have no suffix. A checkout does not keep the mode on every system.
    return tuple(
        File(path.relative_to(ROOT).as_posix(), not path.suffix, path.read_bytes())
        for folder in folders
        for path in sorted(folder)
    )
