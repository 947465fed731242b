"""What the dev loop makes of a deployed component, and what it sends."""

import io
import os
import subprocess
import sys
import tarfile

import pytest

from scripts.images.context import context_files
from scripts.images.plans import Plan
from scripts.release import dev
from scripts.session.settings import ROOT

LABELS = {"app.kubernetes.io/name": "todo-chatbot", "app.kubernetes.io/component": "backend"}


@pytest.fixture
def deployed():
    container = {
        "name": "backend", "image": "todo-chatbot-backend:1", "env": [{"name": "X", "value": "1"}],
        "livenessProbe": {"httpGet": {"path": "/health"}},
        "startupProbe": {"httpGet": {"path": "/health"}},
        "readinessProbe": {"httpGet": {"path": "/ready"}, "periodSeconds": 5},
        "lifecycle": {"preStop": {}}, "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }  # fmt: skip
    pod = {
        "containers": [container],
        "initContainers": [{"name": "migrate"}],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "metadata": {"name": "todo-app-backend"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": {**LABELS, "version": "1"}}, "spec": pod},
        },
    }


def test_a_workspace_is_the_same_pod_with_its_source_in_a_volume(deployed):
    made = dev.workspace(deployed, "backend", "todo-chatbot-backend:2")
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert made["metadata"]["name"] == "todo-app-backend-dev"
    assert container["image"] == "todo-chatbot-backend:2"
    assert {"name": "X", "value": "1"} in container["env"]
    assert {"name": "source", "mountPath": "/srv"} in container["volumeMounts"]
    assert [one["name"] for one in pod["initContainers"]] == ["migrate", "copy-source"]
    # As hardened as the pod beside it, and not restarted by what half an edit breaks.
    assert (
        container["securityContext"]
        == pod["initContainers"][1]["securityContext"]
        == {"readOnlyRootFilesystem": True}
    )
    assert not {"livenessProbe", "startupProbe", "lifecycle"} & container.keys()
    assert (
        deployed["spec"]["template"]["spec"]["containers"][0]["image"] == "todo-chatbot-backend:1"
    )


def test_neither_deployment_takes_the_others_pods(deployed):
    made = dev.workspace(deployed, "backend", "x:1")
    assert (
        made["spec"]["selector"]["matchLabels"].items()
        <= made["spec"]["template"]["metadata"]["labels"].items()
    )
    assert (
        not made["spec"]["selector"]["matchLabels"].items()
        <= deployed["spec"]["template"]["metadata"]["labels"].items()
    )


def test_a_loop_that_did_not_end_is_seen_in_the_objects(deployed):
    made = {**dev.workspace(deployed, "backend", "x:1"), "kind": "Deployment"}
    service = {
        "kind": "Service",
        "metadata": {"name": "a", "labels": LABELS},
        "spec": {"selector": LABELS},
    }
    turned = {**service, "spec": {"selector": {**LABELS, dev.MARK: "true"}}}
    old = {"kind": "Pod", "metadata": {"labels": {dev.MARK: "true"}}, "spec": {}}  # ends by itself
    assert dev.is_left([service, made])
    assert dev.is_left([turned])
    assert not dev.is_left([{**deployed, "kind": "Deployment"}, service, old])


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("print(1)\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    dockerfile = ROOT / "backend.Dockerfile"
    return Plan(
        "n",
        "n:1",
        "",
        dockerfile,
        tmp_path,
        context_files(dockerfile, tmp_path),
        {},
        8001,
        "/health",
    )


def test_what_is_sent_and_what_is_deleted(plan):
    data, gone = dev.pack(plan, ["app/main.py", "run.sh", "app/old.py", "app"])
    assert gone == ["app/old.py"]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {
            member.name: (archive.extractfile(member).read(), member.mode) for member in archive
        } == {
            "app/main.py": (b"print(1)\n", 0o644),
            "run.sh": (b"#!/bin/sh\n", 0o755),
        }


def test_what_was_edited_since_the_images_were_planned_is_sent_first(plan, make_run, monkeypatch):
    sent = []
    monkeypatch.setattr(
        dev, "_sync", lambda run, tools, component, plan, pod, names: sent.append(names)
    )
    monkeypatch.setattr(dev.watchfiles, "watch", lambda *folders, **options: iter(()))
    (plan.context / "app/main.py").write_text("print(2)\n")
    (plan.context / "run.sh").unlink()
    (plan.context / "app/new.py").write_text("")
    (plan.context / "app/ignored.log").write_text("")
    dev.watch(make_run(), {}, {"backend": plan}, {"backend": "pod-1"})
    assert sent == [["app/main.py", "app/new.py", "run.sh"]]


def test_changes_of_ignored_files_and_of_other_components_are_not_sent(
    plan, make_run, monkeypatch, tmp_path
):
    sent = []
    monkeypatch.setattr(
        dev, "_sync", lambda run, tools, component, plan, pod, names: sent.append(names)
    )
    batch = {
        (2, f"{tmp_path}/{name}")
        for name in ("app/main.py", "frontend/app/page.tsx", "app/x.log", "data/todo.db")
    } | {(2, "/elsewhere/app/main.py")}
    monkeypatch.setattr(dev.watchfiles, "watch", lambda *folders, **options: iter([batch]))
    dev.watch(make_run(), {}, {"backend": plan}, {"backend": "pod-1"})
    assert sent == [[], ["app/main.py"]]


def test_other_packages_need_other_images(plan, make_run):
    with pytest.raises(dev.Stale, match=r"requirements\.txt"):
        dev._sync(make_run(), {}, "backend", plan, "pod-1", ["app/main.py", "requirements.txt"])


def test_a_component_that_is_none_is_told_before_anything_is_done(tmp_path):
    environment = {**os.environ, "INVOKE_PHASE4_SUPPLY_CACHE": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-m", "invoke", "dev", "--component", "nowhere"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert result.returncode == 2, result.stdout + result.stderr
    assert "there is no component nowhere to develop" in result.stdout
