"""Storage: PostgreSQL if DATABASE_URL names one, else a SQLite file in DATA_DIR.

The rest of the app sees no difference.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from app.config import config

log = logging.getLogger("app.database")
# Seconds that a request waits for a lost database. PostgreSQL restarts sooner than most people
# reload.
PATIENCE = 3.0


@cache
def engine() -> Engine:
    """Return the engine of this process."""
    if config().database_url:
        url = make_url(config().database_url).set(drivername="postgresql+psycopg")
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            pool_timeout=5,
            connect_args={"connect_timeout": 5},
        )
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


def connect(patience: float = PATIENCE) -> Connection:
    """Return a connection that works; try again with back-off for `patience` seconds.

    Raises OperationalError.
    """
    if not patience:
        return engine().connect()
    attempts = Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(patience),
        wait=wait_exponential_jitter(0.1, 1.0, jitter=0.1),
        reraise=True,
    )
    return attempts(engine().connect)


@contextmanager
def transaction() -> Iterator[Session]:
    """Run one transaction: commit at its end, roll back on an error. Raises OperationalError."""
    with connect() as connection, Session(connection, expire_on_commit=False) as opened:
        yield opened
        opened.commit()
        connection.commit()
