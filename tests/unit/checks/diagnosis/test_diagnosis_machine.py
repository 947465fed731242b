"""A control plane that is down."""

import json
from pathlib import Path

import pytest

from scripts.checks.diagnosis.machine import cluster_down, control_plane
from scripts.machine.engine import Engine
from scripts.supply.tools import Found


def test_what_of_the_control_plane_is_down():
    states = {"etcd": "CONTAINER_EXITED", "kube-apiserver": "CONTAINER_RUNNING"}
    listed = [{"metadata": {"name": name}, "state": state} for name, state in states.items()]
    text = json.dumps({"containers": listed}) + "\n/dev 1"
    assert control_plane(text) == "etcd exited"
    assert control_plane("") == "the container runtime does not answer"


@pytest.mark.parametrize(
    ("words", "on_node", "code", "told"),
    [
        ("error: unable to read client-cert /x for y due to open /x: no such file", 0,
         "CONTEXT-MISSING", "cannot be used"),
        ("error: error loading config file: yaml: control characters", 0,
         "CONTEXT-MISSING", "cannot be used"),
        ("The connection to the server 127.0.0.1:1 was refused", 0,
         "CONTEXT-MISSING", "answers on its node"),
        ("The connection to the server 127.0.0.1:1 was refused", 1,
         "CLUSTER-NOT-RUNNING", "its API does not answer"),
    ],
)  # fmt: skip
def test_a_kubeconfig_that_leads_nowhere_is_told_from_a_cluster_that_is_down(
    make_run, stub, words, on_node, code, told
):
    stub("kubectl", f"echo '{words}' >&2; exit 1")
    state = "*inspect*) echo running 0 false ;;"
    stub("docker", f'case "$*" in {state} *readyz*) exit {on_node} ;; esac')
    engine = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
    tools = {"kubectl": Found("kubectl", Path("kubectl"), "v1.36.3", "PATH")}
    found = cluster_down(make_run(), engine, tools)
    assert (found.code, told in found.summary) == (code, True), found
