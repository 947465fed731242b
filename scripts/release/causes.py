"""Causes that a line of a pod's log names, and that have a code of their own."""

from __future__ import annotations

import re

from scripts.session.findings import Finding

#: What a log line says of a cause that has a code of its own: pattern, code, sentence, remedy.
CAUSES = (
    (
        r"password authentication failed",
        "DATABASE-PASSWORD-WRONG",
        "{name} cannot log in to the database: its password is not the database's",
        "a volume keeps the password that it was made with: put that one back into the Secret, "
        "or change it with ALTER ROLE, then restart the pod",
    ),
    (
        r"migrations are pending",
        "MIGRATIONS-PENDING",
        "{name} waits for the database's tables: a migration has not run",
        "`invoke deploy` runs it before a pod serves; with migrations.command empty, "
        "run your own: invoke shell, then alembic upgrade head",
    ),
    (
        r"could not translate host name|Name or service not known|could not connect to server"
        r"|connection to server .* failed|Connection ?refused|Connect call failed"
        r"|the database does not answer",
        "DATABASE-UNREACHABLE",
        "{name} does not reach its database",
        "does DATABASE_URL name the right host and port, and does the database run? invoke status",
    ),
    (
        r"read-only transaction",
        "DATABASE-READ-ONLY",
        "{name} cannot write: the database is read-only",
        "`invoke diagnose` says what made it so when the database is of this release",
    ),
    (
        r"permission denied for (database|schema|table|relation|sequence|view)",
        "DATABASE-RIGHTS",
        "{name} lacks rights in the database",
        "the role of DATABASE_URL needs them: GRANT what the line names, as the database's owner",
    ),
    (
        r'extension "[^"]+" is not available|could not open extension control file'
        r'|type "vector" does not exist|function (uuid_generate|gen_random|digest)\w*\('
        r".* does not exist",
        "EXTENSION-MISSING",
        "{name} needs an extension that the database lacks",
        "CREATE EXTENSION, if the server has its files; else take another PostgreSQL: "
        "postgres.image in the chart's values, or a database elsewhere",
    ),
    (
        r"No space left on device",
        "VOLUME-FULL",
        "{name} cannot write: its volume is full",
        "free some space where the volume lies (on minikube: the disk of this machine, "
        "docker system prune), or give it a larger volume",
    ),
    (
        r"exec format error",
        "IMAGE-ARCHITECTURE",
        "{name} runs an image made for another processor",
        "build it on this machine: `invoke build-images` and `invoke load-images`",
    ),
)


def known_cause(name: str, log: str) -> Finding | None:
    """A cause that a line of the pod's log names; None when it names none of these."""
    for pattern, code, sentence, remedy in CAUSES:
        lines = [line.strip() for line in log.splitlines() if re.search(pattern, line)]
        if lines:
            told = sentence.format(name=name)
            return Finding(code, f"pod/{name}", told, lines[-1][:300], remedy)
    return None
