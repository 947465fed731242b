"""What a journey says about a deployment: findings for what failed, sentences for the rest.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from scripts.app import tracebacks
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.steps import (
    ADD,
    AGAIN,
    CHAT,
    LOG_IN,
    RESTARTED,
    SIGN_UP,
    Journey,
    Step,
)
from scripts.session.findings import Finding

#: What a failed step means for a person.
MEANINGS = {
    SIGN_UP: "nobody can sign up",
    LOG_IN: "who has signed up cannot log in",
    ADD: "nobody can add a todo",
    AGAIN: "a todo that was added is not there afterwards",
    RESTARTED: "a todo is lost when the pods are gone",
    CHAT: "the chat does not work",
}
DRIVER_REMEDY = "use `pg` in the frontend, or give the address of a database at Neon"
#: Statuses of a route that is there and hands on to something that is not.
PASSED_ON = (404, 500, 502, 503, 504)
NOT_REACHED = re.compile(
    r"connect|refused|resolve|name or service|timed? ?out|unreachable|not found|service", re.I
)
OF_THE_CHAT = re.compile(r"MCP|CHAT|AGENT|LLM|OLLAMA|NEXT_PUBLIC", re.I)
TEXTS = (
    "error",
    "exception",
    "exc_info",
    "traceback",
    "stack",
    "message",
    "msg",
    "event",
    "detail",
)
#: Answers that say nothing.
EMPTY = re.compile(
    r"(internal server error|error|something went wrong|an? .{0,20}error occurred)\W*$", re.I
)
UNCONFIGURED = re.compile(
    r"(is|are|been|was|were) not (yet )?(configured|set up|set|enabled|available)|not configured"
    r"|disabled|(missing|without|no) \S*\s*(api[ _-]?key|client[ _-]?id|credentials?)",
    re.I,
)


def findings(journey: Journey, hints: Hints) -> tuple[Finding, ...]:
    """The finding of a journey that failed, its cause first; nothing for one that did not."""
    if not journey.failed:
        return ()
    step = journey.failed[0]
    summary = f"the app runs, but {MEANINGS.get(step.name, step.name)}: {_what(step)}"
    companion = _companion(step, hints)
    if companion and not step.log:
        summary += f"; {companion}"
    driver = _driver(step, hints)
    if driver:
        summary = f"the app runs, but {MEANINGS.get(step.name, step.name)}: {driver}"
    evidence = [one.line for one in journey.steps]
    evidence += [one for one in (companion, driver and _what(step)) if one]
    evidence += [f"screenshot: {step.screenshot}"] if step.screenshot else []
    evidence += journey.notes
    return (
        Finding(
            "APP-DEGRADED",
            step.request or step.name,
            summary,
            "\n".join(evidence),
            DRIVER_REMEDY if driver else _remedy(step, bool(companion)),
        ),
    )


def sentences(journey: Journey) -> tuple[str, ...]:
    """What is worth a line where nothing failed: what was seen, and what could not be judged."""
    doubts = [one for one in journey.steps if one.status in ("not judged", "not found")]
    told = [f"{one.name}: {one.status}: {one.said}" for one in doubts]
    return tuple(dict.fromkeys([*told, *journey.notes]))


def in_one_line(journey: Journey) -> str:
    """`signed up, logged in, added a todo, saw it again`, or what is not known."""
    done = {
        SIGN_UP: "signed up",
        LOG_IN: "logged in",
        ADD: "added a todo",
        CHAT: "talked to the chat",
        AGAIN: "saw it again",
        RESTARTED: "saw it after a restart",
    }
    passed = [
        done[one.name] for one in journey.steps if one.status == "passed" and one.name in done
    ]
    doubts = sentences(journey)
    told = ", ".join(passed) or "nothing could be tried"
    return told + (f" ({doubts[0]})" if doubts and journey.verdict != "works" else "")


def is_unconfigured(status: int, text: str) -> bool:
    """Whether an answer says that an optional integration has no keys: a note, not a failure."""
    return status in (501, 503) and bool(UNCONFIGURED.search(text))


def cause_in(log: str) -> str:
    """The line of a log that says why a request failed, empty when none does."""
    return tracebacks.cause("\n".join(_plain(log)))


def _plain(log: str) -> Iterator[str]:
    """Lines as they are; of JSON the texts that hold a message or a traceback."""
    for line in log.splitlines():
        read = _json(line)
        if read is None:
            yield line
            continue
        level = str(read.get("level", read.get("levelname", "error"))).lower()
        if level in ("info", "debug", "notice"):
            continue
        for name in TEXTS:
            told = read.get(name)
            if isinstance(told, str):
                yield from told.splitlines()


def _json(line: str) -> Mapping[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, Mapping) else None


def _what(step: Step) -> str:
    """The request, its status, and why.

    The reason is in the answer's words, the log's, or both where they differ.
    """
    why = step.said
    if step.log and (step.said in step.log or EMPTY.match(step.said)):
        why = step.log
    elif step.log and step.log not in step.said:
        why = f"{step.said} ({step.log})"
    if not step.request:
        return why
    answer = f"answers {step.code}" if step.code else "has no answer"
    return f"{step.request} {answer}" + (f": {why}" if why else "")


def _companion(step: Step, hints: Hints) -> str:
    """The service that a route passes its requests on to, if it is not deployed.

    The code names it.
    """
    told = f"{step.said} {step.log}"
    calls = [call for call in hints.calls if step.name == CHAT or not OF_THE_CHAT.search(call[0])]
    if not calls or step.code not in PASSED_ON or not NOT_REACHED.search(told):
        return ""
    name, place, default = calls[0]
    return (
        f"{place} passes requests on to {name}, by itself {default}: a service that is not deployed"
    )


def _driver(step: Step, hints: Hints) -> str:
    """The provider's own driver, where Next's server keeps the accounts and cannot."""
    if not (hints.driver and hints.accounts) or step.code < 500 or step.name == CHAT:
        return ""
    return (
        "Next's server reaches its database by Neon's own driver, over WebSocket, which PostgreSQL "
        f"does not understand ({hints.driver})"
    )


def _remedy(step: Step, has_companion: bool) -> str:
    if has_companion:
        return "deploy that service as well, and give its address in the variable that is named"
    if "not of this deployment" in step.said:
        return "the address is written in the page's code: make it a variable there"
    if step.code >= 500 or step.log:
        return (
            "`invoke logs --component backend` shows more; the cause is in the app or its database"
        )
    return "try the same by hand in a browser; `invoke logs --component backend` shows the requests"
