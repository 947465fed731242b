"""The files of a build: read once, digested, and handed to the build byte by byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pathspec

from scripts.app.survey.tree import join, own_bytes, walk
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.cache import digest
from scripts.session.findings import Failure, failure
from scripts.session.run import Run

MOST_HELD = 2 << 30  # bytes of a context


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


def context_files(dockerfile: Path, context: Path, within: Path | None = None) -> tuple[File, ...]:
    """The files of a build context, less those that <dockerfile>.dockerignore leaves out.

    within: the folder that links may lead to; the context itself when left out. What is no file of
    it, or may not be read, is left out, too. Raises APP-INCOMPLETE where they are too large: they
    are held in memory.
    """
    ignored = is_ignored(dockerfile)
    found, held = [], 0
    for folder, folders, files in walk(context, within):
        folders[:] = [
            name for name in folders if not ignored(f"{join(folder, name)}/")
        ]  # node_modules is not even read
        for name in (one for one in (join(folder, file) for file in files) if not ignored(one)):
            path = context / name
            held += _size(path)
            if held > MOST_HELD:
                raise _too_large(context, path)
            content = own_bytes(path, within or context, MOST_HELD)
            if content is not None:
                found.append(File(name, os.access(path, os.X_OK), content))
    return tuple(sorted(found, key=lambda file: file.name))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _too_large(context: Path, path: Path) -> Failure:
    return failure(
        "APP-INCOMPLETE",
        str(path),
        f"the app's files are larger than {MOST_HELD >> 30} GiB: {path.name} is one of the last",
        f"{path} has {_size(path) >> 20} MiB; an image is built of all files in {context}",
        "move data out of the app's folder, or into one that is left out, such as data",
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
