"""Objects as Kubernetes shows them, of a release in which all is well; tests change some."""

from scripts.checks.diagnosis import Observed, judge

LABELS = {"app.kubernetes.io/instance": "todo-app"}


def pod(component, ready=True, **status):
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


def healthy():
    state, cluster = (
        [],
        [
            {
                "kind": "Node",
                "metadata": {"name": "n"},
                "spec": {},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
            {"kind": "IngressClass", "metadata": {"name": "traefik"}},
            {"kind": "StorageClass", "metadata": {"name": "local-path"}},
        ],
    )
    for component in ("frontend", "backend", "postgres"):
        labels = {**LABELS, "app.kubernetes.io/component": component}
        name = f"todo-app-{component}"
        state.append(pod(component))
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
        "app": "todo-app",
        "host": "todo.local",
        "address": "http://127.0.0.1:8080",
        "state": state,
        "cluster": cluster,
        "controllers": [pod("traefik")],
        "release": {"status": "deployed", "revision": "1"},
        "answers": {"/": 200, "/api/health": 200},
        "name": "127.0.0.1",
    }


def codes(**seen):
    return [one.code for one in judge(Observed(**{**healthy(), **seen}))]
