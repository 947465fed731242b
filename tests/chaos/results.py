"""What came of each accident: one JSON object a line, and the table of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.session.settings import ROOT

FOLDER = ROOT / "artifacts" / "chaos"


@dataclass
class Result:
    """What came of one accident.

    line: of the battery. number: within it; with the seed it decides what is done, and when.

    what: the accident in words. problems: what should not have been, empty when all went well.
    named: the first line of the diagnosis or of the command, or that nothing is wrong.

    seconds: by name, such as `next`: of the next command, or `back`: until it served again.
    """

    line: str
    number: int
    seed: int
    what: str
    moment: str = ""
    named: str = ""
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    seen: dict[str, object] = field(default_factory=dict)

    def check(self, well: bool, problem: str) -> None:
        """Note what should not have been."""
        if not well:
            self.problems.append(problem)


def file_of(seed: int) -> Path:
    """Where the results of a seed are."""
    return FOLDER / f"{seed}.jsonl"


def known(seed: int) -> list[Result]:
    """What a run of this seed, which may have been cut off, has left."""
    path = file_of(seed)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Result(**json.loads(line)) for line in lines]


def keep(result: Result) -> None:
    """Write a result down, at once: a run may be cut off at any moment."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with file_of(result.seed).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def show(results: Iterable[Result]) -> None:
    """The table: one row an accident, with its count, what broke and its times."""
    found: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        found.setdefault((one.line, one.what), []).append(one)
    table = Table("line", "accident", "times", "broken", "seconds", box=None, pad_edge=False)
    for (line, what), ones in sorted(found.items()):
        broken = sum(bool(one.problems) for one in ones)
        table.add_row(line, what, f"{len(ones)}", f"{broken}", _times(ones))
    console = Console(width=200, soft_wrap=True)
    console.print(table)
    for ones in found.values():
        for one in ones:
            for problem in one.problems:
                console.print(f"{one.line} {one.number} ({one.what}, {one.moment}): {problem}")


def _times(ones: list[Result]) -> str:
    """Median and worst of every time that these have."""
    names = dict.fromkeys(name for one in ones for name in one.seconds)
    told = []
    for name in names:
        values = [one.seconds[name] for one in ones if name in one.seconds]
        told.append(f"{name} {statistics.median(values):.1f} (worst {max(values):.1f})")
    return ", ".join(told)
