"""The frontend's web server by itself.

Its configuration is tested, and a Next server's redirects behind it.
"""

import json
import socket
import subprocess
from pathlib import Path

import pytest
import requests

from scripts.images import frontend
from scripts.machine import buildkit
from scripts.session.settings import ROOT
from scripts.supply import bases

NAME = "phase4-web-test"
SERVE = ROOT / frontend.WEB / "serve"
ADDRESSES = ("http://localhost:3000", "http://localhost:8000")


@pytest.fixture(scope="module")
def web(run, docker):
    """The image's stage with the web server, and the base image that has Node."""
    found = bases.ensure(run, docker, ("node", "nginx"), bases.from_upstream(run))
    arguments = {"NODE_IMAGE": found["node"], "NGINX_IMAGE": found["nginx"]}
    dockerfile = ROOT / "frontend.Dockerfile"
    buildkit.build(run, docker, dockerfile, ROOT, (NAME,), arguments, target="web")
    yield found["node"]
    run.shell.run(docker.client, "rmi", NAME, check=False)


@pytest.fixture(scope="module")
def address(run, docker, web, tmp_path_factory):
    """nginx as the image starts it, and in its container a server in Next's place."""
    names = tmp_path_factory.mktemp("web") / "addresses"
    names.write_text("".join(f"{one}\n" for one in ADDRESSES))
    command = "write-config /tmp && exec nginx -g 'daemon off;'"
    run.shell.run(
        docker.client, "run", "--detach", "--name", NAME, "--publish", "127.0.0.1::80",
        "--user", "10101", "--read-only", "--tmpfs", "/tmp:mode=1777",
        "--sysctl", "net.ipv4.ip_unprivileged_port_start=0",
        "--env", "NEXT_PUBLIC_API_URL=/api", "--env", "BACKEND_ADDRESS=127.0.0.1:8001",
        "--volume", f"{SERVE / 'site-server.conf'}:/etc/nginx/site.conf:ro",
        "--volume", f"{names}:/etc/nginx/addresses:ro",
        NAME, "bash", "-c", command,
    )  # fmt: skip
    program = (Path(__file__).parent / "answers.cjs").read_text(encoding="utf-8")
    run.shell.run(
        docker.client, "run", "--detach", "--name", f"{NAME}-node", "--network",
        f"container:{NAME}",
        web, "node", "-e", program,
    )  # fmt: skip
    port = run.shell.run(docker.client, "port", NAME, "80/tcp").stdout.split()[0]
    assert run.shell.until(lambda: _status(f"http://{port}/ok") == 200, 20, 0.2)
    yield f"http://{port}"
    for name in (f"{NAME}-node", NAME):
        run.shell.run(docker.client, "rm", "--force", name, check=False)


def _status(url):
    try:
        return requests.get(url, timeout=2).status_code
    except requests.RequestException:
        return 0


@pytest.mark.parametrize("site", ["site-export.conf", "site-server.conf"])
def test_nginx_takes_the_configuration(run, docker, web, site):
    told = subprocess.run(
        [docker.client, "run", "--rm", "--volume", f"{SERVE / site}:/etc/nginx/site.conf:ro",
         "--env", "BACKEND_ADDRESS=127.0.0.1:8001", NAME, "bash", "-c",
         "echo http://localhost:8000 > /tmp/list && write-config /tmp /tmp/list && nginx -t"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "warn" not in told.stderr


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("http://localhost:3000/login", "/login"),
        ("http://127.0.0.1:3000/login?from=%2F", "/login?from=%2F"),
        ("https://localhost:3000/login", "/login"),
        ("http://localhost:3000", "/"),
        ("/login", "/login"),
        ("https://accounts.example.com/o/auth", "https://accounts.example.com/o/auth"),
        ("http://localhost:8000/todos/", "{origin}/api/todos/"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["todo.localhost:8080", "todo.local"])
def test_a_redirect_stays_where_the_person_is(address, said, wanted, scheme, host):
    headers = {"Host": host, "X-Forwarded-Proto": scheme}
    answer = requests.get(
        f"{address}/redirect",
        params={"to": said},
        headers=headers,
        allow_redirects=False,
        timeout=5,
    )
    assert answer.status_code == 307
    assert answer.headers["Location"] == wanted.format(origin=f"{scheme}://{host}")


def test_next_is_told_the_address_that_the_person_sees(address):
    headers = {"Host": "todo.local:8443", "X-Forwarded-Proto": "https"}
    seen = requests.get(f"{address}/headers", headers=headers, timeout=5).json()
    assert (seen["host"], seen["x-forwarded-host"]) == ("todo.local:8443", "todo.local:8443")
    assert seen["x-forwarded-proto"] == "https"


def test_addresses_in_what_is_served_lead_to_the_api(address):
    text = requests.get(f"{address}/script.js", headers={"Host": "a.local"}, timeout=5).text
    assert json.loads(text) == ["http://a.local/api/todos", "http://a.local/me"]


def test_in_the_container_the_apis_address_is_the_backend(address):
    """Next's own server asks http://localhost:8000; the backend is told that address."""
    seen = requests.get(f"{address}/through", timeout=5).json()
    assert (seen["port"], seen["host"]) == (8001, "localhost:8000")


@pytest.mark.parametrize(
    ("scheme", "wanted"),
    [
        ("http", {"session=1; Path=/; HttpOnly; SameSite=Lax", "__Secure-id=2; Path=/; Secure"}),
        (
            "https",
            {"session=1; Path=/; HttpOnly; Secure; SameSite=None", "__Secure-id=2; Path=/; Secure"},
        ),
    ],
)
def test_a_browser_keeps_the_apps_cookies(address, scheme, wanted):
    """Over http it would drop one that is marked Secure."""
    answer = requests.get(f"{address}/cookie", headers={"X-Forwarded-Proto": scheme}, timeout=5)
    assert set(answer.raw.headers.getlist("Set-Cookie")) == wanted


def test_events_come_as_they_happen(address):
    with requests.get(f"{address}/events", stream=True, timeout=5) as answer:
        assert next(answer.iter_lines()) == b"data: first"


def test_a_websocket_goes_through(address):
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: a.local\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 101")
    assert answer.endswith(b"hello")
