"""Faults that no live cluster here can be given.

Scripts play the tools, and answer as the tools do then.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.app import survey
from scripts.checks import support
from scripts.checks.diagnosis import machine
from scripts.cluster import addons, minikube
from scripts.images import plans, transport, trials
from scripts.machine import engine as docker
from scripts.machine.engine import Engine
from scripts.release import apps, chart, database, helm, installation, rollback, rollout, secret
from scripts.session.findings import CODES, Failure
from scripts.session.settings import ROOT
from scripts.supply import golang, tools
from scripts.supply.tools import Found

SECRETS = secret.Secrets({}, (), (), "", False)
LOADED = transport.Loaded({}, ())
PLAN = plans.Plan(
    "todo-chatbot-backend",
    "todo-chatbot-backend:1",
    "",
    Path("backend.Dockerfile"),
    Path(),
    (),
    {},
    8001,
    "/health",
)
ENGINE = Engine("docker", "20.10.24", "/nowhere", "overlay2", 2, 1 << 34)


@pytest.fixture
def play(stub):
    """Let a program print `said` (on stderr with a status other than 0)."""
    return lambda name, said="", status=0: stub(
        name,
        f"cat >/dev/null 2>&1 </dev/null; printf '%s\\n' '{said}' {'>&2' if status else ''}; exit "
        f"{status}",
    )


@pytest.fixture
def found():
    return {
        name: Found(name, Path(name), "v4.2.3", "PATH") for name in ("kubectl", "helm", "minikube")
    }


def _code(caught):
    return caught.value.findings[0].code


def test_no_engine_and_nobody_who_may_install_one(make_run, stub, monkeypatch):
    monkeypatch.setattr(docker, "_clients", lambda run: [])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for look in (docker.ensure, docker.present):
        with pytest.raises(Failure) as caught:
            look(make_run())
        assert _code(caught) == "ENGINE-MISSING"
        assert caught.value.findings[0].remedy


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Cannot connect to the Docker daemon", "ENGINE-UNREACHABLE"),
        ("permission denied while trying to connect", "ENGINE-NOT-PERMITTED"),
    ],
)
def test_an_engine_that_does_not_answer(make_run, play, monkeypatch, words, code):
    play("docker", words, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    for look in (docker.ensure, docker.present):
        with pytest.raises(Failure) as caught:
            look(make_run())
        assert (_code(caught), words in caught.value.findings[0].evidence) == (code, True)


def test_a_client_that_cannot_build(make_run, stub, monkeypatch):
    info = json.dumps(
        {
            "ServerVersion": "28.0",
            "DockerRootDir": "/",
            "Driver": "overlay2",
            "NCPU": 2,
            "MemTotal": 1,
        }
    )
    path = stub(
        "docker",
        f"case $1 in info) echo '{info}';; --version) echo Docker version 28.0.0;; *) exit 1;; "
        "esac",
    )
    monkeypatch.setattr(docker, "_clients", lambda run: [str(path)])
    with pytest.raises(Failure) as caught:
        docker.ensure(make_run())
    assert _code(caught) == "ENGINE-CLIENT"


def test_a_proxy_that_does_not_deliver_is_told_from_code_that_does_not_compile():
    assert (
        golang._explain("etcd", "go: dial tcp: lookup proxy: no such host").findings[0].code
        == "REGISTRY-UNREACHABLE"
    )
    assert (
        golang._explain("etcd", "./main.go:3:1: syntax error").findings[0].code
        == "SOURCE-BUILD-FAILED"
    )


def test_a_cluster_that_does_not_start_says_minikubes_words(make_run, stub, found):
    error = {
        "type": "io.k8s.sigs.minikube.error",
        "data": {
            "message": "no space left on device",
            "name": "GUEST_PROVISION",
            "advice": "free some",
        },
    }
    stub("minikube", f"echo '{json.dumps(error)}'; exit 80")
    stub("docker", "exit 1")
    with pytest.raises(Failure) as caught:
        minikube._start(make_run(), ENGINE, found["minikube"], None, exists=False)
    finding = caught.value.findings[0]
    assert (finding.code, finding.remedy) == ("CLUSTER-START-FAILED", "free some")
    assert "no space left on device" in finding.evidence


def test_a_cluster_under_an_engine_that_was_started_in_another_way(make_run, stub, found):
    words = "Error response from daemon: Unknown runtime specified narrowed"
    error = {"type": "io.k8s.sigs.minikube.error", "data": {"message": words}}
    stub("minikube", f"echo '{json.dumps(error)}'; exit 80")
    with pytest.raises(Failure) as caught:
        minikube._start(make_run(), ENGINE, found["minikube"], None, exists=True)
    finding = caught.value.findings[0]
    assert "the one that runs now was started in another way" in finding.summary
    assert finding.remedy.startswith("end that engine")


def test_an_addon_that_does_not_come_up(make_run, stub, found):
    stub(
        "kubectl",
        'for word; do [ "$word" = wait ] && echo timed out >&2 && exit 1; done; echo traefik-1 '
        "0/1 Pending",
    )
    with pytest.raises(Failure) as caught:
        addons._wait_available(make_run(), found, ["ingress/traefik"])
    assert _code(caught) == "ADDON-NOT-READY"
    assert "traefik-1 0/1 Pending" in caught.value.findings[0].evidence


def test_an_app_that_is_not_there(tmp_path):
    with pytest.raises(Failure) as caught:
        survey.read(tmp_path / "nowhere")
    assert _code(caught) == "APP-NOT-FOUND"


def test_an_image_that_does_not_run(make_run, stub):
    stub(
        "docker",
        "case $1 in run) echo c1;; port) echo 127.0.0.1:1;; logs) echo ModuleNotFoundError: app;; "
        "container) echo false;; esac",
    )
    with pytest.raises(Failure) as caught:
        trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:candidate", PLAN)
    assert _code(caught) == "IMAGE-RUN-FAILED"
    assert "ModuleNotFoundError: app" in caught.value.findings[0].summary


def test_an_image_that_does_not_arrive_by_any_way(make_run, stub, found, monkeypatch, tmp_path):
    stub(
        "docker",
        """case "$*" in *crictl*) printf '{"images": []}\\n----\\n----\\n';;"""
        " *) cat >/dev/null </dev/null;; esac",
    )
    stub("minikube", "exit 0")  # as minikube does: nothing arrives, and the status is 0
    monkeypatch.setattr(
        transport, "nodes", lambda profile: (transport.Node("n", "containerd", "n"),)
    )
    with pytest.raises(Failure) as caught:
        transport.load_images(
            make_run(),
            replace(ENGINE, root=str(tmp_path)),
            found["minikube"],
            {"todo:1": "sha256:1"},
            "python",
        )
    assert _code(caught) == "IMAGE-LOAD-FAILED"


@pytest.mark.parametrize("verb", ["lint", "template"])
def test_a_chart_that_helm_refuses(make_run, stub, found, verb):
    stub(
        "helm",
        f"[ $1 = {verb} ] && echo 'at backend.replicas: got string, want integer' >&2 && exit 1; "
        "exit 0",
    )
    with pytest.raises(Failure) as caught:
        chart.validate(make_run(), found, {"backend": {"replicas": "x"}})
    assert _code(caught) == "CHART-INVALID"
    assert "backend.replicas" in caught.value.findings[0].evidence


def test_an_app_without_its_database_is_tried_in_the_cluster(make_run, stub, said):
    stub(
        "docker",
        "case $1 in run) echo c1;; port) echo 127.0.0.1:1;; logs) echo OperationalError: "
        "Connection refused;; container) echo false;; esac",
    )
    trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:candidate", PLAN)
    assert "tried in the cluster" in said[-1]


def _deployed(**more):
    return helm.Deployed(
        {
            "revision": "3",
            "status": "deployed",
            "chart": "todo-chatbot-0.2.0",
            "description": "d",
            **more,
        }
    )


def test_a_release_of_another_chart_is_not_touched(make_run, found):
    with pytest.raises(Failure) as caught:
        installation.install(
            make_run(),
            found,
            _deployed(chart="wordpress-1.0.0"),
            chart.Rendered({}, (), "k"),
            LOADED,
            SECRETS,
        )
    assert _code(caught) == "RELEASE-NOT-OURS"


def test_another_app_does_not_take_the_place_of_the_one_that_runs(make_run, stub, found, tmp_path):
    other, run = tmp_path / "other", make_run(release={"name": "mine"})
    other.mkdir()
    stub("kubectl", f'echo "$*" >> {tmp_path}/asked; case "$*" in *get*) echo {other};; esac')
    with pytest.raises(Failure) as caught:
        apps.check_same(run, found, {})
    assert _code(caught) == "RELEASE-NOT-OURS"
    assert str(other) in caught.value.findings[0].summary
    apps.check_same(make_run(), found, {})  # the plan's names are for any folder
    assert "annotate" not in (tmp_path / "asked").read_text()
    other.rmdir()  # a folder that was moved
    apps.check_same(run, found, {})
    assert "annotate --overwrite namespace" in (tmp_path / "asked").read_text()
    stub("kubectl", "true")  # a namespace that says nothing of an app
    apps.check_same(run, found, {})


def test_an_app_in_the_release_of_an_earlier_version_is_told_its_way(make_run, found):
    with pytest.raises(Failure) as caught:
        apps.check_same(make_run(), found, {"storage": {"folder": "mine"}})
    assert _code(caught) == "RELEASE-NOT-OURS"
    assert "invoke db-dump" in caught.value.findings[0].remedy


def test_an_app_that_is_not_there_is_not_removed(make_run, stub, found):
    stub("helm", "echo '[]'")
    stub("kubectl", """echo '{"items": []}'""")
    with pytest.raises(Failure) as caught:
        apps.remove(make_run(), found)
    assert _code(caught) == "RELEASE-MISSING"


def test_an_app_that_goes_leaves_the_images_that_others_use(make_run, stub, found):
    release = make_run().settings.release

    def workload(namespace, *images):
        containers = [{"image": image} for image in images]
        spec = {"template": {"spec": {"initContainers": containers[1:], "containers": containers}}}
        metadata = {"namespace": namespace, "name": "a"}
        return {"kind": "ReplicaSet", "metadata": metadata, "spec": spec}

    entry = {
        "name": release.name, "namespace": release.namespace, "chart": "todo-chatbot-1",
        "revision": "1", "updated": "2026-01-01T00:00:00", "status": "deployed",
    }  # fmt: skip
    stub("helm", f"echo '{json.dumps([entry])}'")
    own = ("todo-chatbot-backend:1", "todo-chatbot-backend:2", "postgres:16")
    items = [workload(release.namespace, *own), workload("other", "todo-chatbot-backend:2")]
    stub(
        "kubectl",
        f"""case "$*" in *replicasets*) echo '{json.dumps({"items": items})}' ;;"""
        """ *) echo '{"items": []}' ;; esac""",
    )
    assert apps.remove(make_run(hosts_file="skip"), found) == {"todo-chatbot-backend:1"}


def test_a_release_that_helm_cannot_install(make_run, stub, found):
    stub("helm", "echo 'Error: another operation is in progress' >&2; exit 1")
    stub(
        "kubectl",
        """case "$*" in *"get secret"*) echo '{}';; *apply*) echo 7;;"""
        """ *) echo '{"items": []}';; esac""",
    )
    with pytest.raises(Failure) as caught:
        installation.install(
            make_run(),
            found,
            helm.Deployed(None),
            chart.Rendered({"database": {"kind": "file"}}, (), "k"),
            LOADED,
            SECRETS,
        )
    assert _code(caught) == "RELEASE-FAILED"
    assert "another operation is in progress" in caught.value.findings[0].evidence


def test_an_old_volume_does_not_get_a_new_password(make_run, stub, found):
    stub(
        "kubectl",
        """case "$*" in *pvc*) echo persistentvolumeclaim/data-todo-app-postgres-0;; esac""",
    )
    with pytest.raises(Failure) as caught:
        secret.put_secrets(make_run(), found, replace(SECRETS, scheme="postgresql"))
    assert _code(caught) == "DATABASE-PASSWORD-LOST"


def test_there_is_nothing_to_go_back_to(make_run, stub, found):
    stub(
        "helm",
        """case $1 in history) echo '[{"revision": 1, "updated": "","""
        """ "status": "deployed", "description": ""}]';; *) echo '{}';; esac""",
    )
    with pytest.raises(Failure) as caught:
        rollback.rollback(make_run(), found, 0)
    assert _code(caught) == "ROLLBACK-FAILED"


def test_a_database_that_is_not_ours_and_dumps_that_are_none(make_run, stub, found, tmp_path):
    stub("kubectl", "exit 0")
    with pytest.raises(Failure) as caught:
        database.dump(make_run(), found, tmp_path / "dump")
    assert _code(caught) == "DATABASE-NOT-OURS"
    (tmp_path / "no.dump").write_text("DROP TABLE todos;")
    with pytest.raises(Failure) as caught:
        database.restore(make_run(), found, tmp_path / "no.dump", ())
    assert _code(caught) == "RESTORE-FAILED"
    stub(
        "kubectl",
        """case "$*" in *"get pod"*) printf Running;;"""
        " *) echo 'connection refused' >&2; exit 1;; esac",
    )
    (tmp_path / "dump").write_text("the one before")
    with pytest.raises(Failure) as caught:
        database.dump(make_run(), found, tmp_path / "dump")
    assert _code(caught) == "DUMP-FAILED"
    assert (tmp_path / "dump").read_text() == "the one before"


def test_a_rollout_that_takes_too_long_without_a_clearer_cause(make_run, stub, found, monkeypatch):
    deployment = {
        "kind": "Deployment", "metadata": {"name": "todo-app-backend", "generation": 2},
        "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": []}}},
        "status": {"observedGeneration": 1},
    }  # fmt: skip
    stub("kubectl", f"echo '{json.dumps({'items': [deployment]})}'")
    run = make_run(release={"timeout": 30})
    # Only the rollout's own clock: threads that end meanwhile look at the real one.
    clock = SimpleNamespace(monotonic=iter([0.0, 0.0, 31.0, 31.0, 31.0]).__next__)
    monkeypatch.setattr(rollout, "time", clock)
    monkeypatch.setattr(rollout, "look", lambda *_: [deployment])
    monkeypatch.setattr(run.shell, "wait", lambda seconds: None)
    with pytest.raises(Failure) as caught:
        rollout.monitor(run, found)
    assert _code(caught) == "ROLLOUT-TIMEOUT"


def test_certificates_that_are_out_of_their_time(make_run, play, found):
    play("kubectl", "x509: certificate has expired or is not yet valid", 1)
    assert machine.cluster_down(make_run(), ENGINE, found).code == "CERTIFICATE-EXPIRED"


def test_a_kubeconfig_without_the_context(make_run, play, found):
    play("kubectl", 'error: context "todo-chatbot" does not exist', 1)
    assert machine.cluster_down(make_run(), ENGINE, found).code == "CONTEXT-MISSING"


def test_an_engine_with_less_memory_than_the_cluster_wants(make_run):
    with pytest.raises(Failure) as caught:
        minikube._check_memory(make_run(), replace(ENGINE, memory=2 << 30))
    assert _code(caught) == "MEMORY-TOO-SMALL"
    assert "2048 MiB" in caught.value.findings[0].summary
    minikube._check_memory(make_run(), ENGINE)


def test_a_tool_for_another_processor_is_passed_over_and_said(make_run, stub, said):
    path = stub("kubectl", "")
    path.write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\x00" + bytes(60)
    )  # an ELF header of another machine
    run = make_run()
    reasons = []
    assert tools._on_path(run, "kubectl", reasons) is None
    assert "cannot be started" in reasons[0]
    assert "using one of our own" in said[0]


def test_a_bundle_that_would_hold_a_secret_is_not_written(make_run, found, tmp_path, monkeypatch):
    monkeypatch.setattr(support, "known_secrets", lambda run, tools: {"hunter22hunter22"})
    monkeypatch.setattr(
        support, "collect", lambda *_: {"log.txt": "the password is hunter22hunter22"}
    )
    run = make_run()
    assert support.bundle(run, ENGINE, found, tmp_path / "good.tar.gz") == 1  # masked
    monkeypatch.setattr(type(run.shell), "mask", lambda self, text: text)
    with pytest.raises(Failure) as caught:
        support.bundle(run, ENGINE, found, tmp_path / "bad.tar.gz")
    assert _code(caught) == "BUNDLE-UNSAFE"
    assert not (tmp_path / "bad.tar.gz").exists()


def test_every_code_is_met_in_a_test():
    texts = "".join(
        path.read_text()
        for folder in ("unit", "e2e", "chart", "faults", "apps")
        for path in (ROOT / "tests" / folder).rglob("*.py")
    )
    assert [code for code in CODES if code not in texts] == []
