"""The version of the tables: the one that this app needs, and the one that the database has.

Alembic's migrations lead from one to the other.
"""

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
LOCK = 4_401_001  # any number, but every replica must use the same

#: The versions of the tables, oldest first: the names of the migrations' files begin with them.
_known = sorted(
    path.name.partition("_")[0]
    for path in Path(__file__).parent.glob("migrations/versions/[0-9]*.py")
)
#: The version that this app needs.
HEAD = _known[-1]


def version() -> str:
    """Return the version of the database's tables; empty if there are none.

    Raises OperationalError at once if the database does not answer.
    """
    with connect(patience=0) as connection:
        return _version(connection)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def is_known(found: str) -> bool:
    """Return whether this release knows that version: its own, or an earlier one.

    After a rollback, the tables are later than the app, and stay so.
    """
    return not found or found in _known


def is_current(found: str) -> bool:
    """Return whether this app can work with tables of that version.

    That is its own version or a later one, because a migration only adds.
    """
    return found == HEAD or not is_known(found)


@contextmanager
def exclusive() -> Iterator[tuple[Connection, str]]:
    """Return a transaction in which no other process migrates, and the version found in it.

    It waits for a database that is still starting.

    Raises OperationalError.
    """
    attempts = Retrying(
        # Waiting does not help against a wrong password.
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
