"""The cache of this user: each thing is made once under its key, completely or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import glob
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
    interrupted leaves nothing half-made. Two runs at once wait for each other. A file that has
    been cut off since then is made anew.
    """
    if is_whole(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{target.name}.lock"):
        if is_whole(target):
            return target
        for left in target.parent.glob(f".{glob.escape(target.name)}.????????"):
            if left.is_dir():  # of a process that was killed: nobody else makes it just now
                shutil.rmtree(left, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            make(unfinished / target.name)
            _note_size(target, unfinished / target.name)
            os.replace(unfinished / target.name, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target


def is_whole(target: Path) -> bool:
    """Whether a thing of the cache is there, and has the size with which it was made.

    A full disk, a machine that lost its power, or a person may have cut it off since then. What
    was made before sizes were noted is whole unless it is empty, and its size is noted now.
    """
    try:
        size = target.stat().st_size
    except FileNotFoundError:
        return False
    if target.is_dir():
        return True
    try:
        return int(_size_place(target).read_text(encoding="ascii")) == size
    except (OSError, ValueError):
        with contextlib.suppress(OSError):  # a cache that this user may only read
            _note_size(target, target)
        return size > 0


def discard(target: Path) -> None:
    """Take a damaged thing out of the cache: it is made anew when it is needed."""
    target.unlink(missing_ok=True)


def _size_place(target: Path) -> Path:
    return target.with_name(f".{target.name}.size")


def _note_size(target: Path, made: Path) -> None:
    if made.is_file() and made.stat().st_size:
        write_whole(_size_place(target), f"{made.stat().st_size}")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it holds the old text or the new one, however this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # What is a link stays one, and the new file has the old one's mode.
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def scratch(what: str) -> Iterator[Path]:
    """Give a folder of this user alone that goes at the end.

    A process that is killed leaves its folder, and some hold what opens a registry: those of
    processes that have ended go first.
    """
    for left in Path(tempfile.gettempdir()).glob(f"phase4-{what}-*-*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"phase4-{what}-{os.getpid()}-") as folder:
        yield Path(folder)


def _is_left(folder: Path) -> bool:
    """Whether the process of this user that made a folder has ended. Its number is in the name."""
    number = folder.name.split("-")[2]
    try:
        if not number.isdecimal() or folder.lstat().st_uid != os.getuid():
            return False
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:  # the folder has gone meanwhile, or the process is somebody else's
        return False
    return False


@contextlib.contextmanager
def locked(path: Path, blocking: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The kernel frees it when the process ends in any way.

    Raises BlockingIOError if not `blocking` and another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        yield
