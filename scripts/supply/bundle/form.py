"""The file of a bundle: a plain tar archive that is read as strictly as it is written.

    phase4-bundle-<SHA-256 of the manifest>.json   the manifest; it names the parts' digests
    signature                                      of the manifest, by ssh-keygen; may be absent
    files.tar.zst                                  files of the cache
    images.tar.zst                                 what `docker save` writes

Every byte counts: the manifest is checked against its name, a part against the manifest, and what
lies between them (the members' headers, and zeros) must be what this module writes.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MANIFEST, SIGNATURE = "phase4-bundle", "signature"
MOST_MANIFEST, MOST_SIGNATURE = 4 << 20, 64 << 10  # bytes
CHUNK = 1 << 20
_NAMED = re.compile(rf"{MANIFEST}-([0-9a-f]{{64}})\.json")


class NoBundleError(Exception):
    """The file is something else."""


class DamagedError(Exception):
    """The file is a bundle, but not as it was written. The message says where."""


@dataclass(frozen=True)
class Part:
    """A stretch of the file. offset and size in bytes. sha256: hex digits."""

    offset: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Head:
    """How a bundle begins. end: where the parts begin, in bytes. signature: empty if unsigned."""

    manifest: bytes
    signature: bytes
    end: int


def write(target: BinaryIO, manifest: bytes, signature: bytes, parts: Sequence[Path]) -> None:
    """Write a bundle. parts: files that go into it under their own names."""
    _add(target, f"{MANIFEST}-{hashlib.sha256(manifest).hexdigest()}.json", manifest)
    if signature:
        _add(target, SIGNATURE, signature)
    for part in parts:
        size = part.stat().st_size
        target.write(_header(part.name, size))
        with part.open("rb") as content:
            shutil.copyfileobj(content, target, CHUNK)
        target.write(bytes(-size % tarfile.BLOCKSIZE))
    target.write(bytes(2 * tarfile.BLOCKSIZE))


def read_head(source: BinaryIO) -> Head:
    """Read the manifest and the signature. Raises NoBundleError or DamagedError."""
    first = source.read(tarfile.BLOCKSIZE)
    named = _NAMED.match(first[:100].rstrip(b"\0").decode("ascii", "replace"))
    if not named:
        if first.startswith(MANIFEST.encode()):
            raise DamagedError("the name of its manifest")
        raise NoBundleError
    manifest = _content(source, first, named[0], MOST_MANIFEST, "the manifest")
    if hashlib.sha256(manifest).hexdigest() != named[1]:
        raise DamagedError("the manifest")
    here, second = source.tell(), source.read(tarfile.BLOCKSIZE)
    if not second.startswith(SIGNATURE.encode() + b"\0"):
        return Head(manifest, b"", here)
    signature = _content(source, second, SIGNATURE, MOST_SIGNATURE, "the signature")
    return Head(manifest, signature, source.tell())


def find_parts(
    source: BinaryIO, head: Head, expected: Mapping[str, tuple[int, str]]
) -> dict[str, Part]:
    """Find the parts, and check all that lies between them. Their contents are not read.

    expected: name -> (size, SHA-256), in the file's order. Raises DamagedError.
    """
    found, offset = {}, head.end
    for name, (size, sha256) in expected.items():
        source.seek(offset)
        if source.read(tarfile.BLOCKSIZE) != _header(name, size):
            raise DamagedError(f"what stands before {name}")
        found[name] = Part(offset + tarfile.BLOCKSIZE, size, sha256)
        source.seek(offset + tarfile.BLOCKSIZE + size)
        _zeros(source, -size % tarfile.BLOCKSIZE, f"the end of {name}")
        offset = source.tell()
    _zeros(source, 2 * tarfile.BLOCKSIZE, "its end")
    if source.read(1):
        raise DamagedError("its end: something follows it")
    return found


def check_part(source: BinaryIO, name: str, part: Part) -> None:
    """Compare a part with its digest. Raises DamagedError."""
    hashed, left = hashlib.sha256(), part.size
    source.seek(part.offset)
    while left and (chunk := source.read(min(CHUNK, left))):
        hashed.update(chunk)
        left -= len(chunk)
    if left or hashed.hexdigest() != part.sha256:
        raise DamagedError(name)


def _add(target: BinaryIO, name: str, content: bytes) -> None:
    target.write(_header(name, len(content)))
    target.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(tarfile.USTAR_FORMAT)


def _content(source: BinaryIO, header: bytes, name: str, most: int, what: str) -> bytes:
    """The content that follows this header."""
    try:
        size = tarfile.TarInfo.frombuf(header, "ascii", "replace").size
    except tarfile.TarError as error:
        raise DamagedError(f"what stands before {what}") from error
    if size > most or header != _header(name, size):
        raise DamagedError(f"what stands before {what}")
    content = source.read(size)
    if len(content) != size:
        raise DamagedError(f"{what}: the file ends in it")
    _zeros(source, -size % tarfile.BLOCKSIZE, what)
    return content


def _zeros(source: BinaryIO, number: int, where: str) -> None:
    if source.read(number) != bytes(number):
        raise DamagedError(where)
