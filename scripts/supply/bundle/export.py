"""Write a bundle of what lies in the cache and in the engine."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.bundle import form, part, signing
from scripts.supply.bundle.about import FILES, IMAGES, Entry, Image, Manifest, Stored, licence_of
from scripts.supply.stock import Stock

SAVE_TIMEOUT = 900.0


@dataclass(frozen=True)
class Written:
    """A bundle that was written. size in bytes. sha256: of the manifest."""

    path: Path
    size: int
    sha256: str
    manifest: Manifest


def write(
    run: Run, engine: Engine, stock: Stock, target: Path, app: str = "", key: Path | None = None
) -> Written:
    """Write a bundle of `stock` to `target`, which is there only when it is complete.

    app: the name of the app whose images are among them. key: signs it. Raises COMMAND-FAILED with
    docker's words.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        files, images = Path(folder) / FILES, Path(folder) / IMAGES
        with ThreadPoolExecutor(1) as pool:
            saving = pool.submit(_save, run, engine, stock.images, images)
            try:
                entries = pack(run.settings.cache, stock.files, files)
            except BaseException:  # also Ctrl-C: nobody is to wait for docker then
                run.shell.cancel()
                raise
            found = saving.result()
        manifest = Manifest(
            {one.name: _stored(one) for one in (files, images)},
            entries,
            found,
            made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            app=app,
        )
        text = manifest.to_json()
        signature = signing.sign(run, text, key) if key else b""
        whole = Path(folder) / target.name
        with whole.open("wb") as out:
            form.write(out, text, signature, (files, images))
        os.replace(whole, target)
    return Written(target, target.stat().st_size, hashlib.sha256(text).hexdigest(), manifest)


def pack(cache: Path, files: Iterable[Path], target: Path) -> dict[str, Entry]:
    """Write files of the cache into one compressed archive. Returns them by path below the cache.

    The same files give the same bytes.
    """
    entries = {}
    with (
        target.open("wb") as out,
        part.packing(out) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in dict.fromkeys(files):
            name = path.relative_to(cache).as_posix()
            entry = tarfile.TarInfo(name)
            program = os.access(path, os.X_OK)
            entry.size, entry.mode = path.stat().st_size, 0o755 if program else 0o644
            with path.open("rb") as content:
                hashed = _Hashed(content)
                archive.addfile(entry, hashed)
            entries[name] = Entry(entry.size, hashed.digest(), program, licence_of(name))
    return entries


class _Hashed:
    """A file that is read, and the digest of what was read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """Hex digits."""
        return self._hash.hexdigest()


def _save(run: Run, engine: Engine, references: Iterable[str], target: Path) -> Mapping[str, Image]:
    """Write images, all at once: a layer that several have is written once."""
    names = list(dict.fromkeys(references))
    packing: list[Any] = [sys.executable, "-I", part.__file__, "pack", target]
    run.shell.pipe([engine.client, "save", *names], packing, timeout=SAVE_TIMEOUT)
    found = {name: buildkit.image_id(run, engine, name) for name in names}
    gone = [name for name, identity in found.items() if not identity]
    if gone:
        raise failure(
            "BASE-IMAGE-UNAVAILABLE",
            gone[0],
            f"the engine has no image {gone[0]} any more",
            remedy="run the command again: it is built again",
        )
    return {name: Image(identity, licence_of(name)) for name, identity in found.items()}


def _stored(path: Path) -> Stored:
    with path.open("rb") as content:
        return Stored(path.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())
