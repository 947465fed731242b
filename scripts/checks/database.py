"""Ask the release's PostgreSQL whether an app can work with it, through its own pod.

Reading only. What a good deployment's database had (tables, extensions) is kept in a ConfigMap of
the release, so that a later look can say what is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.app.survey import Survey
from scripts.cluster.kubectl import kubectl
from scripts.release.database import DATABASE, USER
from scripts.session import answers
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

KEY = "database.json"
KEPT = ("tables", "extensions", "versions")
TIMEOUT = 20.0
FULL = 99  # per cent of a volume; PostgreSQL needs room for its own log to write at all
LEAST = 32 << 10  # KiB; with less it stops soon
INSIDE = Path(__file__).parent / "inside"  # programs that run in the pod
QUESTION = (INSIDE / "question.sql").read_text(encoding="utf-8")
VERSIONS = "select version_num from alembic_version"
ASK = (INSIDE / "ask-database").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Database:
    """What a PostgreSQL is like.

    identity: of the cluster on its volume. read_only: its transactions cannot write. recovery: it
    follows another server. settings: (role, database) that are set to read-only, empty for all.
    tables, extensions, versions: names; the last are Alembic's. clients: address -> role.
    denied: (role, table) of clients that may not write there. size, free: KiB of the volume.
    """

    identity: str
    read_only: bool = False
    recovery: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    tables: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    clients: Mapping[str, str] = field(default_factory=dict)
    denied: tuple[tuple[str, str], ...] = ()
    size: int = 0
    free: int = 0

    def __str__(self) -> str:
        return f"{len(self.tables)} tables" if self.identity else "not asked"


def look(run: Run, tools: Mapping[str, Found]) -> Database | None:
    """Ask the release's PostgreSQL; None when there is none, or it does not answer."""
    pod, scope = f"{run.settings.release.name}-postgres-0", ("-n", run.settings.release.namespace)
    inside = ("sh", "-c", ASK, USER, DATABASE, QUESTION, VERSIONS)
    options = {"check": False, "reads": True, "timeout": TIMEOUT}
    said = kubectl(run, tools, *scope, "exec", pod, "-c", "postgres", "--", *inside, **options)
    return parse(said.stdout)


@answers.understood("PostgreSQL")
def parse(said: str) -> Database | None:
    """Read what ASK printed: a line of df, a JSON object, Alembic's versions.

    None without the object.
    """
    disk, answer, *versions = [*said.splitlines(), "", ""]
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    # df: name of the device, size, used, free, per cent, place; the name may hold spaces.
    size, _, free = disk.split()[-5:-2] if len(disk.split()) >= 6 else ("0", "0", "0")
    return Database(
        found["identity"],
        found["read_only"],
        found["recovery"],
        tuple((role, name) for role, name in found["settings"]),
        frozenset(found["tables"]),
        frozenset(found["extensions"]),
        frozenset(filter(None, versions)),
        dict(found["clients"]),
        tuple((role, name) for role, name in found["denied"]),
        int(size),
        int(free),
    )


@answers.understood("kubectl")
def kept(items: list[dict[str, Any]], release: str) -> Database | None:
    """What the database of a good deployment had, from the ConfigMaps among `items`."""
    for item in items:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == _record_name(release):
            had = json.loads(item["data"][KEY])
            tables, extensions, versions = (frozenset(had[part]) for part in KEPT)
            return Database(
                had["identity"], tables=tables, extensions=extensions, versions=versions
            )
    return None


def _record_name(release: str) -> str:
    return f"{release}-database"


def check(run: Run, tools: Mapping[str, Found], app: Survey) -> Database:
    """Ask after a deployment whether the database can be worked with, and keep what it has.

    Raises the findings of `judge`.
    """
    if app.database != "postgres":
        return Database("")
    release, name = run.settings.release, _record_name(run.settings.release.name)
    asked = ("-n", release.namespace, "get", "configmap", name, "--ignore-not-found", "-o", "json")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(kubectl, run, tools, *asked)
        seen = look(run, tools)
    text = reading.result().stdout.strip()
    before = kept([answers.read(text, "kubectl")], release.name) if text else None
    if not seen:
        return Database("")
    found = judge(seen, before, release.name, release.namespace)
    if found:
        raise Failure(*found)
    _keep(run, tools, seen, before)
    return seen


def _keep(run: Run, tools: Mapping[str, Found], seen: Database, before: Database | None) -> None:
    """Write down what the database has, when that is news."""
    data = {"identity": seen.identity}
    lists = {part: sorted(getattr(seen, part)) for part in KEPT}
    if before and _record(before) == _record(seen):
        return
    release = run.settings.release
    labels = {
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/managed-by": "phase4",
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _record_name(release.name), "labels": labels},
        "data": {KEY: json.dumps({**data, **lists})},
    }
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=phase4", "-f", "-")
    kubectl(run, tools, "-n", release.namespace, *apply, stdin=json.dumps(manifest))


def _record(one: Database) -> tuple[object, ...]:
    return one.identity, one.tables, one.extensions, one.versions


def judge(seen: Database, before: Database | None, release: str, namespace: str) -> list[Finding]:
    """What keeps an app from working with the database, the surest first."""
    place = f"statefulset/{release}-postgres"
    kubectl = f"kubectl -n {namespace}"
    psql = f"{kubectl} exec {release}-postgres-0 -- psql -U {USER} -d {DATABASE}"
    forget = f"{kubectl} delete configmap {_record_name(release)}"
    # Its pods make the tables when they start.
    anew = (
        f"{psql} -c 'DROP SCHEMA public CASCADE' -c 'CREATE SCHEMA public', then "
        f"{kubectl} rollout restart deployment/{release}-backend"
    )
    return [
        *_full(seen, place),
        *_read_only(seen, place, psql),
        *_gone(seen, before, place, forget, anew),
        *_denied(seen, place, psql),
    ]


def _full(seen: Database, place: str) -> list[Finding]:
    used = 100 - seen.free * 100 // seen.size if seen.size else 0
    if not seen.size or (used < FULL and seen.free > min(LEAST, seen.size // 20)):
        return []
    return [
        Finding(
            "VOLUME-FULL",
            place,
            f"the volume of the database is full: {seen.free >> 10} MiB of {seen.size >> 10} free",
            f"df: {used} % used",
            "free some space where the volume lies (on minikube: the disk of this machine, "
            "docker system prune), or give it a larger volume",
        )
    ]


def _read_only(seen: Database, place: str, psql: str) -> list[Finding]:
    if not seen.read_only and not seen.settings and not seen.recovery:
        return []
    set_for = [_set_for(role, name) for role, name in seen.settings]
    evidence = [f"transaction_read_only is {'on' if seen.read_only else 'off'} for {USER}"]
    evidence += [f"{one} SET default_transaction_read_only = on" for one in set_for]
    evidence += ["pg_is_in_recovery() is true"] if seen.recovery else []
    resets = [f"{one} RESET default_transaction_read_only" for one in set_for]
    undo = "; ".join(resets or ["ALTER SYSTEM RESET default_transaction_read_only"])
    remedy = (
        "a server that follows another one takes no writes: promote it, or use the other"
        if seen.recovery
        else f"make room first if its disk was full; then, and restart the backend: {psql} "
        f"-c 'SET default_transaction_read_only = off' -c '{undo}'"
    )
    told = "the database is read-only: every write of the app fails"
    return [Finding("DATABASE-READ-ONLY", place, told, "\n".join(evidence), remedy)]


def _set_for(role: str, name: str) -> str:
    """The statement that such a setting was made with, as far as its verb."""
    if role:
        return f"ALTER ROLE {role}" + (f" IN DATABASE {name}" if name else "")
    return f"ALTER DATABASE {name}"


def _gone(
    seen: Database, before: Database | None, place: str, forget: str, anew: str
) -> list[Finding]:
    """Tables and extensions that a good deployment had, of the same volume and the same version."""
    if not before or before.identity != seen.identity:
        return []
    found = []
    extensions = ", ".join(sorted(before.extensions - seen.extensions))
    if extensions:
        found.append(
            Finding(
                "EXTENSION-MISSING",
                place,
                f"the database lacks the extension {extensions}, which it had at the last deploy",
                f"extensions now: {', '.join(sorted(seen.extensions))}",
                f"CREATE EXTENSION {extensions}; columns of its types come back with "
                f"`invoke db-restore` and a dump; if it was meant to go: {forget}",
            )
        )
    tables = ", ".join(sorted(before.tables - seen.tables))
    if tables and before.versions == seen.versions:
        evidence = [f"tables now: {', '.join(sorted(seen.tables)) or 'none'}"]
        evidence += [f"Alembic's version is still {one}" for one in sorted(seen.versions)]
        found.append(
            Finding(
                "TABLE-MISSING",
                place,
                f"the database lacks the table {tables}, which it had at the last deploy",
                "\n".join(evidence),
                "`invoke db-restore` with a dump brings the tables and their rows back; "
                f"without one, all tables empty: {anew}; if they were meant to go: {forget}",
            )
        )
    return found


def _denied(seen: Database, place: str, psql: str) -> list[Finding]:
    """A role that the app's pods use, and that may not write."""
    roles = sorted({role for role, _ in seen.denied})
    found = []
    for role in roles:
        tables = [name for one, name in seen.denied if one == role]
        found.append(
            Finding(
                "DATABASE-RIGHTS",
                place,
                f"the app logs in to the database as {role}, which may not write to {tables[0]}"
                + (f" and {len(tables) - 1} more tables" if len(tables) > 1 else ""),
                f"no INSERT for {role}: {', '.join(tables)}",
                f"give it the rights: {psql} -c 'GRANT ALL ON ALL TABLES IN SCHEMA public TO "
                f"{role}'; or let the app log in as the tables' owner",
            )
        )
    return found
