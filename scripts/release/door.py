"""The door to an app on a cluster that is there: this machine's own address leads to it.

The minikube of this project has its ingress at 127.0.0.1, and all that asks the app asks there. On
another cluster this relay listens at that address while a task runs, and passes every connection
on: to the Ingress where one leads in, else through `kubectl port-forward`. Then it follows the
routes that the Ingress would have.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from scripts.app.survey import Survey
from scripts.cluster.kubectl import get_items
from scripts.cluster.minikube import Cluster
from scripts.cluster.rights import EVERYWHERE, may
from scripts.machine.ports import check_port_free
from scripts.release import access, rollout
from scripts.release.access import Access
from scripts.release.helm import values_now
from scripts.session.run import Run
from scripts.session.shell import Interrupted
from scripts.supply.tools import Found

WHO = "phase4-door"  # the host name by which a door says whose it is
READY, POD = 8.0, 5.0  # seconds until kubectl says that it forwards, and until a pod runs for it
PATIENCE = 5.0  # seconds for a controller that learns of new routes
MOST_HEAD = 1 << 17  # bytes of a request's head
WHOLE_DAY = 24 * 3600.0
Address = tuple[str, int]


@dataclass(frozen=True)
class Route:
    """Requests for a path and all below it go to `address()`. strip: without that path."""

    path: str
    address: Callable[[], Address]
    strip: bool = False

    def takes(self, path: str) -> bool:
        """Whether it is this route's."""
        return self.path == "/" or path == self.path or path.startswith(f"{self.path}/")


@dataclass(frozen=True)
class Door:
    """An open door. told: where it leads. address: the Ingress', None for a port-forward."""

    told: str
    address: Address | None = None


def configure(run: Run, cluster: Cluster, app: Survey, tools: Mapping[str, Found]) -> Access:
    """Open the door, and tell how the app is reached without it.

    The counterpart of `access.configure`. The hosts file is left alone: the address is not this
    machine's. Raises PORT-TAKEN.
    """
    del cluster, app
    found, host = open_door(run, tools), run.settings.release.host
    how = f"while `invoke open` runs; it leads {found.told}"
    if not found.address:
        return Access(run.settings.local_url, "", (), how)
    name, port = found.address
    url = f"http://{host}" + ("" if port == 80 else f":{port}")
    if access.resolve(host) == name:
        return Access(run.settings.local_url, url, (), how)
    told = f"for {url}/ have your DNS or hosts file say: {name} {host}"
    return Access(run.settings.local_url, "", (told,), how)


def open_door(run: Run, tools: Mapping[str, Found]) -> Door:
    """Let this machine's address lead to the release until this process ends.

    Nothing is opened where one of the same release is open already, or on this project's own
    cluster. Raises PORT-TAKEN.
    """
    if not run.settings.is_there:
        return Door("to the ingress")
    port = run.settings.cluster.ingress_port
    run.shell.plan(f"lead 127.0.0.1:{port} to the release")
    mine, told = _identity(run), _asked(port)
    if told and told.get("release") == mine["release"]:
        return Door(told["told"], tuple(told["address"]) if told["address"] else None)
    check_port_free(run, port)
    ingress = _ingress_address(run, tools)
    if ingress:
        door = Door(f"to the Ingress at {ingress[0]}:{ingress[1]}", ingress)
        routes = [Route("/", lambda: ingress)]
    else:
        door = Door("through a port-forward, because no Ingress leads in")
        routes = _forwarded(run, tools)
    run.say(f"{run.settings.local_url}/ leads {door.told}")
    serve(port, routes, {**mine, "told": door.told, "address": door.address})
    return door


def _identity(run: Run) -> dict[str, Any]:
    release = run.settings.release
    return {"release": [run.settings.context, release.namespace, release.name]}


def _asked(port: int) -> dict[str, Any] | None:
    """What a door at this port says of itself; None when there is none."""
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(f"http://127.0.0.1:{port}/", headers={"Host": WHO}, timeout=2)
        told = answer.json()
    except (requests.RequestException, ValueError):
        return None
    return told if isinstance(told, dict) and "release" in told else None


# Where the cluster itself leads in.


def _ingress_address(run: Run, tools: Mapping[str, Found]) -> Address | None:
    """The first address at which the cluster's ingress answers for this release."""
    state = rollout.look(run, tools)
    ingresses = [item for item in state if item["kind"] == "Ingress"]
    if not ingresses:
        return None
    nodes = get_items(run, tools, "nodes") if may(run, tools, "list", "nodes") else []
    seen = may(run, tools, "list", "services", EVERYWHERE)
    services = get_items(run, tools, "services", "-A") if seen else []
    asked = rollout.api_path(state) + rollout.health_path(state)
    host, found = run.settings.release.host, candidates(ingresses, nodes, services)
    served: list[Address] = []

    def serves() -> bool:
        served[:] = [one for one in found if access.serves(one[0], one[1], host, asked)][:1]
        return bool(served)

    run.shell.until(serves, PATIENCE)
    return served[0] if served else None


def candidates(
    ingresses: Iterable[Mapping[str, Any]],
    nodes: Iterable[Mapping[str, Any]],
    services: Iterable[Mapping[str, Any]],
) -> list[Address]:
    """The addresses at which an ingress may answer, the most likely one first.

    They are the one that the Ingress itself names, port 80 of the nodes, and the node ports of
    Services that listen on port 80.
    """
    own = [_published(one) for one in ingresses]
    addresses = [
        at["address"]
        for node in nodes
        for at in node["status"].get("addresses", [])
        if at["type"] in ("InternalIP", "ExternalIP")
    ]
    ports = [
        port["nodePort"]
        for one in services
        if one["spec"].get("type") in ("NodePort", "LoadBalancer")
        for port in one["spec"].get("ports", [])
        if port["port"] == 80 and port.get("nodePort")
    ]
    found = [(name, 80) for names in own for name in names]
    found += [(name, 80) for name in addresses]
    found += [(name, port) for port in ports for name in addresses]
    return list(dict.fromkeys(found))


def _published(ingress: Mapping[str, Any]) -> list[str]:
    given = ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [name for one in given if (name := one.get("ip") or one.get("hostname"))]


# Where it does not.


def _forwarded(run: Run, tools: Mapping[str, Found]) -> list[Route]:
    """The routes that the Ingress would have, each through a port-forward to its Service."""
    name = run.settings.release.name
    values = values_now(run, tools)
    forwards: dict[tuple[str, str], Forward] = {}

    def address(service: str, port: str) -> Callable[[], Address]:
        key = (service, port)
        return forwards.setdefault(key, Forward(run, tools, f"service/{name}-{service}", port)).open

    return [
        Route(path, address(service, port), strip)
        for path, service, port, strip in routes_of(values)
    ]


def routes_of(values: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Read the release's values: path, component, port, and whether the path is taken off.

    The first one that takes a request has it, as in the chart's Ingress.
    """
    ingress = values.get("ingress") or {}
    pages = [(path, "backend", "http", False) for path in ingress.get("backendPaths") or ()]
    for name, one in (values.get("services") or {}).items():
        pages += [(path, name, "main", False) for path in one.get("paths") or ()]
    pages.append(("/", "frontend", "http", False))
    api = str(ingress.get("apiPath") or "/api").rstrip("/")
    return [(api, "backend", "http", True), *sorted(pages, key=lambda one: -len(one[0]))]


class Forward:
    """A `kubectl port-forward`, started when it is needed, and again when its pod has gone."""

    def __init__(self, run: Run, tools: Mapping[str, Found], target: str, port: str) -> None:
        # A shell of its own: what a failed stage cancels does not shut the door.
        self._shell = run.shell.another()
        self._command = (
            *(tools["kubectl"].path, "--context", run.settings.context),
            *("-n", run.settings.release.namespace, "port-forward", "--address=127.0.0.1"),
            f"--pod-running-timeout={POD:.0f}s",
            *(target, f":{port}"),
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._said = threading.Event()
        self._port = 0
        atexit.register(self._shell.cancel)

    def open(self) -> Address:
        """Where it listens. Raises ConnectionError when kubectl cannot forward."""
        with self._lock:
            if not (self._thread and self._thread.is_alive()):
                self._port = 0
                self._said.clear()
                self._thread = threading.Thread(target=self._forward, daemon=True)
                self._thread.start()
            self._said.wait(READY)
            if not self._port:
                raise ConnectionRefusedError("kubectl port-forward leads nowhere")
            return "127.0.0.1", self._port

    def _forward(self) -> None:
        with contextlib.suppress(Interrupted):
            self._shell.run(*self._command, timeout=WHOLE_DAY, on_line=self._heard, check=False)
        self._port = 0
        self._said.set()

    def _heard(self, line: str) -> None:
        match = re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
        if match:
            self._port = int(match.group(1))
            self._said.set()


# The relay.


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve(port: int, routes: Sequence[Route], identity: Mapping[str, Any]) -> int:
    """Listen on 127.0.0.1 until this process ends; the port. identity: what it says of itself."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # gone, or what it says is no HTTP
                _pass_on(self.request, routes, identity)
                self.request.shutdown(socket.SHUT_RDWR)

    server = _Server(("127.0.0.1", port), Connection)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def _pass_on(client: socket.socket, routes: Sequence[Route], identity: Mapping[str, Any]) -> None:
    """One connection: read the request's head, choose the route, then pass bytes both ways.

    A connection serves one request, because the next one may be for another route.
    """
    (first, *lines), rest = _read_head(client)
    if not first:
        return
    headers = {name.lower(): value.strip() for name, _, value in (_parts(one) for one in lines)}
    if headers.get("host") == WHO:
        client.sendall(_answer(200, identity))
        return
    method, target, version = first.split(" ", 2)
    route = next(one for one in routes if one.takes(target.partition("?")[0]))
    try:
        upstream = socket.create_connection(route.address(), timeout=10)
    except OSError as error:
        client.sendall(_answer(502, {"detail": f"nothing answers behind {route.path}: {error}"}))
        return
    if "upgrade" not in headers:
        lines = _closing(lines)
    if route.strip:
        lines = [*lines, f"X-Forwarded-Prefix: {route.path}"]
    with upstream:
        upstream.settimeout(None)
        upstream.sendall(_head(f"{method} {_without(route, target)} {version}", lines) + rest)
        threading.Thread(target=_copy, args=(client, upstream), daemon=True).start()
        _pass_back(upstream, client, route)


def _pass_back(upstream: socket.socket, client: socket.socket, route: Route) -> None:
    """Pass the answer on, and say that the connection ends with it: not every server does."""
    rest = b""
    while True:
        (first, *lines), rest = _read_head(upstream, rest)
        status = first.partition(" ")[2][:3]
        if not first:
            client.sendall(_answer(502, {"detail": f"nothing came back from behind {route.path}"}))
            return
        if status == "101":  # from now on it is a socket
            break
        if not status.startswith("1"):
            lines = _closing(lines)
            break
        client.sendall(_head(first, lines))
    client.sendall(_head(first, lines) + rest)
    _copy(upstream, client)


def _read_head(source: socket.socket, data: bytes = b"") -> tuple[list[str], bytes]:
    """The lines of a request's or an answer's head, and what came after it.

    data: what was read before. The first line is empty when the other side has closed.
    """
    while b"\r\n\r\n" not in data:
        try:
            piece = source.recv(65536)
        except ConnectionError:  # what a port-forward does whose pod has gone
            piece = b""
        if not piece or len(data) > MOST_HEAD:
            return [""], b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def _head(first: str, lines: Iterable[str]) -> bytes:
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")


def _parts(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _closing(lines: Iterable[str]) -> list[str]:
    """These headers, with the word that the connection ends after them."""
    kept = [one for one in lines if _parts(one)[0].lower() not in ("connection", "keep-alive")]
    return [*kept, "Connection: close"]


def _without(route: Route, target: str) -> str:
    if not route.strip:
        return target
    left = target[len(route.path) :]
    return left if left.startswith("/") else f"/{left}"


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)


def _answer(status: int, body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text
