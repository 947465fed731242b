"""The dev loop on the live cluster.

Edits are served, the release is not touched, and every way out leads back to it.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
import requests

from scripts.release.dev import MARK
from scripts.session.settings import ROOT
from tests.reference_app import PLAN_NAMES


@pytest.fixture
def app(tmp_path):
    """A copy of the reference app: the same contents, so the same images."""
    folder = tmp_path / "phase3-chatbot"
    shutil.copytree(
        ROOT / "phase3-chatbot",
        folder,
        ignore=shutil.ignore_patterns(
            "node_modules", ".next", "out", "data", "__pycache__", ".env"
        ),
    )
    return folder


class Loop:
    """A running `invoke dev`, and what it has said."""

    def __init__(self, app):
        self.lines = []
        environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
        self.process = subprocess.Popen(
            ["invoke", "dev", "--yes"], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def until(self, words, timeout=180):
        deadline = time.monotonic() + timeout
        while not any(words in line for line in self.lines):
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.05)

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)


@pytest.fixture
def loop(app):
    started = Loop(app)
    yield started
    if started.process.poll() is None:
        started.end(signal.SIGINT)


@pytest.fixture
def pods(as_json):
    return lambda selector: {
        one["metadata"]["name"]: one["metadata"]["uid"]
        for one in as_json("get", "pods", "-l", selector)["items"]
        if not one["metadata"].get("deletionTimestamp")
    }


def _serves(base, run, path, words, timeout=60):
    def there():
        try:
            answer = requests.get(
                f"{base}{path}", headers={"Host": run.settings.release.host}, timeout=5
            )
        except requests.RequestException:
            return False  # while the source is broken nobody answers
        return answer.status_code == 200 and words in answer.text

    return run.shell.until(there, timeout, 0.05)


def test_edits_are_served_and_the_release_comes_back(run, base, app, loop, pods, as_json, user):
    todo = user.post("/todos", {"title": "stays"})
    loop.until("Ctrl-C ends")
    deployed = pods(
        f"app.kubernetes.io/component in (backend, frontend),!{MARK}"
    )  # the loop has deployed what is in the tree first
    assert user.get(f"/todos/{todo['id']}") == todo  # the same database

    main = app / "app/main.py"
    before = main.stat()
    text = main.read_text()
    assert 'title="Todo chatbot"' in text
    main.write_text(
        text.replace('title="Todo chatbot"', 'title="Edited again"')
    )  # as long as before, and with the old date
    os.utime(main, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _serves(base, run, "/api/openapi.json", "Edited again")
    loop.until("backend: app/main.py in ")
    loop.until('"message": "Application startup complete."')  # the log of the pod

    layout = app / "frontend/app/layout.tsx"
    layout.write_text(
        re.sub(r'title: "[^"]*"', 'title: "An edited page"', layout.read_text(), count=1)
    )
    assert _serves(base, run, "/login", "<title>An edited page</title>"), "".join(loop.lines)[
        -3000:
    ]

    main.write_text("this is no Python\n")  # a mistake is shown, and mended by the next edit
    loop.until("SyntaxError")
    main.write_text(text.replace('title="Todo chatbot"', 'title="Mended again"'))
    assert _serves(base, run, "/api/openapi.json", "Mended again")

    loop.end(signal.SIGINT)
    assert loop.process.returncode == 0, "".join(loop.lines)
    assert "lead to the deployed pods again" in "".join(loop.lines)
    assert _serves(base, run, "/api/openapi.json", '"title":"Todo chatbot"')
    assert _serves(base, run, "/login", "<title>Todo chatbot</title>")
    assert (
        pods(f"app.kubernetes.io/component in (backend, frontend),!{MARK}") == deployed
    )  # the pods that served before, never restarted
    assert as_json("get", "deployments", "-l", MARK)["items"] == []


def test_a_loop_that_was_killed_is_cleared_by_the_next_deploy(run, base, app, kube, pods, as_json):
    environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
    process = Loop(app)
    process.until("Ctrl-C ends")
    refused = subprocess.run(
        ["invoke", "deploy", "--yes"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "DEPLOY-RUNNING" in refused.stdout  # nobody deploys below an open loop
    process.end(signal.SIGKILL)
    assert as_json("get", "deployments", "-l", MARK)["items"]
    result = subprocess.run(
        ["invoke", "deploy", "--yes"], capture_output=True, text=True, timeout=200
    )
    assert "a dev loop did not end well" in result.stdout, result.stdout + result.stderr
    assert as_json("get", "deployments", "-l", MARK)["items"] == []
    assert all(MARK not in one["spec"]["selector"] for one in as_json("get", "services")["items"])
    assert _serves(base, run, "/api/openapi.json", '"title":"Todo chatbot"')
