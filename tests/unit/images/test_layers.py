"""Images read from an engine's store.

The store is made here the way the engine makes it: a layer's files, and a tar-split beside them.
"""

import base64
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile

import pytest

from scripts.images import layers


def _layer_archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _split(data):
    """A tar-split: all bytes but the files' contents, and the names of those."""
    entries, position = [], 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.size:
                entries.append(
                    {
                        "type": 2,
                        "payload": base64.b64encode(data[position : member.offset_data]).decode(),
                    }
                )
                raw = (
                    {"name_raw": base64.b64encode(member.name.encode()).decode()}
                    if not member.name.isascii()
                    else {"name": member.name}
                )
                entries.append({"type": 1, "size": member.size, "payload": "", **raw})
                position = member.offset_data + member.size
    entries.append({"type": 2, "payload": base64.b64encode(data[position:]).decode()})
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


@pytest.fixture
def store(tmp_path):
    """An engine's folder with one image of two layers; (folder, image ID, diff IDs, archives)."""
    contents = [
        {"bin/sh": b"#!" * 700, "empty": b""},
        {"srv/größe.py": b"print(1)\n", ".wh.gone": b""},
    ]
    archives = [_layer_archive(files) for files in contents]
    diff_ids = ["sha256:" + hashlib.sha256(data).hexdigest() for data in archives]
    chain = ""
    for number, (files, data, diff_id) in enumerate(zip(contents, archives, diff_ids, strict=True)):
        chain = (
            hashlib.sha256(f"sha256:{chain} {diff_id}".encode()).hexdigest()
            if chain
            else diff_id[7:]
        )
        entry = tmp_path / "image/overlay2/layerdb/sha256" / chain
        entry.mkdir(parents=True)
        (entry / "cache-id").write_text(f"cache{number}")
        (entry / "tar-split.json.gz").write_bytes(gzip.compress(_split(data)))
        for name, content in files.items():
            path = tmp_path / "overlay2" / f"cache{number}" / "diff" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    image_id = "sha256:" + hashlib.sha256(config).hexdigest()
    content = tmp_path / "image/overlay2/imagedb/content/sha256"
    content.mkdir(parents=True)
    (content / image_id[7:]).write_bytes(config)
    return tmp_path, image_id, diff_ids, archives


def _run(store, left_out):
    return subprocess.run(
        [
            sys.executable,
            "-I",
            layers.__file__,
            store[0],
            json.dumps({"todo:1": store[1]}),
            json.dumps(left_out),
        ],
        capture_output=True,
    )


def _members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_the_archive_has_the_layers_that_are_wanted_byte_for_byte(store):
    _, _, diff_ids, archives = store
    result = _run(store, {})
    found = _members(result.stdout)
    for diff_id, data in zip(diff_ids, archives, strict=True):
        assert found["blobs/" + diff_id.replace(":", "/")] == data
    only = _members(_run(store, {diff_ids[0]: len(archives[0]), "sha256:another": 1}).stdout)
    assert "blobs/" + diff_ids[0].replace(":", "/") not in only
    assert only["blobs/" + diff_ids[1].replace(":", "/")] == archives[1]
    assert only["index.json"] == found["index.json"]


def test_it_is_an_image_to_containerd_and_to_docker(store):
    _, image_id, diff_ids, archives = store
    found = _members(_run(store, dict(zip(diff_ids, map(len, archives), strict=True))).stdout)
    listed = json.loads(found["index.json"])["manifests"][0]
    assert listed["annotations"]["io.containerd.image.name"] == "todo:1"
    data = found["blobs/" + listed["digest"].replace(":", "/")]
    assert "sha256:" + hashlib.sha256(data).hexdigest() == listed["digest"]
    manifest = json.loads(data)
    assert manifest["config"]["digest"] == image_id
    assert [(one["digest"], one["size"]) for one in manifest["layers"]] == [
        (name, len(data)) for name, data in zip(diff_ids, archives, strict=True)
    ]
    docker = json.loads(found["manifest.json"])[0]
    assert docker["RepoTags"] == ["todo:1"]
    assert found[docker["Config"]]


def test_a_layer_that_is_not_what_its_name_says_ends_the_archive(store):
    root, _, diff_ids, _ = store
    (root / "overlay2/cache1/diff/srv/größe.py").write_bytes(b"print(2)\n")
    result = _run(store, {})
    assert result.returncode == layers.NOT_THIS_WAY
    assert diff_ids[1] in result.stderr.decode()
    with pytest.raises(KeyError), tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        archive.getmember("index.json")


def test_an_engine_that_keeps_its_layers_otherwise_is_told(tmp_path):
    result = _run((tmp_path, "sha256:0"), {})
    assert (result.returncode, result.stdout) == (layers.NOT_THIS_WAY, b"")
