"""Which of the plan's assistants (Gordon, kubectl-ai, kagent) can be used here, and what is used instead."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.findings import Failure
from scripts.run import Run

PROBE_TIMEOUT = 10.0


@dataclass(frozen=True)
class Assistant:
    """usable: it answered. evidence: what it said, or why not. fallback: what does its work here otherwise."""

    name: str
    usable: bool
    evidence: str
    fallback: str


#: Name, the command that shows whether it works without asking a model anything, and the fallback.
PROBES = (
    ("Gordon", ("docker", "ai", "version"), "the Dockerfiles of this repository"),
    ("kubectl-ai", ("kubectl-ai", "version"), "kubectl with `invoke monitor`"),
    ("kagent", ("kagent", "version"), "kubectl with `invoke status`"),
)


def probe(run: Run) -> tuple[Assistant, ...]:
    """Try each assistant, for 10 seconds at most. Nothing is sent to a model."""
    return tuple(_probe(run, *entry) for entry in PROBES)


def _probe(run: Run, name: str, argv: tuple[str, ...], fallback: str) -> Assistant:
    if not run.shell.which(argv[0]):
        return Assistant(name, False, f"{argv[0]} is not on PATH", fallback)
    try:
        result = run.shell.run(*argv, timeout=PROBE_TIMEOUT, check=False)
    except Failure as error:
        return Assistant(name, False, error.findings[0].summary, fallback)
    words = (result.tail(1) or f"exit status {result.code}")[:120]
    return Assistant(name, result.ok, words, fallback)
