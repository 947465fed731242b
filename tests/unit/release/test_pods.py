"""What keeps a pod from coming up, from objects as Kubernetes shows them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from scripts.release.pods import PATIENCE, findings


def pod(
    name="todo-app-backend-1", waiting=None, ended=None, restarts=0, ready=False, conditions=()
):
    status = {
        "name": "backend",
        "image": "todo:1",
        "ready": ready,
        "restartCount": restarts,
        "state": {},
        "lastState": {},
    }
    if waiting:
        status["state"]["waiting"] = waiting
    if ended:
        status["lastState"]["terminated"] = ended
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"containers": [{"name": "backend", "image": "todo:1"}]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [status],
            "conditions": list(conditions),
        },
    }


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (pod(waiting={"reason": "ImagePullBackOff", "message": "not found"}), "IMAGE-PULL"),
        (
            pod(
                waiting={
                    "reason": "CreateContainerConfigError",
                    "message": 'couldn\'t find key "X" in Secret',
                }
            ),
            "CONFIG-MISSING",
        ),
        (
            pod(waiting={"reason": "CrashLoopBackOff"}, ended={"exitCode": 1}, restarts=3),
            "CRASH-LOOP",
        ),
        (pod(ended={"reason": "OOMKilled", "exitCode": 137}, restarts=1), "OUT-OF-MEMORY"),
    ],
)
def test_a_pod_that_cannot_come_up_is_told_at_once(broken, code):
    (found,) = findings([broken], 0.0, {})
    assert (found.code, found.subject) == (code, "pod/todo-app-backend-1")


def test_the_reason_of_a_crash_comes_from_its_log():
    broken = pod(waiting={"reason": "CrashLoopBackOff"}, ended={"exitCode": 1}, restarts=3)
    (found,) = findings(
        [broken], 0.0, {"todo-app-backend-1": "starting\nImportError: no module named x\nbye\n"}
    )
    assert "ImportError: no module named x" in found.summary


@pytest.mark.parametrize(
    ("waiting", "ended"),
    [
        (None, {"reason": "Unknown", "exitCode": 255}),
        ({"reason": "CrashLoopBackOff"}, {"reason": "Unknown", "exitCode": 255}),
        (None, {"reason": "Error", "exitCode": 137}),
        (None, {"reason": "Completed", "exitCode": 0}),
        ({"reason": "PodInitializing"}, None),
    ],
)
def test_a_container_that_was_ended_from_outside_is_given_time(waiting, ended):
    assert findings([pod(waiting=waiting, ended=ended, restarts=5)], 0.0, {}) == []


def test_a_state_that_may_pass_is_given_time():
    pending = pod(
        conditions=[
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu"}
        ]
    )
    assert findings([pending], 1.0, {}) == []
    (found,) = findings([pending], PATIENCE, {})
    assert (found.code, found.evidence) == ("POD-PENDING", "0/1 nodes: Insufficient cpu")


def test_a_failing_probe_is_told_with_its_event():
    event = {
        "kind": "Event",
        "involvedObject": {"name": "todo-app-backend-1"},
        "reason": "Unhealthy",
        "message": "dial tcp :8000: connection refused",
    }
    (found,) = findings(
        [pod(conditions=[{"type": "Ready", "status": "False"}]), event], PATIENCE, {}
    )
    assert found.code == "PROBE-FAILING"
    assert ":8000" in found.evidence


@pytest.mark.parametrize(
    ("seconds", "restarts", "told"),
    [(3, 0, "started 3 s ago and does not serve yet"), (300, 0, "its probe fails"),
     (3, 1, "its probe fails")],
)  # fmt: skip
def test_a_pod_that_has_just_started_is_not_called_broken(seconds, restarts, told):
    event = {
        "kind": "Event",
        "involvedObject": {"name": "todo-app-backend-1"},
        "reason": "Unhealthy",
        "message": "Startup probe failed: connection refused",
    }
    young = pod(conditions=[{"type": "Ready", "status": "False"}], restarts=restarts)
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    young["status"]["containerStatuses"][0]["state"] = {
        "running": {"startedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    }
    (found,) = findings([young, event], PATIENCE, {})
    assert found.code == "PROBE-FAILING"
    assert re.sub(r"\b4 s", "3 s", found.summary).endswith(told)


@pytest.mark.parametrize(
    ("component", "said", "words", "not_words"),
    [
        ("frontend", "Error: BETTER_AUTH_URL is not set", "the frontend must answer", "health"),
        ("backend", "", "backend.healthPath", "frontend"),
    ],
)
def test_a_failing_probe_is_told_in_the_pods_own_words_with_a_remedy_for_its_component(
    component, said, words, not_words
):
    event = {
        "kind": "Event",
        "involvedObject": {"name": "todo-app-backend-1"},
        "reason": "Unhealthy",
        "message": "Startup probe failed: connection refused",
    }
    waiting = pod(conditions=[{"type": "Ready", "status": "False"}])
    waiting["metadata"]["labels"] = {"app.kubernetes.io/component": component}
    (found,) = findings([waiting, event], PATIENCE, {"todo-app-backend-1": said})
    assert said in found.summary
    assert (said or "its log is empty") in found.evidence
    assert words in found.remedy
    assert not_words not in found.remedy


def test_a_healthy_pod_gives_no_finding():
    assert (
        findings(
            [pod(ready=True, conditions=[{"type": "Ready", "status": "True"}])], PATIENCE * 2, {}
        )
        == []
    )


@pytest.mark.parametrize(("waited", "codes"), [(3.0, []), (PATIENCE, ["DATABASE-UNREACHABLE"])])
def test_a_database_that_starts_at_the_same_time_has_its_time(waited, codes):
    broken = pod(ended={"exitCode": 1}, restarts=1)
    for log in (
        'connection to server at "db", port 5432 failed: Connection refused',
        "ConnectionRefusedError: [Errno 111] Connect call failed ('10.110.202.214', 5432)",
    ):
        found = findings([broken], waited, {"todo-app-backend-1": log})
        assert [one.code for one in found] == codes
