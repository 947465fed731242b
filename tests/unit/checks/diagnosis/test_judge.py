"""Nothing is found where nothing is wrong, and causes come before consequences."""

from scripts.checks.diagnosis import Observed, judge
from tests.unit.checks.diagnosis.objects import codes, healthy, pod


def test_nothing_is_found_where_nothing_is_wrong():
    assert codes() == []


def test_the_database_comes_before_the_backend_that_waits_for_it():
    seen = healthy()
    kept = [one for one in seen["state"] if one["kind"] != "Pod"]
    oom = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    kept += [pod("frontend"), pod("postgres", ready=False, lastState=oom, restartCount=2)]
    kept.append(
        pod(
            "backend",
            ready=False,
            state={"waiting": {"reason": "CrashLoopBackOff"}},
            lastState={"terminated": {"exitCode": 1}},
            restartCount=3,
        )
    )
    found = judge(
        Observed(
            **{
                **healthy(),
                "state": kept,
                "logs": {"todo-app-backend-1": "Connection refused"},
                "answers": {"/": 200, "/api/health": 503},
            }
        )
    )
    assert [(one.code, one.subject) for one in found] == [
        ("OUT-OF-MEMORY", "pod/todo-app-postgres-1")
    ]
    assert (
        "so: http://127.0.0.1:8080/api/health answers 503: the service has no ready pod"
        in found[0].evidence
    )
