"""A survey as rows for a person, and as JSON for other programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from scripts.app import fit
from scripts.app.survey import Survey


def rows(found: Survey) -> list[tuple[str, str]]:
    """(what, is) of everything that the deployment rests on."""
    front, back = found.frontend, found.backend
    variables = [
        f"{one.name}{' (required)' if one.required else ''}{' (secret)' if one.secret else ''}"
        for one in (*back.variables, *front.variables)
    ]
    told = [
        ("frontend", f"{front.folder or '.'}: Next.js {front.next_version}, {front.output}; {front.manager}, {front.lock or 'no lock file'} ({found.certainty['frontend']})"),
        ("backend", f"{back.folder or '.'}: {back.module}{' (a factory)' if back.factory else ''}, packages from {back.dependencies} ({found.certainty['backend']})"),
        ("Python", back.python or "any"),
        ("routes", f"{len(back.routes)}; health at {back.health_path or 'no path: probes only connect'}; reached below {fit.api_path(found)}"
                   + (f", and {', '.join(fit.backend_paths(found))} as it is" if fit.backend_paths(found) else "")),
        ("database", f"{found.database} ({found.certainty['database']})" + (f", {found.decision.scheme}" if found.database == "postgres" else "")
                     + (", over TLS" if found.decision.tls else "") + (f"; the code names {found.decision.hosted}" if found.decision.hosted else "")),
        ("migrations", " ".join(back.migrations) or "none"),
        ("at start", "; ".join(f"{one.place} {one.line}" for one in back.startup[:3])),
        ("files it keeps", ", ".join(fit.data_paths(found))),
        ("addresses in the frontend", ", ".join(dict.fromkeys(address for address, _ in front.addresses))),
        ("rewrites", "; ".join(one.line for one in front.rewrites)),
        ("route handlers", ", ".join(front.handlers)),
        ("Google fonts", ", ".join(one.place for one in front.google_fonts)),
        ("accounts", front.auth),
        ("language model", back.provider + (", its client made while the app is imported" if back.client_at_import else "")),
        ("CORS", back.cors),
        ("ports in the code", ", ".join(f"{port} ({place})" for port, place in back.ports)),
        ("environment", ", ".join(dict.fromkeys(variables))),
        ("containers of its own", ", ".join(found.containers) or "none"),
    ]  # fmt: skip
    return [(what, value) for what, value in told if value]


def write(found: Survey, folder: Path) -> Path:
    """Write survey.json into `folder`; its path. Values of env files that are secrets are not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "survey.json"
    path.write_text(json.dumps(asdict(found), indent=1, default=str), encoding="utf-8")
    return path
