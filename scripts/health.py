"""How a running release is: use against limits, restarts, log lines by level, warnings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.acceptance import Look, use
from scripts.findings import Finding


@dataclass(frozen=True)
class Health:
    """usage: container -> CPU used and allowed in cores, memory used and allowed in MiB. levels: pod -> log lines by level. warnings: of the events."""

    usage: Mapping[str, tuple[float, float, float, float]]
    restarts: Mapping[str, int]
    levels: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]


def look_at(look: Look) -> Health:
    """Read all of it, now."""
    restarts = {pod["metadata"]["name"]: sum(one["restartCount"] for one in pod["status"].get("containerStatuses", [])) for pod in look.of("Pod")}
    warnings = [
        f"{event['involvedObject']['name']}: {event.get('reason', '')}: {event.get('message', '')}"
        for event in look.of("Event")
        if event.get("type") == "Warning"
    ]
    return Health(use(look), restarts, {pod: levels(lines) for pod, lines in look.logs.items()}, tuple(dict.fromkeys(warnings)))


def question(found: Health, causes: Sequence[Finding]) -> str:
    """What an assistant is asked: all that was seen, and to change nothing."""
    lines = [
        "A Next.js frontend, a FastAPI backend and PostgreSQL run on minikube. What is wrong, what is its cause, what mends it? Only tell; change nothing."
    ]
    lines += [f"finding {one.code}: {one.summary}. {one.evidence}" for one in causes] or ["The built-in diagnosis finds nothing wrong."]
    lines += [f"{name}: CPU {cpu:.3f} of {most} cores, memory {memory:.0f} of {limit:.0f} MiB" for name, (cpu, most, memory, limit) in found.usage.items()]
    lines += [f"{pod}: {found.restarts.get(pod, 0)} restarts, log lines {dict(counted)}" for pod, counted in found.levels.items()]
    return "\n".join([*lines, *(f"warning {words}" for words in found.warnings[-10:])])


def levels(lines: Sequence[str]) -> dict[str, int]:
    """How many lines of each level; `plain` for those that are no JSON."""
    counted: Counter[str] = Counter()
    for line in filter(str.strip, lines):
        try:
            counted[str(json.loads(line).get("level", "info"))] += 1
        except (ValueError, AttributeError):
            counted["plain"] += 1
    return dict(counted.most_common())
