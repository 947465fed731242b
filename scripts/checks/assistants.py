"""Which of the plan's assistants (Gordon, kubectl-ai, kagent) can be used here, and what is used instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scripts.checks.support import redact
from scripts.session.findings import Failure
from scripts.session.run import Run

PROBE_TIMEOUT = 10.0
ASK_TIMEOUT = 120.0


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


def names(found: Iterable[Assistant]) -> str:
    """The assistants that can be used, in one line."""
    return ", ".join(one.name for one in found if one.usable) or "none usable; fallbacks named"


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


#: How each is asked without a person at its prompt; the question comes last.
ASK = {
    "kubectl-ai": ("kubectl-ai", "--quiet", "--max-iterations", "5"),
    "kagent": ("kagent", "invoke", "--agent", "k8s-agent", "--task"),
    "Gordon": ("docker", "ai"),
}


@dataclass(frozen=True)
class Opinion:
    """Who answered, what it said; and why those before it did not."""

    name: str
    words: str
    skipped: tuple[str, ...]


def ask(run: Run, question: str) -> Opinion:
    """Ask the first assistant that is usable and that the person agrees to; else the built-in diagnosis stands alone.

    What looks like a secret is masked before anything is sent. Each has two minutes at most.
    """
    skipped = []
    usable = {one.name: one for one in probe(run)}
    for name, argv in ASK.items():
        if not usable[name].usable:
            skipped.append(f"{name}: {usable[name].evidence}")
            continue
        if not run.confirm(
            f"send what was found, secrets masked, to {name}, which passes it on to its model"
        ):
            skipped.append(f"{name}: declined")
            continue
        try:
            answer = run.shell.run(
                *argv, redact(run.shell.mask(question)), timeout=ASK_TIMEOUT, check=False
            )
        except Failure as error:
            skipped.append(f"{name}: {error.findings[0].summary[:120]}")
            continue
        if answer.ok and answer.stdout.strip():
            return Opinion(name, answer.stdout.strip(), tuple(skipped))
        skipped.append(f"{name}: {answer.tail(1)[:120] or f'exit status {answer.code}'}")
    return Opinion("", "", tuple(skipped))
