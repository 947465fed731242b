"""The release as it is reached.

Pages and API through the ingress, names, run-time values, and the API tests on either storage.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from scripts.release.access import HOSTS, resolve
from scripts.session.settings import ROOT
from tests.api_client import run_api_tests


def test_the_page_and_the_health_of_the_api_through_the_ingress(base, run):
    for host in (run.settings.release.host, run.settings.local_host):
        page = requests.get(f"{base}/", headers={"Host": host}, timeout=10)
        assert page.status_code == 200
        assert "<title>Todo chatbot</title>" in page.text
        assert requests.get(f"{base}/api/health", headers={"Host": host}, timeout=10).json() == {
            "status": "ok"
        }
    assert (
        requests.get(f"{base}/", headers={"Host": "unknown.example"}, timeout=10).status_code == 404
    )


def test_the_host_name_leads_to_the_app(run):
    """`dns` wrote the entry where it may, so the name itself must work."""
    host = run.settings.release.host
    address = resolve(host)
    if not address and not os.access(HOSTS, os.W_OK):
        pytest.skip(f"this user may not write {HOSTS}, and {host} has no entry")
    port = f":{run.settings.cluster.ingress_port}" if address == "127.0.0.1" else ""
    assert requests.get(f"http://{host}{port}/api/health", timeout=10).json() == {"status": "ok"}


def test_the_api_leads_back_through_the_ingress(base, run, anybody):
    """Redirects and the API's own pages know the prefix that the ingress took off."""
    redirect = anybody.ask("GET", "/todos/", allow_redirects=False)
    assert redirect.headers["Location"] == f"http://{run.settings.release.host}/api/todos"
    assert "'/api/openapi.json'" in anybody.ask("GET", "/docs").text
    assert anybody.get("/openapi.json")["servers"] == [{"url": "/api"}]


def test_the_api_behind_the_ingress_on_postgresql(base, run, anybody):
    """All tests of tests/api, against the release.

    There they also run against a process on file storage.
    """
    assert anybody.get("/ready")["database"] == "postgresql"
    run_api_tests(base, run.settings.release.host)


def test_schemathesis_finds_nothing(base, run, user):
    """Every check, in all phases, stateful too, against the live OpenAPI document."""
    argv = [
        Path(sys.executable).with_name("schemathesis"),
        "--config-file", ROOT / "tests/e2e/schemathesis.toml",
        "run", f"{base}/api/openapi.json", "--url", f"{base}/api",
        "--header", f"Host: {run.settings.release.host}",
        "--header", f"Authorization: Bearer {user.token}",
        "--max-examples", "40", "--seed", "1", "--exclude-path", "/auth/logout",
        "--phases", "examples,coverage,fuzzing,stateful",
    ]  # fmt: skip
    result = subprocess.run(argv, cwd=ROOT / "tests", capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stdout[-4000:]
    assert (
        "API Operations:\n  Selected: 14/15\n  Tested: 14" in result.stdout
    )  # all but /auth/logout, which would end the login


def test_the_address_of_the_api_is_a_run_time_value(page, kube, run, base, state):
    """Another address in the ConfigMap is used after the pods rolled, with the same image."""
    images = {pod["spec"]["containers"][0]["image"] for pod in state() if pod["kind"] == "Pod"}

    def point_at(address):
        kube(
            "patch",
            "configmap",
            "todo-app-config",
            "--type=merge",
            "-p",
            json.dumps({"data": {"NEXT_PUBLIC_API_URL": address}}),
        )
        kube("rollout", "restart", "deployment/todo-app-frontend")
        kube("rollout", "status", "deployment/todo-app-frontend", "--timeout=120s", timeout=130)
        # The old pod answers until it has ended.
        assert run.shell.until(
            lambda: (
                len(
                    kube(
                        "get", "pods", "-l", "app.kubernetes.io/component=frontend", "-o", "name"
                    ).split()
                )
                == 1
            ),
            60,
        )
        assert run.shell.until(
            lambda: (
                f'"{address}"'
                in requests.get(
                    f"{base}/config.js", headers={"Host": run.settings.release.host}, timeout=5
                ).text
            ),
            30,
        )

    try:
        point_at(
            "/api/../api"
        )  # another spelling of the same place, as the browser's requests then show
        with page.expect_request(
            lambda request: "/api" in request.url and request.method == "POST"
        ) as caught:
            page.goto("/login")
            page.get_by_label("E-mail").fill("nobody@example.com")
            page.get_by_label("Password").fill("a wrong password")
            page.get_by_role("button", name="Log in").click()
        assert caught.value.url.endswith("/api/auth/login")
        assert page.evaluate("window.__CONFIG__.NEXT_PUBLIC_API_URL") == "/api/../api"
        assert {
            pod["spec"]["containers"][0]["image"] for pod in state() if pod["kind"] == "Pod"
        } == images
    finally:
        point_at("/api")
