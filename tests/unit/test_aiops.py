import time

import pytest

from scripts import aiops


def _by_name(run):
    return {one.name: one for one in aiops.probe(run)}


def test_absent_assistants_are_told_with_their_fallback(make_run, stub):
    stub("nothing", "true")
    for one in aiops.probe(make_run()):
        assert not one.usable
        assert one.fallback


def test_a_present_assistant_is_usable_and_a_failing_one_is_not(make_run, stub):
    stub("kubectl-ai", "echo kubectl-ai 0.0.30")
    stub("kagent", "echo cannot reach the controller >&2; exit 1")
    found = _by_name(make_run())
    assert found["kubectl-ai"].usable
    assert found["kubectl-ai"].evidence == "kubectl-ai 0.0.30"
    assert not found["kagent"].usable
    assert "cannot reach" in found["kagent"].evidence


def test_a_hanging_assistant_is_given_up(make_run, stub, monkeypatch):
    monkeypatch.setattr(aiops, "PROBE_TIMEOUT", 0.5)
    stub("docker", "sleep 60")
    started = time.monotonic()
    assert not _by_name(make_run())["Gordon"].usable
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("argv", [probe[1] for probe in aiops.PROBES])
def test_no_probe_sends_anything_to_a_model(argv):
    assert argv[-1] == "version"
