"""A control plane that is down."""

import json

from scripts.checks.diagnosis.machine import control_plane


def test_what_of_the_control_plane_is_down():
    states = {"etcd": "CONTAINER_EXITED", "kube-apiserver": "CONTAINER_RUNNING"}
    listed = [{"metadata": {"name": name}, "state": state} for name, state in states.items()]
    text = json.dumps({"containers": listed}) + "\n/dev 1"
    assert control_plane(text) == "etcd exited"
    assert control_plane("") == "the container runtime does not answer"
