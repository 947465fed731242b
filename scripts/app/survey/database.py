"""Which database an app wants: decided from its code, with the lines that say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from scripts.app.survey.backend import Backend
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.tree import Evidence, Tree

Kind = Literal["postgres", "file", "external"]
DRIVERS = r"\b(psycopg2?|asyncpg|pg8000)\b"
NEEDED = (
    ("MongoDB", r"\b(motor|pymongo|beanie|mongoengine)\b"),
    ("MySQL", r"\b(pymysql|mysqlclient|aiomysql|MySQLdb)\b"),
)


@dataclass(frozen=True)
class Database:
    """kind: None when the code does not tell. scheme: of the address that the backend's driver takes. variables: those that name the address.

    tls: the code forces TLS. other: a database that this project does not deploy. hosted: the provider that the code or its examples name.
    """

    kind: Kind | None
    scheme: str
    variables: tuple[str, ...]
    tls: tuple[Evidence, ...]
    other: str
    hosted: str
    evidence: tuple[Evidence, ...]


def decide(
    tree: Tree, backend: Backend, frontend: Frontend, names: list[str], everywhere: bool = False
) -> Database:
    """Decide from the modules that the backend imports (`names`), its dependencies and the frontend's own database."""
    listed = [backend.dependencies] if backend.dependencies else []
    driver = tree.first(rf"^\s*(?:from|import)\s+{DRIVERS[2:]}", names) or tree.first(
        DRIVERS, listed
    )
    written = tree.first(r"postgres(?:ql)?(?:\+\w+)?(?:://|\b)", names)
    sqlite = tree.first(r"sqlite(?:\+\w+)?://|sqlite3\.connect|aiosqlite\.connect", names)
    files = tree.first(r"\.(?:sqlite3?|db|json)[\"']", names) if backend.writes else None
    variables = tuple(one.name for one in backend.variables if one.kind == "database")
    named = tree.first(
        r"[\"']\w*(DATABASE|POSTGRES|NEON|DB)\w*(URL|URI|DSN)[\"']", names, re.IGNORECASE
    )
    read = next((Evidence(one.place, tree.texts[one.place.rsplit(":", 1)[0]].splitlines()[int(one.place.rsplit(":", 1)[1]) - 1].strip()[:160])
                 for one in backend.variables if one.kind == "database"), None)  # fmt: skip
    other = next(
        (
            name
            for name, pattern in NEEDED
            if tree.first(rf"^\s*(?:from|import)\s+{pattern}", names)
        ),
        "",
    )
    auth = (
        bool(frontend.auth)
        and frontend.served == "server"
        and any(
            one in frontend.packages
            for one in ("pg", "postgres", "@neondatabase/serverless", "@prisma/client")
        )
    )
    evidence = tuple(
        one
        for one in (
            driver and driver[0],
            written and written[0],
            read,
            sqlite and sqlite[0],
            files and files[0],
        )
        if one
    )
    kind: Kind | None = None
    if ((variables or named) and (driver or written)) or auth:
        kind = "postgres"
    elif sqlite or files:
        kind = "file"
    elif (
        not everywhere
    ):  # nothing that the app imports at its start tells: what it imports later may
        everything = [name for name in tree.below(backend.folder, (".py",)) if name not in names]
        return decide(tree, backend, frontend, [*names, *everything], everywhere=True)
    return Database(
        kind,
        _scheme(tree, names, backend),
        variables,
        tuple(
            one
            for one, _ in tree.search(
                r"sslmode=require|[\"']?sslmode[\"']?\s*[:=]\s*[\"']require|[\"']?ssl[\"']?\s*[:=]\s*([\"'](require|prefer)|True)",
                names,
            )
        ),
        other if kind is None else "",
        next(
            (
                match.group(1)
                for _, match in tree.search(
                    r"(neon|supabase|render|railway|aiven)", names, re.IGNORECASE
                )
            ),
            "",
        ),
        evidence,
    )


def _scheme(tree: Tree, names: list[str], backend: Backend) -> str:
    """postgresql, with the driver that create_async_engine needs where the code does not add it by itself."""
    adds = tree.first(r"replace\(\s*[\"']postgres|postgresql\+\w+://", names) or tree.first(
        r"drivername|set\(.*drivername|make_url", names
    )
    raw = tree.first(r"asyncpg\.(connect|create_pool)|psycopg2?\.connect|ConnectionPool\(", names)
    if adds or raw:
        return "postgresql"
    packages = {re.split(r"[^\w-]", one)[0].lower() for one in backend.declared}
    if tree.first(r"create_async_engine", names):
        return (
            "postgresql+psycopg"
            if "psycopg" in packages and "asyncpg" not in packages
            else "postgresql+asyncpg"
        )
    if (
        "psycopg" in packages
        and not packages & {"psycopg2", "psycopg2-binary"}
        and tree.first("create_engine", names)
    ):
        return "postgresql+psycopg"
    return "postgresql"
