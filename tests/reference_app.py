"""Start the reference app as a process of its own, for tests that need one."""

import os
import socket
import subprocess
import tempfile
import time

import requests

from scripts.session.settings import ROOT

#: A copy of the app elsewhere is deployed into the release of the plan's app by these.
PLAN_NAMES = {
    "INVOKE_PHASE4_RELEASE_NAME": "todo-app",
    "INVOKE_PHASE4_RELEASE_NAMESPACE": "todo-app",
    "INVOKE_PHASE4_RELEASE_HOST": "todo.local",
}
PASSWORD = "correct horse battery"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(argv, port, path, environment):
    """Start a server on loopback and wait until it answers."""
    # A file: a pipe that nobody reads would stop the server when it is full.
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
    process = subprocess.Popen(
        argv,
        cwd=ROOT / "phase3-chatbot",
        env={**os.environ, **environment},
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    process.output = output
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            requests.get(f"http://127.0.0.1:{port}{path}", timeout=5)
            return process
        except requests.ConnectionError:
            assert process.poll() is None, said(process)
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


def said(process):
    """What the server has written so far."""
    process.output.seek(0)
    return process.output.read()
