"""Which Node an app wants, and which of those that can be had it gets."""

from __future__ import annotations

import re

from scripts.app.survey.tree import Evidence, Tree, join

AVAILABLE = (22, 20, 24)  # majors, the usual one first; see bases.BASES
COMPARED = re.compile(r"(\^|~|>=|<=|>|<|=)?\s*v?(\d{1,9})(?:\.(\d+|[xX*])(?:\.[\w*-]+)*)?")


def choose(tree: Tree, folder: str) -> tuple[int, Evidence | None]:
    """The major version to build and run with, and the line that asks for one that cannot be had.

    `engines` binds: the usual version where it allows that. A .nvmrc names the author's own.
    A Dockerfile counts where it wants a newer one than the usual: older ones run on that too.
    """
    manifest = join(folder, "package.json")
    engines = tree.first(r"\"node\"\s*:\s*\"([^\"]+)\"", [manifest])
    if engines and '"engines"' in tree.texts[manifest]:
        wanted, place = engines[1].group(1), engines[0]
        fitting = next((one for one in AVAILABLE if allows(wanted, one)), 0)
        return (fitting or _nearest(wanted), None if fitting else place)
    for name in (".nvmrc", ".node-version"):
        found = tree.first(r"^v?(\d{1,9})", [join(folder, name), name])
        if found:
            major = int(found[1].group(1))
            return (major, None) if major in AVAILABLE else (_nearest(str(major)), found[0])
    base = r"^FROM\s+(?:\S+/)?node:(\d{1,9})"
    image = tree.first(base, [join(folder, "Dockerfile")], re.IGNORECASE)
    if image and int(image[1].group(1)) > AVAILABLE[0]:
        major = int(image[1].group(1))
        return (major, None) if major in AVAILABLE else (_nearest(str(major)), image[0])
    return AVAILABLE[0], None


def allows(wanted: str, major: int) -> bool:
    """Whether a range of package.json's `engines` allows some release of a major version."""
    return any(_all(part, major) for part in wanted.split("||"))


def _all(part: str, major: int) -> bool:
    between = re.search(r"v?(\d{1,9})[\w.*]* - v?(\d{1,9})", part)
    if between:
        return int(between[1]) <= major <= int(between[2])
    return all(_one(major, *one) for one in COMPARED.findall(part))


def _one(major: int, sign: str, number: str, minor: str) -> bool:
    wanted = int(number)
    if sign == ">=":
        return major >= wanted
    if sign == ">":
        return major > wanted or (major == wanted and minor.isdigit())
    if sign == "<":
        return major < wanted or (major == wanted and minor not in ("", "0"))
    if sign == "<=":
        return major <= wanted
    return major == wanted


def _nearest(wanted: str) -> int:
    numbers = [int(one) for one in re.findall(r"\d{1,9}", wanted)] or [AVAILABLE[0]]
    return min(AVAILABLE, key=lambda one: abs(one - numbers[0]))
