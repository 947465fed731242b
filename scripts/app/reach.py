"""What a frontend's build needs from outside of its folder, within the same repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from scripts.app.survey.frontend import SOURCES
from scripts.app.survey.tree import Tree, own_text, read_json, read_tree

IMPORT = re.compile(
    r"(?:\bfrom|\bimport|\brequire)\s{0,99}(?:\(\s{0,99})?[\"'](\.\.?/[^\"']*)[\"']"
)
UPWARDS = re.compile(r"\"(?:file:|link:|portal:)?(\.\./[^\"*]*)")
CONFIGURATION = re.compile(r"^(package|[jt]sconfig[\w.-]*)\.json$")
#: Files at a workspace's root that say what is installed, and how.
WORKSPACE_FILES = (
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    ".npmrc",
    ".yarnrc.yml",
    "turbo.json",
)


@dataclass(frozen=True)
class Reach:
    """What the build is given. root: the folder that holds it all. folder: the frontend in it.

    others: files and folders beside the frontend that it needs. workspace: where packages are
    installed. All three relative to root with forward slashes; the frontend alone is ".".
    """

    root: Path
    folder: str = "."
    others: tuple[str, ...] = ()
    workspace: str = "."


def reach(app: Path, folder: str) -> Reach:
    """Find the files that the frontend in `folder` of the app needs.

    It reaches them by imports, tsconfig, package.json and workspaces.
    """
    repository = _repository(app)
    front = (app / folder).resolve().relative_to(repository.resolve()).as_posix()
    space, members = _workspace(repository, front)
    wanted = {one for one in _outside(read_tree(app / folder), front) if _is_there(repository, one)}
    wanted |= set(members)
    if space is not None:
        wanted |= {
            name
            for name in (posixpath.join(space, one) for one in WORKSPACE_FILES)
            if _is_there(repository, name)
        }
    if not wanted:
        return Reach(app / folder)
    root = posixpath.commonpath([front, *(posixpath.dirname(one) for one in wanted)])
    others = {one for one in (_part(root, front, one) for one in wanted) if one}
    return Reach(
        repository / root,
        posixpath.relpath(front, root or "."),
        tuple(sorted(others)),
        posixpath.relpath(front if space is None else space or ".", root or "."),
    )


def _repository(app: Path) -> Path:
    """The repository that the app lies in; the app's folder where there is none."""
    return next((one for one in (app, *app.parents) if (one / ".git").exists()), app)


def _is_there(repository: Path, name: str) -> bool:
    """Whether an import may mean it: a file, also without its suffix, or a folder.

    Links that leave do not count.
    """
    path = repository / name
    try:
        candidates = [path, *(path.with_name(path.name + end) for end in SOURCES)]
        found = next((one for one in candidates if one.exists()), None)
        return found is not None and found.resolve().is_relative_to(repository.resolve())
    except (OSError, RuntimeError, ValueError):  # forbidden, links that lead round, no name
        return False


def _outside(tree: Tree, front: str) -> Iterator[str]:
    """Places outside of the frontend, relative to the repository, that its files name."""
    for name, text in tree.texts.items():
        base = posixpath.basename(name)
        if name.endswith(SOURCES):
            found = IMPORT.findall(text)
        elif CONFIGURATION.match(base):
            found = UPWARDS.findall(text)
        else:
            continue
        for one in found:
            place = posixpath.normpath(posixpath.join(front, posixpath.dirname(name), one))
            if _is_told(place) and not _below(place, front) and not _below(front, place):
                yield place


def _is_told(place: str) -> bool:
    """Whether a place may be meant: within the repository, and with no name that hides itself.

    A home folder may be a repository, and keeps keys under such names.
    """
    return place.isprintable() and not any(one.startswith(".") for one in place.split("/"))


def _below(path: str, folder: str) -> bool:
    return folder in ("", ".") or path == folder or path.startswith(f"{folder}/")


def _part(root: str, front: str, place: str) -> str:
    """What is taken for a place that is needed.

    It is the folder beside the frontend that the place lies in, or the file itself.
    """
    below = posixpath.relpath(place, root or ".").split("/")
    mine = posixpath.relpath(front, root or ".").split("/")
    shared = 0
    while shared < min(len(below), len(mine)) - 1 and below[shared] == mine[shared]:
        shared += 1
    return "/".join(below[: shared + 1])


def _workspace(repository: Path, front: str) -> tuple[str | None, list[str]]:
    """The root of the workspace that the frontend is a member of, and its other members."""
    parts = front.split("/")
    for length in range(len(parts) - 1, -1, -1):
        root = "/".join(parts[:length])
        patterns = _patterns(repository / root)
        inner = posixpath.relpath(front, root or ".")
        if any(fnmatch(inner, one) for one in patterns):
            members = [posixpath.join(root, one) for one in _members(repository / root, patterns)]
            return root, [one for one in members if one != front]
    return None, []


def _members(folder: Path, patterns: Iterable[str]) -> Iterator[str]:
    """The folders that are members, relative to the workspace's root."""
    for one in patterns:
        try:
            for found in folder.glob(f"{one}/package.json"):
                if "node_modules" not in found.parts and _is_there(folder, f"{found.parent}"):
                    yield found.parent.relative_to(folder).as_posix()
        except (ValueError, NotImplementedError, OSError, RecursionError):
            continue  # no pattern of files


def _patterns(folder: Path) -> list[str]:
    """Which folders are members, as package.json or pnpm-workspace.yaml says."""
    given = read_json(own_text(folder / "package.json", folder)).get("workspaces")
    given = given.get("packages") if isinstance(given, dict) else given
    found = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    pnpm = own_text(folder / "pnpm-workspace.yaml", folder)
    found += re.findall(r"^[ \t]*-[ \t]*[\"']?([^\"'\s#]+)", pnpm, re.M)
    clean = [one.removeprefix("./").rstrip("/") for one in found]
    return [
        one
        for one in clean
        if one.isprintable() and not one.startswith("!") and ".." not in one.split("/")
    ]
