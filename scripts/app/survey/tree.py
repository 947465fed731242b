"""The files of an app as text, in any encoding, and the lines that a conclusion rests on."""

from __future__ import annotations

import json
import os
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

SKIPPED = frozenset(
    {
        "node_modules",
        ".next",
        "out",
        ".git",
        ".venv",
        "venv",
        "env",
        "__pycache__",
        "dist",
        "build",
        ".turbo",
        ".vercel",
        "site-packages",
        "coverage",
    }
)
TEXTS = frozenset(
    {
        ".py",
        ".ts",
        ".tsx",
        ".js",
        ".jsx",
        ".mjs",
        ".cjs",
        ".json",
        ".toml",
        ".txt",
        ".yaml",
        ".yml",
        ".ini",
        ".cfg",
        ".prisma",
        ".sql",
    }
)
NAMED = re.compile(
    r"(?i)(dockerfile|procfile|\.env|\.python-version|\.nvmrc"
    r"|\.node-version|\.npmrc|pipfile|compose)"
)
LARGEST = 1 << 20  # bytes; more is a lock file or data
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
MANY_PARTS = re.compile(r"(?<![\w-])(?:[\w-]{1,99}\s{0,9}\.\s{0,9}){40}")
MOST_COLUMNS = 4000  # of a line that is searched; more is made by a program
MOST_LINES = 50_000  # of a file that are searched
MOST_TEXTS = 50_000  # files; more are data, or hold somebody up
MOST_DEEP = 100  # folders in each other; more are made by a program


@dataclass(frozen=True)
class Evidence:
    """A line that a conclusion rests on. place: file:line, relative to the app's folder."""

    place: str
    line: str


@dataclass(frozen=True)
class Tree:
    """An app's folder, read once.

    names: of all files. texts: contents of the files that can tell something about the app. Both
    are relative, with forward slashes. unread: the first that was one too many to be read.
    """

    root: Path
    names: frozenset[str]
    texts: Mapping[str, str]
    unread: str = ""

    def below(self, folder: str, suffixes: Iterable[str] = ()) -> list[str]:
        """The texts in `folder` ('' is the root), sorted; those with one of the suffixes."""
        start = f"{folder}/" if folder else ""
        chosen = tuple(suffixes)
        return sorted(
            name
            for name in self.texts
            if name.startswith(start) and (not chosen or posixpath.splitext(name)[1] in chosen)
        )

    def has(self, *parts: str) -> bool:
        """Whether there is such a file."""
        return join(*parts) in self.names

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a text with their numbers, as far as a person would read them.

        A pattern may take time with the square of a line's length.
        """
        for number, line in enumerate(self.texts.get(name, "").splitlines()[:MOST_LINES], 1):
            yield number, line[:MOST_COLUMNS]

    def search(
        self, pattern: str, names: Iterable[str], flags: int = 0
    ) -> Iterator[tuple[Evidence, re.Match[str]]]:
        """Every match of `pattern` in a line that is no comment."""
        compiled = re.compile(pattern, flags)
        for name in names:
            for number, line in self.lines(name):
                match = compiled.search(line)
                if match and not line.lstrip().startswith(("#", "//", "*", "/*")):
                    yield Evidence(f"{name}:{number}", line.strip()[:160]), match

    def first(
        self, pattern: str, names: Iterable[str], flags: int = 0
    ) -> tuple[Evidence, re.Match[str]] | None:
        """The first of them."""
        return next(self.search(pattern, names, flags), None)


def read_tree(root: Path) -> Tree:
    """Read the folder. What packages and builds leave there is not looked at.

    Nor is what has a name that no terminal can show, such as one of several lines.
    """
    names, texts, unread = set[str](), dict[str, str](), ""
    for folder, folders, files in walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED and name.isprintable() and not _is_venv(root / folder / name)
        )
        for file in (one for one in files if one.isprintable()):
            name = join(folder, file)
            names.add(name)
            if posixpath.splitext(file)[1] not in TEXTS and not NAMED.match(file):
                continue
            if len(texts) >= MOST_TEXTS:
                unread = unread or name
            elif (content := _bytes(root / name, LARGEST)) is not None:
                texts[name] = decode(content)
    return Tree(root, frozenset(names), texts, unread)


def walk(root: Path, within: Path | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, its folders, its files) of a folder of somebody else's, whatever lies in it.

    within: the folder that links may lead to; the root when left out. A file is what is_own says.
    Names are relative with forward slashes, the root is "". Whoever takes names out of the list of
    folders leaves those out. Links to folders are not followed, so that none leads out or round.
    """
    pending = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        folders, files = [], []
        try:
            with os.scandir(root / folder) as found:
                for one in found:
                    if one.is_dir(follow_symlinks=False):
                        folders.append(one.name)
                    elif one.is_file(follow_symlinks=False) or (
                        one.is_symlink() and is_own(root / folder / one.name, within or root)
                    ):
                        files.append(one.name)
        except OSError:
            continue  # it may not be read, or has gone
        folders.sort()
        yield folder, folders, sorted(files)
        if depth < MOST_DEEP:
            pending += [(join(folder, name), depth + 1) for name in reversed(folders)]


def _is_venv(folder: Path) -> bool:
    try:
        return (folder / "pyvenv.cfg").exists()
    except OSError:
        return False


def is_own(path: Path, root: Path) -> bool:
    """Whether it is a file of this folder: no device, no pipe, no link that leads out of it."""
    try:
        return path.is_file() and path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # forbidden; links that lead round; no name at all
        return False


def own_bytes(path: Path, root: Path, most: int = LARGEST) -> bytes | None:
    """What a file of this folder holds.

    None if it is none (see is_own), is larger than `most`, or may not be read.
    """
    return _bytes(path, most) if is_own(path, root) else None


def _bytes(path: Path, most: int) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= most else None
    except OSError:
        return None


def own_text(path: Path, root: Path, most: int = LARGEST) -> str:
    """The same as text, in any encoding; empty where there is none."""
    return decode(own_bytes(path, root, most) or b"")


def decode(content: bytes) -> str:
    """Text of a file: UTF-16 where it says so (PowerShell's `>` writes that), else UTF-8.

    Its lines are shown to people, so what would steer their terminal is taken out.
    """
    is_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if is_16 else "utf-8-sig", "replace")
    return CONTROL.sub("\ufffd", text)


def read_json(text: str) -> dict[str, Any]:
    """A JSON object; empty where the text is none."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


@lru_cache(maxsize=64)
def read_toml(text: str) -> dict[str, Any]:
    """A TOML document; empty where the text is none."""
    try:
        # Python's reader takes time with the square of a key's parts.
        return {} if MANY_PARTS.search(text) else tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def table(read: object, *names: str) -> dict[str, Any]:
    """The table or object at this place of a document; empty where something else is there."""
    for name in names:
        read = read.get(name) if isinstance(read, dict) else None
    return read if isinstance(read, dict) else {}


def address(text: str) -> SplitResult:
    """The parts of an address; all empty where it is none, as http://[ is."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # looked at here: a port that is no number raises only then
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def join(*parts: str) -> str:
    """A relative name of its parts, empty ones left out."""
    return "/".join(part for part in parts if part)


def read_env(text: str) -> dict[str, str]:
    """The variables of an env file."""
    pairs = [
        line.strip().removeprefix("export ").split("=", 1)
        for line in text.splitlines()
        if "=" in line and not line.lstrip().startswith("#")
    ]
    comment = re.compile(r"(?<!\s)\s+#.*$")
    return {key.strip(): comment.sub("", value.strip()).strip("'\"") for key, value in pairs}
