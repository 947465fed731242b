"""The state of the release, as helm keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.checks.diagnosis.observed import Observed, is_ours
from scripts.release import dev
from scripts.session.findings import Finding


def release(seen: Observed) -> list[Finding]:
    """A release that is missing, pending, failed, or left in the dev loop."""
    if dev.is_left(seen.state):
        return [
            Finding(
                "DEV-LOOP-OPEN",
                seen.app,
                "the Services lead to pods of the dev loop",
                remedy="end `invoke dev`; if no loop runs any more, `invoke deploy` clears up",
            )
        ]
    if seen.release:
        return _revision(f"release {seen.app}", seen.release)
    if any(is_ours(item, seen.app) for item in seen.of("Deployment")):
        return []  # installed by other means
    return [
        Finding(
            "RELEASE-MISSING",
            f"release {seen.app}",
            f"the app is not installed: there is no release {seen.app}",
            remedy="invoke deploy",
        )
    ]


def _revision(subject: str, newest: Mapping[str, Any]) -> list[Finding]:
    status, words = newest["status"], newest.get("description", "")
    number = newest["revision"]
    if status.startswith("pending"):
        told = f"revision {number} is {status}: an interrupted helm left it"
        return [Finding("RELEASE-STUCK", subject, told, words, "invoke deploy")]
    if status == "failed":
        remedy = "mend what helm names, then invoke deploy"
        return [Finding("RELEASE-FAILED", subject, f"revision {number} failed", words, remedy)]
    return []
