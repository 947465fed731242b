"""A survey as rows for a person, and as JSON for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from scripts.app import fit
from scripts.app.survey import Survey
from scripts.app.survey.companions import place_of

Rows = Iterator[tuple[str, str]]


def rows(found: Survey) -> list[tuple[str, str]]:
    """(what, is) of everything that the deployment rests on.

    These are the components, the arrows between them, and details.
    """
    told = [*_components(found), *_arrows(found), *_backend(found), *_frontend(found)]
    told.append(("containers of its own", ", ".join(found.containers) or "none"))
    return [(what, value) for what, value in told if value]


def _components(found: Survey) -> Rows:
    front, back = found.frontend, found.backend
    lock = f"{front.manager}, {front.lock or 'no lock file'}"
    sure = found.certainty
    yield (
        "frontend",
        f"{front.folder or '.'}: Next.js {front.next_version}, {front.output}; {lock}"
        f" ({sure['frontend']}; phase4.app.frontend names another)",
    )
    factory = " (a factory)" if back.factory else ""
    yield (
        "backend",
        f"{back.folder or '.'}: {back.module}{factory}, packages from {back.dependencies}"
        f" ({sure['backend']}; phase4.app.module names another)",
    )
    for one in found.companions.services:
        yield f"service {one.name}", f"{place_of(one)}: {one.backend.module}"
    yield "database", f"{_database(found)} ({sure['database']}; phase4.app.database names another)"


def _database(found: Survey) -> str:
    said = [found.database + (f", {found.decision.scheme}" if found.database == "postgres" else "")]
    said += ["over TLS"] if found.decision.tls else []
    said += [f"the code names {found.decision.hosted}"] if found.decision.hosted else []
    return ", ".join(said)


def _arrows(found: Survey) -> Rows:
    """What calls what, with the variable that holds the address."""
    yield "browser -> frontend", "/"
    paths = (fit.api_path(found), *fit.backend_paths(found))
    yield "browser -> backend", ", ".join(paths)
    for one in found.companions.wires:
        yield f"{one.component} -> {one.target}", f"{one.variable} ({one.place})"
    for name in found.decision.variables:
        yield "backend -> database", name
    for call in found.companions.lost:
        yield "backend -> nobody", f"{call.variable.name} ({call.variable.place})"


def _backend(found: Survey) -> Rows:
    back = found.backend
    yield "Python", back.python or "any"
    yield (
        "routes",
        f"{len(back.routes)}; health at {back.health_path or 'no path: probes only connect'}",
    )
    yield "migrations", " ".join(back.migrations) or "none"
    yield "at start", "; ".join(f"{one.place} {one.line}" for one in back.startup[:3])
    yield "files it keeps", ", ".join(fit.data_paths(found))
    early = ", its client made while the app is imported" if back.client_at_import else ""
    yield "language model", back.provider + (early if back.provider else "")
    yield "CORS", back.cors
    yield "ports in the code", ", ".join(f"{port} ({place})" for port, place in back.ports)


def _frontend(found: Survey) -> Rows:
    front = found.frontend
    addresses = dict.fromkeys(address for address, _ in front.addresses)
    yield "addresses in the frontend", ", ".join(addresses)
    yield "rewrites", "; ".join(one.line for one in front.rewrites)
    yield "route handlers", ", ".join(front.handlers)
    yield "Google fonts", ", ".join(one.place for one in front.google_fonts)
    yield "accounts", front.auth
    variables = [
        f"{one.name}{' (required)' if one.required else ''}{' (secret)' if one.secret else ''}"
        for one in (*found.backend.variables, *front.variables)
    ]
    yield "environment", ", ".join(dict.fromkeys(variables))


def guesses(found: Survey) -> dict[str, str]:
    """What was guessed, by the names of the settings that decide otherwise."""
    module = f"{found.backend.folder}/{found.backend.module}".lstrip("/")
    return {"database": found.database, "frontend": found.frontend.folder or ".", "module": module}


def write(found: Survey, folder: Path) -> Path:
    """Write survey.json into `folder`; its path.

    Values of env files that are secrets are not in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "survey.json"
    path.write_text(json.dumps(asdict(found), indent=1, default=str), encoding="utf-8")
    return path
