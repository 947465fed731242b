"""The times of a run, for other programs, as JSON and as JUnit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Timing:
    """When a stage ran, in seconds since the pipeline began.

    status: passed, failed, or stopped because another stage failed.
    """

    name: str
    start: float
    end: float
    status: str = "passed"


def write_timings(folder: Path, timings: Sequence[Timing]) -> None:
    """Write timings.json and timings.xml into `folder`; they replace those of the last run."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "stage": one.name,
            "start": round(one.start, 3),
            "end": round(one.end, 3),
            "status": one.status,
        }
        for one in timings
    ]
    (folder / "timings.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    ElementTree.ElementTree(junit(timings)).write(
        folder / "timings.xml", encoding="utf-8", xml_declaration=True
    )


def junit(timings: Sequence[Timing]) -> ElementTree.Element:
    """Return the run as a JUnit test suite: one case per stage, times in seconds."""
    count = {
        status: str(sum(one.status == status for one in timings))
        for status in ("failed", "stopped")
    }
    took = max((one.end for one in timings), default=0.0)
    suite = ElementTree.Element(
        "testsuite",
        name="deploy",
        tests=str(len(timings)),
        failures=count["failed"],
        skipped=count["stopped"],
        time=f"{took:.3f}",
    )
    for one in timings:
        case = ElementTree.SubElement(
            suite, "testcase", classname="deploy", name=one.name, time=f"{one.end - one.start:.3f}"
        )
        if one.status == "failed":
            ElementTree.SubElement(case, "failure", message="the run's output names the cause")
        elif one.status == "stopped":
            ElementTree.SubElement(case, "skipped", message="ended because another stage failed")
    return suite
