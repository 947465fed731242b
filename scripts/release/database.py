"""The release's PostgreSQL as a file: dump, and restore in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.app.survey import Survey
from scripts.cluster.kubectl import kubectl
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

USER = DATABASE = "todo"
TIMEOUT = 600.0
RESTORE = (Path(__file__).parent / "inside" / "restore").read_text(encoding="utf-8")


def dump(run: Run, tools: Mapping[str, Found], target: Path) -> int:
    """Write the database to `target` in pg_dump's custom format; its size in bytes.

    Raises DATABASE-NOT-OURS or DUMP-FAILED.

    A dump that fails leaves what was at `target` before.
    """
    pod = _pod(run, tools)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    # It holds every password hash and every todo.
    part.touch(mode=0o600)
    try:
        command = (
            "pg_dump",
            "--username",
            USER,
            "--dbname",
            DATABASE,
            "--format=custom",
            "--no-owner",
            "--no-privileges",
        )
        scope = ("--context", run.settings.context, "-n", run.settings.release.namespace)
        result = run.shell.pipe(
            [tools["kubectl"].path, *scope, "exec", pod, "--", *command],
            ["dd", f"of={part}", "status=none"],
            timeout=TIMEOUT,
            check=False,
        )
        if not result.ok or part.stat().st_size == 0:
            raise failure(
                "DUMP-FAILED",
                pod,
                "the database could not be dumped",
                result.tail(6),
                "see `invoke status`; then try again",
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(
    run: Run, tools: Mapping[str, Found], source: Path, migrations: tuple[str, ...]
) -> None:
    """Replace the database's tables by those in `source`, all or nothing.

    Then bring them up to date.

    Raises DATABASE-NOT-OURS or RESTORE-FAILED.
    """
    if not source.is_file() or source.read_bytes()[:5] != b"PGDMP":
        raise failure(
            "RESTORE-FAILED",
            str(source),
            f"{source} is no dump of `invoke db-dump`",
            remedy="name the file that `invoke db-dump` wrote",
        )
    pod = _pod(run, tools)
    scope = ("-n", run.settings.release.namespace, "exec", "--stdin")
    result = kubectl(
        run,
        tools,
        *scope,
        pod,
        "--",
        "sh",
        "-c",
        RESTORE,
        "restore",
        USER,
        DATABASE,
        stdin=source,
        timeout=TIMEOUT,
        check=False,
    )
    if not result.ok:
        raise failure(
            "RESTORE-FAILED",
            pod,
            "the dump was not restored; the database is as it was",
            result.tail(6),
            "mend what pg_restore names",
        )
    if migrations:
        kubectl(
            run,
            tools,
            *scope[:3],
            f"deployment/{run.settings.release.name}-backend",
            "--",
            *migrations,
            timeout=TIMEOUT,
        )


def tables(run: Run, tools: Mapping[str, Found], app: Survey) -> frozenset[str] | None:
    """The versions that Alembic gave the tables of this release; None when it cannot be asked."""
    if app.database != "postgres" or not app.backend.migrated:
        return None
    release = run.settings.release
    psql = (
        "psql",
        "-U",
        USER,
        "-d",
        DATABASE,
        "-At",
        "-c",
        "SELECT version_num FROM alembic_version",
    )
    pod = ("exec", f"{release.name}-postgres-0", "--")
    said = kubectl(
        run, tools, "-n", release.namespace, *pod, *psql, check=False, reads=True, timeout=10
    )
    if said.ok or "does not exist" in said.stderr:
        return frozenset(said.stdout.split())
    return None


def _pod(run: Run, tools: Mapping[str, Found]) -> str:
    name = f"{run.settings.release.name}-postgres-0"
    found = kubectl(
        run,
        tools,
        "-n",
        run.settings.release.namespace,
        "get",
        "pod",
        name,
        "--ignore-not-found",
        "-o",
        "jsonpath={.status.phase}",
    ).stdout
    if found != "Running":
        raise failure(
            "DATABASE-NOT-OURS",
            f"pod/{name}",
            "there is no PostgreSQL of ours that runs in this release",
            f"phase of {name}: {found or 'not there'}",
            "an external database is dumped with pg_dump; with file storage copy /data out of the "
            "backend pod",
        )
    return name
