"""Each fault is caused on the live cluster, and the first finding names it.

When the fault is gone, nothing is found.
"""

import base64
import json
import subprocess

import pytest
import yaml

BACKEND, FRONTEND, POSTGRES = (
    "deployment/todo-app-backend",
    "deployment/todo-app-frontend",
    "statefulset/todo-app-postgres",
)


def _at(path, value):
    return f"-p={json.dumps([{'op': 'replace', 'path': path, 'value': value}])}"


LIVENESS = {
    "httpGet": {"path": "/nowhere", "port": 8001},
    "periodSeconds": 1,
    "failureThreshold": 1,
}
CONTAINER = "/spec/template/spec/containers/0"
PATCH = ("patch", BACKEND, "--type=json")

#: name -> (what is done, the code, words that the first line or its evidence must hold)
PODS = {
    "image missing": (
        ("set", "image", FRONTEND, "frontend=todo-chatbot-frontend:nowhere"),
        "IMAGE-PULL",
        "todo-chatbot-frontend:nowhere",
    ),
    "a setting that the app refuses": (
        ("set", "env", BACKEND, "-c", "backend", "BETTER_AUTH_SECRET=short"),
        "CRASH-LOOP",
        "256 bits",
    ),
    "key missing": (
        (*PATCH, _at(f"{CONTAINER}/env/0/valueFrom/secretKeyRef/key", "NO_SUCH_KEY")),
        "CONFIG-MISSING",
        "NO_SUCH_KEY",
    ),
    "too little memory": (
        (*PATCH, _at(f"{CONTAINER}/resources", {"limits": {"memory": "24Mi"}})),
        "OUT-OF-MEMORY",
        "memory",
    ),
    "probe on 8000": (
        (*PATCH, _at(f"{CONTAINER}/startupProbe/httpGet/port", 8000)),
        "PORT-MISMATCH",
        "listens on port 8001, and its probe asks port 8000",
    ),
    "more CPU than there is": (
        (*PATCH, _at(f"{CONTAINER}/resources", {"requests": {"cpu": "64"}})),
        "POD-PENDING",
        "Insufficient cpu",
    ),
    "database elsewhere": (
        ("set", "env", BACKEND, "DATABASE_URL=postgresql://todo:x@nowhere.invalid/todo"),
        "DATABASE-UNREACHABLE",
        "nowhere.invalid",
    ),
    "a program that is not there": (
        (*PATCH, _at(f"{CONTAINER}/command", ["no-such-program"])),
        "CRASH-LOOP",
        "no-such-program",
    ),
    "liveness on another path": (
        (*PATCH, _at(f"{CONTAINER}/livenessProbe", LIVENESS)),
        "PROBE-FAILING",
        "liveness probe fails",
    ),
    "more privilege than allowed": (
        (
            *PATCH,
            _at(
                f"{CONTAINER}/securityContext",
                {"privileged": True, "allowPrivilegeEscalation": True},
            ),
        ),
        "POD-REFUSED",
        "PodSecurity",
    ),
}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_that_does_not_come_up(name, kube, diagnosed):
    command, code, words = PODS[name]
    kube(*command)
    try:
        first = diagnosed(code)[0]
        assert words in first.summary + first.evidence
        assert first.remedy
    finally:
        kube("rollout", "undo", command[2] if command[0] == "set" else BACKEND)


#: name -> (object, merge patch, code, words)
OBJECTS = {
    "selector": (
        "service/todo-app-backend",
        {"spec": {"selector": {"app.kubernetes.io/component": "other"}}},
        "SERVICE-SELECTOR",
        "component=other",
    ),
    "target port": (
        "service/todo-app-frontend",
        {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}},
        "PORT-MISMATCH",
        "sends to port 8000",
    ),
    "ingress class": (
        "ingress/todo-app-ingress",
        {"spec": {"ingressClassName": "nowhere"}},
        "INGRESS-CLASS-MISSING",
        "class nowhere",
    ),
    "ingress to no service": (
        "ingress/todo-app-ingress",
        {
            "spec": {
                "rules": [
                    {
                        "host": "todo.local",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {
                                        "service": {"name": "gone", "port": {"number": 80}}
                                    },
                                }
                            ]
                        },
                    }
                ]
            }
        },
        "INGRESS-BACKEND",
        "service gone, which does not exist",
    ),
    "another host": (
        "ingress/todo-app-ingress",
        {
            "spec": {
                "rules": [
                    {
                        "host": "other.local",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {
                                        "service": {
                                            "name": "todo-app-frontend",
                                            "port": {"name": "http"},
                                        }
                                    },
                                }
                            ]
                        },
                    }
                ]
            }
        },
        "INGRESS-BACKEND",
        "does not serve todo.local",
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_somebody_changed_and_a_deploy_puts_it_back(name, kube, diagnosed):
    target, patch, code, words = OBJECTS[name]
    kube("patch", target, "--type=merge", "-p", json.dumps(patch))
    try:
        first = diagnosed(code)[0]
        assert words in first.summary + first.evidence
    finally:
        result = subprocess.run(
            ["invoke", "deploy", "--yes"], capture_output=True, text=True, timeout=300
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "changed this by hand, and it is changed back now" in result.stdout


def test_an_ingress_that_somebody_deleted_comes_back(run, kube, diagnosed):
    kube("delete", "ingress", "todo-app-ingress", "todo-app-api")
    try:
        # The controller takes a moment to notice; then both pages are told as consequences.
        assert run.shell.until(
            lambda: diagnosed("INGRESS-MISSING")[0].evidence.count("answers 404") == 2, 30, 0.5
        )
    finally:
        result = subprocess.run(
            ["invoke", "deploy", "--yes"], capture_output=True, text=True, timeout=300
        )
    assert "ingress/todo-app-ingress is gone" in result.stdout, result.stdout + result.stderr


def test_a_database_that_was_scaled_away(kube, diagnosed):
    kube("scale", POSTGRES, "--replicas=0")
    try:
        first = diagnosed("SCALED-TO-ZERO")[0]
        assert first.subject == POSTGRES
        assert "so: " in first.evidence
    finally:
        kube("scale", POSTGRES, "--replicas=1")


def test_a_password_that_is_not_the_databases(kube, as_json, diagnosed):
    password = base64.b64decode(
        as_json("get", "secret", "todo-app-credentials")["data"]["POSTGRES_PASSWORD"]
    ).decode()

    def alter(value):
        kube(
            "exec",
            "-i",
            "todo-app-postgres-0",
            "--",
            "psql",
            "-U",
            "todo",
            "-d",
            "todo",
            stdin=f"ALTER ROLE todo PASSWORD '{value}';\n",
        )

    alter("another")
    try:
        kube("rollout", "restart", BACKEND)
        first = diagnosed("DATABASE-PASSWORD-WRONG")[0]
        assert "cannot log in to the database" in first.summary
        assert password not in first.evidence
    finally:
        alter(password)
        kube("rollout", "undo", BACKEND)


def test_tables_that_are_older_than_the_app(kube, diagnosed):
    def version(number):
        kube(
            "exec",
            "-i",
            "todo-app-postgres-0",
            "--",
            "psql",
            "-U",
            "todo",
            "-d",
            "todo",
            stdin=f"UPDATE alembic_version SET version_num = '{number}';\n",
        )

    current = kube(
        "exec",
        "todo-app-postgres-0",
        "--",
        "psql",
        "-U",
        "todo",
        "-d",
        "todo",
        "-Atc",
        "SELECT version_num FROM alembic_version",
    ).strip()
    version("0001")
    try:
        assert "migrations are pending" in diagnosed("MIGRATIONS-PENDING")[0].evidence
    finally:
        version(current)


@pytest.mark.parametrize(
    ("manifest", "code", "words"),
    [
        (
            {
                "kind": "PersistentVolumeClaim",
                "spec": {
                    "storageClassName": "nowhere",
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Mi"}},
                },
            },
            "CLAIM-PENDING",
            "storage class nowhere does not exist",
        ),
        (
            {"kind": "ResourceQuota", "spec": {"hard": {"pods": "3"}}},
            "QUOTA-EXCEEDED",
            "exceeded quota",
        ),
    ],
)
def test_what_the_namespace_lacks_or_forbids(kube, diagnosed, manifest, code, words):
    kube(
        "apply",
        "-f",
        "-",
        stdin=yaml.safe_dump({"apiVersion": "v1", "metadata": {"name": "fault"}, **manifest}),
    )
    try:
        if code == "QUOTA-EXCEEDED":
            kube("rollout", "restart", FRONTEND)
        first = diagnosed(code)[0]
        assert words in first.summary + first.evidence
    finally:
        kube("delete", manifest["kind"].lower(), "fault")
        if code == "QUOTA-EXCEEDED":
            kube("rollout", "undo", FRONTEND)


def test_a_node_that_takes_no_pods(kube, diagnosed, run):
    node = run.settings.cluster.profile
    kube("cordon", node)
    try:
        assert "cordoned" in diagnosed("NODE-NOT-READY")[0].summary
    finally:
        kube("uncordon", node)


def test_a_taint_that_no_pod_tolerates(kube, diagnosed, run):
    node = run.settings.cluster.profile
    kube("taint", "node", node, "fault=yes:NoSchedule")
    try:
        kube("rollout", "restart", FRONTEND)
        first = diagnosed("POD-PENDING")[0]
        assert "taint" in first.evidence
    finally:
        kube("taint", "node", node, "fault=yes:NoSchedule-")


def test_a_controller_that_does_not_run(kube, diagnosed):
    kube("scale", "deployment/traefik", "-n", "ingress", "--replicas=0")
    try:
        first = diagnosed("INGRESS-CONTROLLER-DOWN")[0]
        assert "/api/health does not answer" in first.evidence
    finally:
        kube("scale", "deployment/traefik", "-n", "ingress", "--replicas=1")


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("secret", "todo-app-credentials", "Secret todo-app-credentials"),
        ("configmap", "todo-app-config", "ConfigMap todo-app-config"),
    ],
)
def test_what_the_next_pod_would_lack(kube, as_json, diagnosed, kind, name, words):
    kept = as_json("get", kind, name)
    kube("delete", kind, name)
    try:
        assert words in diagnosed("CONFIG-MISSING")[0].summary
    finally:
        kept["metadata"] = {
            key: kept["metadata"][key]
            for key in ("name", "labels", "annotations")
            if key in kept["metadata"]
        }
        kube("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(kept))


def test_names_inside_the_cluster_that_do_not_resolve(kube, diagnosed):
    kube("scale", "deployment/coredns", "-n", "kube-system", "--replicas=0")
    try:
        assert "kube-dns does not run" in diagnosed("CLUSTER-SYSTEM-DOWN")[0].summary
    finally:
        kube("scale", "deployment/coredns", "-n", "kube-system", "--replicas=1")


def test_a_rollout_that_somebody_paused(kube, diagnosed):
    kube("rollout", "pause", FRONTEND)
    try:
        kube("set", "env", FRONTEND, "PAUSED=yes")
        diagnosed("ROLLOUT-PAUSED")
    finally:
        kube("rollout", "resume", FRONTEND)
        kube("set", "env", FRONTEND, "PAUSED-")


def test_a_release_that_helm_left_pending(kube, found, run, diagnosed):
    name = run.settings.release.name
    newest = kube(
        "get",
        "secrets",
        "-l",
        f"owner=helm,name={name}",
        "--sort-by=.metadata.creationTimestamp",
        "-o",
        "name",
    ).split()[-1]
    # Helm reads a release's state from its record: it is written as an interrupted helm leaves it.
    helm = [
        str(found["helm"].path),
        "--namespace",
        run.settings.release.namespace,
        "--kube-context",
        run.settings.context,
    ]
    slow = subprocess.Popen(
        [
            *helm,
            "upgrade",
            name,
            "helm-chart",
            "--reuse-values",
            "--set",
            "frontend.image.tag=nowhere",
            "--wait",
            "--force-conflicts",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pending = [
            "get",
            "secrets",
            "-l",
            f"owner=helm,name={name},status=pending-upgrade",
            "-o",
            "name",
        ]
        assert run.shell.until(lambda: bool(kube(*pending).strip()), 20, 0.2)
        slow.kill()
        slow.wait()
        first = diagnosed("RELEASE-STUCK")[0]
        assert "pending-upgrade" in first.summary
        assert newest
    finally:
        slow.kill()
        subprocess.run(["invoke", "deploy", "--yes"], capture_output=True, check=True, timeout=300)


def test_a_release_that_is_not_there(run, found):
    from dataclasses import replace

    from scripts.checks.diagnosis import diagnose

    elsewhere = replace(
        run,
        settings=run.settings.model_copy(
            update={"release": run.settings.release.model_copy(update={"namespace": "default"})}
        ),
    )
    assert [one.code for one in diagnose(elsewhere, found)][:1] == ["RELEASE-MISSING"]


def test_a_cluster_that_is_stopped(run, found, docker, diagnosed):
    run.shell.run(docker.client, "stop", "--time", "30", run.settings.cluster.profile)
    try:
        first = diagnosed("CLUSTER-NOT-RUNNING")[0]
        assert "exited" in first.summary
    finally:
        subprocess.run(["invoke", "deploy", "--yes"], capture_output=True, check=True, timeout=400)


def test_a_host_name_that_leads_elsewhere(run, diagnosed, monkeypatch):
    monkeypatch.setattr("scripts.release.access.resolve", lambda host: "203.0.113.9")
    assert "203.0.113.9" in diagnosed("HOSTS-ENTRY")[0].evidence
    monkeypatch.undo()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    diagnosed("PROXY-IN-THE-WAY")
