"""What this user may do in a cluster that somebody else made: asked, never tried.

On the cluster of this project the user may do everything, and nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from scripts.cluster.kubectl import get_items, kubectl
from scripts.session.run import Run
from scripts.supply.tools import Found

EVERYWHERE = ("-A",)
#: Kinds that belong to no namespace.
CLUSTER_WIDE = ("nodes", "storageclasses", "ingressclasses", "namespaces")


@dataclass(frozen=True)
class Right:
    """A right, in the words of `kubectl auth can-i`.

    without: what happens when the user lacks it; empty when nothing can be deployed then.
    """

    verb: str
    what: str
    scope: tuple[str, ...] = ()
    without: str = ""

    def __str__(self) -> str:
        part = next((one.partition("=")[2] for one in self.scope if "=" in one), "")
        return f"{self.verb} {self.what}{f'/{part}' if part else ''}"


EXEC, FORWARD = ("--subresource=exec",), ("--subresource=portforward",)
#: Without one of these, nothing can be deployed.
NEEDED = (
    *(
        Right(verb, what)
        for what in ("deployments.apps", "services", "configmaps", "secrets")
        for verb in ("create", "patch", "delete")
    ),
    Right("create", "statefulsets.apps"),
    Right("get", "secrets"),
    Right("list", "pods"),
    Right("list", "endpointslices.discovery.k8s.io"),
    Right("list", "persistentvolumeclaims"),
)
#: Without one of these, something is left out.
OPTIONAL = (
    Right("get", "namespaces", (), "the namespace is taken to be there"),
    Right("create", "namespaces", (), "the namespace must be there"),
    Right("list", "nodes", (), "the nodes' processors and their state are not looked at"),
    Right("list", "storageclasses", (), "volumes come from whatever class is the default"),
    Right("list", "ingressclasses", (), "the app gets no Ingress"),
    Right("create", "ingresses.networking.k8s.io", (), "the app gets no Ingress"),
    Right("create", "networkpolicies.networking.k8s.io", (), "the app gets no NetworkPolicies"),
    Right("list", "pods", EVERYWHERE, "only the release's own namespace is looked at"),
    Right("get", "pods", ("--subresource=log",), "logs cannot be read"),
    Right("list", "events", (), "events cannot be read"),
    Right("create", "pods", EXEC, "the database cannot be asked, dumped or restored"),
    Right("create", "pods", FORWARD, "no port-forward leads to the app"),
)


def may(
    run: Run, tools: Mapping[str, Found], verb: str, what: str, scope: Sequence[str] = ()
) -> bool:
    """Whether this user may do that; in the release's namespace unless `scope` says otherwise."""
    if not run.settings.is_there:
        return True
    named = any(one in ("-A", "-n") for one in scope)
    where = () if named else ("-n", run.settings.release.namespace)
    said = kubectl(run, tools, "auth", "can-i", verb, what, *where, *scope, check=False)
    return said.stdout.split()[:1] == ["yes"]


def missing(run: Run, tools: Mapping[str, Found], wanted: Sequence[Right]) -> tuple[Right, ...]:
    """Those of these rights that this user lacks."""
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda one: may(run, tools, one.verb, one.what, one.scope), wanted))
    return tuple(one for one, has in zip(wanted, granted, strict=True) if not has)


def get_allowed(run: Run, tools: Mapping[str, Found], kinds: str) -> list[dict[str, Any]]:
    """Objects of all namespaces, as far as this user may read them.

    kinds: separated by commas. Where a kind may not be listed everywhere, there are those of the
    release's namespace.
    """
    if not run.settings.is_there:
        return get_items(run, tools, kinds, *EVERYWHERE)
    names = kinds.split(",")
    refused = {
        one.what for one in missing(run, tools, [Right("list", one, EVERYWHERE) for one in names])
    }
    everywhere = [name for name in names if name not in refused]
    own = [name for name in names if name in refused and name not in CLUSTER_WIDE]
    own = [one for one in own if may(run, tools, "list", one)]
    namespace = ("-n", run.settings.release.namespace)
    found = get_items(run, tools, ",".join(everywhere), *EVERYWHERE) if everywhere else []
    return found + (get_items(run, tools, ",".join(own), *namespace) if own else [])
