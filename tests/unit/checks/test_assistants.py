import time
from dataclasses import replace

import pytest

from scripts.checks import assistants as aiops


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


def test_the_first_usable_assistant_is_asked_without_secrets(make_run, stub, tmp_path):
    stub(
        "kubectl-ai",
        '[ "$1" = version ] && echo 1 && exit; for last; do :; done; '
        f'echo "$last" > {tmp_path}/asked; echo it is the database',
    )
    run = make_run()
    run.shell.hide("hunter22hunter22")
    opinion = aiops.ask(
        run, "the password is hunter22hunter22, the key sk-proj-abcdefgh1234567890; why?"
    )
    assert (opinion.name, opinion.words) == ("kubectl-ai", "it is the database")
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("why?\n")
    assert "hunter22" not in asked
    assert "34567890" not in asked


def test_one_that_hangs_and_one_that_is_declined_leave_the_built_in_diagnosis(
    make_run, stub, monkeypatch
):
    monkeypatch.setattr(aiops, "ASK_TIMEOUT", 0.5)
    monkeypatch.setattr(aiops.model, "configured", lambda: None)
    stub("kubectl-ai", '[ "$1" = version ] && exit; sleep 60')
    stub("kagent", '[ "$1" = version ] && exit; echo never')
    run = replace(make_run(), confirm=lambda what: "kagent" not in what)
    opinion = aiops.ask(run, "why?")
    assert (opinion.name, opinion.words) == ("", "")
    assert [reason.split(":")[0] for reason in opinion.skipped] == [
        "kubectl-ai",
        "kagent",
        "Gordon",
        "a model",
    ]
    assert "declined" in opinion.skipped[1]
