"""The tables' version: which one this app needs, which one the database has, and the way up (Alembic's migrations)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_fixed

from app.database import connect, engine

log = logging.getLogger("app.database")
STARTUP_PATIENCE = 90.0  # seconds; app and database start together
LOCK = 4_401_001  # any number, as long as every replica takes the same

#: The versions of the tables, oldest first: each migration's file begins with its own.
_known = sorted(
    path.name.partition("_")[0]
    for path in Path(__file__).parent.glob("migrations/versions/[0-9]*.py")
)
#: The version that this app needs.
HEAD = _known[-1]


def version() -> str:
    """The version of the database's tables; empty when there are none. Raises OperationalError at once when it does not answer."""
    with connect(patience=0) as connection:
        return _version(connection)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def is_known(found: str) -> bool:
    """Whether that version is this release's or one before it. After a rollback the tables are later than the app, and stay so."""
    return not found or found in _known


def is_current(found: str) -> bool:
    """Whether this app can work on tables of that version: its own, or a later one (a migration only ever adds)."""
    return found == HEAD or not is_known(found)


@contextmanager
def exclusive() -> Iterator[tuple[Connection, str]]:
    """A transaction that nobody else migrates beside, and the version found in it; waits for a database that is still starting.

    Raises OperationalError.
    """
    attempts = Retrying(
        # A wrong password does not get better by waiting.
        retry=retry_if_exception(
            lambda error: (
                isinstance(error, OperationalError)
                and "password authentication failed" not in str(error)
            )
        ),
        stop=stop_after_delay(STARTUP_PATIENCE),
        wait=wait_fixed(1),
        before_sleep=before_sleep_log(log, logging.INFO),
        reraise=True,
    )
    with attempts(engine().connect) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection, _version(connection)


def migrate() -> None:
    """Bring the tables up to HEAD. Raises OperationalError."""
    from alembic import command
    from alembic.config import Config

    command.upgrade(Config(Path(__file__).parents[2] / "alembic.ini"), "head")
