"""How a person reaches the app.

The loopback address always works; the host name needs its hosts entry.
"""

from __future__ import annotations

import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from scripts.app import fit
from scripts.app.survey import Survey
from scripts.cluster.minikube import Cluster
from scripts.machine.preflight import is_wsl
from scripts.session.findings import Finding, failure
from scripts.session.run import Run
from scripts.supply.tools import Found

HOSTS = Path("/etc/hosts")
MARK = "# phase4"
REQUEST_TIMEOUT = 5.0
PATIENCE = 5.0
SMOKE_TIMEOUT = 60.0


@dataclass(frozen=True)
class Access:
    """The addresses of the app.

    local_url: needs nothing. host_url: empty while the host name does not lead to the app. advice:
    lines for the person. how: under what condition local_url works.
    """

    local_url: str
    host_url: str
    advice: tuple[str, ...]
    how: str = "works in every browser on this machine"


@dataclass(frozen=True)
class Check:
    """One request and what came of it. seconds: until the answer was complete."""

    url: str
    status: int
    seconds: float


SCHEMA = "/openapi.json"  # what a backend without a health route is asked for


def asked_path(app: Survey) -> str:
    """The path at which the app's API is asked, through the ingress, whether it is there."""
    return fit.api_path(app) + (app.backend.health_path or SCHEMA)


def configure(run: Run, cluster: Cluster, app: Survey, tools: Mapping[str, Found]) -> Access:
    """Make the host name lead to the cluster. Asks before the hosts file is written.

    Raises HOSTS-ENTRY.
    """
    del tools
    asked = asked_path(app)
    host = run.settings.release.host
    address = "127.0.0.1"
    if platform.system() != "Darwin":  # containers have no address of their own there
        # A controller that has just started may not know its routes yet, and would seem to be out
        # of reach at the cluster's address.
        run.shell.until(lambda: serves(address, cluster.ingress_port, host, asked), PATIENCE, 0.1)
        address = cluster.address if serves(cluster.address, 80, host, asked) else address
    port = 80 if address == cluster.address else cluster.ingress_port
    url = f"http://{host}" + ("" if port == 80 else f":{port}")
    windows = (
        "on Windows, in C:\\Windows\\System32\\drivers\\etc\\hosts as administrator: 127.0.0.1 "
        f"{host}   then http://{host}:{cluster.ingress_port}/"
    )
    advice = [windows] if is_wsl() else []
    if resolve(host) == address:
        return Access(run.settings.local_url, url, tuple(advice))
    line = f"{address} {host} {MARK}"
    if run.settings.hosts_file == "skip":
        return Access(run.settings.local_url, "", (*advice, f"for {url}/ add to {HOSTS}: {line}"))
    if not os.access(HOSTS, os.W_OK):
        command = f"echo '{line}' | sudo tee -a {HOSTS}"
        return Access(run.settings.local_url, "", (*advice, f"for {url}/ run: {command}"))
    if run.settings.hosts_file == "ask" and not run.confirm(f"write `{line}` to {HOSTS}"):
        return Access(run.settings.local_url, "", (*advice, f"for {url}/ add to {HOSTS}: {line}"))
    run.shell.plan(f"write `{line}` to {HOSTS}")
    write_entry(HOSTS, address, host)
    if resolve(host) != address:
        raise failure(
            "HOSTS-ENTRY",
            host,
            f"{host} has an entry in {HOSTS}, but resolves to {resolve(host) or 'nothing'}",
            f"wanted: {line}",
            "another entry, a VPN or a resolver on this machine comes first: remove its entry for "
            "this name",
        )
    return Access(run.settings.local_url, url, tuple(advice))


def write_entry(hosts: Path, address: str, host: str) -> None:
    """Put one line for `host` into a hosts file, in place of any that this project wrote.

    All others stay.

    Raises HOSTS-ENTRY when somebody else's line names the host with another address: it is not ours
    to change.
    """
    lines = hosts.read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines
        if not (line.rstrip().endswith(MARK) and re.search(rf"\s{re.escape(host)}\s", line))
    ]
    for line in kept:
        words = line.split("#")[0].split()
        if host in words[1:] and words[0] != address:
            raise failure(
                "HOSTS-ENTRY",
                str(hosts),
                f"{hosts} names {host} with another address",
                line,
                f"change that line to: {address} {host}",
            )
    _write_in_place(hosts, [*kept, f"{address} {host} {MARK}"])


def remove_entry(hosts: Path, host: str) -> bool:
    """Take out the line that this project wrote for `host`; True when there was one."""
    lines = hosts.read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines
        if not (line.rstrip().endswith(MARK) and re.search(rf"\s{re.escape(host)}\s", line))
    ]
    if kept == lines:
        return False
    _write_in_place(hosts, kept)
    return True


def _write_in_place(hosts: Path, lines: Sequence[str]) -> None:
    """Write all lines over the file: in containers it is a mount and cannot be replaced.

    It is never empty on the way, as it would be if it was cut off first: a run may be killed.
    """
    text = ("\n".join(lines) + "\n").encode()
    with hosts.open("r+b", buffering=0) as file:
        file.write(text)
        file.truncate(len(text))


def forget(run: Run) -> None:
    """Take the entry for the release's host out of the hosts file, where this user may.

    With `hosts_file: skip` the file is not touched. For a cluster that is there none was written:
    one that is found leads to our own cluster.
    """
    host = run.settings.release.host
    if run.settings.hosts_file == "skip" or run.settings.is_there:
        return
    if os.access(HOSTS, os.W_OK) and remove_entry(HOSTS, host):
        run.say(f"took the entry for {host} out of {HOSTS}")


def resolve(host: str) -> str:
    """The IPv4 address of a name as this machine sees it, empty when it has none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
    except socket.gaierror:
        return ""


def serves(address: str, port: int, host: str, asked: str) -> bool:
    """The app itself answers there.

    An accepted connection proves nothing on a network that accepts any.
    """
    try:
        answer = requests.get(
            f"http://{address}:{port}{asked}",
            headers={"Host": host},
            timeout=2,
            proxies={"http": ""},
        )
    except requests.RequestException:
        return False
    return works(answer) and "json" in answer.headers.get("content-type", "")


def works(answer: requests.Response) -> bool:
    """Whether a working app answers so.

    FastAPI may keep its schema at another path, or nowhere: its own 404 is JSON, and that of an
    ingress controller is not.
    """
    own = urlsplit(answer.url).path.endswith(SCHEMA) and "json" in answer.headers.get(
        "content-type", ""
    )
    return answer.status_code == 200 or (own and answer.status_code == 404)


def smoke(run: Run, access: Access, app: Survey) -> tuple[Check, ...]:
    """Ask the app for its page and its API through the ingress, as a browser would.

    Raises INGRESS-UNREACHABLE or SMOKE-FAILED, by the hop that failed.
    """
    asked = asked_path(app)
    host, port = run.settings.release.host, run.settings.cluster.ingress_port
    base = f"http://127.0.0.1:{port}"
    # The host name is sent as a header: this must work whether or not the name resolves.
    targets = [(base, "/", host), (base, asked, host), (base, "/", run.settings.local_host)]
    if access.host_url:
        targets += [(access.host_url, "/", host), (access.host_url, asked, host)]
    done: list[Check] = []
    for origin, path, name in targets:
        problem: list[Finding] = []

        def passes(
            url: str = origin + path,
            name: str = name,
            wanted: str = "html" if path == "/" else "json",
            problem: list[Finding] = problem,
        ) -> bool:
            problem[:] = [finding for finding in [_ask(url, name, wanted, done)] if finding]
            return not problem

        if not run.shell.until(passes, SMOKE_TIMEOUT):
            raise failure(
                problem[0].code,
                problem[0].subject,
                problem[0].summary,
                problem[0].evidence,
                problem[0].remedy,
            )
    return tuple(done)


def _ask(url: str, host: str, wanted: str, done: list[Check]) -> Finding | None:
    """One request; what is wrong with its answer, or None after adding it to `done`.

    A page may lead elsewhere, to a login.
    """
    try:
        answer = requests.get(
            url,
            headers={"Host": host},
            timeout=REQUEST_TIMEOUT,
            proxies={"http": ""},
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return Finding(
            "INGRESS-UNREACHABLE",
            url,
            f"nothing answers at {url}",
            str(error)[:200],
            "`invoke status`; `invoke cluster-up` brings a stopped cluster back",
        )
    told = {
        404: "the ingress controller knows no route for this host and path",
        502: "the ingress controller cannot connect to the pod",
        503: "the service has no ready pod",
        504: "the pod does not answer in time",
    }
    leads_on = wanted == "html" and answer.is_redirect
    if not works(answer) and not leads_on:
        return Finding(
            "SMOKE-FAILED",
            url,
            f"{url} answers {answer.status_code}: "
            f"{told.get(answer.status_code, 'not what a working app says')}",
            answer.text[:300],
            "`invoke monitor` says what is wrong with the pods",
        )
    if wanted not in answer.headers.get("content-type", "") and not leads_on:
        return Finding(
            "SMOKE-FAILED",
            url,
            f"{url} answers, but not with {wanted}: somebody else is there",
            answer.text[:200],
            "look for a proxy, or another program on this port",
        )
    done.append(Check(f"{url} (host {host})", answer.status_code, answer.elapsed.total_seconds()))
    return None
