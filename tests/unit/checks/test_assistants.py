import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.checks import assistants as aiops
from scripts.supply.tools import Found

#: What the real programs printed on 2026-11-30, their model played.
SESSIONS = Path(__file__).with_name("sessions")
TOOLS = {"kubectl": Found("kubectl", Path("kubectl"), "v1.35.1", "PATH")}
#: Answers of `kagent invoke` as it prints them: a task with what it made, and a bare message.
TASK = {
    "kind": "task",
    "status": {"state": "completed"},
    "artifacts": [{"parts": [{"kind": "text", "text": "It is\nthe Service."}, {"kind": "data"}]}],
}
MESSAGE = {"kind": "message", "role": "agent", "parts": [{"kind": "text", "text": "It is DNS."}]}


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


@pytest.fixture
def kubeconfig(stub):
    """A kubectl that shows the kubeconfig of the context that it is asked about."""
    stub("kubectl", 'echo "config of $2: $*"')


def test_the_first_usable_assistant_is_asked_without_secrets(make_run, stub, kubeconfig, tmp_path):
    stub(
        "kubectl-ai",
        '[ "$1" = version ] && echo 1 && exit; for last; do :; done; '
        f'echo "$last" > {tmp_path}/asked; echo it is the database',
    )
    run = make_run()
    run.shell.hide("hunter22hunter22")
    question = "the password is hunter22hunter22, the key sk-proj-abcdefgh1234567890; why?"
    opinion = aiops.ask(run, TOOLS, question)
    assert (opinion.name, opinion.words) == ("kubectl-ai", "it is the database")
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("why?\n")
    assert "hunter22" not in asked
    assert "34567890" not in asked


def test_an_assistant_sees_no_cluster_but_this_one(make_run, stub, kubeconfig, tmp_path):
    asking = f'ls -l "$KUBECONFIG" > {tmp_path}/modes; cat "$KUBECONFIG"; echo "$KUBECONFIG"'
    stub("kubectl-ai", f'[ "$1" = version ] && exit; {asking}')
    run = make_run()
    shown, path = aiops.ask(run, TOOLS, "why?").words.splitlines()
    assert shown.startswith(f"config of {run.settings.context}: ")
    assert "--minify" in shown
    assert not Path(path).exists(), "it is gone afterwards"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (TASK, "It is\nthe Service."),
        ({"task": TASK}, "It is\nthe Service."),
        (MESSAGE, "It is DNS."),
        ({"status": {"state": "failed", "message": MESSAGE}}, "It is DNS."),
        ({"other": 1}, '{"other": 1}'),
        ([1], "[1]"),
    ],
)
def test_kagent_answers_in_json_and_a_person_reads_its_words(
    make_run, stub, kubeconfig, answer, words, tmp_path
):
    (tmp_path / "answer").write_text(json.dumps(answer))
    stub("kagent", f'[ "$1" = version ] && exit; cat {tmp_path}/answer')
    opinion = aiops.ask(make_run(), TOOLS, "why?")
    assert (opinion.name, opinion.words) == ("kagent", words)


def test_a_recorded_answer_of_kubectl_ai(make_run, stub, kubeconfig):
    stub("kubectl-ai", f'[ "$1" = version ] && exit; cat {SESSIONS}/kubectl-ai.txt')
    assert aiops.ask(make_run(), TOOLS, "why?").words.splitlines() == [
        "Running: kubectl get endpoints -n todo-app",
        "",
        "The Service **todo-app-backend** selects no pod: its selector is wrong.",
        "",
        "To mend it: kubectl edit service todo-app-backend.",
    ]


def test_a_recorded_refusal_of_kubectl_ai_to_change_something(make_run, stub, kubeconfig):
    said = f"cat {SESSIONS}/kubectl-ai-refuses.txt; cat {SESSIONS}/kubectl-ai-refuses.err >&2"
    stub("kubectl-ai", f'[ "$1" = version ] && exit; {said}; exit 1')
    opinion = aiops.ask(make_run(), TOOLS, "why?")
    assert opinion.name == ""
    assert opinion.skipped[0].startswith(
        "kubectl-ai: running UI: RunOnce mode cannot handle permission requests"
    )


def test_one_that_hangs_and_one_that_is_declined_leave_the_built_in_diagnosis(
    make_run, stub, kubeconfig, monkeypatch
):
    monkeypatch.setattr(aiops, "ASK_TIMEOUT", 0.5)
    monkeypatch.setattr(aiops.model, "configured", lambda: None)
    stub("kubectl-ai", '[ "$1" = version ] && exit; sleep 60')
    stub("kagent", '[ "$1" = version ] && exit; echo never')
    run = replace(make_run(), confirm=lambda what: "kagent" not in what)
    opinion = aiops.ask(run, TOOLS, "why?")
    assert (opinion.name, opinion.words) == ("", "")
    assert [reason.split(":")[0] for reason in opinion.skipped] == [
        "kubectl-ai",
        "kagent",
        "Gordon",
        "a model",
    ]
    assert "declined" in opinion.skipped[1]
