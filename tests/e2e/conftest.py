"""The live cluster as the tests see it: addresses, kubectl, a user a test, and a report when something failed."""

import json
import os
import uuid
from pathlib import Path

import pytest
import requests
import yaml

from scripts import rollout
from scripts.cluster import kubectl
from scripts.run import Run
from scripts.settings import ROOT, Settings
from scripts.shell import Shell
from scripts.supply import bases, engine, tools

ARTIFACTS = ROOT / "artifacts"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def run():
    values = yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"]
    for section, keys in values.items():
        for key in keys if isinstance(keys, dict) else ():
            given = os.environ.get(f"INVOKE_PHASE4_{section}_{key}".upper())
            if given is not None:
                keys[key] = type(keys[key])(given)
    return Run(Settings.load(values), Shell(), lambda text: None, lambda what: True)


@pytest.fixture(scope="session")
def found(run):
    upstream = bases.from_upstream(run)
    return {name: tools.ensure(run, name, upstream) for name in tools.TOOLS}


@pytest.fixture(scope="session")
def docker(run):
    return engine.ensure(run)


@pytest.fixture(scope="session")
def kube(run, found):
    """kubectl in the release's namespace; the text it prints."""
    return lambda *arguments, **options: kubectl(run, found, "-n", run.settings.release.namespace, *arguments, **options).stdout


@pytest.fixture(scope="session")
def state(run, found):
    """The release's objects, now."""
    return lambda: rollout.look(run, found)


@pytest.fixture(scope="session")
def base(run):
    """The ingress on loopback; every system has it."""
    return f"http://127.0.0.1:{run.settings.cluster.ingress_port}"


class User:
    """Somebody registered, who speaks to the API through the ingress under the app's host name."""

    def __init__(self, base, host):
        self._base, self._host = base, host
        self.email = f"{uuid.uuid4().hex}@example.com"
        self.token = ""
        self.token = self.post("/auth/register", {"email": self.email, "password": PASSWORD}, 201)["access_token"]

    def ask(self, method, path, body=None):
        headers = {"Host": self._host, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        return requests.request(method, f"{self._base}/api{path}", json=body, headers=headers, timeout=10)

    def _expect(self, status, method, path, body=None):
        answer = self.ask(method, path, body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        return answer.json() if answer.content else None

    def get(self, path, status=200):
        return self._expect(status, "GET", path)

    def post(self, path, body, status=200):
        return self._expect(status, "POST", path, body)

    def patch(self, path, body, status=200):
        return self._expect(status, "PATCH", path, body)

    def delete(self, path, status=204):
        return self._expect(status, "DELETE", path)


@pytest.fixture
def make_user(base):
    """Register somebody with the app that answers to a host name."""
    return lambda host: User(base, host)


@pytest.fixture
def user(base, run):
    return User(base, run.settings.release.host)


def pytest_sessionfinish(session, exitstatus):
    """After a failure: what the cluster looked like, kept as files."""
    if exitstatus == 0 or not hasattr(session.config, "phase4"):
        return
    run, found = session.config.phase4
    ARTIFACTS.mkdir(exist_ok=True)
    for name, arguments in {
        "pods.txt": ["get", "pods,services,ingresses", "-o", "wide"],
        "events.txt": ["get", "events", "--sort-by=.lastTimestamp"],
        "logs.txt": ["logs", "-l", f"app.kubernetes.io/instance={run.settings.release.name}", "--prefix", "--tail=200"],
    }.items():
        Path(ARTIFACTS / name).write_text(kubectl(run, found, "-n", run.settings.release.namespace, *arguments, check=False).stdout)


@pytest.fixture(scope="session", autouse=True)
def _remember(request, run, found):
    request.config.phase4 = (run, found)


@pytest.fixture
def as_json(kube):
    return lambda *arguments: json.loads(kube(*arguments, "-o", "json"))
