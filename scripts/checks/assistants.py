"""Which of the plan's assistants (Gordon, kubectl-ai, kagent) can be used on this machine.

Each has a fallback that does its work without it.
"""

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
    """An assistant on this machine.

    usable: it answered. evidence: what it said, or why it did not. fallback: what does its work
    when it cannot be used.
    """

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
    """Who answered and what it said; why each assistant before it did not."""

    name: str
    words: str
    skipped: tuple[str, ...]


def ask(run: Run, question: str) -> Opinion:
    """Ask the first assistant that is usable and that the person agrees to.

    What looks like a secret is masked before anything is sent. Each has two minutes at most.
    The opinion is empty when none answers: the built-in diagnosis stands alone then.
    """
    skipped: list[str] = []
    asked = redact(run.shell.mask(question))
    for one in sorted(probe(run), key=lambda found: list(ASK).index(found.name)):
        said, reason = _ask(run, one, asked)
        if said:
            return Opinion(one.name, said, tuple(skipped))
        skipped.append(f"{one.name}: {reason}")
    return Opinion("", "", tuple(skipped))


def _ask(run: Run, one: Assistant, asked: str) -> tuple[str, str]:
    """What an assistant says, or why it says nothing."""
    if not one.usable:
        return "", one.evidence
    what = f"send what was found, secrets masked, to {one.name}, which passes it on to its model"
    if not run.confirm(what):
        return "", "declined"
    try:
        answer = run.shell.run(*ASK[one.name], asked, timeout=ASK_TIMEOUT, check=False)
    except Failure as error:
        return "", error.findings[0].summary[:120]
    reason = answer.tail(1)[:120] or f"exit status {answer.code}"
    return (answer.stdout.strip(), reason) if answer.ok else ("", reason)
