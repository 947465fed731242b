"""The plan's phase 2: the app's structure, its database, its images."""

from __future__ import annotations

import re
from collections.abc import Callable

from scripts.checks.acceptance.look import Look, NotApplicable
from scripts.cluster import there
from scripts.cluster.kubectl import kubectl
from scripts.cluster.rights import may
from scripts.images import transport
from scripts.release import access, rollout
from scripts.session.settings import ROOT


def structure(look: Look) -> str:
    """The survey finds a frontend and a backend."""
    app = look.app
    return f"frontend {app.frontend_folder}, backend {app.backend_folder} ({app.backend.module})"


def build_needs(look: Look) -> str:
    """The Dockerfiles name their base images, and the survey knows Next's version."""
    names = ("frontend.Dockerfile", "backend.Dockerfile")
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    bases = ", ".join(re.findall(r"^ARG [A-Z]+_IMAGE=(.+)$", text, re.MULTILINE))
    frontend = look.app.frontend
    return f"bases {bases}; Next.js {frontend.next_version} ({frontend.output})"


def containers(look: Look) -> str:
    """The app's own Dockerfiles are reported."""
    return ", ".join(look.app.containers) or "none of its own"


def database_decision(look: Look) -> str:
    """The kind of database is decided, with the lines that decide it."""
    lines = [f"{one.place} {one.line.strip()}" for one in look.app.evidence[:2]]
    return f"{look.app.database}: {'; '.join(lines)}"


def image(component: str) -> Callable[[Look], str]:
    """The component's image is on the node, under a tag of its contents."""

    def on_node(look: Look) -> str:
        reference = look.container(component)["image"]
        way = there.way_of(look.run, look.engine, look.tools)
        if not way.nodes:
            raise NotApplicable(f"the nodes cannot be looked into; {way}")
        held = transport.holdings(look.run, look.engine, way.nodes[0], [reference]).images
        name = transport.normalized(reference)
        assert name in held, f"the node has no {reference}"
        assert not reference.endswith(":latest"), f"{reference} is no content tag"
        return f"{reference} is {held[name][:19]} on the node"

    return on_node


def port(component: str, number: int) -> Callable[[Look], str]:
    """The component's container has this port, and answers through its Service."""

    def answers(look: Look) -> str:
        path = rollout.health_path(look.state).lstrip("/") if component == "backend" else ""
        ports = [one["containerPort"] for one in look.container(component)["ports"]]
        assert ports == [number], f"containerPort {ports}"
        if not may(look.run, look.tools, "get", "services/proxy"):
            raise NotApplicable("this user may not ask through a Service")
        # The API server asks the pod through the Service.
        service = f"{look.release.name}-{component}:http"
        address = f"/api/v1/namespaces/{look.release.namespace}/services/{service}/proxy/{path}"
        asked = kubectl(
            look.run, look.tools, "get", "--raw", address, check=path != access.SCHEMA.lstrip("/")
        )
        # The words for a 404 of the app's own: its schema is at another path. A Service that is
        # not there is named.
        elsewhere = "could not find the requested resource" in asked.stderr
        assert asked.ok or elsewhere, asked.tail(1)
        said = "its own 404" if elsewhere else asked.stdout.strip()[:40]
        return f"containerPort {number}; through the Service /{path} answers {said}"

    return answers


def database_works(look: Look) -> str:
    """The app's own route says that its database answers."""
    if not look.app.backend.ready_path:
        raise NotApplicable(
            "the app has no route that says so; `invoke deploy` asks one that reads"
        )
    return str(look.get(rollout.api_path(look.state) + look.app.backend.ready_path).json())
