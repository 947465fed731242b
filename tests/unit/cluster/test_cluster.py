import json
from functools import partial
from pathlib import Path

import pytest

from scripts.cluster import addons, facts, minikube, workers
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


def test_a_cluster_made_with_another_number_of_nodes_is_told(make_run, profile):
    run = make_run(cluster={"nodes": 3})
    _mark(run)  # one of before there were several
    with pytest.raises(Failure) as caught:
        minikube.up(run, None, {}, None, None)
    assert "nodes: created with 1, settings say 3" in caught.value.findings[0].evidence


def test_nodes_are_called_as_minikube_calls_them():
    assert workers.names("todo", 1) == ("todo",)
    assert workers.names("todo", 3) == ("todo", "todo-m02", "todo-m03")


@pytest.mark.parametrize(
    ("ready", "all_ready"), [("True True", True), ("True False", False), ("True", False)]
)
def test_every_node_must_be_ready(make_run, stub, ready, all_ready):
    nodes = [
        {
            "kind": "Node",
            "metadata": {"name": "n"},
            "status": {"conditions": [{"type": "Ready", "status": one}]},
        }
        for one in ready.split()
    ]
    path = stub("kubectl", f"echo '{json.dumps({'items': nodes})}'")
    run = make_run(cluster={"nodes": 2})
    assert workers._all_ready(run, {"kubectl": Found("kubectl", path, "", "")}) is all_ready


def test_a_worker_does_not_get_the_port_of_the_ingress(make_run, profile):
    (profile / "config.json").write_text(json.dumps({"ExposedPorts": ["127.0.0.1:8080:80"]}))
    workers._publish_no_more(make_run(cluster={"nodes": 2}))
    assert json.loads((profile / "config.json").read_text()) == {"ExposedPorts": []}


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


ENGINE = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
MINIKUBE = Found("minikube", Path("minikube"), "v1.38.1", "PATH")
KUBECTL = Found("kubectl", Path("kubectl"), "v1.36.3", "PATH")
RUNS = """case "$*" in
    *State.Running*) echo true ;;
    *readyz*) exit {on_node} ;;
    *IPAddress*) echo 192.0.2.1 ;;
esac"""


@pytest.fixture
def runs(make_run, profile, stub, tmp_path):
    """A cluster of ours that runs, and a kubeconfig that does not lead to it.

    What minikube was asked is written down. on_node: the status of the API's answer on the node.
    """

    def make(on_node=0, readable=0, leads=True, words=""):
        run = make_run()
        _mark(run)
        asked = profile / "asked"
        stub("docker", RUNS.format(on_node=on_node))
        stub(
            "kubectl",
            f"""case "$*" in
                *view*) exit {readable} ;;
                *readyz*) [ -e {asked} ] && {"printf ok" if leads else "exit 1"} ;;
                *config*) echo "$*" >> {tmp_path}/config ;;
            esac""",
        )
        stub("minikube", f'echo "$*" >> {asked}; echo "{words}"')
        brought = partial(minikube.up, run, ENGINE, {"kubectl": KUBECTL}, MINIKUBE, None)
        return brought, lambda: asked.read_text() if asked.exists() else ""

    return make


def test_a_cluster_that_the_kubeconfig_does_not_lead_to_is_not_started_again(runs, said):
    """A start of a cluster that runs takes a minute, and resets it if it fails."""
    brought, asked = runs()
    assert not brought().created
    assert asked() == "update-context -p todo-chatbot\n"
    assert any("writing its entry anew" in line for line in said)


def test_a_kubeconfig_that_cannot_be_read_is_named_before_minikube_meets_it(runs):
    brought, asked = runs(readable=1)
    with pytest.raises(Failure, match="the kubeconfig cannot be read") as caught:
        brought()
    assert caught.value.findings[0].code == "CONTEXT-MISSING"
    assert asked() == ""


def test_a_kubeconfig_that_cannot_be_written_is_named_before_minikube_meets_it(runs, monkeypatch):
    brought, asked = runs(on_node=1)
    monkeypatch.setenv("KUBECONFIG", "/proc/version:/nowhere")  # not even root may
    monkeypatch.setattr("os.access", lambda path, mode: str(path) != "/proc/version")
    with pytest.raises(Failure, match="/proc/version cannot be written"):
        brought()
    assert asked() == ""


def test_a_cluster_that_is_down_is_started_with_an_entry_in_the_kubeconfig(runs, tmp_path):
    """minikube asks by it; without one it takes the cluster for broken, and resets it."""
    brought, asked = runs(on_node=1)
    brought()
    assert asked().startswith("start -p todo-chatbot")
    written = (tmp_path / "config").read_text()
    assert "set-cluster todo-chatbot --certificate-authority=" in written
    assert "/profiles/todo-chatbot/client.key" in written
    assert "set-context todo-chatbot --cluster=todo-chatbot --user=todo-chatbot" in written


def test_a_cluster_that_minikube_has_reset_is_never_called_brought_back(runs):
    brought, _ = runs(on_node=1, words="Unable to restart node(s), will reset cluster: x")
    with pytest.raises(Failure, match="what was on it is gone") as caught:
        brought()
    assert caught.value.findings[0].code == "CLUSTER-START-FAILED"


def test_a_cluster_that_answers_on_its_node_alone_is_not_started(runs):
    brought, asked = runs(leads=False)
    with pytest.raises(Failure, match="cannot be reached from here"):
        brought()
    assert "start" not in asked()


def test_addons_that_the_cluster_lacks_are_none_whatever_minikubes_list_says():
    metrics = {
        "kind": "Deployment",
        "metadata": {"namespace": "kube-system", "name": "metrics-server"},
    }
    there = [metrics, {"kind": "StorageClass", "metadata": {"name": "standard"}}]
    assert addons._gone(there, addons._deployed(there)) == set()
    assert addons._gone([], {}) == {"storage-provisioner-rancher", "metrics-server"}
