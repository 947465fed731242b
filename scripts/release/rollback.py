"""The way back to a revision that served."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scripts.release import rollout
from scripts.release.helm import GOOD, Revision, helm, history
from scripts.session.findings import Failure, Finding, failure
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found


def going_back(run: Run, tools: Mapping[str, Found], good: int, reason: Failure) -> Failure:
    """Roll back to a revision that served, if there is one.

    Returns the reason, with what was done about it.
    """
    if not good:
        return reason
    run.say(f"this does not come up: going back to revision {good}")
    result = _rollback(run, tools, good)
    summary = (
        f"went back to revision {good}, which served before"
        if result.ok
        else f"and going back to revision {good} failed too"
    )
    return Failure(
        *reason.findings,
        Finding(
            "ROLLED-BACK" if result.ok else "ROLLBACK-FAILED",
            f"release {run.settings.release.namespace}/{run.settings.release.name}",
            summary,
            "" if result.ok else result.tail(4),
        ),
    )


def rollback(run: Run, tools: Mapping[str, Found], wanted: int) -> int:
    """Go back to a revision; 0: to the one that the present one came after.

    Its number. Raises ROLLBACK-FAILED.
    """
    revisions = history(run, tools)
    name = f"release {run.settings.release.namespace}/{run.settings.release.name}"
    earlier = [one.number for one in revisions[:-1] if one.status in GOOD]
    target = wanted or before_present(revisions)
    if target not in earlier:
        there = ", ".join(map(str, earlier)) or "none"
        raise failure(
            "ROLLBACK-FAILED",
            name,
            f"there is no revision {target or 'before this one'} to go back to",
            f"good ones: {there}",
            "see `invoke history`",
        )
    run.say(f"going back to revision {target}")
    result = _rollback(run, tools, target)
    if not result.ok:
        raise failure(
            "ROLLBACK-FAILED",
            name,
            f"helm could not go back to revision {target}",
            result.tail(6),
            "mend what helm names and try again",
        )
    rollout.monitor(run, tools)
    return target


def before_present(revisions: Sequence[Revision]) -> int:
    """The revision that came before the present one, 0 if there is none.

    Revisions that a person or a deploy has gone back from do not count.
    """
    # The same state may have several numbers: each way back gets a new one.
    way: list[list[int]] = []
    for one in revisions:
        back = re.fullmatch(r"Rollback to (\d+)", one.description)
        at = next(
            (index for index, numbers in enumerate(way) if back and int(back[1]) in numbers), None
        )
        if at is not None:
            del way[at + 1 :]
            way[at].append(one.number)
        elif one.status in GOOD or one is revisions[-1]:
            way.append([one.number])
    return way[-2][-1] if len(way) > 1 else 0


def _rollback(run: Run, tools: Mapping[str, Found], revision: int) -> Result:
    force = ["--force-conflicts"] if tools["helm"].version.startswith("v4") else []
    return helm(run, tools, "rollback", run.settings.release.name, str(revision), *force)
