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
    modules = [source.body.body for source in sources]
    makers: set[str] = set()
    for body in modules:
        for statement in body:
            if _is_script(statement) or not _names(statement) & {"create_all"}:
                continue
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                return True
            if statement.decorator_list:
                return True
            makers.add(statement.name)
    if not makers and not any(_describes(body) for body in modules):
        return None
    named = {
        name
        for body in modules
        for statement in body
        if not _is_script(statement) and getattr(statement, "name", "") not in makers
        for name in _names(statement)
    }
    return bool(makers & named)


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


def _describes(body: Iterable[ast.stmt]) -> bool:
    """A class that is a table, as SQLModel or SQLAlchemy have it."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            if any(one.arg == "table" for one in statement.keywords):
                return True
            if any(
                isinstance(one, ast.Assign) and "__tablename__" in _names(one)
                for one in statement.body
            ):
                return True
    return False
