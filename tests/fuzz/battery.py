"""The battery: every target with its share of the cases, from a seed that is printed.

`nox -s fuzz -- --cases 120000 --seed 19`, or FUZZ_CASES and FUZZ_SEED. The exit status is 1 when
something else than a Failure came out, or when a case took too long.
"""

import argparse
import faulthandler
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from scripts.app.survey import read
from scripts.session.findings import Failure
from tests.fuzz.targets import TARGETS, Target, seeds_of_apps, spent

SLOW = 10.0  # seconds of this process's own work for a case


class TooSlow(Exception):
    """A case took longer than a person would wait."""


class Tally:
    """What came of the cases of one target."""

    def __init__(self) -> None:
        self.cases, self.failures, self.slowest = 0, 0, 0.0
        self.broken: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def note(self, error: BaseException) -> None:
        frame = next(
            one
            for one in reversed(traceback.extract_tb(error.__traceback__))
            if "/scripts/" in one.filename or "/fuzz/" in one.filename
        )
        where = f"{type(error).__name__} {Path(frame.filename).name}:{frame.lineno}"
        self.broken[where] += 1
        self.first.setdefault(where, "".join(traceback.format_exception(error))[-3000:])


def fuzz(target: Target, cases: int, start: int, folder: Path) -> Tally:
    """Run cases of one target; what breaks is counted, and the rest of them run all the same."""
    tally = Tally()

    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.cases())
    def one(case: object) -> None:
        tally.cases += 1
        began = spent()
        try:
            target.run(case, folder)
        except Failure:
            tally.failures += 1
        except Exception as error:
            tally.note(error)
        took = spent() - began
        tally.slowest = max(tally.slowest, took)
        if took > SLOW:
            tally.broken[f"slow: {took:.0f} s"] += 1
            tally.first.setdefault(f"slow: {took:.0f} s", repr(case)[:2000])

    one()
    return tally


def battery(cases: int, start: int, only: str = "") -> dict[str, Tally]:
    """Run every target. start: the seed."""
    faulthandler.enable()
    warnings.simplefilter("ignore")  # of Python, about the app's own source
    found = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for target in TARGETS:
            if only in target.name:
                number = max(1, cases * target.share // 100)
                found[target.name] = fuzz(target, number, start, Path(folder))
                # At once: a program in C that ends the process leaves no other trace.
                _row(target.name, found[target.name])
    return found


def _row(name: str, one: Tally) -> None:
    broken = sum(one.broken.values())
    print(f"{name:36}{one.cases:9}{one.failures:9}{broken:8}{one.slowest:8.2f}s", flush=True)


def many_files(number: int) -> float:
    """Seconds of this process's own work to read an app among so many small files."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        root = Path(folder)
        for name, content in seeds_of_apps()[0].items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        for one in range(number):
            if not one % 1000:
                (root / f"many/f{one}").mkdir(parents=True)
            (root / f"many/f{one // 1000 * 1000}/{one}.py").write_bytes(b"x = 1\n")
        began = spent()
        read(root, "postgres")
        return spent() - began


def main() -> int:
    """Run what the command line asks for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=int(os.environ.get("FUZZ_CASES", "100000")))
    parser.add_argument("--seed", type=int, default=os.environ.get("FUZZ_SEED"))
    parser.add_argument("--only", default="", help="targets whose name has this")
    parser.add_argument("--files", type=int, default=200_000, help="in one folder, at the end")
    asked = parser.parse_args()
    start = random.SystemRandom().randrange(1 << 32) if asked.seed is None else int(asked.seed)
    print(f"seed {start}, {asked.cases} cases", flush=True)
    print(f"{'target':36}{'cases':>9}{'Failure':>9}{'broken':>8}{'slowest':>9}", flush=True)
    began, found = time.monotonic(), battery(asked.cases, start, asked.only)
    for name, one in found.items():
        for where, times in one.broken.most_common():
            print(f"\n{name}: {times} times {where}\n{one.first[where]}")
    if not asked.only and asked.files:
        print(f"an app among {asked.files} files: read in {many_files(asked.files):.0f} s of work")
    total = sum(one.cases for one in found.values())
    print(f"{total} cases in {time.monotonic() - began:.0f} s, seed {start}")
    return 1 if any(one.broken for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
