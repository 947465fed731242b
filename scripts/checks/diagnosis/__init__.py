"""Why a deployed app does not work: the cause first, then its consequences.

`diagnose` looks at everything at once (`observe`) and judges what was seen (`judge`). Nothing is
changed. The layers stand on each other: machine, cluster, release, volumes, pods, routes, pages.
When a lower layer explains a fault of a higher one, the higher one is told as its consequence.

- `observed`: what was seen, as data, and small questions to it
- `observe`: the questions to the cluster
- `machine`: the Docker engine, the node's container, an API that does not answer
- `cluster`: nodes, the cluster's own pods, clocks
- `helm`: the state of the release
- `volumes`, `pods`, `configuration`: what a pod needs, and what keeps it from running
- `database`: what PostgreSQL says of itself
- `policies`, `rivals`: network policies and routes of somebody else
- `routes`: Services and Ingresses
- `pages`: answers through the ingress, the host name
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scripts.checks.diagnosis import (
    cluster,
    configuration,
    database,
    helm,
    machine,
    pages,
    pods,
    policies,
    rivals,
    routes,
    volumes,
)
from scripts.checks.diagnosis.observe import observe
from scripts.checks.diagnosis.observed import Observed
from scripts.machine import engine as docker
from scripts.machine import preflight
from scripts.session import answers
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

__all__ = ["SYMPTOMS", "Observed", "diagnose", "judge", "traced"]

#: Codes that tell how a fault shows, and not why.
SYMPTOMS = (
    "APP-DEGRADED",
    "DATABASE-UNREACHABLE",
    "INGRESS-UNREACHABLE",
    "PROBE-FAILING",
    "ROLLOUT-TIMEOUT",
    "SMOKE-FAILED",
)


def diagnose(run: Run, tools: Mapping[str, Found]) -> tuple[Finding, ...]:
    """Look at everything from this machine up to the page.

    Returns what is wrong, the cause first; empty when nothing is.
    """
    try:
        preflight.check(run)
        found = docker.present(run)
    except Failure as error:
        return error.findings
    down = machine.cluster_down(run, found, tools)
    return (down,) if down else judge(observe(run, found, tools))


def traced(run: Run, tools: Mapping[str, Found], failed: Failure) -> Failure:
    """Put before a failure that names a symptom the causes that are found now."""
    causes = [one for one in diagnose(run, tools) if one.code not in SYMPTOMS]
    return Failure(*causes, *failed.findings) if causes else failed


@answers.understood("kubectl")
def judge(seen: Observed) -> tuple[Finding, ...]:
    """Find the causes in what was seen, in the order of the layers.

    The first cause carries the consequences in its evidence.
    """
    causes = [
        *cluster.nodes(seen),
        *cluster.system(seen),
        *cluster.clock(seen),
        *helm.release(seen),
        *pods.refused(seen),
        *volumes.claims(seen),
        *database.broken(seen),
        *policies.blocking(seen),
        *pods.troubled(seen),
        *pods.scaled(seen),
        *configuration.missing(seen),
        *configuration.empty(seen),
        *pods.stale(seen),
        *routes.services(seen),
        *routes.ingresses(seen),
        *rivals.routes(seen),
        *rivals.middlewares(seen),
    ]
    if not causes:
        return (*pages.unexplained(seen), *pages.host_name(seen))
    first, *others = causes
    chain = "\n".join(f"so: {line}" for line in pages.consequences(seen))
    return (replace(first, evidence=f"{first.evidence}\n{chain}".strip()), *others)
