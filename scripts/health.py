"""How a running release is: use against limits, restarts, log lines by level, warnings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.acceptance import Look, use


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


def levels(lines: Sequence[str]) -> dict[str, int]:
    """How many lines of each level; `plain` for those that are no JSON."""
    counted: Counter[str] = Counter()
    for line in filter(str.strip, lines):
        try:
            counted[str(json.loads(line).get("level", "info"))] += 1
        except (ValueError, AttributeError):
            counted["plain"] += 1
    return dict(counted.most_common())
