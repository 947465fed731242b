"""Write images of an engine that has containerd's store as an archive without some of its blobs.

    python3 blobs.py '["sha256:LEFT_OUT", ...]' '{"FULL_REFERENCE": "sha256:ID", ...}' STORE...
    docker save REFERENCE... | python3 blobs.py '["sha256:LEFT_OUT", ...]'

The archive, an OCI image layout, goes to standard output. Exit status 3: the store is not as known.

Such an engine (containerd's store is the default from Docker 29 on) keeps an image as blobs, each
named by its digest. An archive has them as they are, and a node keeps them under the same digests.
So a layer is known by its blob, which may be compressed; only a node that runs docker knows it by
its diff ID, the digest when it is not.

The first form reads only what travels, from the first of these folders that has the images. The
second works wherever the engine is, and needs no rights. But `docker save` reads and hashes every
blob, wanted or not: 1.2 s of CPU for 147 MB. The node compares every digest. Only the standard
library is used, so that it also runs in a container that has the engine's folders mounted.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

NOT_THIS_WAY = 3
CHUNK = 1 << 20
BLOBS = "blobs/"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def pass_on(source: BinaryIO, left_out: Collection[str], target: BinaryIO) -> None:
    """Copy an archive without the blobs that are left out. left_out: digests."""
    extended = False
    while header := source.read(tarfile.BLOCKSIZE):
        try:
            entry = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError:  # the end, or no archive: the reader decides
            target.write(header)
            shutil.copyfileobj(source, target, CHUNK)
            return
        # An entry with a header before it that says more of it is left as it is.
        drop = not extended and _digest(entry.name) in left_out
        extended = not entry.isfile() and not entry.isdir()
        if not drop:
            target.write(header)
        _copy(source, entry.size + -entry.size % tarfile.BLOCKSIZE, None if drop else target)


def _digest(name: str) -> str:
    return name.removeprefix(BLOBS).replace("/", ":") if name.startswith(BLOBS) else ""


def _copy(source: BinaryIO, length: int, target: BinaryIO | None) -> None:
    while length and (data := source.read(min(length, CHUNK))):
        length -= len(data)
        if target:
            target.write(data)


class Store:
    """The blobs of a containerd, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self._folder / digest.replace(":", "/")

    def read(self, digest: str) -> dict[str, Any]:
        """A blob that is JSON."""
        content: dict[str, Any] = json.loads(self.path(digest).read_bytes())
        return content

    def manifests(self, digest: str) -> Iterator[str]:
        """The manifests of an image that are here, one for each platform."""
        content = self.read(digest)
        if "manifests" not in content:
            yield digest
        for one in content.get("manifests", ()):
            # What attests an image lies beside it, for an unknown platform. No node asks for it.
            attests = one.get("platform", {}).get("os") == "unknown"
            if not attests and self.path(one["digest"]).exists():
                yield from self.manifests(one["digest"])

    def layers(self, manifest: str) -> list[tuple[str, str]]:
        """A manifest's layers, the lowest first: digest of the blob, and diff ID."""
        content = self.read(manifest)
        diff_ids = self.read(content["config"]["digest"])["rootfs"]["diff_ids"]
        return list(zip((one["digest"] for one in content["layers"]), diff_ids, strict=True))


def write(
    store: Store, images: Mapping[str, str], left_out: Collection[str], target: BinaryIO
) -> None:
    """Write images. images: reference -> ID. left_out: digests of blobs, or diff IDs.

    Raises OSError, KeyError or ValueError when the store is not as known.
    """
    index, docker = [], []
    wanted: dict[str, None] = {}  # in order, each once
    for reference, image_id in images.items():
        index.append(_described(store, reference, image_id))
        wanted[image_id] = None
        for manifest in store.manifests(image_id):
            config, layers = store.read(manifest)["config"]["digest"], store.layers(manifest)
            travel = (one[0] for one in layers if not any(name in left_out for name in one))
            wanted.update(dict.fromkeys((manifest, config, *travel)))
            names = [_name(blob) for blob, _ in layers]
            docker.append({"Config": _name(config), "RepoTags": [reference], "Layers": names})
    for digest in wanted:
        _add(target, _name(digest), store.path(digest))
    _add(target, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    _add(target, "index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode())
    _add(target, "manifest.json", json.dumps(docker).encode())
    target.write(bytes(2 * tarfile.BLOCKSIZE))


def _described(store: Store, reference: str, image_id: str) -> dict[str, Any]:
    content = store.read(image_id)
    return {
        "mediaType": content.get("mediaType") or (INDEX if "manifests" in content else MANIFEST),
        "digest": image_id,
        "size": store.path(image_id).stat().st_size,
        "annotations": {
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        },
    }


def _name(digest: str) -> str:
    return BLOBS + digest.replace(":", "/")


def _add(target: BinaryIO, name: str, content: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = content.stat().st_size if isinstance(content, Path) else len(content)
    target.write(entry.tobuf(tarfile.USTAR_FORMAT))
    if isinstance(content, Path):
        with content.open("rb") as source:
            shutil.copyfileobj(source, target, CHUNK)
    else:
        target.write(content)
    target.write(bytes(-entry.size % tarfile.BLOCKSIZE))


def _of(stores: Iterable[str], images: Mapping[str, str]) -> Store:
    """The first store that has the images. Raises FileNotFoundError."""
    for store in map(Store, map(Path, stores)):
        if all(store.path(image_id).exists() for image_id in images.values()):
            return store
    raise FileNotFoundError("no store has the images")


def main(left_out: str, images: str = "", *stores: str) -> int:
    """Write the archive; the exit status."""
    known, target = frozenset(json.loads(left_out)), sys.stdout.buffer
    try:
        if images:
            wanted = json.loads(images)
            write(_of(stores, wanted), wanted, known, target)
        else:
            pass_on(sys.stdin.buffer, known, target)
    except (OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return NOT_THIS_WAY
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
