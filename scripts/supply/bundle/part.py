"""A part of a bundle: a compressed stream.

    python part.py pack TARGET                compress standard input
    python part.py unpack FILE OFFSET SIZE    to standard output

As a program, it works beside what writes or reads the stream, on the other core.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1 << 20
LEVEL = 3
#: The window is 2**29 bytes: a program comes twice, alone and in an image's archive, and is packed
#: once. Whoever unpacks needs that much memory.
WINDOW = 29
BadStream = (zstd.ZstdError, EOFError)
_PACK = zstd.CompressionParameter
_UNPACK = zstd.DecompressionParameter


def packing(target: BinaryIO) -> zstd.ZstdFile:
    """Return a file to write into; what is written goes to `target`, compressed."""
    options: dict[int, int] = {
        _PACK.compression_level: LEVEL,
        _PACK.window_log: WINDOW,
        _PACK.enable_long_distance_matching: 1,
        _PACK.checksum_flag: 1,
        _PACK.nb_workers: os.cpu_count() or 1,
    }
    return zstd.ZstdFile(target, "wb", options=options)


def unpacking(source: BinaryIO, offset: int, size: int) -> zstd.ZstdFile:
    """Return a file to read from: the `size` bytes of `source` at `offset`, uncompressed."""
    stretch: Any = io.BufferedReader(_Stretch(source, offset, size), CHUNK)
    options: dict[int, int] = {_UNPACK.window_log_max: WINDOW}
    return zstd.ZstdFile(stretch, "rb", options=options)


class _Stretch(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, source: BinaryIO, offset: int, size: int) -> None:
        self._source, self._left = source, size
        source.seek(offset)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is and fits."""
        data = self._source.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


if __name__ == "__main__":
    if sys.argv[1] == "pack":
        with Path(sys.argv[2]).open("wb") as out, packing(out) as packed:
            shutil.copyfileobj(sys.stdin.buffer, packed, CHUNK)
    else:
        with Path(sys.argv[2]).open("rb") as file:
            stream = unpacking(file, int(sys.argv[3]), int(sys.argv[4]))
            shutil.copyfileobj(stream, sys.stdout.buffer, CHUNK)
