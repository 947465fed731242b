"""Keep the app's files on a volume.

While the image is built, paths that the app writes become links into DATA_DIR. What the app brings
there is its first content: it waits in /seed, and a start copies it to where nothing is yet.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

SEED = Path("/seed")


def lead_out(paths: Iterable[str], data: Path, seed: Path = SEED) -> None:
    """Make links of these paths, relative to the working folder. One of a folder ends with `/`."""
    for path in paths:
        here, first = Path(path), seed / path
        here.parent.mkdir(parents=True, exist_ok=True)
        first.parent.mkdir(parents=True, exist_ok=True)
        if here.exists():
            shutil.move(here, first)
        elif path.endswith("/"):
            first.mkdir(exist_ok=True)
        here.symlink_to(data / path)


def fill(data: Path | None = None, seed: Path = SEED) -> None:
    """Copy what the app brings to the volume. A file that is there already is the app's: it stays.

    A volume that cannot be written is told, and the app is started: it may not need it.
    """
    target = data or Path(os.environ.get("DATA_DIR", "/data"))
    try:
        for path in [seed, *sorted(seed.rglob("*"))]:
            there = target / path.relative_to(seed)
            if path.is_dir():
                there.mkdir(parents=True, exist_ok=True)
            elif not there.exists():
                shutil.copy(path, there)
    except OSError as error:
        print(f"phase4: {target} cannot be filled: {error}", file=sys.stderr, flush=True)
