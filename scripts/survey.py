"""Look at a Phase III app without running any of it: where its parts are, and which database it wants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.findings import Finding, failure
from scripts.run import Run

PORT = 8001
SOURCES = ("*.py",)
SKIPPED = {"node_modules", ".next", "out", ".git", ".venv", "venv", "__pycache__", "tests", "data"}


@dataclass(frozen=True)
class Evidence:
    """A line that a conclusion rests on."""

    place: str
    line: str


@dataclass(frozen=True)
class Survey:
    """What was found. module: import path of the FastAPI object. migrations: command that brings the tables up to date. dockerfiles, environment: names, sorted."""

    root: Path
    frontend: Path
    backend: Path
    next_version: str
    output: str
    module: str
    health_path: str
    ready_path: str
    migrations: tuple[str, ...]
    environment: tuple[str, ...]
    dockerfiles: tuple[str, ...]
    database: Literal["postgres", "file"]
    evidence: tuple[Evidence, ...]
    warnings: tuple[Finding, ...]


def survey(run: Run) -> Survey:
    """Read the app. Raises APP-NOT-FOUND, APP-INCOMPLETE, or DATABASE-UNCLEAR with the lines that disagree."""
    return read(run.settings.app_path, run.settings.app.database)


def read(root: Path, database: str = "auto") -> Survey:
    """Survey the app in `root`. database: `postgres` or `file` settles what the code would otherwise decide."""
    if not root.is_dir():
        raise failure(
            "APP-NOT-FOUND",
            str(root),
            f"there is no app in {root}",
            remedy="set phase4.app.path to the folder of the app, or remove it to use the reference app",
        )
    frontend = _frontend(root)
    backend, module, module_evidence = _backend(root)
    sources = list(_sources(backend))
    decided, reasons = _database(sources, root)
    if database == "auto" and decided is None:
        raise failure(
            "DATABASE-UNCLEAR",
            str(root),
            "the code does not tell whether the app keeps its data in PostgreSQL or in files",
            "\n".join(f"{one.place}: {one.line}" for one in reasons) or "no database URL, driver or data file was found",
            "say which: INVOKE_PHASE4_APP_DATABASE=postgres (or file) invoke deploy",
        )
    package = json.loads((frontend / "package.json").read_text(encoding="utf-8"))
    dependencies = {**package.get("devDependencies", {}), **package.get("dependencies", {})}
    health = _first(sources, root, r"@\w+\.get\(\s*[\"'](/[\w/-]*health[\w/-]*)[\"']")
    ready = _first(sources, root, r"@\w+\.get\(\s*[\"'](/(?:ready|readyz|readiness)[\w/-]*)[\"']")
    environment = {name for _, line in _lines(sources) for name in re.findall(r"(?:environ(?:\.get)?[\[(]|getenv\()\s*[\"'](\w+)[\"']", line)}
    return Survey(
        root,
        frontend,
        backend,
        dependencies.get("next", "").lstrip("^~"),
        _output(frontend),
        module,
        health[1] if health else "",
        ready[1] if ready else "",
        ("alembic", "upgrade", "head") if (backend / "alembic.ini").is_file() else (),
        tuple(sorted(environment)),
        tuple(sorted(str(path.relative_to(root)) for path in root.rglob("*Dockerfile*") if not SKIPPED & set(path.parts))),
        decided if database == "auto" and decided else ("file" if database == "file" else "postgres"),
        (module_evidence, *([health[0]] if health else []), *reasons),
        tuple(_warnings(root, frontend, sources, bool(health))),
    )


def _frontend(root: Path) -> Path:
    for candidate in (root / "frontend", root / "web", root / "client", root):
        package = candidate / "package.json"
        if package.is_file() and '"next"' in package.read_text(encoding="utf-8", errors="replace"):
            return candidate
    raise failure(
        "APP-INCOMPLETE",
        str(root),
        "no Next.js frontend was found",
        f"looked for a package.json with next in {root}/frontend, web, client and .",
        "see `invoke survey`; docs/configuration.md tells the shape that is expected",
    )


def _backend(root: Path) -> tuple[Path, str, Evidence]:
    for candidate in (root, root / "backend", root / "api", root / "server"):
        if not (candidate / "requirements.txt").is_file() or not (candidate / "requirements.txt").read_text(encoding="utf-8", errors="replace").strip():
            continue
        for module in ("app/main.py", "main.py", "src/main.py"):
            for number, line in _numbered(candidate / module):
                found = re.match(r"(\w+)\s*(?::\s*\w+\s*)?=\s*(?:\w+\.)?FastAPI\(", line)
                if found:
                    name = module.removesuffix(".py").replace("/", ".")
                    return candidate, f"{name}:{found.group(1)}", Evidence(f"{(candidate / module).relative_to(root)}:{number}", line.strip())
    raise failure(
        "APP-INCOMPLETE",
        str(root),
        "no FastAPI backend was found",
        f"looked for a requirements.txt that is not empty, and `... = FastAPI(` in app/main.py, main.py or src/main.py, in {root} and its backend, api, server",
        "docs/configuration.md tells the shape that is expected",
    )


def _database(sources: list[Path], root: Path) -> tuple[Literal["postgres", "file"] | None, list[Evidence]]:
    """The database that the code is made for, and the lines that say so; None when nothing does."""
    postgres = [
        item for item in (_first(sources, root, pattern) for pattern in (r"postgres(?:ql)?(?:\+\w+)?(?::|\b)", r"\b(?:psycopg2?|asyncpg|pg8000)\b")) if item
    ]
    files = [item for item in (_first(sources, root, pattern) for pattern in (r"sqlite(?:\+\w+)?://", r"\.(?:sqlite3?|db|json)[\"']")) if item]
    url = _first(sources, root, r"DATABASE_URL")
    reasons = [item[0] for item in (*postgres, *([url] if url else []), *files)]
    if postgres and url:
        return "postgres", reasons
    if files:
        return "file", reasons
    return None, reasons


def _output(frontend: Path) -> str:
    """Next's output mode: export, standalone, or server for neither."""
    for name in ("next.config.mjs", "next.config.js", "next.config.ts"):
        path = frontend / name
        match = re.search(r"output\s*:\s*[\"'](export|standalone)[\"']", path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
        if match:
            return match.group(1)
    return "server"


def _warnings(root: Path, frontend: Path, sources: list[Path], has_health: bool) -> Iterator[Finding]:
    if not (frontend / "package-lock.json").is_file():
        yield Finding(
            "APP-INCOMPLETE", str(frontend), "the frontend has no package-lock.json: its packages are not pinned", remedy="npm install --package-lock-only"
        )
    if not has_health:
        yield Finding("APP-INCOMPLETE", str(root), "the backend has no /health route; its probes would fail", remedy="add one that answers 200")
    for path, line in _lines(sources):
        port = re.search(r"(?:port\s*=\s*|--port[ =])(\d{4,5})\b", line)
        if port and int(port.group(1)) != PORT:
            yield Finding(
                "APP-INCOMPLETE",
                str(path.relative_to(root)),
                f"the code names port {port.group(1)}; in the cluster the backend listens on {PORT}",
                line.strip(),
            )


def _sources(folder: Path) -> Iterator[Path]:
    for pattern in SOURCES:
        yield from (path for path in sorted(folder.rglob(pattern)) if not SKIPPED & set(path.relative_to(folder).parts))


def _lines(sources: list[Path]) -> Iterator[tuple[Path, str]]:
    for path in sources:
        for _, line in _numbered(path):
            yield path, line


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    if path.is_file():
        yield from enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)


def _first(sources: list[Path], root: Path, pattern: str) -> tuple[Evidence, str] | None:
    """The first line that matches, and its first group (or the whole match)."""
    for path in sources:
        for number, line in _numbered(path):
            match = re.search(pattern, line)
            if match and not line.lstrip().startswith("#"):
                return Evidence(f"{path.relative_to(root)}:{number}", line.strip()[:160]), match.group(1) if match.groups() else match.group(0)
    return None
