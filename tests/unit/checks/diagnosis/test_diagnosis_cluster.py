"""Nodes and clocks that no live cluster here can be given."""

import pytest

from scripts.checks.diagnosis import Observed, judge
from scripts.checks.diagnosis.observe import skew
from tests.unit.checks.diagnosis.objects import codes, healthy


@pytest.mark.parametrize("pressure", ["DiskPressure", "MemoryPressure", "PIDPressure"])
def test_a_node_that_runs_out_of_something(pressure):
    seen = healthy()
    seen["cluster"][0]["status"]["conditions"].append(
        {"type": pressure, "status": "True", "message": "low"}
    )
    assert codes(cluster=seen["cluster"]) == ["NODE-PRESSURE"]


def test_a_node_whose_kubelet_is_silent():
    seen = healthy()
    seen["cluster"][0]["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    ]
    assert codes(cluster=seen["cluster"], answers={"/": 502, "/api/health": 0}) == [
        "NODE-NOT-READY"
    ]


def test_clocks_that_differ():
    assert codes(skew=3600.0) == ["CLOCK-SKEW"]
    assert skew("2020-01-01T00:00:00.123456789Z") > 1e8
    assert skew("no time") == 0.0


def test_a_part_of_the_cluster_that_may_watch_nothing_more_says_why():
    labels = {"metadata": {"name": "kube-proxy-1", "labels": {"k8s-app": "kube-proxy"}}}
    names = {"metadata": {"name": "coredns-1", "labels": {"k8s-app": "kube-dns"}}}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    system = [{**labels, "status": {"phase": "Running"}}, {**names, "status": ready}]
    logs = {"kube-proxy-1": "couldn't initialize inotify: too many open files"}
    (first, *_) = judge(Observed(**{**healthy(), "system": system, "logs": logs}))
    assert (first.code, first.subject) == ("CLUSTER-SYSTEM-DOWN", "kube-system/kube-proxy")
    assert "use up what the kernel lets a user watch" in first.summary
    assert "too many open files" in first.evidence and "sysctl" in first.remedy
