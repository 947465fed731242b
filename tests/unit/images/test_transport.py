"""What a node says of itself."""

import json

import pytest

from scripts.images import transport
from scripts.images.transport import Node, nodes, whole
from scripts.machine.engine import Engine
from scripts.session.findings import failure


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
        "docker.io/library/a:1 application/vnd.docker.distribution.manifest.v2+json sha256:1 complete (7/7) 201 MiB/201 MiB true\n"
        "docker.io/library/b:1 application/vnd.docker.distribution.manifest.v2+json sha256:2 incomplete (6/7) 200 MiB/201 MiB true\n"
    )
    assert whole(text) == {"docker.io/library/a:1"}


def test_only_a_node_that_is_being_made_is_sent_something_ahead(make_run, stub, said, tmp_path):
    """It is waited for until its runtime is configured, and what fails then is said and no more."""
    stub(
        "docker",
        f"""cd {tmp_path}
        case $1 in
            container) [ -f there ] ;;
            exec) echo look >> looks; [ $(wc -l < looks) -ge 3 ] ;;
        esac""",
    )
    engine, looks = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34), []

    def send():
        looks.append(len((tmp_path / "looks").read_text().split()))
        raise failure("IMAGE-LOAD-FAILED", "x", "x did not arrive")

    assert transport.ahead(make_run(), engine, send)
    assert looks == [3]
    assert said[-1] == "not all could be sent ahead: x did not arrive"
    (tmp_path / "there").touch()
    assert not transport.ahead(make_run(), engine, send)
    assert looks == [3]
