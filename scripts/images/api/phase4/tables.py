"""Make the tables that the app's models describe and its database lacks.

For an app that makes none at its start: its author ran a script of his own once. The app's own
engine is used. Tables that are there stay as they are. What cannot be made is told, and the app is
started: it may not need it.
"""

import asyncio
import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from typing import Any

from phase4 import load


def _values() -> Iterator[Any]:
    """Whatever a module has under a name."""
    for module in list(sys.modules.values()):
        yield from list(getattr(module, "__dict__", {}).values())


def described() -> list[Any]:
    """The MetaData of the app's models, where it has a table."""
    from sqlalchemy import MetaData

    found = {}
    for value in _values():
        one = inspect.getattr_static(value, "metadata", None) if inspect.isclass(value) else value
        if isinstance(one, MetaData) and one.tables:
            found[id(one)] = one
    return list(found.values())


def engine() -> Any:
    """The app's engine, one that waits before one that does not; else one for DATABASE_URL."""
    from sqlalchemy import Engine, create_engine, make_url

    # Its module is there if the app uses it; by itself it may lack its library greenlet.
    waits_not = getattr(sys.modules.get("sqlalchemy.ext.asyncio"), "AsyncEngine", Engine)
    made = [value for value in _values() if isinstance(value, Engine | waits_not)]
    if made:
        return min(made, key=lambda one: not isinstance(one, Engine))
    url = make_url(os.environ["DATABASE_URL"])
    if not url.get_dialect().is_async:
        return create_engine(url)
    return importlib.import_module("sqlalchemy.ext.asyncio").create_async_engine(url)


async def _by(one: Any, tables: list[Any]) -> None:
    async with one.begin() as connection:
        for metadata in tables:
            await connection.run_sync(metadata.create_all)


def main() -> None:
    """Import the app, and make what is missing."""
    load.app()
    tables = described()
    names = sorted({table for metadata in tables for table in metadata.tables})
    if not tables:
        print("phase4: the app's models describe no table", flush=True)
        return
    one = engine()
    if hasattr(one, "sync_engine"):
        asyncio.run(_by(one, tables))
    else:
        for metadata in tables:
            metadata.create_all(one)
    print(f"phase4: there are the tables {', '.join(names)}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # whatever the app's code raises: its own start shows it whole
        words = f"{type(error).__name__}: {error}"
        print(f"phase4: tables cannot be made: {words}", file=sys.stderr, flush=True)
