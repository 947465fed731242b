"""The table of the plan's acceptance lines, and the way through it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import requests

from scripts.checks.acceptance import application, chart, deployment, environment, papers, proof
from scripts.checks.acceptance.look import Look, NotApplicable
from scripts.session.findings import Failure, failure

Status = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Row:
    """One acceptance line.

    task: its number in the plan. evidence: what was seen. seconds: how long looking took.
    """

    task: str
    line: str
    status: Status
    evidence: str
    seconds: float


#: Every acceptance line of the plan: its task, its words, and what looks.
LINES: tuple[tuple[str, str, Callable[[Look], str]], ...] = (
    ("1.1", "All tools return valid versions", environment.tools),
    ("1.2", "Minikube status is Running", environment.running),
    ("1.2", "An ingress controller is enabled", environment.controller),
    ("1.2", "Metrics-server is enabled", environment.metrics),
    (
        "1.3",
        "Which AIOps tools are available, with a fallback for each that is not",
        environment.assistants,
    ),
    ("1.4", "Storage class identified", environment.classes),
    ("1.4", "Ingress controller verified and running", environment.controller),
    ("1.4", "Ingress class documented", environment.ingress_class),
    ("1.4", "Resource limits documented", environment.capacity),
    ("2.1", "Phase III structure documented", application.structure),
    ("2.1", "Docker build requirements identified", application.build_needs),
    (
        "2.1",
        "Existing Dockerfiles reported",
        application.containers,
    ),
    ("2.1", "Backend port is 8001", application.port("backend", 8001)),
    ("2.1.a", "Database architecture understood and decided", application.database_decision),
    ("2.1.a", "ADR of the decision", papers.file("history/adr/0005-database.md")),
    ("2.2", "Frontend Dockerfile", papers.file("frontend.Dockerfile")),
    ("2.2", "Frontend image built and on the node", application.image("frontend")),
    ("2.2", "Container serves the app on port 80", application.port("frontend", 80)),
    ("2.3", "Backend Dockerfile", papers.file("backend.Dockerfile")),
    ("2.3", "Backend image built and on the node", application.image("backend")),
    ("2.3", "Health endpoint responds on port 8001", application.port("backend", 8001)),
    ("2.3", "Database connection works", application.database_works),
    (
        "3.1",
        "Chart directory, metadata and default values",
        papers.file(
            "helm-chart/Chart.yaml", "helm-chart/values.yaml", "helm-chart/templates/*.yaml"
        ),
    ),
    ("3.2", "Frontend Deployment and Service, port 80", application.port("frontend", 80)),
    (
        "3.2",
        "NEXT_PUBLIC_API_URL from the ConfigMap",
        chart.variable("frontend", "NEXT_PUBLIC_API_URL", "ConfigMap"),
    ),
    ("3.2", "Frontend resources", chart.resources("frontend")),
    ("3.3", "Backend Deployment and Service, port 8001", application.port("backend", 8001)),
    ("3.3", "DATABASE_URL from the Secret", chart.variable("backend", "DATABASE_URL", "Secret")),
    (
        "3.3",
        "BETTER_AUTH_SECRET from the Secret",
        chart.variable("backend", "BETTER_AUTH_SECRET", "Secret"),
    ),
    (
        "3.3",
        "OPENAI_API_KEY from the Secret",
        chart.variable("backend", "OPENAI_API_KEY", "Secret"),
    ),
    ("3.3", "Backend resources", chart.resources("backend")),
    ("3.4", "ConfigMap and Secret apart, sensitive data isolated", chart.isolated),
    ("3.5", "PostgreSQL StatefulSet and Service", chart.stateful),
    ("3.5", "PostgreSQL resources", chart.resources("postgres", "StatefulSet")),
    ("3.5", "Volume claim correct and bound", chart.claim),
    ("3.6", "Ingress class verified", environment.ingress_class),
    ("3.6", "Routes: / to the frontend, /api/ to the backend on 8001", chart.routes),
    ("3.6", "Annotations match the controller", chart.rewrite),
    ("3.7", "All parameters have comments", chart.commented),
    ("3.8", "Helm lint passes without warnings", chart.lint),
    ("3.8", "Templates render, and the dry run accepts every object", chart.accepted),
    ("4.0", "Storage class available", environment.classes),
    ("4.0", "Ingress class available", environment.ingress_class),
    ("4.0", "Images loaded", application.image("backend")),
    ("4.1", "Release is deployed", deployment.deployed),
    ("4.2", "All pods are Running", deployment.all_running),
    ("4.2", "All services have endpoints", deployment.endpoints),
    ("4.2", "Ingress is created", deployment.ingress),
    ("4.3", "The host name resolves", deployment.resolves),
    ("4.3", "HTTP connection succeeds", deployment.http),
    ("5.1", "Frontend loads", proof.page),
    ("5.1", "No console errors", proof.console),
    ("5.1", "Backend health endpoint responds", chart.rewrite),
    ("5.2", "No critical issues", proof.nothing_wrong),
    ("5.2", "Resource usage within limits", proof.within_limits),
    ("5.2", "No error logs", proof.no_errors),
    ("5.3", "Data persists across a restart", proof.persists),
    ("5.4", "Log in, JWT received", proof.token),
    ("5.4", "Create, list, complete, delete", proof.todo_kept),
    ("5.4", "Chat answers and its tool is invoked", proof.assistant),
    ("5.4", "No CORS errors", proof.same_origin),
    ("5.5", "Error handling works", proof.refuses),
    ("5.5", "Logs are complete and structured", proof.structured),
    ("5.5", "Page load and API response time", proof.fast),
    ("6.1", "README.md", papers.file("README.md")),
    ("6.2", "TROUBLESHOOTING.md explains every code", papers.troubles),
    ("6.3", "PHRs of significant problems", papers.file("history/phr/[0-9]*.md")),
    ("6.4", "ADRs of major decisions", papers.file("history/adr/[0-9]*.md")),
    ("6.5", "Chart README", papers.file("helm-chart/README.md")),
)
#: Lines that change what others look at come last.
LATE = ("Data persists across a restart",)


def verify(look: Look) -> tuple[Row, ...]:
    """Look at every acceptance line of the plan.

    Raises SETTINGS-INVALID when Python leaves assertions out: every line would pass then.
    """
    if not __debug__:
        raise failure(
            "SETTINGS-INVALID",
            "PYTHONOPTIMIZE",
            "Python was told to leave out assertions, and with them every check",
            remedy="unset PYTHONOPTIMIZE, and start Python without -O",
        )
    rows: dict[int, Row] = {}
    for number, line in sorted(enumerate(LINES), key=lambda entry: entry[1][1] in LATE):
        rows[number] = _row(look, *line)
    look.tidy()
    return tuple(rows[number] for number in range(len(LINES)))


def _row(look: Look, task: str, line: str, check: Callable[[Look], str]) -> Row:
    began = time.monotonic()
    status, evidence = _outcome(look, check)
    return Row(task, line, status, look.run.shell.mask(evidence), time.monotonic() - began)


def _outcome(look: Look, check: Callable[[Look], str]) -> tuple[Status, str]:
    try:
        return "passed", check(look)
    except NotApplicable as error:
        return "not applicable", str(error)
    except AssertionError as error:
        return "failed", str(error)
    except Failure as error:
        first = error.findings[0]
        return "failed", f"{first.summary}: {first.evidence}"[:300]
    except (requests.RequestException, KeyError, IndexError, ValueError) as error:
        return "failed", f"{type(error).__name__}: {error}"[:300]
