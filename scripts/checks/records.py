"""Numbered records for people: problems met and decisions taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.app.survey import Survey
from scripts.checks.acceptance import Row
from scripts.session.findings import failure
from scripts.session.settings import ROOT

HISTORY = ROOT / "history"
#: What the plan wants in a record, and the tasks whose lines tell it.
KEPT = {
    "Tools": ("1.1",),
    "Assistants": ("1.3",),
    "Cluster": ("1.2", "1.4"),
    "The database": ("2.1.a", "3.5"),
    "Deployment": ("4.1", "4.2", "4.3"),
    "Persistence": ("5.3",),
    "Integration": ("5.1", "5.2", "5.4", "5.5"),
}
#: The decision about a database, in words.
DATABASES = {
    "postgres": "PostgreSQL 16 as a StatefulSet with a volume claim, in the release",
    "file": "Files on a volume claim of the backend, which is one pod then",
    "external": "A PostgreSQL elsewhere, whose address the app's own variable gives",
}


def run_record(rows: Sequence[Row], today: str, opinions: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Keep a run of `verify` as a PHR: what the plan asks a person to write down.

    opinions: what assistants said that day.
    """
    failed = sum(row.status == "failed" for row in rows)
    verdict = f"{failed} lines do not hold" if failed else "every line holds"
    path = new_record("phr", f"The deployment of {today}: {verdict}", today)
    tables = [f"# {path.stem[5:].replace('-', ' ').capitalize()}", ""]
    for title, tasks in KEPT.items():
        tables += [f"## {title}", "", "| line | result | evidence |", "| --- | --- | --- |"]
        tables += [
            f"| {row.task} {row.line} | {row.status} | {_cell(row.evidence)} |"
            for row in rows
            if row.task in tasks
        ]
        tables.append("")
    tables += _opinions(opinions)
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def _opinions(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who said what, with the codes of the built-in diagnosis, and whether both name one object."""
    if not kept:
        return []
    head = ["## Opinions", "", "| time | who | diagnosis | same object | what it said |"]
    return [
        *head,
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {one['time']} | {one['assistant']} {one['model']} "
            f"| {', '.join(one['diagnosis']) or 'nothing wrong'} "
            f"| {'yes' if one['agrees'] else 'no'} | {_cell(one['words'])[:400]} |"
            for one in kept
        ),
        "",
    ]


def database_record(found: Survey, today: str) -> Path:
    """Keep as an ADR which database an app gets, and the lines of its code that decide it."""
    title = f"database of {found.root.name}"
    path = new_record("adr", f"The {title}: {found.database}", today)
    evidence = [
        f"- `{one.place}`: `{one.line.replace('`', '')}`"
        for one in dict.fromkeys(found.decision.evidence)
    ]
    lines = evidence or ["- nothing: a person settled it"]
    parts = [
        f"# {path.stem[:4]}: the {title}",
        f"Status: accepted, {today}",
        "## Context\nThe code says:\n\n" + "\n".join(lines),
        f"## Decision\n{DATABASES[found.database]}.",
        "## Consequences\n" + "\n".join(_database_facts(found)),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _database_facts(found: Survey) -> list[str]:
    hosted, tls = found.decision.hosted, found.decision.tls
    return [
        f"- certainty: {found.certainty['database']}",
        f"- variables that name its address: {', '.join(found.decision.variables) or 'none'}",
        f"- migrations: {' '.join(found.backend.migrations) or 'none'}",
        *([f"- hosted provider that the code names: {hosted}"] if hosted else []),
        *(["- its clients force TLS: the server speaks it"] if tls else []),
        *(f"- files that are kept: {one}" for one, _, _ in found.written[:5]),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def new_record(kind: str, title: str, today: str) -> Path:
    """Make the next numbered file of history/<kind> from its template, and list it.

    Raises RECORD-INVALID for a title without words.
    """
    folder = HISTORY / kind
    slug = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].rstrip("-")
    if not slug:
        raise failure(
            "RECORD-INVALID",
            title,
            "a record needs a title of words",
            f"the title is {title!r}",
            f'invoke {kind} "what it is about"',
        )
    numbers = [int(path.name[:4]) for path in folder.glob("[0-9][0-9][0-9][0-9]-*.md")]
    number = f"{max(numbers, default=0) + 1:04d}"
    path = folder / f"{number}-{slug}.md"
    text = (folder / "template.md").read_text(encoding="utf-8")
    path.write_text(
        text.replace("NUMBER", number).replace("TITLE", title).replace("DATE", today),
        encoding="utf-8",
    )
    index = folder / "README.md"
    index.write_text(
        f"{index.read_text(encoding='utf-8').rstrip()}\n- [{number}]({path.name}) {title}\n",
        encoding="utf-8",
    )
    return path
