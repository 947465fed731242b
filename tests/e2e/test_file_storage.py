"""The other database decision, live: a second release that keeps its todos in a file on a claim."""

import os
import subprocess
import time

import pytest

from scripts.cluster.kubectl import kubectl
from tests.api_client import run_api_tests

NAME = "todo-file"
HOST = "todo-file.local"


@pytest.fixture(scope="module")
def release(run, found):
    settings = {
        "APP_DATABASE": "file",
        "RELEASE_NAME": NAME,
        "RELEASE_NAMESPACE": NAME,
        "RELEASE_HOST": HOST,
        "HOSTS_FILE": "skip",
    }
    environment = {
        **os.environ,
        **{f"INVOKE_PHASE4_{key}": value for key, value in settings.items()},
    }
    try:
        subprocess.run(
            ["invoke", "deploy", "--yes"],
            check=True,
            env=environment,
            capture_output=True,
            timeout=300,
        )
        yield (
            lambda *arguments, **options: (
                kubectl(run, found, "-n", NAME, *arguments, **options).stdout
            )
        )
    finally:
        kubectl(run, found, "delete", "namespace", NAME, "--ignore-not-found", "--wait=false")


def test_a_todo_in_a_file_outlives_the_backend_pod(release, make_user):
    assert "postgres" not in release("get", "pods,services,statefulsets", "-o", "name")
    assert release("get", "pvc", f"{NAME}-data", "-o", "jsonpath={.status.phase}") == "Bound"
    user = make_user(HOST)
    assert user.get("/ready")["database"] == "sqlite"
    todo = user.post("/todos", {"title": "in a file"})
    release(
        "delete", "pod", "-l", "app.kubernetes.io/component=backend", "--wait=true", timeout=120
    )
    deadline = time.monotonic() + 90
    while (answer := user.ask("GET", f"/todos/{todo['id']}")).status_code != 200:
        assert answer.status_code in (502, 503, 504), answer.text
        assert time.monotonic() < deadline, "the backend did not come back"
        time.sleep(0.5)
    assert answer.json()["title"] == "in a file"


def test_the_api_behind_the_ingress_on_file_storage(release, base):
    run_api_tests(base, HOST)
