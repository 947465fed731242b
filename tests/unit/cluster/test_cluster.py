import json
from pathlib import Path

import pytest

from scripts.cluster import facts, minikube
from scripts.machine.engine import Engine
from scripts.session.findings import Failure
from scripts.supply.node import NodeParts
from scripts.supply.tools import Found


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """A minikube profile on disk; whether it is ours is the test's business."""
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))
    folder = tmp_path / ".minikube" / "profiles" / "todo-chatbot"
    folder.mkdir(parents=True)
    return folder


def _mark(run, **values):
    path = run.settings.cache / "clusters" / "todo-chatbot.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(
            {"ingress_port": 8080, "kubernetes_version": "v1.35.1", "complete": True, **values}
        )
    )


def test_a_profile_that_is_not_ours_is_never_started_nor_deleted(make_run, profile, stub):
    """No tool is given: nothing may be run at all."""
    run = make_run()
    for act in (
        lambda: minikube.up(run, None, {}, None, None),
        lambda: minikube.delete(run, None),
        lambda: minikube.down(run, None),
    ):
        with pytest.raises(Failure) as caught:
            act()
        assert caught.value.findings[0].code == "CLUSTER-NOT-OURS"
    assert profile.is_dir()


@pytest.mark.parametrize("remains", [True, False])
def test_a_cluster_of_ours_stays_known_until_its_profile_is_gone(make_run, profile, stub, remains):
    """However the deletion ended: minikube may fail, or another one makes the profile again."""
    run = make_run()
    _mark(run)
    path = stub("minikube", "true" if remains else f"rmdir {profile}")
    minikube.delete(run, Found("minikube", path, "v1.39.0", "PATH"))
    assert (run.settings.cache / "clusters" / "todo-chatbot.json").exists() is remains


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\0"])
def test_a_cluster_whose_record_is_damaged_is_still_ours(make_run, profile, said, content):
    run = make_run()
    path = run.settings.cache / "clusters" / "todo-chatbot.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    minikube._check_ownership(run, exists=True)
    assert any("record is damaged" in line for line in said)
    assert json.loads(path.read_text())["complete"] is True


def test_a_cluster_made_with_another_port_is_told_with_both(make_run, profile):
    run = make_run()
    _mark(run, ingress_port=9090)
    with pytest.raises(Failure) as caught:
        minikube.up(run, None, {}, None, None)
    assert caught.value.findings[0].code == "CLUSTER-DIFFERENT"
    assert "9090" in caught.value.findings[0].evidence
    assert "8080" in caught.value.findings[0].evidence


def _objects(storage_default=True, classes=("traefik",), ready=1):
    default = {"storageclass.kubernetes.io/is-default-class": "true"} if storage_default else {}
    node = {
        "status": {
            "nodeInfo": {
                "kubeletVersion": "v1.35.1",
                "containerRuntimeVersion": "containerd://1.7.24",
            },
            "allocatable": {"cpu": "2", "memory": "4Gi"},
        }
    }
    pod = {
        "metadata": {"namespace": "ingress", "name": "traefik-1"},
        "status": {"phase": "Running"},
        "spec": {"containers": [{"image": "x/traefik:v3"}]},
    }
    return {
        "nodes": {"items": [node]},
        "storage": {"items": [{"metadata": {"name": "local-path", "annotations": default}}]},
        "classes": {
            "items": [
                {
                    "metadata": {"name": name, "annotations": None},
                    "spec": {"controller": f"k8s.io/{name}"},
                }
                for name in classes
            ]
        },
        "pods": {"items": [pod]},
        "daemons": {"items": [_daemon("kube-proxy", 1), _daemon("network-policies", ready)]},
    }


def _daemon(name, ready):
    return {
        "metadata": {"name": name},
        "status": {"desiredNumberScheduled": 1, "numberReady": ready},
    }


def test_facts_from_kubectls_json():
    found = facts.parse_facts(**_objects())
    assert (found.default_storage_class, found.ingress_class, found.controller_pods) == (
        "local-path",
        "traefik",
        ("ingress/traefik-1 Running",),
    )
    assert found.capacity == {"cpu": "2", "memory": "4Gi"}
    assert found.policies == "network-policies"


def test_policies_are_not_called_enforced_by_a_daemon_that_is_not_ready():
    assert facts.parse_facts(**_objects(ready=0)).policies == ""


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        (_objects(storage_default=False), "STORAGE-CLASS-MISSING"),
        (_objects(classes=()), "INGRESS-CLASS-MISSING"),
    ],
)
def test_what_a_cluster_lacks_is_named(objects, code):
    with pytest.raises(Failure) as caught:
        facts.parse_facts(**objects)
    assert caught.value.findings[0].code == code


@pytest.mark.parametrize(
    ("volume", "preload"), [("exit 1", "--preload=true"), ("exit 0", "--preload=false")]
)
def test_images_are_unpacked_into_a_new_volume_only(make_run, stub, tmp_path, volume, preload):
    """Also where somebody took away the volume of a cluster that exists.

    A new volume of an old cluster is as empty as any.
    """
    stub("minikube", f"echo $* > {tmp_path}/asked")
    stub("docker", volume)
    engine = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
    minikube._start(
        make_run(),
        engine,
        Found("minikube", Path("minikube"), "v1.38.1", "PATH"),
        NodeParts("node:1"),
        True,
    )
    asked = (tmp_path / "asked").read_text().split()
    assert {"--base-image=node:1", preload} <= set(asked)


def test_a_new_node_is_told_when_its_runtime_is_ready(make_run):
    """That is the step after "Preparing Kubernetes", and only for a node that is being made."""
    steps = ["Creating Container", "Preparing Kubernetes", "Configuring RBAC"]
    lines = [
        json.dumps({"type": "io.k8s.sigs.minikube.step", "data": {"name": one, "message": one}})
        for one in steps
    ]
    told = []
    run = make_run().reaching(told.append)
    for line in lines:
        minikube._follow(run, new=False)(line)
    assert told == []
    follow = minikube._follow(run, new=True)
    for line in lines[:2]:
        follow(line)
    assert told == []
    follow(lines[2])
    assert told == [minikube.NODE_READY]
