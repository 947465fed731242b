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
    "1": "Environment",
    "2": "Application and images",
    "3": "Chart",
    "4": "Deployment",
    "5": "Proof",
    "6": "Documentation",
}
STYLE = Path(__file__).with_suffix(".css")
BLUE, RED, GREY, PALE = "#4a90d9", "#b3261e", "#999", "#8883"
#: Container -> CPU used and allowed in cores, memory used and allowed in MiB.
Usage = Mapping[str, tuple[float, float, float, float]]


def junit(rows: Sequence[Row]) -> ElementTree.Element:
    """The acceptance table as a JUnit test suite: a case a line, times in seconds."""
    statuses = [row.status for row in rows]
    suite = ElementTree.Element(
        "testsuite",
        name="verify",
        tests=str(len(rows)),
        failures=str(statuses.count("failed")),
        skipped=str(statuses.count("not applicable")),
        time=f"{sum(row.seconds for row in rows):.3f}",
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
    usage: Usage,
    picture: Path | None,
    when: str,
) -> str:
    """The report as HTML. timings: the stages of timings.json."""
    passed, failed = (sum(row.status == status for row in rows) for status in ("passed", "failed"))
    verdict = f"{failed} of {len(rows)} lines failed" if failed else "works"
    counts = f"{passed} passed, {failed} failed, {len(rows) - passed - failed} not applicable"
    parts = [
        f"<h1>Todo chatbot: {verdict}</h1>",
        f"<p>{html.escape(when)}: {counts}.</p>",
        *(_phase(number, title, rows) for number, title in PHASES.items()),
    ]
    if timings:
        parts.append(f"<h2>The last run, stage by stage</h2>{gantt(timings)}")
    if usage:
        parts.append(f"<h2>Use against limits</h2>{bars(usage)}")
    if picture and picture.exists():
        source = f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
        parts.append(f"<h2>The app</h2><img alt='The app in a browser' src='{source}'>")
    head = f"<meta charset='utf-8'><title>verify</title><style>{STYLE.read_text()}</style>"
    return f"<!doctype html><html lang='en'>{head}<body>{''.join(parts)}</body></html>\n"


def _phase(number: str, title: str, rows: Sequence[Row]) -> str:
    """The lines of one of the plan's phases as a table."""
    lines = [_line(row) for row in rows if row.task.startswith(number)]
    head = "<tr><th>task<th>line<th>result<th>evidence</tr>"
    return f"<h2>{number} {title}</h2><table>{head}{''.join(lines)}</table>"


def _line(row: Row) -> str:
    line, evidence = html.escape(row.line), html.escape(row.evidence)
    result = f"<td class='{row.status}'>{row.status}"
    return f"<tr><td>{row.task}<td>{line}{result}<td>{evidence}</tr>"


def _text(x: float, y: int, words: str) -> str:
    return f"<text x='{x:.1f}' y='{y + 14}'>{html.escape(words)}</text>"


def _bar(x: float, y: int, width: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y + 4}' width='{width:.1f}' height='12' fill='{colour}'/>"


def _drawing(label: str, height: int, parts: Sequence[str]) -> str:
    box = f"viewBox='0 0 780 {height}'"
    return f"<svg {box} role='img' aria-label='{label}'>{''.join(parts)}</svg>"


def gantt(timings: Sequence[Mapping[str, Any]]) -> str:
    """Stages as bars over time, in the order in which they began."""
    rows = sorted(timings, key=lambda one: (one["start"], one["end"]))
    scale = 560 / max(max(one["end"] for one in rows), 0.001)
    colours = {"passed": BLUE, "failed": RED}
    parts = []
    for number, one in enumerate(rows):
        took = one["end"] - one["start"]
        x, y, width = 140 + one["start"] * scale, number * 20, max(took * scale, 1)
        parts.append(_text(0, y, one["stage"]))
        parts.append(_bar(x, y, width, colours.get(one.get("status", "passed"), GREY)))
        parts.append(_text(min(x + width + 4, 720), y, f"{took:.1f} s"))
    return _drawing("Stages over time", len(rows) * 20 + 4, parts)


def bars(usage: Usage) -> str:
    """CPU and memory of each container as a share of its limit."""
    parts = []
    for number, (name, (cpu, most_cpu, memory, most_memory)) in enumerate(usage.items()):
        y = number * 48
        parts += _share(y, f"{name} CPU", cpu * 1000, most_cpu * 1000, "m")
        parts += _share(y + 20, f"{name} memory", memory, most_memory, "Mi")
    return _drawing("Use of CPU and memory against limits", len(usage) * 48, parts)


def _share(y: int, what: str, used: float, most: float, unit: str) -> list[str]:
    share = min(used / most, 1.0) if most else 0.0
    return [
        _text(0, y, what),
        _bar(160, y, 400, PALE),
        _bar(160, y, 400 * share, RED if share > 0.9 else BLUE),
        _text(570, y, f"{used:.0f}{unit} of {most:.0f}{unit}"),
    ]


def write(folder: Path, rows: Sequence[Row], usage: Usage, logs: Path, when: str) -> Path:
    """Write verify.html, verify.xml and verify.json into `folder`; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = logs / "timings.json"
    timings = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    suite = ElementTree.ElementTree(junit(rows))
    suite.write(folder / "verify.xml", encoding="utf-8", xml_declaration=True)
    listed = json.dumps([row.__dict__ for row in rows], indent=1)
    (folder / "verify.json").write_text(listed, encoding="utf-8")
    target = folder / "verify.html"
    target.write_text(page(rows, timings, usage, logs / "verify.png", when), encoding="utf-8")
    return target
