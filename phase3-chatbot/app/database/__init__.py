"""Storage: PostgreSQL when DATABASE_URL names one, otherwise a SQLite file under DATA_DIR."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import cache

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from app.config import config
from app.database.models import Base

log = logging.getLogger("app.database")
STARTUP_PATIENCE = 60.0  # seconds; app and database start together
SCHEMA_LOCK = 4_401_001  # any number, as long as every replica takes the same


@cache
def engine() -> Engine:
    """The engine of this process."""
    if config().database_url:
        url = make_url(config().database_url).set(drivername="postgresql+psycopg")
        return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, connect_args={"connect_timeout": 5})
    folder = config().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    sqlite = create_engine(f"sqlite:///{folder / 'todos.sqlite3'}")

    @event.listens_for(sqlite, "connect")
    def set_pragmas(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.close()

    return sqlite


def prepare() -> None:
    """Make the tables that are missing, waiting for a database that is still starting. Raises OperationalError."""
    deadline = time.monotonic() + STARTUP_PATIENCE
    while True:
        try:
            return _create_schema()
        except OperationalError as error:
            # A wrong password does not get better by waiting.
            if time.monotonic() > deadline or "password authentication failed" in str(error):
                raise
            log.info("waiting for the database")
            time.sleep(1)


def _create_schema() -> None:
    """Make the tables; replicas that start together wait for each other."""
    with engine().begin() as connection:
        if engine().dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
        Base.metadata.create_all(connection)


def is_reachable() -> bool:
    """The database answers a query."""
    with engine().connect() as connection:
        return connection.execute(text("SELECT 1")).scalar() == 1


def session() -> Iterator[Session]:
    """One transaction for one request: committed at its end, rolled back on an error."""
    with sessionmaker(engine(), expire_on_commit=False).begin() as opened:
        yield opened
