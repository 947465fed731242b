"""A cluster made elsewhere: deploy, change, go back, verify, take away; nothing else differs."""

import shutil
import time

import pytest

from scripts.session.settings import ROOT
from tests.clusters.conftest import PORTS, TEAM, invoke

APP = "todo-elsewhere"
GONE = 120.0  # seconds


@pytest.fixture
def app(tmp_path):
    """The reference app in a folder of its own, so that it can be edited."""
    return shutil.copytree(
        ROOT / "phase3-chatbot",
        tmp_path / APP,
        ignore=shutil.ignore_patterns("node_modules", ".next", "__pycache__", ".env"),
    )


@pytest.fixture(params=["admin", "team"])
def deploying(request, kubeconfig, app, tmp_path):
    """Run a task as one of the two people. Their own minikube's folder is empty."""
    namespace = TEAM if request.param == "team" else APP
    env = {
        "KUBECONFIG": str(kubeconfig),
        "MINIKUBE_HOME": str(tmp_path / "no-minikube"),
        "INVOKE_PHASE4_CLUSTER_INGRESS_PORT": PORTS["DOOR"],
        "INVOKE_PHASE4_RELEASE_NAMESPACE": namespace,
        "INVOKE_PHASE4_HOSTS_FILE": "skip",
    }
    common = ("--context", request.param, "--app", str(app))

    def task(name, *words, more=(), **options):
        return invoke(name, *words, *common, env={**env, **dict(more)}, **options)

    task.who, task.namespace = request.param, namespace
    return task


def test_a_life_of_an_app_leaves_the_cluster_as_it_was(deploying, app, everything, kubectl):
    before = everything()
    told = deploying("check")
    assert f"context {deploying.who}" in told and "Kubernetes v1." in told
    assert ("may not create namespaces" in told) == (deploying.who == "team")

    told = deploying("deploy", "--yes")
    assert "which are containers of this engine" in told
    assert "port-forward" in told if deploying.who == "team" else "to the Ingress at" in told

    main = app / "app" / "main.py"
    main.write_text(main.read_text() + "\n# an edit\n")
    told = deploying("deploy", "--yes")
    assert "revision 2" in told
    told = deploying("deploy", "--yes")
    assert "revision 2, unchanged" in told

    deploying("rollback")
    for task in ("status", "logs", "history", "apps", "diagnose", "health", "cluster-facts"):
        deploying(task)
    deploying("db-dump", "--path", str(app.parent / "todo.dump"))
    deploying("support-bundle", "--path", str(app.parent / "bundle.tar.gz"))
    deploying("verify", "--report", str(app.parent / "report"))

    told = deploying("destroy", "--yes")
    assert "stay in the namespace" in told
    kept = kubectl("get", "persistentvolumeclaims", "-n", deploying.namespace, "-o", "name")
    assert f"data-{APP}-postgres-0" in kept
    deploying("deploy", "--yes")
    deploying("undeploy", "--yes")
    after = everything()
    deadline = time.monotonic() + GONE
    while after.keys() != before.keys() and time.monotonic() < deadline:
        time.sleep(2)  # a volume goes after its claim, an address after its Service
        after = everything()
    assert sorted(after.keys() ^ before.keys()) == []
    assert [name for name, item in after.items() if item != before[name]] == []


@pytest.mark.parametrize("task", ["cluster-up", "cluster-down"])
def test_the_cluster_itself_is_left_alone(deploying, task):
    assert "is not a cluster of this project" in deploying(task, status=13)


def test_a_namespace_of_somebody_else_is_refused_before_anything_is_done(kubeconfig):
    env = {"KUBECONFIG": str(kubeconfig), "INVOKE_PHASE4_RELEASE_NAMESPACE": "kube-system"}
    told = invoke("deploy", "--yes", "--context", "team", env=env, status=13)
    assert "may not deploy to the namespace kube-system" in told
    assert "create deployments" in told


def test_a_context_that_does_not_exist(kubeconfig):
    told = invoke("check", "--context", "prod", env={"KUBECONFIG": str(kubeconfig)}, status=13)
    assert "the kubeconfig has no context prod; it has admin, team" in told


def test_the_nodes_pull_what_was_pushed_to_a_registry(deploying, registry, kubectl):
    """The engine's own layers are not used, though the node is a container of this engine."""
    named = {"INVOKE_PHASE4_IMAGES_REGISTRY": f"{registry}/apps"}
    told = deploying("deploy", "--yes", more=named)
    assert f"by the registry {registry}/apps" in told
    images = "jsonpath={.items[*].status.containerStatuses[*].imageID}"
    pulled = kubectl("get", "pods", "-n", deploying.namespace, "-o", images)
    assert f"{registry}/apps/todo-chatbot-backend@sha256:" in pulled
    told = deploying("deploy", "--yes", more=named)
    assert "unchanged" in told
    deploying("undeploy", "--yes", more=named)
