"""Nodes and clocks that no live cluster here can be given."""

import pytest

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
