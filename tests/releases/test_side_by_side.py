"""Two releases of the chart in two namespaces, each an app of several services, side by side.

Each is a small one: files as storage, and the reference backend once more as a service of its own
with a folder of its own, beside a worker without a port.
"""

import json
import subprocess
import time
from contextlib import ExitStack

import pytest
import yaml

from scripts.cluster import facts
from scripts.cluster.kubectl import kubectl
from scripts.release import rollout
from scripts.session.findings import Failure
from scripts.session.settings import ROOT
from tests.api_client import Api, register
from tests.e2e.conftest import namespace
from tests.reference_app import PASSWORD
from tests.releases.conftest import RESTRICTED

CHART = ROOT / "helm-chart"
NAMES = ("side-one", "side-two")
#: Asks the service all the time, by the address that it is given.
WORKER = """
import os, time, urllib.request
while True:
    try:
        print(urllib.request.urlopen(os.environ["ACCOUNTS"] + "/health", timeout=5).status)
    except OSError as error:
        print(error)
    time.sleep(1)
"""
#: Both releases fit beside the deployed one.
SMALL = {"requests": {"cpu": "20m"}}


def _values(name, images, ingress_class):
    accounts = f"http://{name}-accounts:8001"
    return {
        "frontend": {"image": images["frontend"], "resources": SMALL},
        "backend": {
            "image": images["backend"],
            "resources": SMALL,
            "config": {"NEXT_PUBLIC_API_URL": "/api", "ACCOUNTS": accounts},
        },
        "database": {"kind": "file"},
        "storage": {"keep": False},
        "serviceDefaults": {"resources": SMALL},
        "services": {
            "accounts": {
                "image": images["backend"],
                "port": 8001,
                "healthPath": "/health",
                "readyPath": "/ready",
                "env": {"DATA_DIR": "/data"},
                "secretKeys": {"BETTER_AUTH_SECRET": "BETTER_AUTH_SECRET"},
                "paths": ["/auth"],
                "data": {"path": "/data", "size": "64Mi"},
            },
            "worker": {
                "image": images["backend"],
                "command": ["python3", "-u", "-c", WORKER],
                "env": {"ACCOUNTS": accounts},
                "readOnlyRootFilesystem": False,
            },
        },
        "ingress": {"host": f"{name}.localhost", "extraHosts": [], "className": ingress_class},
    }


@pytest.fixture(scope="module")
def helm(run, found):
    """helm in a namespace, which has the release's name."""

    def helm(name, *arguments, values=None):
        argv = [found["helm"].path, "--kube-context", run.settings.context, "-n", name, *arguments]
        stdin = yaml.safe_dump(values) if values else None
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return helm


@pytest.fixture(scope="module")
def on(run, found):
    """kubectl in the namespace of a release; the text it prints."""
    return lambda name, *arguments, **options: (
        kubectl(run, found, "-n", name, *arguments, **options).stdout
    )


@pytest.fixture(scope="module")
def namespaces(run, found):
    """A namespace for each, which admits `restricted` pods only."""
    with ExitStack() as made:
        for name in NAMES:
            made.enter_context(namespace(run, found, name, **RESTRICTED))
        yield


@pytest.fixture(scope="module")
def releases(run, found, helm, namespaces):
    """Both, installed and ready."""
    release = run.settings.release
    given = json.loads(helm(release.namespace, "get", "values", release.name, "-o", "json"))
    images = {name: given[name]["image"] for name in ("frontend", "backend")}
    for name in NAMES:
        values = _values(name, images, given["ingress"]["className"])
        helm(name, "install", name, str(CHART), "-f", "-", values=values)
    for name in NAMES:  # volumes take their time, one after another
        scope = ("-n", name, "rollout", "status", "--timeout=300s")
        for component in ("frontend", "backend", "accounts", "worker"):
            kubectl(run, found, *scope, f"deployment/{name}-{component}", timeout=310)
    return NAMES


@pytest.fixture
def at(base):
    """The API of a release: its backend below /api, its service below /auth."""
    return lambda name, path="/api": Api(f"{base}{path}", f"{name}.localhost")


def _until(true, seconds, words):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, words
        time.sleep(0.5)


def test_each_host_leads_to_its_own_release(releases, at):
    for name in releases:
        _until(lambda name=name: at(name).ask("GET", "/health").ok, 60, f"{name} does not answer")
    user = register(at(NAMES[0]))
    login = {"email": user.email, "password": PASSWORD}
    assert at(NAMES[0]).ask("POST", "/auth/login", login).status_code == 200
    assert at(NAMES[1]).ask("POST", "/auth/login", login).status_code == 401


def test_a_service_is_another_app_with_data_of_its_own(releases, at, on):
    """The path /auth leads to the service, whose file is not the backend's; it outlives its pod."""
    name = releases[0]
    user = register(at(name, ""))
    login = {"email": user.email, "password": PASSWORD}
    assert at(name).ask("POST", "/auth/login", login).status_code == 401
    on(name, "delete", "pod", "-l", f"app={name}-accounts", timeout=60)
    on(name, "rollout", "status", f"deployment/{name}-accounts", "--timeout=120s", timeout=130)
    again = at(name, "")
    _until(
        lambda: again.ask("POST", "/auth/login", login).status_code == 200,
        30,
        "the account went with the pod",
    )
    assert at(releases[1], "").ask("POST", "/auth/login", login).status_code == 401


def test_components_reach_each_other_by_name(releases, on):
    for name in releases:
        _until(lambda name=name: "200" in on(name, "logs", f"deployment/{name}-worker"), 30, name)
        ask = "import os, urllib.request as ask; ask.urlopen(os.environ['ACCOUNTS'] + '/health')"
        on(name, "exec", f"deployment/{name}-backend", "--", "python3", "-c", ask)


def test_only_the_component_that_may_write_can(releases, on):
    name = releases[0]
    write = ("--", "sh", "-c", "touch /written 2>&1; touch /tmp/written && echo temporary")
    assert "Read-only file system" in on(name, "exec", f"deployment/{name}-accounts", *write)
    said = on(name, "exec", f"deployment/{name}-worker", *write)
    assert "Read-only" not in said
    assert "temporary" in said


def test_helm_test_asks_the_services_too(releases, helm):
    said = helm(NAMES[0], "test", NAMES[0], "--logs", "--timeout", "120s")
    assert f"http://{NAMES[0]}-accounts:8001/ready 200" in said


def test_a_closed_service_of_another_release_is_out_of_reach(releases, run, found, on, helm):
    """Without a path on the ingress only the release's own pods reach a service."""
    values = json.loads(helm(NAMES[0], "get", "values", NAMES[0], "-o", "json"))
    values["services"]["accounts"]["paths"] = []
    helm(NAMES[0], "upgrade", NAMES[0], str(CHART), "-f", "-", values=values)
    address = f"{NAMES[0]}-accounts.{NAMES[0]}"
    connect = f"import socket; socket.create_connection(('{address}', 8001), 3)"

    def reaches(name):
        pod = f"deployment/{name}-backend"
        try:
            on(name, "exec", pod, "--", "python3", "-c", connect, timeout=30)
        except Failure:
            return False
        return True

    assert reaches(NAMES[0])
    if not facts.read(run, found).policies:
        assert reaches(NAMES[1])
        pytest.skip("this cluster's network does NOT enforce NetworkPolicies: it was reached")
    _until(lambda: not reaches(NAMES[1]), 30, "the service of another release was reached")


def test_one_goes_and_the_other_stays(releases, helm, on, at, run, found):
    helm(NAMES[0], "uninstall", NAMES[0], "--wait", "--timeout", "120s")
    assert at(NAMES[1]).ask("GET", "/health").status_code == 200
    assert not rollout.unready(json.loads(on(NAMES[1], "get", "pods", "-o", "json"))["items"])

    def left():
        return on(NAMES[0], "get", "all,ingress,pvc,networkpolicy,pdb", "-o", "name").split()

    _until(lambda: not left(), 90, f"left over: {left()}")  # pods take their time to end
