"""What a node says of itself."""

import json
from pathlib import Path

import pytest

from scripts.images import transport
from scripts.images.transport import Holdings, Node, nodes, whole
from scripts.machine.engine import Engine
from scripts.session.findings import Failure, failure
from scripts.supply.node import AddonImages


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))

    def write(runtime, *names):
        folder = tmp_path / ".minikube/profiles/todo"
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "KubernetesConfig": {"ContainerRuntime": runtime},
            "Nodes": [{"Name": name} for name in names],
        }
        (folder / "config.json").write_text(json.dumps(config))

    return write


@pytest.mark.parametrize("runtime", ["containerd", "docker"])
def test_nodes_are_containers_named_after_the_profile(profile, runtime):
    profile(runtime, "", "m02")
    assert nodes("todo") == (Node("todo", runtime), Node("todo-m02", runtime))


def test_an_image_that_lacks_a_layer_is_not_whole():
    text = (
        "REF TYPE DIGEST STATUS SIZE UNPACKED\n"
        "docker.io/library/a:1 application/vnd.docker.distribution.manifest.v2+json sha256:1 "
        "complete (7/7) 201 MiB/201 MiB true\n"
        "docker.io/library/b:1 application/vnd.docker.distribution.manifest.v2+json sha256:2 "
        "incomplete (6/7) 200 MiB/201 MiB true\n"
    )
    assert whole(text) == {"docker.io/library/a:1": "sha256:1"}


NODE = Node("todo", "containerd")
NAME = "docker.io/library/todo:1"


@pytest.mark.parametrize(
    ("driver", "held", "there"),
    [
        ("overlay2", Holdings({NAME: "sha256:config"}, {}), True),
        ("overlay2", Holdings({NAME: "sha256:old"}, {}, {NAME: "sha256:manifest"}), False),
        ("overlayfs", Holdings({NAME: "sha256:c"}, {}, {NAME: "sha256:config"}), True),
        ("overlayfs", Holdings({}, {}, {NAME: "sha256:config"}), False),
    ],
)
def test_an_image_is_known_by_the_id_that_the_engine_gives(make_run, stub, driver, held, there):
    """Where that is the digest of its manifest, the node is not asked for its contents."""
    stub("docker", "exit 9")
    engine = Engine("docker", "29.0", "/nowhere", driver, 2, 1 << 34)
    found = transport._is_there(make_run(), engine, NODE, held, "todo:1", "sha256:config")
    assert found == there


def test_the_largest_of_a_nodes_blobs_are_left_out():
    there = {f"sha256:{number:064}": number << 10 for number in range(5000)}
    largest = transport._largest(there)
    assert len(largest) == transport.MOST_LEFT_OUT
    assert largest[0] == f"sha256:{4999:064}"
    assert len(json.dumps(largest)) < 128 << 10
    assert transport._largest({"sha256:small": 500, "sha256:of-docker": 0}) == ["sha256:of-docker"]


@pytest.mark.parametrize("driver", ["overlay2", "overlayfs", "btrfs"])
def test_whole_images_are_the_last_way(driver):
    engine = Engine("docker", "29.0", "/nowhere", driver, 2, 1 << 34)
    *cheaper, last = transport._ways(engine)
    assert cheaper and last is transport._whole


def test_a_store_that_this_user_may_not_read_is_read_in_a_container(make_run, tmp_path):
    engine = Engine("docker", "29.0", f"{tmp_path}", "overlayfs", 2, 1 << 34)
    image = {"todo:1": "sha256:1"}
    ((client, *words),) = transport._blobs(make_run(), engine, image, {}, "python:3")
    assert (client, words[0]) == ("docker", "run")
    assert f"--mount=type=bind,readonly,src={tmp_path},dst=/engine" in words
    blob = tmp_path / "containerd" / "daemon" / transport.CONTENT / "sha256" / "1"
    blob.parent.mkdir(parents=True)
    blob.write_text("{}")
    ((_, *words),) = transport._blobs(make_run(), engine, image, {}, "python:3")
    assert words[-1] == f"{blob.parent.parent}"


def test_a_damaged_archive_is_named_and_made_anew_next_time(
    make_run, profile, stub, tmp_path, monkeypatch
):
    profile("containerd", "")
    run, archive = make_run(cluster={"profile": "todo"}), tmp_path / "traefik.tar"
    archive.write_text("cut off")
    stub("docker", "cat > /dev/null; echo 'ctr: unexpected EOF' >&2; exit 1")
    monkeypatch.setattr(transport, "holdings", lambda *_: transport.Holdings({}, {}))
    engine = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
    for _ in range(2):  # the second stage that wants it finds none
        with pytest.raises(Failure, match=r"traefik:1 in the cache was damaged") as caught:
            transport.load_archives(run, engine, {"traefik:1": archive})
        assert caught.value.findings[0].code == "IMAGE-LOAD-FAILED"
        assert not archive.exists()


def test_only_a_new_node_is_sent_images_early(make_run, said, monkeypatch):
    """What fails then is said and no more: the node is looked at again when it is ready."""
    engine, sent = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34), []

    def load(run, engine, archives):
        sent.append(archives)
        raise failure("IMAGE-LOAD-FAILED", "x", "x did not arrive")

    monkeypatch.setattr(transport, "load_archives", load)
    addons = AddonImages({"traefik:1": Path("traefik.tar")})
    assert transport.addons_ahead(make_run(), engine, addons, True)
    assert sent == [addons.archives]
    assert said[-1] == "not all images could be sent early: x did not arrive"
    assert not transport.addons_ahead(make_run(), engine, addons, False)
    assert len(sent) == 1
