"""Three nodes: pods on all of them, policies between them, and the loss of each kind of node."""

import json
import threading
import time

import pytest

from scripts.session.run import Run
from scripts.session.settings import Settings
from scripts.session.shell import Shell
from scripts.supply import tools
from tests.chaos.load import Load, somebody, titles
from tests.clusters.conftest import invoke, run

PROFILE, PORT, NAMESPACE = "three", "18101", "todo-app"
RATE, THREADS, WRITES, PAGES = 20.0, 10, 5, 3
LOST = 60.0  # seconds that a lost node is watched: its pods are endpoints for 40 to 50 of them


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Run a task with three nodes and three replicas of what keeps no data."""
    values = tmp_path_factory.mktemp("three") / "values.yaml"
    values.write_text("frontend: {replicas: 3}\nbackend: {replicas: 3}\n")
    env = {
        "INVOKE_PHASE4_CLUSTER_PROFILE": PROFILE,
        "INVOKE_PHASE4_CLUSTER_INGRESS_PORT": PORT,
        "INVOKE_PHASE4_CLUSTER_NODES": "3",
        "INVOKE_PHASE4_CLUSTER_MEMORY": "2500",
        "INVOKE_PHASE4_CLUSTER_CONTEXT": "",
        "INVOKE_PHASE4_RELEASE_VALUES": str(values),
        "INVOKE_PHASE4_HOSTS_FILE": "skip",
    }
    yield lambda *words, **options: invoke(*words, env=env, **options)
    invoke("destroy", "--yes", env=env)


@pytest.fixture(scope="module")
def deployed(task):
    task("deploy", "--yes")


@pytest.fixture(scope="module")
def kubectl(deployed):
    looking = Run(Settings(), Shell(), lambda text: None, lambda what: True)
    path = str(tools.ensure(looking, "kubectl", upstream=False).path)
    return lambda *words, **more: run(path, "--context", PROFILE, "-n", NAMESPACE, *words, **more)


@pytest.fixture
def places(kubectl):
    """The nodes of a component's pods."""

    def look(component):
        said = kubectl(
            "get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "json"
        )
        return [one["spec"]["nodeName"] for one in json.loads(said)["items"]]

    return look


@pytest.fixture
def user(deployed):
    return somebody(f"http://127.0.0.1:{PORT}", "todo.local")


@pytest.fixture
def loaded(user):
    """Requests as they are told, while something happens."""

    def load():
        return Load(user, RATE, THREADS, WRITES, again=True, pages=PAGES)

    return load


def docker(*words):
    return run("docker", *words)


def a_worker(places):
    """A worker that has pods of the app, and not the database."""
    (database,) = places("postgres")
    there = {*places("backend"), *places("frontend")} - {PROFILE, database}
    assert there, "no worker has pods of the app but that of the database"
    return min(there)


def test_pods_are_spread_and_images_are_on_every_node(kubectl, places):
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    assert len({one["spec"]["podCIDR"] for one in nodes}) == len(nodes) == 3
    for component in ("frontend", "backend"):
        assert len(set(places(component))) >= 2, component


def test_policies_hold_across_nodes(kubectl, places, tmp_path):
    """The frontend on another node does not reach the database; without policies it would."""
    (database,) = places("postgres")
    label = "app.kubernetes.io/component=frontend"
    front = json.loads(kubectl("get", "pods", "-l", label, "-o", "json"))["items"]
    other = next(one for one in front if one["spec"]["nodeName"] != database)["metadata"]["name"]
    asked = ("get", "pod", "todo-app-postgres-0", "-o", "jsonpath={.status.podIP}")
    address = kubectl(*asked).split()[-1]

    def reaches():
        knock = f"timeout 3 bash -c '< /dev/tcp/{address}/5432' && echo reached || echo refused"
        return "reached" in kubectl("exec", other, "--", "bash", "-c", knock).split()

    assert not reaches()
    policies = tmp_path / "policies.json"
    policies.write_text(kubectl("get", "networkpolicies", "-o", "json"))
    kubectl("delete", "networkpolicies", "--all")
    try:
        deadline = time.monotonic() + 30
        while not reaches():
            assert time.monotonic() < deadline, "not even without policies: this proves nothing"
    finally:
        kubectl("create", "-f", str(policies))
    deadline = time.monotonic() + 30
    while reaches():
        assert time.monotonic() < deadline, "the policies are there again, and do not hold"


def test_a_drained_node_costs_no_request(kubectl, places, loaded):
    worker = a_worker(places)
    with loaded() as load:
        time.sleep(5)
        kubectl("drain", worker, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
        time.sleep(10)
    kubectl("uncordon", worker)
    print(f"drained {worker}: {load.sent} requests, {dict(load.failed)}, {load.slowest:.1f} s")
    assert load.sent > 100
    assert not load.failed
    assert not load.lost()


def test_a_node_that_is_gone_is_gone_around(task, kubectl, places, loaded):
    kubectl("rollout", "restart", "deployment/todo-app-backend", "deployment/todo-app-frontend")
    for name in ("backend", "frontend"):
        kubectl("rollout", "status", f"deployment/todo-app-{name}", "--timeout=180s")
    worker = a_worker(places)
    with loaded() as load:
        time.sleep(5)
        docker("stop", "--time", "30", worker)
        time.sleep(LOST)
    print(f"stopped {worker}: {load.sent} requests, {dict(load.failed)}, {load.slowest:.1f} s")
    assert load.sent > 300
    # What was under way on that node is lost with it; all else goes to another.
    assert sum(load.failed.values()) <= load.sent // 100, load.failed
    assert not load.lost()
    task("cluster-up", "--yes")
    kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")


def test_the_database_comes_back_with_its_node(task, kubectl, places, loaded, user):
    (worker,) = places("postgres")
    kept = user.post("/todos", {"title": "before its node went"})
    with loaded() as load:
        time.sleep(5)
        gone = time.monotonic()
        docker("stop", "--time", "30", worker)
        back = threading.Thread(target=task, args=("deploy", "--yes"))
        back.start()
        back.join(600)
        deadline = time.monotonic() + 120
        while not load.steady() and time.monotonic() < deadline:
            time.sleep(1)
    print(f"the node of the database: writes again after {load.back_after(gone):.0f} s")
    assert not load.lost()
    assert kept["title"] in titles(user)


def test_the_tasks_that_look_work_with_three_nodes(task):
    for name in ("diagnose", "status", "health"):  # each ends with 0 only if nothing is wrong
        task(name)
