"""Images read from containerd's store, and archives passed on without what a node has.

The store is made here the way containerd makes it: a file for each blob, named by its digest.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass

import pytest

from scripts.images import blobs, layers

REFERENCE = "docker.io/library/todo:1"
ATTESTS = {"platform": {"os": "unknown", "architecture": "unknown"}}
HERE = {"platform": {"os": "linux", "architecture": "amd64"}}


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _name(digest):
    return "blobs/" + digest.replace(":", "/")


@dataclass
class Made:
    """A store with an image. layers: blobs, the first compressed. diff_ids: theirs."""

    folder: str
    image: str
    index: str
    manifest: str
    layers: list[bytes]
    diff_ids: list[str]
    attesting: bytes

    def run(self, left_out=(), image="", stores=(), **options):
        images = json.dumps({REFERENCE: image or self.image})
        words = [json.dumps(list(left_out)), images, *(stores or [self.folder])]
        return _run(*words, **options)


def _run(*words, **options):
    command = [sys.executable, "-I", blobs.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, **options)


def _members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}


@pytest.fixture
def store(tmp_path):
    """One image; and an index as buildx makes it, with that image, another platform's, which is
    not there, and what attests it.
    """
    folder = tmp_path / "content" / "blobs"
    (folder / "sha256").mkdir(parents=True)

    def put(value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        (folder / _digest(data).replace(":", "/")).write_bytes(data)
        return {"digest": _digest(data), "size": len(data)}

    def manifest(contents):
        described = [put(one) for one in contents]
        diff_ids = [_digest(gzip.decompress(one) if one[:2] == b"\x1f\x8b" else one)
                    for one in contents]  # fmt: skip
        config = put({"rootfs": {"type": "layers", "diff_ids": diff_ids}})
        return put({"schemaVersion": 2, "config": config, "layers": described}), diff_ids

    archives = [gzip.compress(b"system" * 900), b"code" * 300, b"code" * 300]
    image, diff_ids = manifest(archives)
    attesting = b'{"predicateType": "https://slsa.dev/provenance/v1"}'
    attests, _ = manifest([attesting])
    absent = {"digest": _digest(b"of another platform"), "size": 1}
    index = put({"manifests": [{**image, **HERE}, absent, {**attests, **ATTESTS}]})
    return Made(
        folder, image["digest"], index["digest"], image["digest"], archives, diff_ids, attesting
    )


def test_only_what_the_node_lacks_is_in_the_archive(store):
    system, code, _ = map(_digest, store.layers)
    every = _members(store.run().stdout)
    assert [every[_name(one)] for one in (system, code)] == store.layers[:2]
    found = _members(store.run([system, "sha256:of-another-image"]).stdout)
    assert every.keys() - found.keys() == {_name(system)}
    assert found["index.json"] == every["index.json"]


def test_a_node_that_runs_docker_knows_a_layer_by_its_diff_id(store):
    found = _members(store.run([store.diff_ids[0]]).stdout)
    assert _name(_digest(store.layers[0])) not in found
    assert _name(_digest(store.layers[1])) in found
    docker = json.loads(found["manifest.json"])[0]
    assert docker["RepoTags"] == [REFERENCE]
    assert docker["Layers"] == [_name(_digest(one)) for one in store.layers]
    assert json.loads(found[docker["Config"]])["rootfs"]["diff_ids"] == store.diff_ids


def test_the_manifest_keeps_its_digest_which_is_the_images_id(store):
    found = _members(store.run().stdout)
    (listed,) = json.loads(found["index.json"])["manifests"]
    assert (listed["digest"], listed["mediaType"]) == (store.image, blobs.MANIFEST)
    assert listed["annotations"]["io.containerd.image.name"] == REFERENCE
    data = found[_name(listed["digest"])]
    assert (_digest(data), len(data)) == (listed["digest"], listed["size"])


def test_an_index_travels_with_what_a_node_takes_of_it(store):
    """Not with a platform that was not pulled, nor with what attests the image."""
    found = _members(store.run(image=store.index).stdout)
    (listed,) = json.loads(found["index.json"])["manifests"]
    assert (listed["digest"], listed["mediaType"]) == (store.index, blobs.INDEX)
    assert {_name(store.index), _name(store.manifest)} < found.keys()
    assert _name(_digest(store.attesting)) not in found
    assert len(json.loads(found["manifest.json"])) == 1


def test_the_store_that_has_the_image_is_taken(store, tmp_path):
    assert store.run(stores=[tmp_path / "none", store.folder]).stdout == store.run().stdout
    result = store.run(stores=[tmp_path / "none"])
    assert (result.returncode, result.stdout) == (blobs.NOT_THIS_WAY, b"")


def test_an_archive_is_passed_on_without_what_the_node_has(store):
    """As `docker save` writes it, folders and all."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        folder = tarfile.TarInfo("blobs/sha256")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in _members(store.run().stdout).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    system = _digest(store.layers[0])
    result = _run(json.dumps([system]), input=whole.getvalue())
    assert result.returncode == 0
    every, found = _members(whole.getvalue()), _members(result.stdout)
    assert every.pop(_name(system)) == store.layers[0]
    assert found == every


@pytest.mark.parametrize(
    ("what", "form"), [("long" * 50, tarfile.GNU_FORMAT), ("größe", tarfile.PAX_FORMAT)]
)
def test_an_archive_of_an_older_engine_stays_as_it_is(what, form):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name in (f"{what}/layer.tar", "manifest.json"):
            entry = tarfile.TarInfo(name)
            entry.size = 700
            archive.addfile(entry, io.BytesIO(b"x" * 700))
    assert _run('["sha256:0"]', input=made.getvalue()).stdout == made.getvalue()


@pytest.mark.parametrize("text", [b"", b"Error response from daemon", b"x" * 5000])
def test_what_is_no_archive_reaches_the_node_which_refuses_it(text):
    result = _run("[]", input=text)
    assert (result.returncode, result.stdout) == (0, text)


def test_a_cut_archive_stays_cut(store):
    whole = store.run().stdout
    assert _run("[]", input=whole[:1000]).stdout == whole[:1000]


def test_both_programs_say_in_the_same_way_that_a_store_is_unknown():
    assert blobs.NOT_THIS_WAY == layers.NOT_THIS_WAY
