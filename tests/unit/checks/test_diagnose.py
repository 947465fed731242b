"""Faults that cannot be caused here, from objects as Kubernetes shows them; and that causes come before consequences."""

import pytest

from scripts.checks.diagnose import Observed, _control_plane, _skew, judge

LABELS = {"app.kubernetes.io/instance": "todo-app"}


def _pod(component, ready=True, **status):
    labels = {**LABELS, "app.kubernetes.io/component": component}
    owner = [{"kind": "StatefulSet" if component == "postgres" else "ReplicaSet"}]
    container = {
        "name": component,
        "ready": ready,
        "restartCount": 0,
        "state": {"running": {}},
        "imageID": "sha256:1",
        **status,
    }
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"todo-app-{component}-1",
            "namespace": "todo-app",
            "labels": labels,
            "ownerReferences": owner,
        },
        "spec": {
            "containers": [
                {
                    "name": component,
                    "image": f"{component}:1",
                    "ports": [{"containerPort": 80, "name": "http"}],
                }
            ]
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
        },
    }


def _healthy():
    state, cluster = [], [
        {"kind": "Node", "metadata": {"name": "n"}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        {"kind": "IngressClass", "metadata": {"name": "traefik"}},
        {"kind": "StorageClass", "metadata": {"name": "local-path"}},
    ]  # fmt: skip
    for component in ("frontend", "backend", "postgres"):
        labels = {**LABELS, "app.kubernetes.io/component": component}
        name = f"todo-app-{component}"
        state.append(_pod(component))
        kind = "StatefulSet" if component == "postgres" else "Deployment"
        done = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "readyReplicas": 1}
        state.append(
            {
                "kind": kind,
                "metadata": {"name": name, "labels": labels, "generation": 1},
                "spec": {"replicas": 1},
                "status": done,
            }
        )
        state.append(
            {
                "kind": "Service",
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "selector": labels,
                    "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
                },
            }
        )
        state.append(
            {
                "kind": "EndpointSlice",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "endpoints": [{"conditions": {"ready": True}}],
            }
        )
    path = {
        "path": "/",
        "backend": {"service": {"name": "todo-app-frontend", "port": {"name": "http"}}},
    }
    state.append(
        {
            "kind": "Ingress",
            "metadata": {"name": "todo-app"},
            "spec": {
                "ingressClassName": "traefik",
                "rules": [{"host": "todo.local", "http": {"paths": [path]}}],
            },
        }
    )
    return {
        "app": "todo-app", "host": "todo.local", "address": "http://127.0.0.1:8080", "state": state, "cluster": cluster, "controllers": [_pod("traefik")],
        "release": {"status": "deployed", "revision": "1"}, "answers": {"/": 200, "/api/health": 200}, "name": "127.0.0.1",
    }  # fmt: skip


def _codes(**seen):
    return [one.code for one in judge(Observed(**{**_healthy(), **seen}))]


def test_nothing_is_found_where_nothing_is_wrong():
    assert _codes() == []


@pytest.mark.parametrize("pressure", ["DiskPressure", "MemoryPressure", "PIDPressure"])
def test_a_node_that_runs_out_of_something(pressure):
    seen = _healthy()
    seen["cluster"][0]["status"]["conditions"].append(
        {"type": pressure, "status": "True", "message": "low"}
    )
    assert _codes(cluster=seen["cluster"]) == ["NODE-PRESSURE"]


def test_a_node_whose_kubelet_is_silent():
    seen = _healthy()
    seen["cluster"][0]["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    ]
    assert _codes(cluster=seen["cluster"], answers={"/": 502, "/api/health": 0}) == [
        "NODE-NOT-READY"
    ]


def test_clocks_that_differ():
    assert _codes(skew=3600.0) == ["CLOCK-SKEW"]
    assert _skew("2020-01-01T00:00:00.123456789Z") > 1e8
    assert _skew("no time") == 0.0


def test_contents_that_are_not_the_tags():
    assert _codes(stale=("deployment/todo-app-backend",)) == ["IMAGE-STALE"]


def test_an_image_for_another_processor():
    seen = _healthy()
    seen["state"] = [
        one
        for one in seen["state"]
        if not (one["kind"] == "Pod" and one["metadata"]["name"] == "todo-app-backend-1")
    ]
    ended = {"terminated": {"exitCode": 255, "reason": "Error"}}
    seen["state"].append(
        _pod(
            "backend",
            ready=False,
            state={"waiting": {"reason": "CrashLoopBackOff"}},
            lastState=ended,
            restartCount=3,
        )
    )
    assert _codes(
        state=seen["state"], logs={"todo-app-backend-1": "exec /usr/bin/sh: exec format error"}
    ) == ["IMAGE-ARCHITECTURE"]


def test_the_database_comes_before_the_backend_that_waits_for_it():
    seen = _healthy()
    kept = [one for one in seen["state"] if one["kind"] != "Pod"]
    oom = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    kept += [_pod("frontend"), _pod("postgres", ready=False, lastState=oom, restartCount=2)]
    kept.append(
        _pod(
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
                **_healthy(),
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


def test_a_loop_that_is_open_is_said_to_be():
    seen = _healthy()
    for one in seen["state"]:
        if one["kind"] == "Service":
            one["spec"]["selector"] = {**one["spec"]["selector"], "phase4/dev": "true"}
    assert _codes(state=seen["state"])[0] == "DEV-LOOP-OPEN"


def test_a_claim_whose_provisioner_sleeps_and_one_that_waits_for_its_pod():
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "local-path"},
        "status": {"phase": "Pending"},
    }

    def event(words):
        return {
            "kind": "Event",
            "metadata": {},
            "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data"},
            "message": words,
        }

    assert _codes(
        state=[
            *_healthy()["state"],
            claim,
            event("waiting for a volume to be created by the external provisioner"),
        ]
    ) == ["CLAIM-PENDING"]
    assert (
        _codes(
            state=[
                *_healthy()["state"],
                claim,
                event("waiting for first consumer to be created before binding"),
            ]
        )
        == []
    )


def test_pages_that_do_not_come_though_all_is_well():
    assert _codes(answers={"/": 0, "/api/health": 0}) == [
        "INGRESS-UNREACHABLE",
        "INGRESS-UNREACHABLE",
    ]
    assert _codes(answers={"/": 200, "/api/health": 404}) == ["SMOKE-FAILED"]


def test_what_of_the_control_plane_is_down():
    text = '{"containers": [{"metadata": {"name": "etcd"}, "state": "CONTAINER_EXITED"}, {"metadata": {"name": "kube-apiserver"}, "state": "CONTAINER_RUNNING"}]}\n/dev 1'
    assert _control_plane(text) == "etcd exited"
    assert _control_plane("") == "the container runtime does not answer"


def test_the_pod_that_says_why_comes_before_one_that_only_fails():
    seen = _healthy()
    kept = [
        one
        for one in seen["state"]
        if not (one["kind"] == "Pod" and one["metadata"]["name"] == "todo-app-backend-1")
    ]
    old, new = (
        _pod("backend", ready=False),
        _pod("backend", ready=False, lastState={"terminated": {"exitCode": 1}}, restartCount=3),
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
    assert _codes(state=[*kept, old, new, event], logs=logs) == [
        "DATABASE-PASSWORD-WRONG",
        "PROBE-FAILING",
    ]
