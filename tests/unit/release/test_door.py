"""The door to an app on a cluster that is there, with real servers behind it."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from scripts.release import door
from scripts.release.door import Route
from scripts.session.findings import Failure


@pytest.fixture
def behind():
    """Start a server that says what it was asked; its address."""
    servers = []

    def start(name):
        class Echo(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("Content-Length", 0))
                told = {
                    "name": name,
                    "path": self.path,
                    "host": self.headers["Host"],
                    "prefix": self.headers.get("X-Forwarded-Prefix", ""),
                    "connection": self.headers["Connection"],
                    "body": len(self.rfile.read(length)),
                }
                text = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return lambda: server.server_address[:2]

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def opened(behind):
    nowhere = lambda: ("127.0.0.1", 9)  # noqa: E731 - the port of a service that discards
    routes = [
        Route("/api", behind("backend"), strip=True),
        Route("/docs", behind("backend")),
        Route("/dead", nowhere),
        Route("/", behind("frontend")),
    ]
    port = door.serve(0, routes, {"release": ["c", "n", "r"], "told": "x", "address": None})
    session = requests.Session()
    session.trust_env = False
    return lambda path, method="GET", **more: session.request(
        method, f"http://127.0.0.1:{port}{path}", timeout=10, **more
    )


@pytest.mark.parametrize(
    ("path", "name", "asked", "prefix"),
    [
        ("/", "frontend", "/", ""),
        ("/apiary", "frontend", "/apiary", ""),
        ("/api/todos?page=2", "backend", "/todos?page=2", "/api"),
        ("/api", "backend", "/", "/api"),
        ("/api?x=1", "backend", "/?x=1", "/api"),
        ("/docs/oauth", "backend", "/docs/oauth", ""),
    ],
)
def test_each_request_goes_where_the_ingress_would_send_it(opened, path, name, asked, prefix):
    told = opened(path, headers={"Host": "todo.local"}).json()
    assert (told["name"], told["path"], told["prefix"]) == (name, asked, prefix)
    assert (told["host"], told["connection"]) == ("todo.local", "close")


def test_a_session_is_not_bound_to_the_route_of_its_first_request(opened):
    assert [opened(path).json()["name"] for path in ("/api/a", "/", "/api/b")] == [
        "backend",
        "frontend",
        "backend",
    ]


def test_a_large_body_arrives_whole(opened):
    assert opened("/api/x", "POST", data=b"x" * 3_000_000).json()["body"] == 3_000_000


def test_what_does_not_answer_is_a_502_with_a_reason(opened):
    answer = opened("/dead/end")
    assert answer.status_code == 502
    assert "nothing answers behind /dead" in answer.json()["detail"]


def test_a_door_says_whose_it_is_and_is_used_again(make_run, stub):
    """The stubs for kubectl and helm fail: a second door would ask them."""
    run = make_run(cluster={"context": "c"}, release={"name": "r", "namespace": "n"})
    known = {"release": ["c", "n", "r"], "told": "through a port-forward", "address": None}
    port = door.serve(0, [], known)
    run = make_run(
        cluster={"context": "c", "ingress_port": port}, release={"name": "r", "namespace": "n"}
    )
    assert door.open_door(run, {}).told == "through a port-forward"
    other = make_run(
        cluster={"context": "another", "ingress_port": port},
        release={"name": "r", "namespace": "n"},
    )
    with pytest.raises(Failure) as caught:
        door.open_door(other, {})
    assert caught.value.findings[0].code == "PORT-TAKEN"


def test_our_own_cluster_needs_no_door(make_run):
    assert door.open_door(make_run(), {}).address is None


def test_a_port_that_somebody_else_has(make_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = make_run(cluster={"context": "c", "ingress_port": taken.getsockname()[1]})
        with pytest.raises(Failure) as caught:
            door.open_door(run, {})
    assert caught.value.findings[0].code == "PORT-TAKEN"


def test_routes_are_those_of_the_releases_values():
    values = {
        "ingress": {"apiPath": "/api", "backendPaths": ["/docs"]},
        "services": {"chat": {"paths": ["/chat/ws"]}, "worker": {}},
    }
    assert door.routes_of(values) == [
        ("/api", "backend", "http", True),
        ("/chat/ws", "chat", "main", False),
        ("/docs", "backend", "http", False),
        ("/", "frontend", "http", False),
    ]
    assert door.routes_of({})[0] == ("/api", "backend", "http", True)


def test_addresses_at_which_an_ingress_may_answer():
    ingress = {
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, {"ip": "9.9.9.9"}]}}
    }
    addresses = [
        {"type": "Hostname", "address": "n"},
        {"type": "InternalIP", "address": "10.0.0.5"},
    ]
    node = {"status": {"addresses": addresses}}
    service = {
        "spec": {
            "type": "NodePort",
            "ports": [{"port": 80, "nodePort": 31080}, {"port": 443, "nodePort": 31443}],
        }
    }
    inner = {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}
    assert door.candidates([ingress, {}], [node], [service, inner]) == [
        ("lb.example", 80),
        ("9.9.9.9", 80),
        ("10.0.0.5", 80),
        ("10.0.0.5", 31080),
    ]


def test_a_port_forward_is_begun_again_when_it_has_ended(make_run, stub, tmp_path):
    times = f"$(wc -l < {tmp_path}/begun)"
    path = stub(
        "kubectl",
        f"""echo x >> {tmp_path}/begun
echo "Forwarding from 127.0.0.1:4{times}"
[ {times} = 2 ] && exec sleep 30
sleep 0.3""",
    )
    tools = {"kubectl": type("Found", (), {"path": path})}
    forward = door.Forward(make_run(cluster={"context": "c"}), tools, "service/x", "http")
    assert forward.open() == ("127.0.0.1", 41)
    forward._thread.join(5)
    assert forward.open() == forward.open() == ("127.0.0.1", 42)
    forward._shell.cancel()


def test_a_port_forward_that_leads_nowhere(make_run, stub):
    path = stub("kubectl", "echo no pod >&2; exit 1")
    tools = {"kubectl": type("Found", (), {"path": path})}
    with pytest.raises(ConnectionError):
        door.Forward(make_run(cluster={"context": "c"}), tools, "service/x", "http").open()
