"""The release's Secret: what is kept, what is given, what is generated."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from scripts.app import fit
from scripts.app.environment import Given
from scripts.app.survey import Survey
from scripts.cluster.kubectl import kubectl
from scripts.release import chart
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

USER = "todo"  # of the database, and its name
#: Server-side, because client-side apply would write the values again, into an annotation.
APPLY = (
    "apply",
    "--server-side",
    "--force-conflicts",
    "--field-manager=phase4",
    "-f",
    "-",
    "-o",
    "jsonpath={.metadata.resourceVersion}",
)
#: Keys that sign log-ins.
SIGNS_TOKENS = re.compile(r"^(SECRET|SECRET_KEY)$|(AUTH|JWT|TOKEN)\w*SECRET|JWT\w*KEY")


@dataclass(frozen=True)
class Secrets:
    """What the release's Secret must hold.

    given: values from a person. generated, placeholders: names whose values are made when they
    are missing. scheme: of our own database's address, empty without one. frontend_database:
    Next's server gets the address too.
    service_schemes: key of the Secret -> scheme, for a service whose driver wants another form.
    query: of the backend's address, where its code looks for it there.
    """

    given: Mapping[str, str] = field(repr=False)
    generated: tuple[str, ...]
    placeholders: tuple[str, ...]
    scheme: str
    frontend_database: bool
    service_schemes: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


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
        app.decision.query,
    )


@answers.understood("kubectl")
def put_secrets(run: Run, tools: Mapping[str, Found], wanted: Secrets) -> str:
    """Write the release's Secret.

    What exists is kept, what is given replaces it, what is missing or empty is made.
    Returns the Secret's resourceVersion. Raises DATABASE-PASSWORD-LOST.
    """
    name, scope = chart.secret_name(run), ("-n", run.settings.release.namespace)
    asked = ("get", "secret", name, "--ignore-not-found", "-o", "json")
    read = kubectl(run, tools, *scope, *asked).stdout
    existing = answers.read(read, "kubectl") if read.strip() else {}
    encoded = existing.get("data", {})
    kept = {key: text for key, value in encoded.items() if (text := _text(value)) is not None}
    if wanted.scheme:
        _check_database_password(run, tools, kept)
    data = complete_secrets(kept, run.settings.release.name, wanted)
    run.shell.hide(*data.values())
    for key in mended(kept, data):
        run.say(f"the key {key} of the Secret {name} was empty: a new value is made")
    if data == kept:
        return str(existing["metadata"]["resourceVersion"])
    return kubectl(
        run, tools, *scope, *APPLY, stdin=json.dumps(_manifest(run, name, data))
    ).stdout.strip()


def _text(encoded: str) -> str | None:
    """A value of a Secret; None for one that is no text: somebody's own, which stays as it is."""
    try:
        return base64.b64decode(encoded).decode()
    except ValueError:
        return None


def _manifest(run: Run, name: str, data: Mapping[str, str]) -> dict[str, object]:
    labels = {
        "app.kubernetes.io/instance": run.settings.release.name,
        "app.kubernetes.io/managed-by": "phase4",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "stringData": data,
    }


def mended(kept: Mapping[str, str], data: Mapping[str, str]) -> list[str]:
    """The keys that were there without a value and have one now."""
    return [key for key, value in kept.items() if not value.strip() and data.get(key)]


def complete_secrets(kept: Mapping[str, str], release: str, wanted: Secrets) -> dict[str, str]:
    """What is kept, with what is given put in and what is missing made.

    An empty key is a missing one: a program that gets "" makes a key of its own, which ends with
    its process. The database's address holds its password, so it is a secret too.
    """
    full = {key: value for key, value in kept.items() if value.strip()} | dict(wanted.given)
    own = ("BETTER_AUTH_SECRET", *wanted.generated)
    # What one part of an app signs with one of these keys, another verifies with another: in their
    # authors' env files they hold one value. A provider's secret is none of them.
    signing = [name for name in own if SIGNS_TOKENS.search(name)]
    shared = next((full[name] for name in signing if name in full), secrets.token_urlsafe(48))
    for name in own:
        full.setdefault(name, shared if name in signing else secrets.token_urlsafe(48))
    for name in wanted.placeholders:
        full.setdefault(name, fit.PLACEHOLDER)
    if wanted.scheme:
        full.setdefault("POSTGRES_PASSWORD", secrets.token_urlsafe(32))
        address = (
            f"{USER}:{quote(full['POSTGRES_PASSWORD'], safe='')}@{release}-postgres:5432/{USER}"
        )
        full["DATABASE_URL"] = f"{wanted.scheme}://{address}{wanted.query}"
        for key, scheme in wanted.service_schemes.items():
            full[key] = f"{scheme}://{address}"
        if wanted.frontend_database:
            full[fit.FRONTEND_DATABASE_URL] = f"postgresql://{address}"
    return {**kept, **full}  # a key that nobody makes stays as it is


def _check_database_password(run: Run, tools: Mapping[str, Found], data: Mapping[str, str]) -> None:
    """Never make a new password for an old volume: it opens only with the one it was made with."""
    if data.get("POSTGRES_PASSWORD", "").strip():
        return
    claim, scope = f"data-{run.settings.release.name}-postgres-0", run.settings.release.namespace
    asked = ("get", "pvc", claim, "--ignore-not-found", "-o", "name")
    found = kubectl(run, tools, "-n", scope, *asked).stdout.strip()
    if found:
        delete = f"kubectl --context {run.settings.context} -n {scope} delete {found}"
        raise failure(
            "DATABASE-PASSWORD-LOST",
            found,
            "the database's volume is there, but the Secret with its password is gone",
            f"{found} exists; Secret {chart.secret_name(run)} has no POSTGRES_PASSWORD",
            f"put the password back into the Secret, or give up the data: {delete}",
        )
