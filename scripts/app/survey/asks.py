"""What a frontend asks the API for, as far as its code has the paths as text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scripts.app.survey.tree import Tree

#: A path in quotes: alone, behind an address of this machine, or behind one in a variable.
PATH = re.compile(
    r"[\"'`](?:https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::\d+)?|\$\{[^}`]{0,200}\})?"
    # The second part begins with what the first cannot hold: one way to match, not many.
    r"(/[\w\-/.{}$()\[\]?!|&: ]*)(?:[^\w\-/.{}$()\[\]?!|&: \"'`][^\"'`]*)?[\"'`]"
)
#: What an address has in front of its routes, in the variable or in the code.
BASE = re.compile(r"^(/_?api)?(/v\d+)?(?=/|$)")
#: A request to make an account. A single word, `/register`, is mostly a link to a page.
SIGN_UP = re.compile(r"(?i)^/.+/(register|registration|sign[-_]?up|create[-_]?account)$")
TEST = re.compile(r"(^|/)(__tests__|tests?|e2e|cypress|playwright)/|\.(test|spec)\.")


def paths(tree: Tree, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(path, place) of each path in these sources; `{}` stands for what is filled in."""
    found: dict[str, str] = {}
    for name in names:
        if not TEST.search(name):
            for number, line in tree.lines(name):
                for match in PATH.finditer(line):
                    found.setdefault(_path(match.group(1)), f"{name}:{number}")
    return tuple(found.items())


def _path(text: str) -> str:
    return re.sub(r"\$\{[^}]*\}", "{}", text).split("?")[0].split(" ")[0].rstrip("/") or "/"


def core(path: str) -> str:
    """A path without what stands before the routes and without the names of its parameters.

    So a route and a request for it are equal, whoever of them has the `/api`.
    """
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "{}", path).rstrip("/")
    return BASE.sub("", plain) or "/"


def nobody_signs_up(
    asked: Iterable[tuple[str, str]],
    pages: Iterable[str],
    handlers: Iterable[str],
    routes: Iterable[str],
) -> tuple[tuple[str, str], ...]:
    """The requests of `asked` to make an account, if neither backend nor Next serves one of them.

    asked: (path, place). pages, handlers: paths in Next. routes: of the backend. Empty where the
    code has no such request as text: then it cannot be told.
    """
    shown, next_serves = set(pages), tuple(handlers)
    wanted = [one for one in asked if SIGN_UP.search(one[0]) and one[0] not in shown]
    served = {core(path) for path in (*routes, *next_serves)}
    caught = tuple(path.split("[...")[0] for path in next_serves if "[..." in path)
    if any(core(path) in served or path.startswith(caught) for path, _ in wanted):
        return ()
    return tuple(wanted)
