"""The files of a build: read once, digested, and handed to the build byte by byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pathspec

from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.cache import digest
from scripts.session.run import Run


@dataclass(frozen=True)
class File:
    """A file of a build context. name: relative, with forward slashes."""

    name: str
    executable: bool
    content: bytes = field(repr=False)


def with_added(files: Iterable[File], added: Mapping[str, bytes]) -> tuple[File, ...]:
    """The files, with `added` (name -> content) beside them or in their place."""
    kept = [file for file in files if file.name not in added]
    return tuple(
        sorted(
            [*kept, *(File(name, False, content) for name, content in added.items())],
            key=lambda file: file.name,
        )
    )


def content_tag(
    run: Run, engine: Engine, dockerfile: Path, files: Iterable[File], arguments: Mapping[str, str]
) -> str:
    """A digest of all that a build sees.

    These are its files, the Dockerfile, the arguments, and the base images' IDs.
    """
    values = [
        f"{name}={value}@{buildkit.image_id(run, engine, value) if name.endswith('_IMAGE') else ''}"
        for name, value in sorted(arguments.items())
    ]
    named = [
        part
        for file in files
        for part in (file.name, "x" if file.executable else "-", file.content)
    ]
    return digest(dockerfile.read_bytes(), *values, *named)


def context_files(dockerfile: Path, context: Path) -> tuple[File, ...]:
    """The files of a build context, less those that <dockerfile>.dockerignore leaves out."""
    ignored = is_ignored(dockerfile)
    names = []
    for folder, folders, files in os.walk(context):
        below = Path(folder).relative_to(context)
        folders[:] = [
            name for name in folders if not ignored(f"{(below / name).as_posix()}/")
        ]  # node_modules is not even read
        names += [path for name in files if not ignored(path := (below / name).as_posix())]
    names = sorted(
        name for name in names if (context / name).is_file()
    )  # a link that leads nowhere is none
    return tuple(
        File(name, os.access(context / name, os.X_OK), (context / name).read_bytes())
        for name in names
    )


def is_ignored(dockerfile: Path) -> Callable[[str], bool]:
    """Whether <dockerfile>.dockerignore leaves out a path of the context.

    The path of a folder ends with a slash.
    """
    patterns = (
        dockerfile.with_name(dockerfile.name + ".dockerignore")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    # A pattern of .dockerignore is anchored at the root of the context, one of .gitignore is not.
    return pathspec.GitIgnoreSpec.from_lines(
        line if line.startswith(("**", "!", "#")) or not line else f"/{line}" for line in patterns
    ).match_file


def stage(files: Iterable[File], folder: Path) -> Path:
    """Write the files into `folder`, which holds nothing else afterwards. Returns it."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    return folder
