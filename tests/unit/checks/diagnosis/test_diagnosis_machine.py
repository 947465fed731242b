"""A control plane that is down."""

from scripts.checks.diagnosis.machine import control_plane


def test_what_of_the_control_plane_is_down():
    text = '{"containers": [{"metadata": {"name": "etcd"}, "state": "CONTAINER_EXITED"}, {"metadata": {"name": "kube-apiserver"}, "state": "CONTAINER_RUNNING"}]}\n/dev 1'
    assert control_plane(text) == "etcd exited"
    assert control_plane("") == "the container runtime does not answer"
