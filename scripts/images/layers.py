"""Write an image of the docker engine as an archive that holds only some of its layers.

    python3 layers.py ENGINE_ROOT '{"FULL_REFERENCE": "sha256:IMAGE_ID", ...}' \\
        '{"sha256:DIFF_ID_LEFT_OUT": SIZE, ...}'

The archive goes to standard output. Exit status 3: this engine keeps its layers otherwise.

`docker save` writes whole images: 200 MB take seconds when 1 MB is new. The engine keeps each layer
as files, and beside them a tar-split: the archive's headers. From both it puts the very same
archive together when it saves an image, and so does this program. The format is version 2 of
https://github.com/vbatts/tar-split. A layer's name is the digest of that archive. So a wrong byte
ends the output in its middle, and the reader refuses what it got.

The archive is an OCI image layout with docker's manifest.json beside it, as docker save writes it
since version 25: containerd reads the one, docker the other. Only the standard library is used, so
that it also runs in a container that has the engine's folder mounted.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

NOT_THIS_WAY = 3
SEGMENT, FILE = 2, 1  # the two kinds of a tar-split's entries
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class _Hashed(io.RawIOBase):
    """Passes on what is written, and knows its digest and length."""

    def __init__(self, target: BinaryIO) -> None:
        self._target, self._hash, self.length = target, hashlib.sha256(), 0

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        self._target.write(data)
        self._hash.update(data)
        self.length += len(data)
        return len(data)

    def digest(self) -> str:
        """sha256:..."""
        return f"sha256:{self._hash.hexdigest()}"


class Layer:
    """A layer in the engine's store, found by its chain ID.

    That is the digest of the layer together with all layers below it.
    """

    def __init__(self, root: Path, chain: str, diff_id: str) -> None:
        self._entry = root / "image" / "overlay2" / "layerdb" / "sha256" / chain
        self._files = (
            root / "overlay2" / (self._entry / "cache-id").read_text(encoding="ascii") / "diff"
        )
        self.diff_id = diff_id
        self.size = sum(len(part) if isinstance(part, bytes) else part[1] for part in self._parts())

    def _parts(self) -> Iterator[bytes | tuple[str, int]]:
        """Bytes of the archive, or the name and length of a file whose contents come next."""
        with gzip.open(self._entry / "tar-split.json.gz") as lines:
            for line in lines:
                part = json.loads(line)
                if part["type"] == SEGMENT:
                    yield base64.b64decode(part["payload"])
                elif part["type"] == FILE and part.get("size"):
                    name = (
                        base64.b64decode(part["name_raw"]).decode("utf-8", "surrogateescape")
                        if part.get("name_raw")
                        else part["name"]
                    )
                    yield name, part["size"]

    def write(self, target: BinaryIO) -> None:
        """Write the layer's archive.

        Raises ValueError when it is not the one that its name promises.
        """
        hashed = _Hashed(target)
        for part in self._parts():
            if isinstance(part, bytes):
                hashed.write(part)
            else:
                with (self._files / part[0]).open("rb") as contents:
                    shutil.copyfileobj(contents, hashed, 1 << 20)
        if (hashed.digest(), hashed.length) != (self.diff_id, self.size):
            raise ValueError(f"layer {self.diff_id} came out as {hashed.digest()}")


def layers_of(
    root: Path, diff_ids: list[str], left_out: Mapping[str, int]
) -> dict[str, Layer | int]:
    """The layers of an image by diff ID, the lowest first.

    Of a layer that is left out only its size is known.
    """
    found: dict[str, Layer | int] = {}
    chain = ""
    for diff_id in diff_ids:
        chain = (
            hashlib.sha256(f"sha256:{chain} {diff_id}".encode()).hexdigest()
            if chain
            else diff_id.removeprefix("sha256:")
        )
        found[diff_id] = left_out[diff_id] if diff_id in left_out else Layer(root, chain, diff_id)
    return found


def write(
    root: Path, images: Mapping[str, str], left_out: Mapping[str, int], target: BinaryIO
) -> None:
    """Write the images without the layers that are left out.

    images: reference -> ID. left_out: diff ID -> size in bytes.

    Raises OSError, KeyError or ValueError when the store is not as known.
    """
    index, docker, written = [], [], set()
    for reference, image_id in images.items():
        config = (
            root
            / "image"
            / "overlay2"
            / "imagedb"
            / "content"
            / "sha256"
            / image_id.removeprefix("sha256:")
        ).read_bytes()
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        layers = layers_of(root, diff_ids, left_out)
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": image_id, "size": len(config)},
                "layers": [
                    {"mediaType": LAYER, "digest": name, "size": _size(layers[name])}
                    for name in diff_ids
                ],
            }
        )
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        annotations = {
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        }
        index.append(
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(manifest),
                "annotations": annotations,
            }
        )
        docker.append(
            {
                "Config": _blob(image_id),
                "RepoTags": [reference],
                "Layers": [_blob(name) for name in diff_ids],
            }
        )
        _add(target, _blob(image_id), config)
        _add(target, _blob(digest), manifest)
        for name, layer in layers.items():
            if isinstance(layer, Layer) and name not in written:
                written.add(name)
                _add(target, _blob(name), layer)
    _add(target, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    _add(target, "index.json", _json({"schemaVersion": 2, "manifests": index}))
    _add(target, "manifest.json", _json(docker))
    target.write(bytes(2 * tarfile.BLOCKSIZE))


def _add(target: BinaryIO, name: str, content: bytes | Layer) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = _size(content)
    target.write(entry.tobuf(tarfile.USTAR_FORMAT))
    if isinstance(content, bytes):
        target.write(content)
    else:
        content.write(target)
    target.write(bytes(-entry.size % tarfile.BLOCKSIZE))


def _size(content: bytes | Layer | int) -> int:
    if isinstance(content, int):
        return content
    return content.size if isinstance(content, Layer) else len(content)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


if __name__ == "__main__":
    try:
        write(
            Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]), sys.stdout.buffer
        )
    except (OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(NOT_THIS_WAY)
