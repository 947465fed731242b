"""The chart's values for the app's further services: each gets a deployment and an address."""

from __future__ import annotations

from typing import Any

from scripts.app import fit
from scripts.app.environment import Given
from scripts.app.fit import Environment
from scripts.app.survey import PORT, Survey
from scripts.images.plans import Plans


def values(app: Survey, given: Given, plans: Plans, behind: bool) -> dict[str, Any]:
    """The section `services`; nothing for an app without any. behind: tables may be too old."""
    found = {
        name: _service(name, app, given.services[name], plans, behind) for name in plans.services
    }
    return {"services": found} if found else {}


def _service(
    name: str, app: Survey, given: Environment, plans: Plans, behind: bool
) -> dict[str, Any]:
    service = next(one for one in app.companions.services if one.name == name)
    part, key = app.of(service), fit.service_database_key(name)
    address = key if part.decision.scheme not in ("", app.decision.scheme) else "DATABASE_URL"
    keys = {**{one: one for one in given.secrets}, **dict.fromkeys(given.database, address)}
    before = []
    if given.database:
        keys["DATABASE_URL"] = address  # what waits for the database asks under this name
        before = fit.before_start(part, behind)
    repository, _, tag = plans.services[name].reference.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "port": PORT,
        "healthPath": part.backend.health_path,
        "readyPath": part.backend.ready_path,
        "env": dict(given.plain),
        "secretKeys": keys,
        "before": before,
        "data": {"path": fit.DATA if part.keeps_files else ""},
        "readOnlyRootFilesystem": fit.is_reference(app),
    }
