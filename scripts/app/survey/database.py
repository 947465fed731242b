"""Which database an app wants: decided from its code, with the lines that say so."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from scripts.app.survey.backend import Backend
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.python import documentation
from scripts.app.survey.tree import Evidence, Tree

Kind = Literal["postgres", "file", "external"]
DRIVERS = r"\b(psycopg2?|asyncpg|pg8000)\b"
#: Code that asks for TLS, in whatever words. To speak it where nobody asks costs nothing.
TLS = (
    r"sslmode[\"']?\s*[:=]\s*[\"']?(require|verify|prefer)|create_default_context\("
    r"|[\"']ssl[\"']\s*:\s*(?!False|None)|\bssl\s*=\s*(?!False|None|ssl\b)\S"
)
#: Code that asks whether the address wants TLS: without that it takes a way of its own.
SSLMODE_READ = r"[\"']sslmode=require[\"']\s+in\b"
DRIVEN = re.compile(r"postgresql\+\w+")
#: Code that looks whether the address has this form, or takes it from there.
DEMANDED = (
    r"(?:startswith\(|replace\(|\w*(?i:prefix|scheme)\w*\s*=)"
    r"\s*\(?\s*[\"'](postgresql\+\w+)://[\"']"
)
NEEDED = (
    ("MongoDB", r"\b(motor|pymongo|beanie|mongoengine)\b"),
    ("Supabase", r"supabase\b"),
    ("MySQL", r"\b(pymysql|mysqlclient|aiomysql|MySQLdb)\b"),
)


@dataclass(frozen=True)
class Database:
    """The database that the app wants.

    kind: None when the code does not tell. scheme: of the address that the backend's driver takes.
    variables: those that name the address.

    tls: the code forces TLS. other: a database that this project does not deploy.
    neon: where the frontend takes the driver of that provider. query: of the address, where the
    code looks for it there. hosted: the provider that the code or its examples name.
    """

    kind: Kind | None
    scheme: str
    variables: tuple[str, ...]
    tls: tuple[Evidence, ...]
    other: str
    hosted: str
    evidence: tuple[Evidence, ...]
    neon: Evidence | None = None
    query: str = ""


def decide(
    tree: Tree, backend: Backend, frontend: Frontend, names: list[str], everywhere: bool = False
) -> Database:
    """Decide which database the app wants.

    It is read from the modules that the backend imports (`names`), its packages, and the frontend's
    database.
    """
    code = _without_docstrings(tree, names)
    found = _Traces(code, backend, names)
    other, asked = _other(code, names)
    kind: Kind | None = None
    if found.is_postgres or (_keeps_accounts(frontend) and not other):
        kind = "postgres"
    elif found.sqlite or found.files:
        kind = "file"
    elif found.address and found.engine and not other:
        kind = (
            "postgres"  # nothing names a driver: what the code cannot start without is an address
        )
    elif not everywhere:
        # Nothing that the app imports at its start tells: what it imports later may.
        rest = [name for name in tree.below(backend.folder, (".py",)) if name not in names]
        return decide(tree, backend, frontend, [*names, *rest], everywhere=True)
    hosted = next(tree.search(r"(neon|supabase|render|railway|aiven)", names, re.IGNORECASE), None)
    return Database(
        kind,
        _scheme(code, names, backend),
        tuple(one.name for one in backend.variables if one.kind == "database"),
        tuple(evidence for evidence, _ in code.search(TLS, names)),
        other if kind is None else "",
        hosted[1].group(1) if hosted else "",
        (*([asked] if asked and kind is None else []), *found.evidence),
        _neon(tree, frontend),
        "?sslmode=require" if code.first(SSLMODE_READ, names) else "",
    )


def _other(code: Tree, names: list[str]) -> tuple[str, Evidence | None]:
    """A database or service that is not PostgreSQL, and the line that imports its client."""
    for name, pattern in NEEDED:
        found = code.first(rf"^\s*(?:from|import)\s+{pattern}", names)
        if found:
            return name, found[0]
    return "", None


def _neon(tree: Tree, frontend: Frontend) -> Evidence | None:
    """The line in which Next's server takes Neon's own driver, which no PostgreSQL understands."""
    if frontend.served == "export" or "@neondatabase/serverless" not in frontend.packages:
        return None
    sources = tree.below(frontend.folder, (".ts", ".tsx", ".js", ".mjs"))
    found = tree.search(r"(from|import|require)\W.*@neondatabase/serverless", sources)
    # What the server imports, before a script that its author has run once.
    aside = re.compile(r"(^|/)scripts?/|(^|/)(test|migrate|seed|check|reset)[\w.-]*$")
    places = [evidence for evidence, _ in found]
    return min(places, key=lambda one: bool(aside.search(one.place.split(":")[0])), default=None)


def _keeps_accounts(frontend: Frontend) -> bool:
    """Whether Next's server keeps accounts in PostgreSQL."""
    drivers = ("pg", "postgres", "@neondatabase/serverless", "@prisma/client")
    return (
        bool(frontend.auth)
        and frontend.served == "server"
        and any(one in frontend.packages for one in drivers)
    )


class _Traces:
    """The lines that speak of a database, each None where there is none."""

    def __init__(self, code: Tree, backend: Backend, names: list[str]) -> None:
        def first(pattern: str, among: list[str], flags: int = 0) -> Evidence | None:
            found = code.first(pattern, among, flags)
            return found[0] if found else None

        listed = [backend.dependencies] if backend.dependencies else []
        word = r"[\"']\w*(DATABASE|POSTGRES|NEON|DB)\w*(URL|URI|DSN)[\"']"
        self.address = _read_at(code, backend) or first(word, names, re.IGNORECASE)
        self.written = first(r"postgres(?:ql)?(?:\+\w+)?(?:://|\b)", names)
        imported = first(rf"^\s*(?:from|import)\s+(?:\w+,\s*)*{DRIVERS}", names)
        self.driver = imported or first(DRIVERS, listed)
        self.sqlite = first(r"sqlite(?:\+\w+)?://|sqlite3\.connect|aiosqlite\.connect", names)
        files = r"\.(?:sqlite3?|db|json)[\"']"
        self.files = first(files, names) if backend.writes else None
        self.engine = first(r"\bcreate_(async_)?engine\(", names)
        self.hosted = first(r"neon\.tech|supabase\.co|pool_size", names)

    @property
    def is_postgres(self) -> bool:
        """Whether an address is read, and something says that it is PostgreSQL's."""
        return bool(self.address and (self.driver or self.written))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Those that were found, the ones that decide first."""
        lines = (
            self.address,
            self.written,
            self.driver,
            self.sqlite,
            self.files,
            self.engine,
            self.hosted,
        )
        return tuple(dict.fromkeys(one for one in lines if one))


def _read_at(code: Tree, backend: Backend) -> Evidence | None:
    """The line that reads the database's address."""
    place = next((one.place for one in backend.variables if one.kind == "database"), "")
    name, _, number = place.rpartition(":")
    if not place or name not in code.texts:
        return None
    return Evidence(place, code.texts[name].splitlines()[int(number) - 1].strip()[:160])


def _without_docstrings(tree: Tree, names: list[str]) -> Tree:
    """The tree, with empty lines where these modules have documentation: it names what it likes."""
    texts = dict(tree.texts)
    for name in names:
        lines = texts[name].splitlines()
        for first, last in documentation(texts[name]):
            lines[first - 1 : last] = [""] * (last - first + 1)
        texts[name] = "\n".join(lines)
    return replace(tree, texts=texts)


def _scheme(code: Tree, names: list[str], backend: Backend) -> str:
    """The scheme of the address that the code takes.

    It has a driver's name, unless the code adds that itself.
    """
    changed = code.first(r"replace\(\s*[\"']postgres(?:ql)?://", names)
    demanded = code.first(DEMANDED, names)
    if demanded and not changed:
        return demanded[1].group(1)
    taken = changed or code.first(r"[\"']postgresql\+\w+://[\"'{]|drivername|make_url", names)
    raw = code.first(r"asyncpg\.(connect|create_pool)|psycopg2?\.connect|ConnectionPool\(", names)
    defaults = (one.default for one in backend.variables if one.kind == "database")
    given = next((found[0] for one in defaults if (found := DRIVEN.match(one))), "")
    if taken or raw:
        return "postgresql"
    if given:
        return given
    packages = {re.split(r"[^\w-]", one)[0].lower() for one in backend.declared}
    if code.first(r"\bcreate_async_engine\b", names):
        only_psycopg = "psycopg" in packages and "asyncpg" not in packages
        return "postgresql+psycopg" if only_psycopg else "postgresql+asyncpg"
    no_psycopg2 = not packages & {"psycopg2", "psycopg2-binary"}
    if "psycopg" in packages and no_psycopg2 and code.first(r"\bcreate_engine\b", names):
        return "postgresql+psycopg"
    return "postgresql"
