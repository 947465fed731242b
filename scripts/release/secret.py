"""The release's Secret: what is kept, what is given, what is generated."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from scripts.app import fit
from scripts.app.environment import Given
from scripts.app.survey import Survey
from scripts.cluster.kubectl import kubectl
from scripts.release import chart
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

USER = "todo"  # of the database, and its name


@dataclass(frozen=True)
class Secrets:
    """What the release's Secret must hold.

    given: by a person. generated, placeholders: names, made where nothing is there. scheme: of our
    own database's address, empty without one. frontend_database: Next's server has it too.
    service_schemes: key of the Secret -> scheme, where a service's driver wants another form.
    """

    given: Mapping[str, str] = field(repr=False)
    generated: tuple[str, ...]
    placeholders: tuple[str, ...]
    scheme: str
    frontend_database: bool
    service_schemes: Mapping[str, str] = field(default_factory=dict)


def wanted(_run: Run, app: Survey, given: Given) -> Secrets:
    """What the Secret must hold for this app."""
    how = {**given.environment.frontend_secrets, **given.environment.secrets}
    for one in given.services.values():
        how = {**one.secrets, **how}
    own = app.database == "postgres"
    values = dict(given.secrets)
    # The chart has the address under one key, whatever the app's variable for it is called.
    if app.database == "external":
        values.update(
            ("DATABASE_URL", values[name])
            for name in given.environment.database
            if name in given.secrets
        )
    return Secrets(
        values,
        tuple(name for name, way in how.items() if way == "generate"),
        tuple(name for name, way in how.items() if way == "placeholder"),
        app.decision.scheme if own else "",
        own and bool(given.environment.frontend_database),
        {
            fit.service_database_key(one.name): one.decision.scheme
            for one in app.companions.services
            if own and one.decision.scheme and one.decision.scheme != app.decision.scheme
        },
    )


def put_secrets(run: Run, tools: Mapping[str, Found], wanted: Secrets) -> str:
    """Write the release's Secret: what exists is kept, what is given replaces it, what is missing is generated.

    Returns the Secret's resourceVersion. Raises DATABASE-PASSWORD-LOST.
    """
    name = chart.secret_name(run)
    read = kubectl(
        run,
        tools,
        "-n",
        run.settings.release.namespace,
        "get",
        "secret",
        name,
        "--ignore-not-found",
        "-o",
        "json",
    )
    existing = json.loads(read.stdout) if read.stdout.strip() else {}
    kept = {
        key: base64.b64decode(value).decode() for key, value in existing.get("data", {}).items()
    }
    if wanted.scheme:
        _check_database_password(run, tools, kept)
    data = complete_secrets(kept, run.settings.release.name, wanted)
    run.shell.hide(*data.values())
    if data == kept:
        return str(existing["metadata"]["resourceVersion"])
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/instance": run.settings.release.name,
                "app.kubernetes.io/managed-by": "phase4",
            },
        },
        "type": "Opaque",
        "stringData": data,
    }
    # Server-side apply: the client-side one would write the values a second time, into an annotation.
    arguments = (
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=phase4",
        "-f",
        "-",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    )
    return kubectl(
        run, tools, "-n", run.settings.release.namespace, *arguments, stdin=json.dumps(manifest)
    ).stdout.strip()


def complete_secrets(kept: Mapping[str, str], release: str, wanted: Secrets) -> dict[str, str]:
    """What is kept, with what is given put in and what is missing generated. The database's address holds its password, so it is a secret too."""
    full = {"BETTER_AUTH_SECRET": secrets.token_urlsafe(48), **kept, **wanted.given}
    for name in wanted.generated:
        full.setdefault(name, secrets.token_urlsafe(48))
    for name in wanted.placeholders:
        full.setdefault(name, fit.PLACEHOLDER)
    if wanted.scheme:
        full.setdefault("POSTGRES_PASSWORD", secrets.token_urlsafe(32))
        address = (
            f"{USER}:{quote(full['POSTGRES_PASSWORD'], safe='')}@{release}-postgres:5432/{USER}"
        )
        full["DATABASE_URL"] = f"{wanted.scheme}://{address}"
        for key, scheme in wanted.service_schemes.items():
            full[key] = f"{scheme}://{address}"
        if wanted.frontend_database:
            full[fit.FRONTEND_DATABASE_URL] = f"postgresql://{address}"
    return full


def _check_database_password(run: Run, tools: Mapping[str, Found], data: Mapping[str, str]) -> None:
    """A volume opens only with the password it was made with: never make a new one for an old volume."""
    if "POSTGRES_PASSWORD" in data:
        return
    claim = f"data-{run.settings.release.name}-postgres-0"
    found = kubectl(
        run,
        tools,
        "-n",
        run.settings.release.namespace,
        "get",
        "pvc",
        claim,
        "--ignore-not-found",
        "-o",
        "name",
    ).stdout.strip()
    if found:
        raise failure(
            "DATABASE-PASSWORD-LOST",
            found,
            "the database's volume is there, but the Secret with its password is gone",
            f"{found} exists; Secret {chart.secret_name(run)} has no POSTGRES_PASSWORD",
            f"put the password back into the Secret, or give up the data: kubectl --context {run.settings.context} -n {run.settings.release.namespace} delete {found}",
        )
