"""What the build of a frontend gets: the app's files, what its packages come from, our programs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from scripts.app.reach import WORKSPACE_FILES, Reach
from scripts.app.survey.tree import SKIPPED, own_bytes
from scripts.images.context import File, context_files, with_added
from scripts.session.settings import ROOT

DOCKERFILE = ROOT / "frontend.Dockerfile"
WEB = Path("scripts/images/web")
SOURCE, MANIFESTS = "source", "manifests"  # folders of the build's context
#: Files and folders that an installation may read: patches, yarn's own release, Prisma's schema.
INSTALLED_FROM = re.compile(r"(^|/)(\.yarn|patches|prisma)/|\.prisma$|(^|/)\.pnpmfile\.cjs$")
#: An installation that runs the app's own programs, or takes packages from its folders.
NEEDS_ALL = re.compile(rb'"(pre|post)?install"\s*:|"(pre|post)?prepare"\s*:|"(file|link|portal):')
#: Packages that are compiled while they are installed, where no ready program can be fetched.
COMPILED = (
    "better-sqlite3",
    "sqlite3",
    "bcrypt",
    "argon2",
    "canvas",
    "libpq",
    "pg-native",
    "node-pty",
    "isolated-vm",
    "re2",
    "node-sass",
    "bufferutil",
    "utf-8-validate",
)
COMPILERS = "g++ make python3 python3-setuptools"  # the last for node-gyp of before 2024
HEADERS = {"canvas": "libcairo2-dev libpango1.0-dev libjpeg-dev libgif-dev librsvg2-dev pkg-config",
           "libpq": "libpq-dev", "pg-native": "libpq-dev"}  # fmt: skip
MOST_BESIDE = 1 << 24  # bytes of a file beside the frontend's folder
OUTSIDE = re.compile(r"\.([cm]?[jt]sx?|json|s?css|svg|png|jpe?g|webp|mdx?|txt|prisma|graphql)$")


def lay_out(files: Iterable[File], added: Mapping[str, bytes], reach: Reach) -> tuple[File, ...]:
    """The context of frontend.Dockerfile for a frontend's files.

    added: files to put among them. reach: what the frontend needs beside its folder.
    """
    source = [*_below(reach.folder, with_added(files, added)), *_others(reach)]
    every = any(
        NEEDS_ALL.search(file.content) for file in source if file.name.endswith("package.json")
    )
    manifests = source if every else [file for file in source if _is_installed_from(file.name)]
    return (*_below(MANIFESTS, manifests), *programs(), *_below(SOURCE, source))


def programs() -> tuple[File, ...]:
    """The web server's configuration, and the programs that build and start a frontend."""
    paths = sorted(path for path in (ROOT / WEB).rglob("*") if path.is_file())
    # Programs have no suffix. A checkout does not keep the mode on every system.
    return tuple(
        File(path.relative_to(ROOT).as_posix(), not path.suffix, path.read_bytes())
        for path in paths
    )


def build_packages(files: Iterable[File]) -> str:
    """Debian's packages that compile what package.json or a lock file names.

    Empty where nothing is compiled.
    """
    texts = [
        (posixpath.basename(file.name), file.content.decode(errors="replace"))
        for file in files
        if posixpath.basename(file.name) in WORKSPACE_FILES
    ]
    named = [one for one in COMPILED if any(_names(file, text, one) for file, text in texts)]
    headers = [HEADERS[one] for one in named if one in HEADERS]
    return " ".join(dict.fromkeys([COMPILERS, *headers])) if named else ""


def _names(file: str, text: str, package: str) -> bool:
    """Whether it is installed: a lock file also holds names of packages that others may have."""
    if file == "package.json":
        return f'"{package}"' in text
    if file in ("package-lock.json", "npm-shrinkwrap.json"):
        return f'node_modules/{package}"' in text
    return bool(re.search(rf"(?m)^\s*[\"']?/?{package}[@/]", text) or f'["{package}@' in text)


def _is_installed_from(name: str) -> bool:
    return posixpath.basename(name) in WORKSPACE_FILES or bool(INSTALLED_FROM.search(name))


def _others(reach: Reach) -> list[File]:
    """The files of what lies beside the frontend, without what packages and builds leave there."""
    found = {}
    for one in reach.others:
        path = reach.root / one
        if path.is_dir():
            inner = _below(one, context_files(DOCKERFILE, path, reach.root))
        else:
            inner = [
                File(near.relative_to(reach.root).as_posix(), False, content)
                for near in _near(path)
                if (content := own_bytes(near, reach.root, MOST_BESIDE)) is not None
            ]
        found.update({file.name: file for file in inner if _is_wanted(file.name)})
    return sorted(found.values(), key=lambda file: file.name)


def _near(path: Path) -> list[Path]:
    """The files that an import without its suffix may mean."""
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        return []
    return [one for one in beside if one.name == path.name or one.name.startswith(f"{path.name}.")]


def _is_wanted(name: str) -> bool:
    is_code = OUTSIDE.search(name) or posixpath.basename(name) in WORKSPACE_FILES
    return bool(is_code) and not SKIPPED & set(name.split("/"))


def _below(folder: str, files: Iterable[File]) -> list[File]:
    prefix = "" if folder == "." else f"{folder}/"
    return [replace(file, name=f"{prefix}{file.name}") for file in files]
