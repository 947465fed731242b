"""What the plan asks of the cluster and of the release, looked at where it runs."""

import base64
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from scripts.cluster.facts import read as facts
from scripts.cluster.kubectl import kubectl
from scripts.images import transport
from scripts.machine.engine import Engine
from scripts.release import rollout


def test_the_node_is_ready_and_answers_for_its_usage(run, found):
    nodes = json.loads(kubectl(run, found, "get", "nodes", "-o", "json").stdout)["items"]
    conditions = {one["type"]: one["status"] for one in nodes[0]["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    # metrics-server answers a minute or two after it came up: its first window must be full.
    assert run.shell.until(lambda: kubectl(run, found, "top", "nodes", check=False).ok, 240, 3)


def test_addons_that_the_plan_names(run, found):
    listed = json.loads(
        run.shell.run(
            found["minikube"].path,
            "addons",
            "list",
            "-p",
            run.settings.cluster.profile,
            "-o",
            "json",
        ).stdout
    )
    assert listed["metrics-server"]["Status"] == "enabled"
    known = facts(run, found)
    assert known.default_storage_class
    assert known.ingress_class
    assert any(pod.endswith("Running") for pod in known.controller_pods)


def test_every_pod_runs_and_every_service_has_endpoints(state):
    objects = state()
    pods = [
        item
        for item in objects
        if item["kind"] == "Pod" and not item["metadata"].get("deletionTimestamp")
    ]
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert components == {"frontend", "backend", "postgres"}
    assert set(rollout.endpoints(objects).values()) == {1}
    assert rollout.unready(objects) == []


def test_the_node_has_our_images_and_pods_run_content_tags(run, docker: Engine, state):
    (node,) = transport.nodes(run.settings.cluster.profile)
    pods = [
        item
        for item in state()
        if item["kind"] == "Pod" and not item["metadata"].get("deletionTimestamp")
    ]
    names = {one["image"] for pod in pods for one in pod["spec"]["containers"]}
    held = transport.holdings(run, docker, node, names)
    for pod in pods:
        for status, container in zip(
            pod["status"]["containerStatuses"], pod["spec"]["containers"], strict=True
        ):
            assert not container["image"].endswith(":latest")
            here = run.shell.run(
                docker.client, "image", "inspect", "--format", "{{.Id}}", container["image"]
            ).stdout.strip()
            name = transport.normalized(container["image"])
            assert here in (held.images[name], held.manifests[name])
            assert status["imageID"].endswith(held.images[name])
            # The comparison for images that came by another way comes to the same.
            inspect = ("crictl", "inspecti", "-o", "json", held.images[name])
            there = run.shell.run(docker.client, "exec", node.name, *inspect).stdout
            assert transport.contents_here(
                run.shell.run(docker.client, "image", "inspect", container["image"]).stdout
            ) == transport.contents_there(there)


def test_the_backend_listens_on_8001_and_nothing_on_8000(as_json, kube):
    script = (
        "import socket; print([port for port in (8000, 8001) if "
        "socket.socket().connect_ex(('127.0.0.1', port)) == 0])"
    )
    assert (
        kube("exec", "deploy/todo-app-backend", "--", "python3", "-c", script).strip() == "[8001]"
    )


def test_nothing_runs_as_root_or_writes_to_its_image(kube):
    for target in (
        "deploy/todo-app-frontend",
        "deploy/todo-app-backend",
        "statefulset/todo-app-postgres",
    ):
        assert (
            kube(
                "exec",
                target,
                "--",
                "sh",
                "-c",
                "id -u; touch /x 2>/dev/null && echo writable || echo read-only",
            ).split()[1]
            == "read-only"
        )
        assert kube("exec", target, "--", "id", "-u").strip() != "0"


def test_secrets_are_nowhere_but_in_their_secret(run, found, kube, as_json, docker):
    secrets = {
        base64.b64decode(value).decode()
        for value in as_json("get", "secret", "todo-app-credentials")["data"].values()
    }
    assert len(secrets) >= 3
    helm = ["--namespace", run.settings.release.namespace, "--kube-context", run.settings.context]
    places = {
        "ConfigMap": kube("get", "configmaps", "-o", "yaml"),
        "values": run.shell.run(
            found["helm"].path, "get", "values", "todo-app", "--all", *helm
        ).stdout,
        "manifest": run.shell.run(found["helm"].path, "get", "manifest", "todo-app", *helm).stdout,
        "logs": kube("logs", "-l", "app.kubernetes.io/instance=todo-app", "--tail=-1"),
        "pods": kube("get", "pods", "-o", "yaml"),
        "transcripts": "".join(
            path.read_text() for path in (run.settings.cache / "logs").glob("2*.log")
        ),
        "image layers": "".join(
            run.shell.run(
                docker.client, "history", "--no-trunc", pod["spec"]["containers"][0]["image"]
            ).stdout
            for pod in as_json("get", "pods")["items"]
        ),
    }
    for place, text in places.items():
        assert text or place == "logs"
        for secret in secrets:
            assert secret not in text, f"a secret is in the {place}"


def test_no_secret_passes_through_a_command_line(run, kube, as_json):
    """The process list is sampled while the release is upgraded with a key that is new."""
    key = "sk-e2e-" + "k" * 30
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if key.encode() in line:
                    seen.append(line)
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        subprocess.run(
            ["invoke", "install", "--yes"],
            check=True,
            env={**os.environ, "OPENAI_API_KEY": key},
            capture_output=True,
        )
    finally:
        done.set()
        watcher.join()
        # The key is no real one: take it out again, so that the assistant stays the offline one.
        kube(
            "patch",
            "secret",
            "todo-app-credentials",
            "--type=json",
            '-p=[{"op": "remove", "path": "/data/OPENAI_API_KEY"}]',
        )
        subprocess.run(["invoke", "deploy", "--yes"], check=True, capture_output=True)
    assert seen == []


def test_a_second_deploy_changes_nothing(run, as_json):
    def staying():
        return {
            pod["metadata"]["uid"]
            for pod in as_json("get", "pods")["items"]
            if not pod["metadata"].get("deletionTimestamp")
        }

    before = staying()
    started = time.monotonic()
    subprocess.run(["invoke", "deploy", "--yes"], check=True, capture_output=True)
    assert time.monotonic() - started < 60
    assert staying() == before
