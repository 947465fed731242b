"""Make an image without an engine: pack static programs into an archive like `docker save`'s."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.machine.architecture import architecture


def pack(
    target: Path, reference: str, files: Mapping[str, Path], entrypoint: Sequence[str] = ()
) -> None:
    """Write an image of one layer, named `reference`, to `target`.

    files: absolute path in the image -> file here. The same files give the same bytes, so the image
    ID does not change either. Source of the format: OCI image-spec config.md and the manifest.json
    of docker's image archives.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("tmp", "run", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as program:
                tar.addfile(entry, program)
    content = layer.getvalue()
    layer_digest = hashlib.sha256(content).hexdigest()
    config = json.dumps(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"],
                "Entrypoint": list(entrypoint) or None,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }
    ).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps(
        [{"Config": config_name, "RepoTags": [reference], "Layers": [f"{layer_digest}/layer.tar"]}]
    ).encode()
    with tarfile.open(target, "w") as tar:
        for name, data in (
            (config_name, config),
            (f"{layer_digest}/layer.tar", content),
            ("manifest.json", manifest),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
