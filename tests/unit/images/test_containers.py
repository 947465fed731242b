"""The containers that are the nodes of a cluster: by labels, and by the address of its API."""

import pytest

from scripts.images.containers import is_loopback, node_names


def _container(name, labels, address="", published=""):
    ports = {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": published}]} if published else {}
    network = {"Networks": {"net": {"IPAddress": address}}, "Ports": {**ports, "80/tcp": None}}
    return {"Name": f"/{name}", "Config": {"Labels": labels}, "NetworkSettings": network}


def _kind(name, role, **more):
    return _container(name, {"io.x-k8s.kind.cluster": "mine", "io.x-k8s.kind.role": role}, **more)


def _k3d(name, role, **more):
    return _container(name, {"k3d.cluster": "mine", "k3d.role": role}, **more)


def _minikube(name, **more):
    return _container(name, {"name.minikube.sigs.k8s.io": name}, **more)


SEEN = [
    _container("postgres", None, "172.17.0.2", "40123"),
    _kind("mine-control-plane", "control-plane", published="40123"),
    _kind("mine-worker", "worker"),
    _kind("mine-external-load-balancer", "external-load-balancer"),
    _k3d("k3d-mine-serverlb", "loadbalancer", published="40124"),
    _k3d("k3d-mine-server-0", "server"),
    _k3d("k3d-mine-agent-0", "agent"),
    _minikube("todo", address="192.168.49.2"),
    _minikube("todo-m02", address="192.168.49.3"),
    _minikube("other", address="192.168.58.2"),
]


@pytest.mark.parametrize(
    ("server", "names"),
    [
        ("https://127.0.0.1:40123", ("mine-control-plane", "mine-worker")),
        ("https://0.0.0.0:40124", ("k3d-mine-agent-0", "k3d-mine-server-0")),
        ("https://192.168.49.2:8443", ("todo", "todo-m02")),
        ("https://192.168.58.2:8443", ("other",)),
        ("https://127.0.0.1:6443", ()),
        ("https://10.0.0.7:40123", ()),
        ("https://k8s.example.com", ()),
    ],
)
def test_the_nodes_are_those_of_the_cluster_that_answers_there(server, names):
    assert node_names(SEEN, server) == names


def test_nothing_is_a_node_where_nothing_has_a_label():
    assert node_names(SEEN[:1], "https://127.0.0.1:40123") == ()


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("k8s", False)],
)
def test_loopback(host, is_it):
    assert is_loopback(host) is is_it
