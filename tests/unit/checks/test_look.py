"""Figures of metrics-server, which come a minute after a pod."""

import pytest

from scripts.checks.acceptance.look import Look, NotApplicable
from scripts.supply.tools import Found


@pytest.fixture
def look(make_run, stub, monkeypatch):
    def look(script):
        run = make_run()
        path = stub("kubectl", script)
        monkeypatch.setattr(run.shell, "wait", lambda seconds: None)
        return Look(run, None, {"kubectl": Found("kubectl", path, "v1", "PATH")}, False)

    return look


def test_figures_that_are_late_are_waited_for(look, tmp_path):
    late = f"[ -e {tmp_path}/asked ] && echo node 5% && exit; touch {tmp_path}/asked; "
    found = look(late + "echo 'error: metrics not available yet' >&2; exit 1")
    assert found.top("nodes", patience=30) == "node 5%\n"


def test_figures_that_do_not_come_in_time_are_no_failure(look):
    found = look("echo 'error: metrics not available yet' >&2; exit 1")
    with pytest.raises(NotApplicable, match="not yet: metrics-server has no figures"):
        found.top("nodes", patience=0)


def test_a_container_without_figures_yet_is_waited_for(look):
    with pytest.raises(NotApplicable, match="not yet"):
        look("echo pod backend 5m 70Mi").top("pods", patience=0, names=("backend", "frontend"))


def test_no_metrics_server_is_a_failure(look):
    with pytest.raises(AssertionError, match="Metrics API not available"):
        look("echo 'error: Metrics API not available' >&2; exit 1").top("nodes", patience=0)
