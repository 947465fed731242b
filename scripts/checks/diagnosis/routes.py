"""The way to the pods: Services and their ports, Ingresses and their controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.checks.diagnosis.observed import (
    Item,
    Observed,
    component_of,
    is_ready,
    name_of,
    of_kind,
    once,
)
from scripts.release import rollout
from scripts.session.findings import Finding


def services(seen: Observed) -> list[Finding]:
    """Services that do not reach the ready pods of their component."""
    counts = rollout.endpoints(seen.state)
    empty = [one for one in seen.of("Service") if not counts.get(name_of(one))]
    wrong = [finding for one in empty for finding in _selector(seen, one)]
    if wrong:
        return wrong
    return [finding for one in seen.of("Service") for finding in _target_port(seen, one)]


def _selector(seen: Observed, service: Item) -> list[Finding]:
    """A Service whose selector does not match the labels of its component's ready pods."""
    name, selector = name_of(service), service["spec"].get("selector") or {}
    pods = [pod for pod in _pods_of(seen, service) if is_ready(pod)]
    if not pods:
        return []
    labels = pods[0]["metadata"]["labels"]
    wrong = [
        f"{key}={value}, the pod has {labels.get(key, 'none')}"
        for key, value in selector.items()
        if labels.get(key) != value
    ]
    if not wrong:
        return []
    told = f"the service {name} selects no pod: its selector does not match their labels"
    subject = f"service/{name}"
    return [Finding("SERVICE-SELECTOR", subject, told, "\n".join(wrong), "invoke install")]


def _pods_of(seen: Observed, service: Item) -> list[dict[str, Any]]:
    return [pod for pod in seen.of("Pod") if component_of(pod) == component_of(service)]


def _target_port(seen: Observed, service: Item) -> list[Finding]:
    """A Service that sends to a port on which no container listens."""
    containers = [one for pod in _pods_of(seen, service)[:1] for one in pod["spec"]["containers"]]
    ports = [port for one in containers for port in one.get("ports", [])]
    known = {one["containerPort"] for one in ports} | {one.get("name") for one in ports}
    targets = [one.get("targetPort", one["port"]) for one in service["spec"].get("ports", [])]
    wrong = [target for target in targets if target not in known]
    if not ports or not wrong:
        return []
    listens = ", ".join(f"{one.get('name', '')} {one['containerPort']}".strip() for one in ports)
    name = name_of(service)
    told = f"the service {name} sends to port {wrong[0]}, and its pod listens on {listens}"
    return [Finding("PORT-MISMATCH", f"service/{name}", told, remedy="invoke install")]


def ingresses(seen: Observed) -> list[Finding]:
    """The Ingresses: a class that exists, a controller that runs, rules to Services that exist."""
    if not seen.meant:
        return []
    classes = [name_of(one) for one in of_kind(seen.cluster, "IngressClass")]
    found = _controller(seen, classes)
    listed = seen.of("Ingress")
    if not listed and seen.of("Service"):
        subject = f"release {seen.app}"
        told = "the release has no Ingress, so nothing leads to it from outside"
        found.append(Finding("INGRESS-MISSING", subject, told, remedy="invoke install"))
    for ingress in listed:
        found += _class(ingress, classes)
        found += _backends(seen, ingress)
        found += _hosts(seen, ingress)
    return once(found)


def _controller(seen: Observed, classes: Sequence[str]) -> list[Finding]:
    if not classes and not seen.sees_controllers:
        return []
    if not classes:
        told = "the cluster has no ingress class, so nothing serves the Ingress"
        return [Finding("INGRESS-CLASS-MISSING", "ingressclass", told, remedy="invoke cluster-up")]
    if any(is_ready(pod) for pod in seen.controllers):
        return []
    if not seen.controllers and not seen.sees_controllers:
        return []
    states = [
        f"{pod['metadata']['namespace']}/{name_of(pod)} {pod['status']['phase']}"
        for pod in seen.controllers
    ]
    return [
        Finding(
            "INGRESS-CONTROLLER-DOWN",
            "ingress controller",
            "the ingress controller does not run",
            "\n".join(states) or "no pod of a controller",
            "invoke cluster-up",
        )
    ]


def _class(ingress: Item, classes: Sequence[str]) -> list[Finding]:
    name, chosen = name_of(ingress), ingress["spec"].get("ingressClassName")
    if not chosen or not classes or chosen in classes:
        return []
    told = f"the ingress {name} is of class {chosen}, which does not exist"
    evidence = f"there are: {', '.join(classes)}"
    return [Finding("INGRESS-CLASS-MISSING", f"ingress/{name}", told, evidence, "invoke install")]


def _backends(seen: Observed, ingress: Item) -> list[Finding]:
    """Paths that lead to a Service or a port that does not exist."""
    listed = {name_of(one): one for one in seen.of("Service")}
    name = name_of(ingress)
    found = []
    for path in _paths(ingress):
        target = path["backend"]["service"]
        lacks = _lacks(listed.get(target["name"]), target["port"])
        if lacks:
            told = f"the ingress {name} leads to the service {target['name']}, which {lacks}"
            evidence = f"path {path['path']}"
            subject = f"ingress/{name}"
            found.append(Finding("INGRESS-BACKEND", subject, told, evidence, "invoke install"))
    return found


def _paths(ingress: Item) -> list[dict[str, Any]]:
    rules = ingress["spec"].get("rules", [])
    return [path for rule in rules for path in rule.get("http", {}).get("paths", [])]


def _lacks(service: Item | None, port: Mapping[str, Any]) -> str:
    """What keeps an Ingress from reaching a Service's port; empty when nothing does."""
    if not service:
        return "does not exist"
    listed = service.get("spec", {}).get("ports", [])
    known = {one["port"] for one in listed} | {one.get("name") for one in listed}
    wanted = port.get("name") or port.get("number")
    return "" if wanted in known else f"has no port {wanted}"


def _hosts(seen: Observed, ingress: Item) -> list[Finding]:
    hosts = [rule.get("host") for rule in ingress["spec"].get("rules", [])]
    if seen.host in hosts:
        return []
    name = name_of(ingress)
    told = f"the ingress {name} does not serve {seen.host}"
    evidence = f"it serves: {', '.join(map(str, hosts))}"
    return [Finding("INGRESS-BACKEND", f"ingress/{name}", told, evidence, "invoke install")]
