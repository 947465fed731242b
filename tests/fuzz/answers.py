"""What kubectl, helm, docker, crictl and minikube say when all is well, in their own shapes."""

import copy
import json

from tests.unit.checks.diagnosis.objects import healthy

ENV = b"""# keys
OPENAI_API_KEY=sk-abc
BETTER_AUTH_SECRET="a b"   # made by hand
CORS_ORIGINS=["http://localhost:3000"]
NEXT_PUBLIC_API_URL=http://localhost:8000/api/v1
SMTP_PORT=587
LD_PRELOAD=/tmp/x.so
"""
SEEN = {
    name: value
    for name, value in healthy().items()
    if name not in ("state", "cluster", "controllers")
}


def _object(kind, name="a", **more):
    metadata = {"name": name, "namespace": "todo-app", "generation": 1, "labels": {}}
    return {"kind": kind, "metadata": metadata, **more}


def _items():
    seen = healthy()
    state = copy.deepcopy([*seen["state"], *seen["cluster"], *seen["controllers"]])
    for one in state:
        one["metadata"].setdefault("namespace", "todo-app")
        if one["kind"] == "Node":
            one["status"] |= {
                "nodeInfo": {"kubeletVersion": "v1.35.1", "containerRuntimeVersion": "c://2"},
                "allocatable": {"cpu": "2", "memory": "4Gi"},
            }
        elif one["kind"] == "StorageClass":
            key = "storageclass.kubernetes.io/is-default-class"
            one["metadata"]["annotations"] = {key: "true"}
        elif one["kind"] in ("Deployment", "StatefulSet"):
            container = {"name": "a", "image": "backend:1"}
            one["spec"]["template"] = {"spec": {"containers": [container]}}
        elif one["kind"] == "IngressClass":
            one["spec"] = {"controller": "traefik.io/ingress-controller"}
    bad = copy.deepcopy(next(one for one in state if one["kind"] == "Pod"))
    bad["metadata"]["name"] = "todo-app-backend-2"
    bad["spec"]["initContainers"] = [{"name": "migrate", "image": "backend:1"}]
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": "x"}}
    bad["status"]["initContainerStatuses"] = [
        {"name": "migrate", "ready": False, "restartCount": 3, "image": "backend:1",
         "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}}, "lastState": ended}
    ]  # fmt: skip
    bad["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": "no"}]
    path = {
        "pathType": "Prefix",
        "path": "/api(/|$)",
        "backend": {"service": {"name": "todo-app-backend", "port": {"name": "http"}}},
    }
    probe = {"livenessProbe": {"httpGet": {"path": "/health", "port": "http"}}}
    record = {"identity": "1", "tables": ["a"], "extensions": [], "versions": ["x"]}
    return [
        *state,
        bad,
        _object("Namespace", "todo-app", **{"spec": {}}),
        _object("DaemonSet", "kindnet", status={"numberReady": 1, "desiredNumberScheduled": 1}),
        _object("Event", involvedObject={"kind": "Pod", "name": "todo-app-backend-2"},
                reason="Unhealthy", type="Warning", lastTimestamp="2026-11-30T20:00:00Z",
                message="Liveness probe failed: Get http://1.2.3.4:9000/health: refused"),
        _object("Ingress", "todo-app-api", spec={
            "ingressClassName": "traefik", "rules": [{"host": "b", "http": {"paths": [path]}}]}),
        _object("Deployment", "x-backend", status={"conditions": [
                    {"type": "Available", "status": "True", "message": "m", "reason": "r"}]},
                spec={"replicas": 1, "template": {"spec": {"containers": [
                    {"name": "b", "image": "backend:1", **probe,
                     "envFrom": [{"secretRef": {"name": "s"}}],
                     "env": [{"name": "A", "valueFrom": {"secretKeyRef":
                                                         {"name": "s", "key": "k"}}}]}]}}}),
        _object("ConfigMap", "todo-app-database", data={"database.json": json.dumps(record),
                                                        "database": json.dumps(record)}),
        _object("Secret", "todo-app-secrets", type="Opaque", data={"K": "c2VjcmV0c2VjcmV0"}),
        _object("PersistentVolumeClaim", status={"phase": "Pending"},
                spec={"storageClassName": "x", "resources": {"requests": {"storage": "1Gi"}}}),
        _object("PersistentVolume", status={"phase": "Bound"}, spec={"claimRef": {"name": "a"}}),
        _object("ResourceQuota", status={"hard": {"pods": "1"}, "used": {"pods": "1"}}),
        _object("ReplicaSet", status={"conditions": [
            {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}]}),
        _object("NetworkPolicy", spec={"podSelector": {"matchLabels": {"a": "b"}},
                "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}),
        _object("IngressRoute", spec={"routes": [{"match": "Host(`todo.local`)",
                "services": [{"name": "x", "port": 80}], "middlewares": [{"name": "m"}]}]}),
        _object("Middleware", "m", spec={"ipAllowList": {"sourceRange": ["1.2.3.4/32"]}}),
    ]  # fmt: skip


ITEMS = _items()
REVISION = {
    "revision": 1,
    "updated": "2026-11-30T20:00:00Z",
    "status": "deployed",
    "chart": "todo-app-0.3.0",
    "app_version": "1",
    "description": "abc-1",
}
IMAGE = {"image": {"repository": "b", "tag": "1"}}
#: By a word of the command.
HELM = {
    "history": [REVISION],
    "list": [{**REVISION, "name": "todo-app", "namespace": "todo-app", "revision": "1"}],
    "values": {"backend": IMAGE, "frontend": IMAGE, "services": {}},
    "manifest": {"kind": "Service", "metadata": {"name": "a", "annotations": {}}},
    "namespaces,ingresses": {
        "items": [one for one in ITEMS if one["kind"] in ("Namespace", "Ingress")]
    },
}
SECRET = {
    "kind": "Secret",
    "metadata": {"name": "todo-app-secrets", "resourceVersion": "7"},
    "data": {"POSTGRES_PASSWORD": "cHc=", "DATABASE_URL": "cA==", "A_SECRET": "", "K": "/w=="},
}
IMAGE_CONFIG = {"Env": ["A=b"], "Cmd": ["x"], "Entrypoint": None, "User": "1", "WorkingDir": "/"}
ENGINE = (
    {"ServerVersion": "29.1", "DockerRootDir": "/", "Driver": "overlay2", "NCPU": 2,
     "MemTotal": 1, "ServerErrors": []},
    [{"Id": "sha256:1", "RootFS": {"Layers": ["sha256:2"]}, "Config": IMAGE_CONFIG}],
    {"images": [{"id": "sha256:1", "repoTags": ["docker.io/library/a:1"], "size": "1"}]},
    {"info": {"imageSpec": {"rootfs": {"diff_ids": ["sha256:2"]}, "config": IMAGE_CONFIG}}},
    {"KubernetesConfig": {"ContainerRuntime": "containerd"}, "Nodes": [{"Name": ""}],
     "Addons": {"ingress": True}},
    {"ingress_port": 8080, "kubernetes_version": "v1.35.1", "complete": True},
    {"clientVersion": {"gitVersion": "v1.35.1"}},
    {"identity": "1", "read_only": False, "recovery": False, "settings": [["a", "b"]],
     "tables": ["t"], "extensions": [], "clients": {"a": 1}, "denied": [["r", "t"]]},
    "a:1 sha256:1\n<none>:<none> sha256:2\n",
    "[global]\nindex-url = https://example.org/simple\ntrusted-host =\n  a\n  b\n",
    "registry=https://example.org/\n//example.org/:_authToken=x\n",
    "2026-11-30T20:00:00.123456789Z\n",
    "2026-11-30T20:00:00+01:00\n",
)  # fmt: skip
LOGS = (
    b'Traceback (most recent call last):\n  File "/srv/app/main.py", line 3, in <module>\n'
    b"    x()\npydantic.ValidationError: 1 validation error for Settings\nkey\n  Field required\n",
    b'{"level": "error", "message": "boom", "exception": "ValueError: x"}\nplain\n',
    b'{"type": "io.k8s.sigs.minikube.step", "data": {"message": "m", "name": "Preparing"}}\n'
    b'{"type": "io.k8s.sigs.minikube.error", "data": {"message": "m", "advice": "a"}}\n',
    b"/dev/sda 1 2 3 4% /var/lib\n"
    b'{"identity": "1", "read_only": false, "recovery": false, "settings": [["a", "b"]],'
    b' "tables": ["t"], "extensions": [], "clients": {"a": 1}, "denied": [["r", "t"]]}\nx\n',
    b'Client Version: v1.35.1\n{"choices": [{"delta": {"content": "a"}}]}\n',
    b'psycopg.OperationalError: connection to server at "x" failed: FATAL:  password\n'
    b'error: relation "user" does not exist\n',
)
