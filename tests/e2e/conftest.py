"""The live cluster as the tests see it.

It gives addresses, kubectl, a user for each test, and a report when something failed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from scripts.cluster.kubectl import kubectl
from scripts.machine import engine
from scripts.machine.engine import apt_install
from scripts.release import rollout
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell
from scripts.supply import bases, tools
from tests.api_client import Api, register

ARTIFACTS = ROOT / "artifacts"


def make_run():
    """A run with the settings that the environment gives."""
    values = yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"]
    for section, keys in values.items():
        for key in keys if isinstance(keys, dict) else ():
            given = os.environ.get(f"INVOKE_PHASE4_{section}_{key}".upper())
            if given is not None:
                keys[key] = type(keys[key])(given)
    return Run(Settings.load(values), Shell(), lambda text: None, lambda what: True)


@pytest.fixture(scope="session")
def run():
    return make_run()


@pytest.fixture(scope="session")
def found(run):
    upstream = bases.from_upstream(run)
    return {name: tools.ensure(run, name, upstream) for name in tools.TOOLS}


@pytest.fixture(scope="session")
def docker(run):
    return replace(
        engine.ensure(run), images={}
    )  # tests make and remove images: each is asked for anew


@contextmanager
def namespace(run, found, name, **labels):
    """A namespace for a while. One that a cut-off run left goes first; nobody waits for its end."""
    kubectl(run, found, "delete", "namespace", name, "--ignore-not-found", timeout=180)
    made = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }
    kubectl(run, found, "create", "-f", "-", stdin=json.dumps(made))
    try:
        yield name
    finally:
        # Its Ingress may have a host name that another release has, too: no request must go there.
        kubectl(run, found, "-n", name, "delete", "ingress", "--all", timeout=60)
        kubectl(run, found, "delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def kube(run, found):
    """kubectl in the release's namespace; the text it prints."""
    return lambda *arguments, **options: (
        kubectl(run, found, "-n", run.settings.release.namespace, *arguments, **options).stdout
    )


@pytest.fixture(scope="session")
def state(run, found):
    """The release's objects, now."""
    return lambda: rollout.look(run, found)


@pytest.fixture(scope="session")
def base(run):
    """The ingress on loopback; every system has it."""
    return f"http://127.0.0.1:{run.settings.cluster.ingress_port}"


@pytest.fixture(scope="session")
def anybody(base, run):
    """The API behind the ingress, as nobody in particular."""
    return Api(f"{base}/api", run.settings.release.host)


@pytest.fixture
def make_user(anybody):
    """Register somebody with the app that answers to a host name."""
    return lambda host=anybody.host: register(Api(anybody.base, host))


@pytest.fixture
def user(make_user):
    return make_user()


@pytest.fixture(scope="session")
def kept_logs():
    """Logs of pods that a test ended: pod -> lines.

    The last test reads them together with those of the pods that are there.
    """
    return {}


@pytest.fixture(scope="session")
def keep_logs(kube, kept_logs):
    """Remember what the pods of a component have written, before they go."""

    def keep(component):
        for pod in kube(
            "get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "name"
        ).split():
            kept_logs[pod] = kube("logs", pod, "--tail=-1").splitlines()

    return keep


@pytest.fixture(scope="session")
def browser_path(run):
    """Debian's chromium where there is one or can be installed; otherwise Playwright's own."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path and shutil.which("apt-get") and os.geteuid() == 0:
        apt_install(run, "chromium")
        path = shutil.which("chromium")
    elif not path:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    return path


QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright, browser_path):
    opened = playwright.chromium.launch(executable_path=browser_path, args=QUIET)
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.failed_call = report.failed
    return report


@pytest.fixture
def open_page(browser, request, run):
    """Open pages of browsers that share nothing.

    `problems` of a page: console errors, failed requests, answers that are errors.

    After a failure a trace of each is kept (`playwright show-trace`); a picture always.
    """
    contexts = []

    def open_page(**options):
        usual = {
            "base_url": run.settings.local_url,
            "viewport": {"width": 1180, "height": 760},
        }
        context = browser.new_context(**{**usual, **options})
        context.tracing.start(screenshots=True, snapshots=True)
        page = context.new_page()
        page.problems = []
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and page.problems.append(f"{message.text} {message.location.get('url', '')}")
            ),
        )
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on(
            "requestfailed",
            lambda failed: (
                "ERR_ABORTED" in failed.failure
                or page.problems.append(f"{failed.url}: {failed.failure}")
            ),
        )
        page.on(
            "response",
            lambda answer: (
                answer.status >= 400 and page.problems.append(f"{answer.status} {answer.url}")
            ),
        )
        contexts.append((context, page))
        return page

    yield open_page
    ARTIFACTS.mkdir(exist_ok=True)
    for number, (context, page) in enumerate(contexts):
        name = re.sub(r"[^\w-]+", "_", request.node.name).strip("_") + (
            f"-{number}" if number else ""
        )
        page.screenshot(path=ARTIFACTS / f"{name}.png")
        context.tracing.stop(
            path=ARTIFACTS / f"{name}-trace.zip"
            if getattr(request.node, "failed_call", False)
            else None
        )
        context.close()


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def log_in(run):
    """Open the app as a user who is logged in already."""

    def log_in(page, user):
        page.goto("/login")
        page.evaluate("token => localStorage.setItem('todo-chatbot.token', token)", user.token)
        page.goto("/")
        expect(page.get_by_role("heading", name="Todos")).to_be_visible()
        expect(page.get_by_text(user.email)).to_be_attached()

    return log_in


def pytest_collection_modifyitems(items):
    """What looks at the traces of all others comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_configure(config):
    config.addinivalue_line("markers", "last: runs after all other tests")


def pytest_sessionfinish(session, exitstatus):
    """After a failure: what the cluster looked like, kept as files."""
    if exitstatus == 0 or not hasattr(session.config, "phase4"):
        return
    run, found = session.config.phase4
    ARTIFACTS.mkdir(exist_ok=True)
    for name, arguments in {
        "pods.txt": ["get", "pods,services,ingresses", "-o", "wide"],
        "events.txt": ["get", "events", "--sort-by=.lastTimestamp"],
        "logs.txt": [
            "logs",
            "-l",
            f"app.kubernetes.io/instance={run.settings.release.name}",
            "--prefix",
            "--tail=200",
        ],
    }.items():
        Path(ARTIFACTS / name).write_text(
            kubectl(
                run, found, "-n", run.settings.release.namespace, *arguments, check=False
            ).stdout
        )


@pytest.fixture(scope="session", autouse=True)
def _remember(request, run, found):
    request.config.phase4 = (run, found)


@pytest.fixture
def as_json(kube):
    return lambda *arguments: json.loads(kube(*arguments, "-o", "json"))
