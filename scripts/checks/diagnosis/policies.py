"""NetworkPolicies of somebody else that keep the app's traffic away.

Policies add up: a pod that no policy selects takes everything, and one that some select takes what
any of them allows. So the release's own policies may let through what another one leaves out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.checks.diagnosis.observed import (
    Item,
    Objects,
    Observed,
    component_of,
    is_ours,
    name_of,
    of_kind,
)
from scripts.release import rollout
from scripts.session.findings import Finding

PEER = {"Ingress": "from", "Egress": "to"}


def blocking(seen: Observed) -> list[Finding]:
    """Policies of somebody else that are the reason why a component cannot be reached."""
    if all(status == 200 for status in seen.answers.values()) and not rollout.unready(seen.state):
        return []  # not in force, or not in the way
    return [
        finding
        for target, direction, source in _ways(seen)
        for finding in _blocked(seen, target, direction, source)
    ]


def _ways(seen: Observed) -> list[tuple[Item, str, Item]]:
    """The traffic that an app needs: (a pod, the direction, the pod at the other end)."""
    pods = {component_of(pod): pod for pod in seen.of("Pod")}
    backend, postgres = pods.get("backend"), pods.get("postgres")
    ways: list[tuple[Item, str, Item]] = []
    for component in ("frontend", "backend"):
        for controller in seen.controllers[:1] if component in pods else ():
            ways.append((pods[component], "Ingress", controller))
            ways.append((controller, "Egress", pods[component]))
    if backend and postgres:
        ways += [(postgres, "Ingress", backend), (backend, "Egress", postgres)]
    return ways


def _blocked(seen: Observed, pod: Item, direction: str, other: Item) -> list[Finding]:
    policies = [one for one in seen.policies if _selects(one, direction, pod)]
    foreign = [one for one in policies if not is_ours(one, seen.app)]
    if not foreign or any(_allows(seen, one, direction, pod, other) for one in policies):
        return []
    ends = (other, pod) if direction == "Ingress" else (pod, other)
    source, target = (component_of(one) or name_of(one) for one in ends)
    return [_finding(foreign, target, f"it lets nothing from {source} to {target} through")]


def suspects(seen: Observed, component: str) -> list[Finding]:
    """Policies of somebody else that select a component's pods, whatever they allow."""
    pods = [pod for pod in seen.of("Pod") if component_of(pod) == component]
    foreign = [
        one
        for one in seen.policies
        if not is_ours(one, seen.app) and any(_is_about(one, pod) for pod in pods)
    ]
    return [_finding(foreign, component, "it selects its pods")] if foreign else []


def _finding(foreign: Sequence[Item], component: str, evidence: str) -> Finding:
    names, home = ", ".join(map(name_of, foreign)), foreign[0]["metadata"]["namespace"]
    return Finding(
        "POLICY-IN-THE-WAY",
        f"networkpolicy/{names.partition(',')[0]}",
        f"the network policy {names}, which is not of this release, keeps traffic from {component}",
        evidence,
        f"kubectl -n {home} describe networkpolicy {names.replace(',', '')}; "
        "ask who made it, change or delete it",
    )


def _selector(policy: Item) -> Mapping[str, Any]:
    selector: Mapping[str, Any] = policy["spec"].get("podSelector") or {}
    return selector


def _selects(policy: Item, direction: str, pod: Item) -> bool:
    """The policy is about this pod's traffic in this direction."""
    spec = policy["spec"]
    default = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    types: list[str] = spec.get("policyTypes", default)
    return direction in types and _is_about(policy, pod)


def _is_about(policy: Item, pod: Item) -> bool:
    """The policy selects the pod; it selects in its own namespace only."""
    near = policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return bool(near) and _matches(_selector(policy), pod)


def _matches(selector: Mapping[str, Any], item: Item) -> bool:
    """A label selector, `matchLabels` and `matchExpressions`, and an object's labels."""
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = str(expression["key"]), str(expression["operator"])
    values: list[str] = expression.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) == (operator == "Exists")
    return (labels.get(key) in values) == (operator == "In")


def _allows(seen: Observed, policy: Item, direction: str, pod: Item, other: Item) -> bool:
    """Some rule of the policy lets traffic through between the pod and the other one."""
    target = pod if direction == "Ingress" else other
    return any(
        _peer_fits(seen, rule.get(PEER[direction]), policy, other)
        and _port_fits(rule.get("ports"), target)
        for rule in policy["spec"].get(direction.lower()) or []
    )


def _peer_fits(
    seen: Observed, peers: Sequence[Mapping[str, Any]] | None, policy: Item, other: Item
) -> bool:
    if not peers:
        return True
    return any(_is_peer(seen.cluster, peer, policy, other) for peer in peers)


def _is_peer(cluster: Objects, peer: Mapping[str, Any], policy: Item, other: Item) -> bool:
    if "ipBlock" in peer:
        address = other["status"].get("podIP")
        block = ipaddress.ip_network(peer["ipBlock"]["cidr"], strict=False)
        return bool(address) and ipaddress.ip_address(address) in block
    home = other["metadata"]["namespace"]
    if "namespaceSelector" in peer:
        spaces = [one for one in of_kind(cluster, "Namespace") if name_of(one) == home]
        near = any(_matches(peer["namespaceSelector"], one) for one in spaces)
    else:
        near = home == policy["metadata"]["namespace"]
    return near and _matches(peer.get("podSelector") or {}, other)


def _port_fits(ports: Sequence[Mapping[str, Any]] | None, target: Item) -> bool:
    """A rule without ports is about all; else one of them is a port of the target's containers."""
    if not ports:
        return True
    containers = target["spec"]["containers"]
    listed = [port for one in containers for port in one.get("ports", [])]
    known = {one["containerPort"] for one in listed} | {one.get("name") for one in listed}
    numbers = {one["containerPort"] for one in listed}
    for one in ports:
        port = one.get("port")
        last = one.get("endPort", port)
        if port is None or port in known:
            return True
        if isinstance(port, int) and any(port <= number <= last for number in numbers):
            return True
    return False
