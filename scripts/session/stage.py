"""A stage of a deployment: its work, and the stages that it needs.

The needs are objects, not strings, and the work is a function that takes their results in that
order. So a type checker finds a misspelt need and a result of the wrong kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from scripts.session.run import Run

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")


def _nothing(_result: object) -> str:
    return ""


@dataclass(frozen=True, eq=False)
class Stage(Generic[R]):
    """A step of a deployment.

    work: gets the run and the results of `needs`, in that order. after: stages that must have ended
    before, whose results are of no interest. says: the sentence about the result that a person
    reads.
    """

    name: str
    work: Callable[..., R]
    needs: tuple[Stage[Any], ...] = ()
    after: tuple[Stage[Any], ...] = ()
    says: Callable[[R], str] = _nothing


@dataclass(frozen=True, eq=False)
class Milestone(Stage[bool]):
    """A point that another stage passes while it runs: `run.reached(name)` says so.

    Its result is True then, and False when that stage ended without passing it. Whoever needs it is
    started at once; nobody has to ask again and again.
    """

    of: Stage[Any] | None = None


def milestone(name: str, of: Stage[Any]) -> Milestone:
    """The point `name` on the way of another stage."""
    return Milestone(name, lambda _run: False, after=(of,), of=of)


After = tuple[Stage[Any], ...]


@overload
def stage(
    name: str, work: Callable[[Run], R], *, after: After = (), says: Callable[[R], str] = _nothing
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A], R],
    a: Stage[A],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B], R],
    a: Stage[A],
    b: Stage[B],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C, D], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    d: Stage[D],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C, D, E], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    d: Stage[D],
    e: Stage[E],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C, D, E, F], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    d: Stage[D],
    e: Stage[E],
    f: Stage[F],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C, D, E, F, G], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    d: Stage[D],
    e: Stage[E],
    f: Stage[F],
    g: Stage[G],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
@overload
def stage(
    name: str,
    work: Callable[[Run, A, B, C, D, E, F, G, H], R],
    a: Stage[A],
    b: Stage[B],
    c: Stage[C],
    d: Stage[D],
    e: Stage[E],
    f: Stage[F],
    g: Stage[G],
    h: Stage[H],
    /,
    *,
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]: ...
def stage(
    name: str,
    work: Callable[..., R],
    *needs: Stage[Any],
    after: After = (),
    says: Callable[[R], str] = _nothing,
) -> Stage[R]:
    """A stage whose work is a function.

    The function gets the run, then the results of the stage's needs, in their order.
    """
    return Stage(name, work, needs, after, says)
