"""The plan's phase 1: tools, cluster, assistants, and the facts of the cluster."""

from __future__ import annotations

from scripts.checks import assistants as aiops
from scripts.checks.acceptance.look import METRICS, Look, NotApplicable
from scripts.cluster.rights import EVERYWHERE, Right, missing

METRICS_API = "metrics.k8s.io"


def tools(look: Look) -> str:
    """Every tool has a version."""
    told = [f"{one.name} {one.version} ({one.source})" for one in look.tools.values()]
    return ", ".join([*told, f"docker {look.engine.version}"])


def running(look: Look) -> str:
    """The node runs."""
    if look.run.settings.is_there:
        raise NotApplicable(f"{look.target} is not a minikube of this project")
    profile = look.run.settings.cluster.profile
    asked = ("container", "inspect", "--format", "{{.State.Status}}", profile)
    state = look.run.shell.run(look.engine.client, *asked).stdout.strip()
    assert state == "running", f"the node {profile} is {state}"
    return f"node {profile} {state}, Kubernetes {look.facts.kubernetes}"


def controller(look: Look) -> str:
    """A pod of an ingress controller runs."""
    _has_ingress(look)
    if look.run.settings.is_there and not look.facts.controller_pods:
        raise NotApplicable("this user may not see the controller's pods, or the cloud has them")
    pods = look.facts.controller_pods
    assert any(pod.endswith("Running") for pod in pods), f"no controller pod runs: {pods}"
    return ", ".join(pods)


def metrics(look: Look) -> str:
    """metrics-server has figures of the node."""
    if missing(look.run, look.tools, [Right("list", "nodes", EVERYWHERE, group=METRICS_API)]):
        raise NotApplicable("this user may not ask for the nodes' figures")
    return look.top("nodes", patience=METRICS).strip()


def assistants(look: Look) -> str:
    """Each assistant is usable, or has something that does its work."""
    return "; ".join(
        f"{one.name}: {'usable' if one.usable else f'not usable, {one.fallback}'}"
        for one in aiops.probe(look.run)
    )


def classes(look: Look) -> str:
    """There is a default storage class."""
    if not look.facts.default_storage_class:
        raise NotApplicable("the cluster has no default class, or this user may not look for it")
    return f"default {look.facts.default_storage_class}; {', '.join(look.facts.storage_classes)}"


def ingress_class(look: Look) -> str:
    """There is an ingress class."""
    _has_ingress(look)
    return f"{look.facts.ingress_class} ({look.facts.ingress_controller})"


def capacity(look: Look) -> str:
    """The node's capacity is known."""
    if not look.facts.capacity:
        raise NotApplicable("this user may not look at the nodes")
    return ", ".join(f"{name} {value}" for name, value in look.facts.capacity.items())


def _has_ingress(look: Look) -> None:
    if look.facts.no_ingress:
        raise NotApplicable(f"the app has no Ingress here: {look.facts.no_ingress}")
