"""The chart with its values, tried on the cluster before anything is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.app.environment import Given
from scripts.app.survey import Survey
from scripts.cluster.facts import Facts
from scripts.images.plans import Plans
from scripts.images.transport import Way
from scripts.release import chart, services
from scripts.release.chart import Rendered
from scripts.release.helm import Deployed
from scripts.session.run import Run
from scripts.supply.tools import Found


def validate(
    run: Run,
    tools: Mapping[str, Found],
    app: Survey,
    given: Given,
    plans: Plans,
    facts: Facts,
    before: Deployed,
    tables: frozenset[str] | None,
    way: Way,
) -> Rendered:
    """Render and validate the chart, unless the deployed revision has this chart and these values.

    before: what is deployed. tables: versions of the database's tables, None when they are unknown.
    way: how images reach the nodes, and so what they are called there.
    New pods run the migrations only when there is something to migrate. A deployed pod that runs
    them needlessly is not replaced only to lose them. Raises CHART-INVALID.
    """
    plans = way.named(plans)

    def values(behind: bool) -> dict[str, Any]:
        wanted, postgres = given.environment, plans.postgres
        found = {
            **chart.values(run, app, wanted, plans, facts, postgres, before.manifest, behind),
            **services.values(app, given, plans, behind),
        }
        return chart.kept_to(way.processor, found) if way.processor else found

    newest = frozenset(app.backend.migrated)  # empty: it is not known what is newest
    up_to_date = tables == newest and bool(newest or not app.backend.migrations)
    for behind in (True, False) if up_to_date or tables is None else (True,):
        key = chart.key(run, values(behind))
        if before.manifest and before.description.startswith(f"{key}-"):
            run.say("the deployed revision has this chart and these values already")
            return Rendered(values(behind), (), key)
    stays = chart.migrates(before.manifest, plans.backend.reference)
    return chart.validate(run, tools, values(stays or not up_to_date), before.manifest)
