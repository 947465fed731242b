"""The assistant with a model that runs on this machine, as Ollama would.

Its address is given once, in the environment of `invoke deploy`.
"""

import os
import socket
import subprocess
import sys

import pytest

from scripts.session.settings import ROOT
from tests.reference_app import free_port

OFFLINE = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "https://api.openai.com/v1"}


@pytest.fixture
def provider(run, docker):
    """A provider where pods find this machine; its address for them."""
    template = "{{(index .IPAM.Config 0).Gateway}}"
    gateway = run.shell.run(
        docker.client, "network", "inspect", "--format", template, run.settings.cluster.profile
    ).stdout.strip()
    with (
        socket.socket() as trying
    ):  # an engine in a virtual machine leads there to this machine's loopback
        try:
            trying.bind((gateway, 0))
        except OSError:
            gateway = "127.0.0.1"
    port = free_port()
    process = subprocess.Popen([sys.executable, ROOT / "tests/provider.py", gateway, str(port)])
    yield f"http://host.minikube.internal:{port}/v1"
    process.kill()
    process.wait()


@pytest.fixture
def deploy(kube):
    """`invoke deploy` with more in its environment.

    Afterwards the assistant is offline again, as all other tests have it.
    """

    def deploy(**given):
        argv = [sys.executable, "-m", "invoke", "deploy", "--yes"]
        environment = {name: value for name, value in os.environ.items() if name not in OFFLINE}
        result = subprocess.run(
            argv,
            cwd=ROOT,
            env={**environment, **given},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
        return result.stdout

    yield deploy
    kube(
        "patch",
        "secret",
        "todo-app-credentials",
        "--type=json",
        "-p",
        '[{"op": "remove", "path": "/data/OPENAI_API_KEY"}]',
    )
    deploy(**OFFLINE)


def test_a_model_on_this_machine(provider, deploy, make_user, anybody):
    deploy(OPENAI_API_KEY="sk-right", OPENAI_BASE_URL=provider)
    assert anybody.get("/ready")["assistant"] == "openai"
    user = make_user()
    answer = user.post("/chat", {"message": "please do the thing"}, 200)
    assert (answer["provider"], answer["tool_calls"][0]["name"]) == ("openai", "add_todo")
    assert [todo["title"] for todo in user.get("/todos")] == ["from the model"]

    said = deploy()  # from a shell that knows nothing of it
    assert "unchanged" in said
    assert user.post("/chat", {"message": "once more"}, 200)["provider"] == "openai"
