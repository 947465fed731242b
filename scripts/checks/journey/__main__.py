"""Try the journey on any running app: python -m scripts.checks.journey URL [--api URL]."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.app import survey
from scripts.checks.journey import account, api, browser
from scripts.checks.journey.client import Target
from scripts.checks.journey.hints import Hints, hints
from scripts.checks.journey.steps import Journey


def main(arguments: list[str]) -> int:
    """Walk the way and print its steps; 0 when the app works, 21 when it does not."""
    parser = argparse.ArgumentParser(prog="python -m scripts.checks.journey", description=__doc__)
    parser.add_argument("url", help="the page's address, as http://localhost:3000")
    parser.add_argument("--api", default="", help="the API's: a path of the page's, or an address")
    parser.add_argument("--app", default="", help="the app's folder, for what its code tells")
    parser.add_argument("--connect", default="", help="the origin to connect to instead")
    parser.add_argument("--chat", action="store_true", help="talk to the chat as well")
    parser.add_argument("--without-browser", action="store_true", help="through the API alone")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    known = hints(survey.read(Path(given.app), "postgres")) if given.app else Hints()
    target = Target(given.url.rstrip("/"), given.api.rstrip("/"), given.connect.rstrip("/"))
    found = _walk(given, target, known)
    print(json.dumps(found.as_dict(), indent=1) if given.json else _told(found))
    return 0 if found.verdict != "degraded" else 21


def _walk(given: argparse.Namespace, target: Target, known: Hints) -> Journey:
    if not given.without_browser:
        try:
            return browser.journey(target, account.fresh(), known, Path("artifacts") / "journey")
        except browser.NoBrowser as error:
            print(f"through the API alone: {error}")
    return api.journey(target, account.fresh(), known, chat=given.chat)


def _told(found: Journey) -> str:
    lines = [f"{one.line}\n    {one.log}".rstrip() for one in found.steps]
    return "\n".join(
        [*lines, *found.notes, f"{found.verdict}, by {found.way}, in {found.seconds:.2f} s"]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
