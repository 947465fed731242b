"""Accidents at random moments, from a seed that is printed.

nox -s chaos -- --seed=7 --only=deploy --count=20

Each is bounded in time, and after each the same three questions are asked: is anything lost that
was acknowledged, does the next command succeed, does the first line of the diagnosis or of the
command name the cause. What came of it is one JSON object a line in artifacts/chaos/SEED.jsonl; an
accident that has a line there does not happen again, so a run that was cut off goes on where it
was. The exit status is 1 if something broke. No file of the work tree is changed.
"""

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.chaos import crossing, damage, database, deploys, growth, results, rollouts
from tests.chaos.results import Result
from tests.chaos.world import World, world

Accident = Callable[[World, Result, random.Random], None]


@dataclass(frozen=True)
class Line:
    """A line of the battery. count: of its accidents in a whole run."""

    name: str
    run: Accident
    count: int


LINES = (
    Line("deploy-later", deploys.later, 60),
    Line("deploy-first", deploys.first, 40),
    Line("database", database.accident, 100),
    Line("crossing", crossing.accident, 20),
    Line("rollout", rollouts.accident, 20),
    Line("damage", damage.accident, 30),
    Line("growth", growth.step, 5),
)


def wanted(only: str, count: int) -> Iterator[tuple[Line, int]]:
    """Lines and numbers, the lines in turns: a run that is cut off has something of each."""
    lines = [line for line in LINES if _is_meant(line.name, only)]
    numbers = {line.name: min(count, line.count) if count else line.count for line in lines}
    for number in range(max(numbers.values(), default=0)):
        for line in lines:
            if number < numbers[line.name]:
                yield line, number


def _is_meant(name: str, only: str) -> bool:
    return any(word in name for word in only.split(","))


def happen(here: World, line: Line, number: int, seed: int) -> Result:
    """One accident, whatever comes of it."""
    result = Result(line.name, number, seed, line.name)
    try:
        line.run(here, result, random.Random(f"{seed} {line.name} {number}"))
    except Exception as error:
        result.problems.append(f"{type(error).__name__}: {error}")
        result.seen["traceback"] = traceback.format_exc()[-3000:]
    return result


def main() -> int:
    """Let happen what the command line asks for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default="", help="lines whose name has this, or this,or this")
    parser.add_argument("--count", type=int, default=0, help="accidents of each line, at most")
    parser.add_argument("--minutes", type=float, default=600, help="begin none after that")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    done = {(one.line, one.number) for one in results.known(seed)}
    left = [one for one in wanted(asked.only, asked.count) if (one[0].name, one[1]) not in done]
    end = time.monotonic() + asked.minutes * 60
    if left:
        with world() as here:
            for line, number in left:
                if time.monotonic() > end:
                    print("the time is over", flush=True)
                    break
                result = happen(here, line, number, seed)
                results.keep(result)
                _say(result)
    found = [one for one in results.known(seed) if _is_meant(one.line, asked.only)]
    results.show(found)
    return 1 if any(one.problems for one in found) else 0


def _say(result: Result) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {result.line} {result.number}: {result.what}", flush=True)
    print(f"          {result.moment}; {result.seconds}; {result.named[:150]}", flush=True)
    for problem in result.problems:
        print(f"          BROKEN: {problem[:600]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
