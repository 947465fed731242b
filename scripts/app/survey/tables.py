"""Whether a backend that describes tables makes them when it starts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from scripts.app.survey.python import Source


def are_made(sources: Iterable[Source]) -> bool | None:
    """Whether importing and starting these modules makes the tables; None if they describe none.

    Tables are made by `create_all`, outside of functions or in one that somebody calls or hands on.
    A function that nobody names is for its author's hand.
    """
    statements = [statement for source in sources for statement in source.body.body]
    used = [(one, _names(one)) for one in statements if not _is_script(one)]
    makers: set[str] = set()
    for statement, names in used:
        if "create_all" in names:
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                return True
            if statement.decorator_list:
                return True
            makers.add(statement.name)
    if not makers and not any(map(_describes, statements)):
        return None
    return any(makers & names for one, names in used if getattr(one, "name", "") not in makers)


def _is_script(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which an import passes over."""
    return isinstance(statement, ast.If) and "__name__" in _names(statement.test)


def _names(part: ast.AST) -> set[str]:
    """Every name and attribute that this part of a module uses; imports use none."""
    return set(_used(part))


def _used(part: ast.AST) -> Iterator[str]:
    for node in ast.walk(part):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _describes(statement: ast.stmt) -> bool:
    """A class that is a table, as SQLModel or SQLAlchemy have it."""
    if not isinstance(statement, ast.ClassDef):
        return False
    if any(one.arg == "table" for one in statement.keywords):
        return True
    return any(
        isinstance(one, ast.Assign) and "__tablename__" in _names(one) for one in statement.body
    )
