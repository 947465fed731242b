"""Which of the plan's assistants (Gordon, kubectl-ai, kagent) can be used on this machine.

Each has a fallback that does its work without it. A model with the person's own key is asked where
there is none of them.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from scripts.checks import model
from scripts.checks.support import redact
from scripts.cluster.kubectl import kubectl
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found

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


MOST_ASKED = 16_000  # characters of a question
QUESTION = (
    "A Next.js frontend, a FastAPI backend and PostgreSQL run on minikube. "
    "What is wrong, what is its cause, what mends it? Only tell; change nothing. "
    "Name only objects that are listed here."
)
KINDS = (
    "pods,deployments,replicasets,statefulsets,services,ingresses,configmaps,secrets,"
    "persistentvolumeclaims,networkpolicies,jobs,nodes,namespaces"
)
#: An object in a sentence: pod/name, or a name in quotes after its kind.
OBJECT = re.compile(
    r"\b(?:pods?|po|deployments?|deploy|statefulsets?|sts|services?|svc|ingress(?:es)?"
    r"|configmaps?|secrets?|persistentvolumeclaims?|pvc|nodes?|namespaces?)"
    r"(?:/|\s+[`'\"])([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Opinion:
    """Who answered and what it said; why each assistant before it did not.

    model: which one spoke, where that is known. unknown: objects that it names and that are neither
    the release's, nor nodes or namespaces.
    """

    name: str
    words: str
    skipped: tuple[str, ...]
    model: str = ""
    unknown: tuple[str, ...] = ()


def question(causes: Sequence[Finding], seen: Iterable[str], names: Iterable[str]) -> str:
    """What an assistant is asked: all that was found and seen, and to change nothing."""
    lines = [QUESTION]
    lines += [f"finding {one.code}: {one.summary}. {one.evidence}" for one in causes] or [
        "The built-in diagnosis finds nothing wrong."
    ]
    return "\n".join([*lines, *seen, "objects: " + " ".join(sorted(names))])[:MOST_ASKED]


def names_on(run: Run, tools: Mapping[str, Found]) -> frozenset[str]:
    """The names of all objects of the release, of nodes and of namespaces; none if none answers."""
    scope = ("-n", run.settings.release.namespace, "--request-timeout=10s")
    try:
        listed = kubectl(
            run, tools, "get", KINDS, *scope, "-o", "name", check=False, reads=True, timeout=30
        )
    except Failure:  # it took too long
        return frozenset()
    return frozenset(line.rpartition("/")[2] for line in listed.stdout.split())


def ask(
    run: Run, tools: Mapping[str, Found], asked: str, names: frozenset[str] = frozenset()
) -> Opinion:
    """Ask the first assistant that is usable and that the person agrees to, then the model.

    Where the settings name one, only that one is asked. What looks like a secret is masked before
    anything is sent. Each has two minutes at most. The opinion is empty when none answers: the
    built-in diagnosis stands alone then. names: what the cluster has; other names in the answer are
    told as unknown.
    """
    skipped: list[str] = []
    masked = redact(run.shell.mask(asked))
    named = run.settings.assistant
    wanted = [entry for entry in PROBES if named in ("", entry[0])]
    order = list(ASK)
    for one in sorted(
        (_probe(run, *entry) for entry in wanted), key=lambda it: order.index(it.name)
    ):
        said, reason = _ask(run, tools, one, masked)
        if said:
            return Opinion(one.name, said, tuple(skipped), "", unknown(run, said, names))
        skipped.append(f"{one.name}: {reason}")
    if named not in ("", "model"):
        return Opinion("", "", tuple(skipped))
    chosen = model.configured()
    said, reason = _ask_model(run, chosen, masked)
    if chosen and said:
        invented = unknown(run, said, names)
        return Opinion(f"the model at {chosen.host}", said, tuple(skipped), chosen.name, invented)
    return Opinion("", "", (*skipped, f"a model: {reason}"))


def _ask_model(run: Run, chosen: model.Model | None, asked: str) -> tuple[str, str]:
    """What the person's own model says, or why it says nothing."""
    if chosen is None:
        return "", "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"
    run.shell.hide(chosen.key, chosen.password)
    run.say(f"this would be sent to {chosen.name} at {chosen.host}:\n{asked}")
    if not run.confirm(f"send these {len(asked)} characters, secrets masked, to {chosen.host}"):
        return "", "declined"
    try:
        return run.shell.mask(model.ask(chosen, asked, ASK_TIMEOUT)), ""
    except model.NoAnswer as error:
        return "", run.shell.mask(str(error))


def unknown(run: Run, said: str, names: frozenset[str]) -> tuple[str, ...]:
    """The objects in an answer that are not among these names: a model can invent them."""
    named = [match.lower() for match in OBJECT.findall(said)]
    named += re.findall(rf"\b{re.escape(run.settings.release.name)}-[-a-z0-9]*[a-z0-9]", said)
    return tuple(sorted({one for one in named if one not in names})) if names else ()


def keep(run: Run, opinion: Opinion, causes: Sequence[Finding]) -> None:
    """Keep who said what, beside what the built-in diagnosis found, in the run's records."""
    subjects = [one.subject.rpartition("/")[2] for one in causes]
    record = {
        "time": time.strftime("%Y-%m-%d %H:%M"),
        "assistant": opinion.name,
        "model": opinion.model,
        "words": opinion.words,
        "unknown": opinion.unknown,
        "diagnosis": [one.code for one in causes],
        "agrees": bool(subjects) and subjects[0] in opinion.words,
    }
    target = _opinions(run)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a", encoding="utf-8") as log:
        log.write(run.shell.mask(json.dumps(record)) + "\n")


def kept(run: Run, day: str) -> list[dict[str, Any]]:
    """The opinions of a day (YYYY-MM-DD), as `keep` wrote them."""
    if not _opinions(run).is_file():
        return []
    lines = _opinions(run).read_text(encoding="utf-8").splitlines()
    return [one for one in map(json.loads, lines) if one["time"].startswith(day)]


def _opinions(run: Run) -> Path:
    return run.settings.cache / "logs" / "opinions.jsonl"


def _ask(run: Run, tools: Mapping[str, Found], one: Assistant, asked: str) -> tuple[str, str]:
    """What an assistant says, or why it says nothing."""
    if not one.usable:
        return "", one.evidence
    what = f"send what was found, secrets masked, to {one.name}, which passes it on to its model"
    if not run.confirm(what):
        return "", "declined"
    try:
        with _this_cluster_alone(run, tools) as env:
            answer = run.shell.run(*ASK[one.name], asked, timeout=ASK_TIMEOUT, env=env, check=False)
    except Failure as error:
        return "", error.findings[0].summary[:120]
    return (_readable(answer.stdout) if answer.ok else "", _reason(answer))


def _reason(answer: Result) -> str:
    """Why it said nothing: its error, which may stand above a long help text."""
    said = Text.from_ansi(f"{answer.stdout}\n{answer.stderr}").plain
    error = re.search(r"^Error:? (.+)", said, re.MULTILINE)
    return (error[1] if error else answer.tail(1))[:200] or f"exit status {answer.code}"


@contextlib.contextmanager
def _this_cluster_alone(run: Run, tools: Mapping[str, Found]) -> Iterator[dict[str, str]]:
    """An environment whose kubeconfig has this cluster and no other.

    Assistants look at the current context, and that may be any cluster of the person's.
    """
    show = ("config", "view", "--minify", "--flatten", "--raw")
    config = kubectl(run, tools, *show, reads=True).stdout
    with tempfile.TemporaryDirectory() as folder:  # for this account alone
        path = Path(folder) / "config"
        path.write_text(config, encoding="utf-8")
        yield {"KUBECONFIG": str(path)}


def _readable(said: str) -> str:
    """The words of an answer.

    kagent gives a message or a task of the A2A protocol as JSON; kubectl-ai colours its lines and
    fills them with spaces.
    """
    try:
        message = json.loads(said)
    except ValueError:
        lines = Text.from_ansi(said).plain.splitlines()
        return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip()
    parts = [one for told in _messages(message) for one in told.get("parts") or ()]
    texts = [str(one["text"]).strip() for one in parts if isinstance(one, dict) and "text" in one]
    return "\n".join(dict.fromkeys(filter(None, texts))) or said.strip()


def _messages(told: Any) -> Iterator[Mapping[str, Any]]:
    """What the agent said: artifacts of a task, else the message of its status, or one alone."""
    if not isinstance(told, dict):
        return
    told = told.get("result") or told.get("task") or told.get("message") or told
    if artifacts := told.get("artifacts"):
        yield from artifacts
    elif message := (told.get("status") or {}).get("message"):
        yield message
    else:
        yield told
