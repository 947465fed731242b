"""What a browser would meet: answers through the ingress, and the host name."""

from __future__ import annotations

import os
from dataclasses import replace

from scripts.checks.diagnosis import policies
from scripts.checks.diagnosis.observed import Observed
from scripts.release import rollout
from scripts.session.findings import Finding

#: Statuses of the ingress controller, and what they mean.
ANSWERS = {
    404: "the ingress controller knows no route for this host and path",
    502: "the ingress controller cannot connect to the pod",
    503: "the service has no ready pod",
    504: "the pod does not answer in time",
}


def _meaning(status: int) -> str:
    return f"answers {status}: {ANSWERS.get(status, 'a working app does not answer so')}"


def consequences(seen: Observed) -> list[str]:
    """What follows from a cause: workloads that wait, empty services, pages that fail."""
    lines = []
    for subject in rollout.unready(seen.state):
        kind, _, name = subject.partition("/")
        state = "has no ready endpoint" if kind == "service" else "is not rolled out"
        lines.append(f"{kind} {name} {state}")
    for path, status in seen.answers.items():
        if status != 200:
            said = _meaning(status) if status else "does not answer"
            lines.append(f"{seen.address}{path} {said}")
    return lines


def unexplained(seen: Observed) -> list[Finding]:
    """Pages that fail though nothing in the cluster is wrong."""
    found = [
        _suspected(seen, path, status) or _failed(f"{seen.address}{path}", status)
        for path, status in seen.answers.items()
        if status != 200
    ]
    waiting = rollout.unready(seen.state)
    if waiting and not found:
        told = f"not everything is rolled out: {', '.join(waiting)}"
        remedy = "look again in a minute"
        found.append(Finding("ROLLOUT-TIMEOUT", waiting[0], told, remedy=remedy))
    return found


def _suspected(seen: Observed, path: str, status: int) -> Finding | None:
    """A policy of somebody else about the pods that the controller does not reach."""
    if status not in (502, 504):
        return None
    found = policies.suspects(seen, "frontend" if path == "/" else "backend")
    told = f"{seen.address}{path} {_meaning(status)}"
    return replace(found[0], evidence=f"{told}\n{found[0].evidence}") if found else None


def _failed(url: str, status: int) -> Finding:
    if status:
        told = f"{url} {_meaning(status)}"
        return Finding("SMOKE-FAILED", url, told, remedy="`invoke logs` shows what the pods say")
    return Finding(
        "INGRESS-UNREACHABLE",
        url,
        f"nothing answers at {url}, though the cluster is well",
        "no TCP connection or no answer",
        "does another program or a firewall hold the port? invoke check",
    )


def host_name(seen: Observed) -> list[Finding]:
    """A host name that leads elsewhere, or a proxy that would get the request."""
    found = []
    if seen.name and seen.name not in seen.expected:
        right = " or ".join(seen.expected)
        found.append(
            Finding(
                "HOSTS-ENTRY",
                seen.host,
                f"{seen.host} leads to another machine",
                f"{seen.host} resolves to {seen.name}; the app is at {right}",
                "another entry in the hosts file, a VPN or a resolver gives that address: "
                "remove it; `invoke dns` writes the right entry",
            )
        )
    if seen.proxy and seen.name and not _is_exempt(seen.host):
        found.append(
            Finding(
                "PROXY-IN-THE-WAY",
                seen.host,
                f"programs that heed http_proxy ask the proxy for {seen.host}",
                "http_proxy is set, and no_proxy does not name it",
                f"export no_proxy=$no_proxy,{seen.host},localhost,127.0.0.1",
            )
        )
    return found


def _is_exempt(host: str) -> bool:
    """no_proxy names the host, its domain, or everything."""
    exempt = os.environ.get("no_proxy", "") + os.environ.get("NO_PROXY", "")
    return any(word in exempt for word in (host, f".{host.partition('.')[2]}", "*"))
