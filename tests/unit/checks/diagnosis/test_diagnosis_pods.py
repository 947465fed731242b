"""Pods that do not come up, and which of them is told first."""

from tests.unit.checks.diagnosis.objects import codes, healthy, pod


def test_contents_that_are_not_the_tags():
    assert codes(stale=("deployment/todo-app-backend",)) == ["IMAGE-STALE"]


def test_an_image_for_another_processor():
    seen = healthy()
    seen["state"] = [
        one
        for one in seen["state"]
        if not (one["kind"] == "Pod" and one["metadata"]["name"] == "todo-app-backend-1")
    ]
    ended = {"terminated": {"exitCode": 255, "reason": "Error"}}
    seen["state"].append(
        pod(
            "backend",
            ready=False,
            state={"waiting": {"reason": "CrashLoopBackOff"}},
            lastState=ended,
            restartCount=3,
        )
    )
    assert codes(
        state=seen["state"], logs={"todo-app-backend-1": "exec /usr/bin/sh: exec format error"}
    ) == ["IMAGE-ARCHITECTURE"]


def test_the_pod_that_says_why_comes_before_one_that_only_fails():
    seen = healthy()
    kept = [
        one
        for one in seen["state"]
        if not (one["kind"] == "Pod" and one["metadata"]["name"] == "todo-app-backend-1")
    ]
    old, new = (
        pod("backend", ready=False),
        pod("backend", ready=False, lastState={"terminated": {"exitCode": 1}}, restartCount=3),
    )
    new["metadata"]["name"] = "todo-app-backend-2"
    event = {
        "kind": "Event",
        "metadata": {},
        "involvedObject": {"kind": "Pod", "name": "todo-app-backend-1"},
        "reason": "Unhealthy",
        "message": "Readiness: 503",
    }
    logs = {"todo-app-backend-2": "FATAL: password authentication failed"}
    assert codes(state=[*kept, old, new, event], logs=logs) == [
        "DATABASE-PASSWORD-WRONG",
        "PROBE-FAILING",
    ]
