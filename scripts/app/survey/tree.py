"""The files of an app as text, in any encoding, and the lines that a conclusion rests on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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


@dataclass(frozen=True)
class Evidence:
    """A line that a conclusion rests on. place: file:line, relative to the app's folder."""

    place: str
    line: str


@dataclass(frozen=True)
class Tree:
    """An app's folder, read once.

    names: of all files. texts: contents of the files that can tell something about the app. Both
    are relative, with forward slashes.
    """

    root: Path
    names: frozenset[str]
    texts: Mapping[str, str]

    def below(self, folder: str, suffixes: Iterable[str] = ()) -> list[str]:
        """The texts in `folder` ('' is the root), sorted; those with one of the suffixes."""
        start = f"{folder}/" if folder else ""
        chosen = tuple(suffixes)
        return sorted(
            name
            for name in self.texts
            if name.startswith(start) and (not chosen or PurePosixPath(name).suffix in chosen)
        )

    def has(self, *parts: str) -> bool:
        """Whether there is such a file."""
        return join(*parts) in self.names

    def search(
        self, pattern: str, names: Iterable[str], flags: int = 0
    ) -> Iterator[tuple[Evidence, re.Match[str]]]:
        """Every match of `pattern` in a line that is no comment."""
        compiled = re.compile(pattern, flags)
        for name in names:
            for number, line in enumerate(self.texts.get(name, "").splitlines(), 1):
                match = compiled.search(line)
                if match and not line.lstrip().startswith(("#", "//", "*", "/*")):
                    yield Evidence(f"{name}:{number}", line.strip()[:160]), match

    def first(
        self, pattern: str, names: Iterable[str], flags: int = 0
    ) -> tuple[Evidence, re.Match[str]] | None:
        """The first of them."""
        return next(self.search(pattern, names, flags), None)


def read_tree(root: Path) -> Tree:
    """Read the folder. What packages and builds leave there is not looked at."""
    names, texts = set(), {}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        for file in files:
            path = Path(folder) / file
            name = path.relative_to(root).as_posix()
            names.add(name)
            if (
                (path.suffix in TEXTS or NAMED.match(file))
                and path.is_file()
                and path.stat().st_size <= LARGEST
            ):
                texts[name] = decode(path.read_bytes())
    return Tree(root, frozenset(names), texts)


def decode(content: bytes) -> str:
    """Text of a file: UTF-16 where it says so (PowerShell's `>` writes that), else UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


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
    return {key.strip(): re.sub(r"\s+#.*$", "", value.strip()).strip("'\"") for key, value in pairs}
