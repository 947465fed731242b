"""What the database itself says: whether it takes writes, and what it lacks."""

from __future__ import annotations

from scripts.checks import database
from scripts.checks.diagnosis.observed import Observed
from scripts.session.findings import Finding


def broken(seen: Observed) -> list[Finding]:
    """Reasons why the app cannot work with a database that answers."""
    if not seen.database:
        return []
    before = database.kept(seen.state, seen.app)
    return database.judge(seen.database, before, seen.app, seen.namespace)
