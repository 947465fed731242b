"""`invoke verify` for others: a JUnit file and one HTML page that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scripts.checks.acceptance import Row

#: The plan's phases, by the first figure of a task's number.
PHASES = {
    "1": "Environment", "2": "Application and images", "3": "Chart", "4": "Deployment", "5": "Proof", "6": "Documentation",
}  # fmt: skip
STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid #8884 }
td:last-child { overflow-wrap: anywhere; opacity: .85 } .passed { color: #197a35 } .failed { color: #b3261e; font-weight: 600 } .not { opacity: .6 }
svg text { font: 12px system-ui, sans-serif; fill: currentColor } img { max-width: 100%; border: 1px solid #8884 }
@media (prefers-color-scheme: dark) { .passed { color: #6cc983 } .failed { color: #ff8a80 } }
"""


def junit(rows: Sequence[Row]) -> ElementTree.Element:
    """The acceptance table as a JUnit test suite: a case a line, times in seconds."""
    count = {
        status: str(sum(row.status == status for row in rows))
        for status in ("failed", "not applicable")
    }
    took = sum(row.seconds for row in rows)
    suite = ElementTree.Element(
        "testsuite",
        name="verify",
        tests=str(len(rows)),
        failures=count["failed"],
        skipped=count["not applicable"],
        time=f"{took:.3f}",
    )
    for row in rows:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"plan.{row.task}",
            name=row.line,
            time=f"{row.seconds:.3f}",
        )
        if row.status == "failed":
            ElementTree.SubElement(case, "failure", message=row.evidence)
        elif row.status == "not applicable":
            ElementTree.SubElement(case, "skipped", message=row.evidence)
        else:
            ElementTree.SubElement(case, "system-out").text = row.evidence
    return suite


def page(
    rows: Sequence[Row],
    timings: Sequence[Mapping[str, Any]],
    usage: Mapping[str, tuple[float, float, float, float]],
    picture: Path | None,
    when: str,
) -> str:
    """The report as HTML. timings: of timings.json. usage: container -> CPU used and allowed in cores, memory used and allowed in MiB."""
    passed, failed = (sum(row.status == status for row in rows) for status in ("passed", "failed"))
    parts = [
        f"<h1>Todo chatbot: {'works' if not failed else f'{failed} of {len(rows)} lines failed'}</h1>"
    ]
    parts.append(
        f"<p>{html.escape(when)}: {passed} passed, {failed} failed, {len(rows) - passed - failed} not applicable.</p>"
    )
    for number, phase in PHASES.items():
        chosen = [row for row in rows if row.task.startswith(number)]
        cells = "".join(
            f"<tr><td>{row.task}<td>{html.escape(row.line)}<td class='{row.status}'>{row.status}<td>{html.escape(row.evidence)}</tr>"
            for row in chosen
        )
        parts.append(
            f"<h2>{number} {phase}</h2><table><tr><th>task<th>line<th>result<th>evidence</tr>{cells}</table>"
        )
    if timings:
        parts.append(f"<h2>The last run, stage by stage</h2>{gantt(timings)}")
    if usage:
        parts.append(f"<h2>Use against limits</h2>{bars(usage)}")
    if picture and picture.exists():
        parts.append(
            f"<h2>The app</h2><img alt='The app in a browser' src='data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}'>"
        )
    return f"<!doctype html><html lang='en'><meta charset='utf-8'><title>verify</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"


def gantt(timings: Sequence[Mapping[str, Any]]) -> str:
    """Stages as bars over time, in the order in which they began."""
    rows = sorted(timings, key=lambda one: (one["start"], one["end"]))
    whole = max(max(one["end"] for one in rows), 0.001)
    lines = []
    for number, one in enumerate(rows):
        x, width, y = (
            140 + one["start"] / whole * 560,
            max((one["end"] - one["start"]) / whole * 560, 1),
            number * 20,
        )
        colour = {"passed": "#4a90d9", "failed": "#b3261e"}.get(one.get("status", "passed"), "#999")
        lines.append(
            f"<text x='0' y='{y + 14}'>{html.escape(one['stage'])}</text><rect x='{x:.1f}' y='{y + 4}' width='{width:.1f}' height='12' fill='{colour}'/>"
            f"<text x='{min(x + width + 4, 720):.1f}' y='{y + 14}'>{one['end'] - one['start']:.1f} s</text>"
        )
    return f"<svg viewBox='0 0 780 {len(rows) * 20 + 4}' role='img' aria-label='Stages over time'>{''.join(lines)}</svg>"


def bars(usage: Mapping[str, tuple[float, float, float, float]]) -> str:
    """CPU and memory of each container as a share of its limit."""
    lines = []
    for number, (name, (cpu, most_cpu, memory, most_memory)) in enumerate(usage.items()):
        for offset, (what, used, most, unit) in enumerate(
            (("CPU", cpu * 1000, most_cpu * 1000, "m"), ("memory", memory, most_memory, "Mi"))
        ):
            y = number * 48 + offset * 20
            share = min(used / most, 1.0) if most else 0.0
            lines.append(
                f"<text x='0' y='{y + 14}'>{html.escape(name)} {what}</text><rect x='160' y='{y + 4}' width='400' height='12' fill='#8883'/>"
                f"<rect x='160' y='{y + 4}' width='{400 * share:.1f}' height='12' fill='{'#b3261e' if share > 0.9 else '#4a90d9'}'/>"
                f"<text x='570' y='{y + 14}'>{used:.0f}{unit} of {most:.0f}{unit}</text>"
            )
    return f"<svg viewBox='0 0 780 {len(usage) * 48}' role='img' aria-label='Use of CPU and memory against limits'>{''.join(lines)}</svg>"


def write(
    folder: Path,
    rows: Sequence[Row],
    usage: Mapping[str, tuple[float, float, float, float]],
    logs: Path,
    when: str,
) -> Path:
    """Write verify.html, verify.xml and verify.json into `folder`; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    timings = (
        json.loads((logs / "timings.json").read_text(encoding="utf-8"))
        if (logs / "timings.json").exists()
        else []
    )
    ElementTree.ElementTree(junit(rows)).write(
        folder / "verify.xml", encoding="utf-8", xml_declaration=True
    )
    (folder / "verify.json").write_text(
        json.dumps([row.__dict__ for row in rows], indent=1), encoding="utf-8"
    )
    target = folder / "verify.html"
    target.write_text(page(rows, timings, usage, logs / "verify.png", when), encoding="utf-8")
    return target
