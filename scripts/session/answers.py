"""What other programs answer in JSON, read once and checked."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from scripts.session.findings import failure

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: much faster
MOST_DEEP = 100


def read(text: str, program: str) -> Any:
    """An answer without its members that are null: in Kubernetes they mean what is not there.

    Raises COMMAND-FAILED for what is no JSON.
    """
    with understood(program):
        return _without_nulls(json.loads(text))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def documents(text: str) -> list[Any]:
    """The documents of a YAML text. Raises YAMLError for what is none, or nested without end."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEEP:  # the loader in C would use up its stack, and end the process
            raise yaml.YAMLError("it is nested too deep")
    return list(yaml.load_all(text, Loader=LOADER))


@contextmanager
def understood(program: str) -> Iterator[None]:
    """Read an answer, or decorate a function that reads one.

    Raises COMMAND-FAILED where the answer has not the form that it should have. Another release
    of the program may answer otherwise, and something between may have cut it short.
    """
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        yaml.YAMLError,
    ) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        raise failure(
            "COMMAND-FAILED",
            program,
            f"{program} answered something that cannot be read",
            f"{where}: {type(error).__name__}: {error}"[:300],
            f"run the command again; if it stays so, another release of {program} may help",
        ) from error
