"""Base images of our own: an upstream image, and the programs that every image of its kind needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.cache import digest, tree_digest
from scripts.session.run import Run

FOLDER = Path(__file__).parent


def ensure(run: Run, engine: Engine, name: str, parents: Mapping[str, str]) -> str:
    """Return the reference of phase4/NAME, built from the folder NAME when the engine lacks it.

    parents: build argument -> image that it starts from. `latest` is for builds by hand only.
    """
    folder = FOLDER / name
    files = (one for one in folder.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    built_on = [
        f"{argument}={image}@{buildkit.image_id(run, engine, image)}"
        for argument, image in sorted(parents.items())
    ]
    reference = f"phase4/{name}:{digest(tree_digest(folder, files), *built_on)}"
    if not buildkit.image_id(run, engine, reference):
        run.say(f"building phase4/{name}")
        names = (reference, f"phase4/{name}:latest")
        buildkit.build(run, engine, folder / "Dockerfile", folder, names, parents)
    return reference
