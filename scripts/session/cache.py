"""The cache of this user: each thing is made once under its key, completely or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def digest(*parts: str | bytes) -> str:
    """Return a short key for what a thing is made of.

    It is the first 16 hex digits of SHA-256 over the parts and their lengths.
    """
    whole = hashlib.sha256()
    for part in parts:
        # A name on disk may be no text: Python keeps such bytes as half characters.
        data = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()[:16]


def tree_digest(root: Path, files: Iterable[Path] | None = None) -> str:
    """Return the key of a folder: names, contents and executable bits, but not dates.

    files: only these files below `root`; all when left out.
    """
    chosen = sorted(
        files if files is not None else (path for path in root.rglob("*") if path.is_file())
    )
    parts: list[str | bytes] = []
    for path in chosen:
        parts += [
            path.relative_to(root).as_posix(),
            "x" if os.access(path, os.X_OK) else "-",
            path.read_bytes(),
        ]
    return digest(*parts)


def make_once(target: Path, make: Callable[[Path], None]) -> Path:
    """Return `target`; if it does not exist, call `make(temporary path)` to make it.

    The temporary path is on the same file system and moves into place at the end. So a run that is
    interrupted leaves nothing half-made. Two runs at once wait for each other.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{target.name}.lock"):
        if target.exists():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            make(scratch / target.name)
            os.replace(scratch / target.name, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


@contextlib.contextmanager
def locked(path: Path, blocking: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The kernel frees it when the process ends in any way.

    Raises BlockingIOError if not `blocking` and another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        yield
