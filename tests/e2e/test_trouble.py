"""Things go wrong on the live cluster, and the first finding names the cause.

Once the cause is gone the next deploy succeeds.
"""

import json
import os
import shutil
import signal
import subprocess

import pytest
import yaml

from scripts.release import helm, rollout
from scripts.release.chart import CHART
from scripts.session.findings import Failure
from scripts.session.settings import ROOT
from tests.reference_app import PLAN_NAMES

#: A patch: the first variable of the backend comes from a key that its Secret does not have.
OTHER_KEY = (
    '{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/key",'
    ' "value": "NO_SUCH_KEY"}'
)


def _deploy():
    subprocess.run(["invoke", "deploy", "--yes"], check=True, capture_output=True, timeout=300)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (
            ["set", "image", "deploy/todo-app-frontend", "frontend=todo-chatbot-frontend:nowhere"],
            "IMAGE-PULL",
            "todo-chatbot-frontend:nowhere",
        ),
        (
            ["set", "env", "deploy/todo-app-backend", "-c", "backend", "BETTER_AUTH_SECRET=short"],
            "CRASH-LOOP",
            "256 bits",
        ),
        (
            ["patch", "deploy/todo-app-backend", "--type=json", f"-p=[{OTHER_KEY}]"],
            "CONFIG-MISSING",
            "NO_SUCH_KEY",
        ),
    ],
)
def test_a_broken_pod_is_named_with_its_cause_and_the_next_deploy_succeeds_once_it_is_gone(
    run, found, kube, base, user, command, code, words
):
    kube(*command)
    try:
        with pytest.raises(Failure) as caught:
            rollout.monitor(run, found)
        finding = caught.value.findings[0]
        assert finding.code == code
        assert words in finding.summary + finding.evidence
        # The pods that worked go on working while the new ones do not come up.
        assert user.get("/todos") == []
    finally:
        kube("rollout", "undo", command[2] if command[0] == "set" else command[1])
        _deploy()


def test_a_deploy_that_does_not_come_up_goes_back_by_itself(run, found, user, tmp_path):
    before = helm.history(run, found)[-1]
    # A pod that is never created: seen by the monitor only.
    values = {
        "frontend": {
            "extraEnv": [
                {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nowhere", "key": "x"}}}
            ]
        }
    }
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"phase4": {"release": {"values": [str(tmp_path / "values.yaml")]}}})
    )
    result = subprocess.run(
        ["invoke", "-f", str(tmp_path / "mine.yaml"), "deploy", "--yes"],
        capture_output=True,
        text=True,
        timeout=400,
    )
    output = result.stdout + result.stderr
    assert result.returncode not in (0, 1), output
    for code in ("CONFIG-MISSING", "ROLLED-BACK"):
        assert f"{code} in TROUBLESHOOTING.md" in output
    assert f"went back to revision {before.number}, which served before" in output
    after = helm.history(run, found)[-1]
    assert (after.status, after.description, after.images) == (
        "deployed",
        f"Rollback to {before.number}",
        before.images,
    )
    assert rollout.monitor(run, found).pods
    assert user.get("/todos") == []
    _deploy()


def test_an_image_that_does_not_run_reaches_no_pod_and_is_tried_again(run, found, user, tmp_path):
    before = helm.history(run, found)[-1].number
    app = tmp_path / "phase3-chatbot"
    shutil.copytree(
        ROOT / "phase3-chatbot", app, ignore=shutil.ignore_patterns("node_modules", ".next", "out")
    )
    (app / "app" / "todos.py").write_text(
        f"raise ImportError('not today')  # {os.urandom(8).hex()}\n"
    )
    for first in (True, False):
        environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
        result = subprocess.run(
            ["invoke", "deploy", "--yes"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = result.stdout + result.stderr
        assert result.returncode == 15, output
        assert "ImportError: not today (app/todos.py:1)" in output
        assert ("building todo-chatbot-backend" in output) == first, output
    assert helm.history(run, found)[-1].number == before
    assert user.get("/todos") == []


def test_rollback_by_hand_and_its_history(run, found, user):
    todo = user.post("/todos", {"title": "stays"})
    shown = subprocess.run(["invoke", "history"], capture_output=True, text=True, timeout=60)
    assert str(helm.history(run, found)[-1].number) in shown.stdout
    result = subprocess.run(["invoke", "rollback"], capture_output=True, text=True, timeout=200)
    assert "serves again" in result.stdout, result.stdout + result.stderr
    assert user.get(f"/todos/{todo['id']}") == todo
    refused = subprocess.run(
        ["invoke", "rollback", "--revision", "99999"], capture_output=True, text=True, timeout=60
    )
    assert "there is no revision 99999" in refused.stdout + refused.stderr
    assert refused.returncode == 18
    _deploy()


def test_an_interrupted_deploy_says_so_and_the_next_one_succeeds():
    def heed_interrupts():  # a run in the background may have been started with them ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(
        ["invoke", "deploy", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )
    for line in process.stdout:  # in the middle of it
        if "engine" in line:
            break
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "run the same command again" in output
    _deploy()


def test_two_runs_do_not_cross():
    first = subprocess.Popen(
        ["invoke", "deploy", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert first.stdout.readline()  # it holds the lock from its first word on
    second = subprocess.run(
        ["invoke", "deploy", "--yes"], capture_output=True, text=True, timeout=60
    )
    first.communicate(timeout=300)
    assert first.returncode == 0
    assert second.returncode == 10
    assert "DEPLOY-RUNNING" in second.stdout


def test_a_release_that_helm_left_pending_is_taken_back(run, found, kube, as_json):
    """As a helm that was killed leaves it: the newest revision is pending-upgrade."""
    helm = [
        str(found["helm"].path),
        "--namespace",
        run.settings.release.namespace,
        "--kube-context",
        run.settings.context,
    ]
    slow = subprocess.Popen(
        [*helm, "upgrade", run.settings.release.name, str(CHART), "--reuse-values",
         "--set", "backend.replicas=1", "--set", "backend.image.tag=nowhere",
         "--wait", "--timeout=60s", "--force-conflicts"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    pending = [
        "get",
        "secrets",
        "-l",
        f"owner=helm,name={run.settings.release.name},status=pending-upgrade",
        "-o",
        "name",
    ]
    assert run.shell.until(lambda: bool(kube(*pending).strip()), 20, 0.2)
    slow.kill()
    slow.wait()
    assert kube(*pending).strip()
    _deploy()
    assert not kube(*pending).strip()


def test_a_dry_run_tells_everything_and_changes_nothing(run, docker, kube, tmp_path):
    app = tmp_path / "phase3-chatbot"
    shutil.copytree(
        ROOT / "phase3-chatbot",
        app,
        ignore=shutil.ignore_patterns("node_modules", ".next", "out", "data", "__pycache__"),
    )
    (app / "app/main.py").write_text((app / "app/main.py").read_text() + "\n# another\n")

    def world():
        objects = json.loads(
            kube(
                "get",
                "deployments,statefulsets,services,configmaps,secrets,ingresses",
                "-o",
                "json",
            )
        )["items"]
        images = run.shell.run(
            docker.client,
            "image",
            "ls",
            "--no-trunc",
            "--format",
            "{{.Repository}}:{{.Tag}} {{.ID}}",
        ).stdout.splitlines()
        files = {
            path.as_posix()
            for path in run.settings.cache.glob(
                "*/*"
            )  # every kind of entry; Go's are 100,000 files
            if not path.is_relative_to(run.settings.cache / "logs")
        }
        for item in objects:  # what controllers write goes on
            item.pop("status", None)
            item["metadata"] = {
                name: item["metadata"].get(name) for name in ("uid", "generation", "labels")
            }
        return objects, set(images), files  # those of one second are listed in any order

    before = world()
    environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
    result = subprocess.run(
        ["invoke", "deploy", "--dry-run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for words in (
        " build --progress=plain",
        "images import -",
        "helm upgrade todo-app",
        "spec.template.spec.containers.backend.image: ",
        "monitor         known after install",
    ):
        assert words in result.stdout, result.stdout
    assert world() == before
    unchanged = subprocess.run(
        ["invoke", "deploy", "--dry-run"], capture_output=True, text=True, timeout=100
    ).stdout
    assert "    $ " not in unchanged
    assert "nothing to do: nothing to build" in unchanged
