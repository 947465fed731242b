"""What a node says of itself."""

import json

import pytest

from scripts.transport import Node, nodes, whole


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))

    def write(runtime, *names):
        folder = tmp_path / ".minikube/profiles/todo"
        folder.mkdir(parents=True, exist_ok=True)
        config = {"KubernetesConfig": {"ContainerRuntime": runtime}, "Nodes": [{"Name": name} for name in names]}
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
