"""How a running release is: use against limits, restarts, log lines by level, warnings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.checks.acceptance import Look, use

EVERY = 15.0  # seconds between two samples; metrics-server has new figures every 15 to 60
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Health:
    """How a release runs.

    usage: container -> CPU used and allowed in cores, memory used and allowed in MiB.
    restarts: pod -> how often its containers were started again. levels: pod -> number of log
    lines of each level. warnings: the events of that type.
    """

    usage: Mapping[str, tuple[float, float, float, float]]
    restarts: Mapping[str, int]
    levels: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]


def look_at(look: Look) -> Health:
    """Read all of it, now."""
    statuses = {
        pod["metadata"]["name"]: pod["status"].get("containerStatuses", [])
        for pod in look.of("Pod")
    }
    warnings = [
        f"{event['involvedObject']['name']}: {event.get('reason', '')}: {event.get('message', '')}"
        for event in look.of("Event")
        if event.get("type") == "Warning"
    ]
    restarts = {name: sum(one["restartCount"] for one in all_) for name, all_ in statuses.items()}
    counted = {pod: levels(lines) for pod, lines in look.logs.items()}
    return Health(use(look), restarts, counted, tuple(dict.fromkeys(warnings)))


def share(
    name: str, samples: Sequence[Mapping[str, tuple[float, float, float, float]]]
) -> tuple[str, str, str, str]:
    """A container's CPU and memory against its limits.

    The newest of the samples in words, and all of them as a line of bars.
    """
    taken = [one[name] for one in samples if name in one]
    cpu, most_cpu, memory, most_memory = taken[-1]
    bars = [_bars([one[0] / one[1] for one in taken]), _bars([one[2] / one[3] for one in taken])]
    return (
        f"{cpu * 1000:.0f}m of {most_cpu * 1000:.0f}m",
        f"{memory:.0f}Mi of {most_memory:.0f}Mi",
        bars[0],
        bars[1],
    )


def _bars(shares: Sequence[float]) -> str:
    """Shares of a limit, 0 to 1, as one character each; the highest in words."""
    heights = [min(int(one * len(BARS)), len(BARS) - 1) for one in shares]
    return "".join(BARS[height] for height in heights) + f" up to {max(shares):.0%}"


def seen(found: Health) -> list[str]:
    """The same in words, for an assistant."""
    lines = [
        f"{name}: CPU {cpu:.3f} of {most} cores, memory {memory:.0f} of {limit:.0f} MiB"
        for name, (cpu, most, memory, limit) in found.usage.items()
    ]
    lines += [
        f"{pod}: {found.restarts.get(pod, 0)} restarts, log lines {dict(counted)}"
        for pod, counted in found.levels.items()
    ]
    return [*lines, *(f"warning {words}" for words in found.warnings[-10:])]


def levels(lines: Sequence[str]) -> dict[str, int]:
    """The number of lines of each level; `plain` are those that are no JSON."""
    counted: Counter[str] = Counter()
    for line in filter(str.strip, lines):
        try:
            counted[str(json.loads(line).get("level", "info"))] += 1
        except (ValueError, AttributeError, RecursionError):
            counted["plain"] += 1
    return dict(counted.most_common())
