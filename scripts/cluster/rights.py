"""What this user may do in a cluster that somebody else made: asked, never tried.

The questions are those of `kubectl auth can-i`, which takes one at a time and 0.2 s for each. Here
they go to the API server together. On the cluster of this project nothing is asked: the user may do
everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.cluster.kubectl import get_items, kubectl
from scripts.session import answers
from scripts.session.run import Run
from scripts.supply.tools import Found

EVERYWHERE = "*"  # all namespaces
#: The API groups of the kinds that are asked for; others are of the core.
GROUPS = {
    **dict.fromkeys(("deployments", "daemonsets", "statefulsets", "replicasets"), "apps"),
    **dict.fromkeys(("ingresses", "ingressclasses", "networkpolicies"), "networking.k8s.io"),
    "storageclasses": "storage.k8s.io",
    "endpointslices": "discovery.k8s.io",
    "middlewares": "traefik.io",
}
#: Kinds that belong to no namespace.
CLUSTER_WIDE = ("nodes", "storageclasses", "ingressclasses", "namespaces")


@dataclass(frozen=True)
class Right:
    """A right to do something with a kind of object, or with a part of it: pods/log.

    namespace: where, empty for the release's own; EVERYWHERE for all. without: what happens when
    the user lacks it; empty when nothing can be deployed then. group: where it is not that of the
    kind's own API.
    """

    verb: str
    what: str
    namespace: str = ""
    without: str = ""
    group: str = ""

    def __str__(self) -> str:
        where = " in all namespaces" if self.namespace == EVERYWHERE else ""
        return f"{self.verb} {self.what}{where}"

    def question(self, own: str) -> dict[str, Any]:
        """The object that asks the API server. own: the release's namespace."""
        kind, _, part = self.what.partition("/")
        one_namespace = kind == "namespaces" and self.verb in ("get", "patch", "delete")
        # A role that allows all kinds in a namespace would seem to allow those of the cluster too,
        # if the question named the namespace.
        far = self.namespace == EVERYWHERE or (kind in CLUSTER_WIDE and not one_namespace)
        wanted = {
            "verb": self.verb,
            "group": self.group or GROUPS.get(kind, ""),
            "resource": kind,
            "subresource": part,
            "namespace": "" if far else self.namespace or own,
            "name": own if one_namespace else "",
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }


#: Without one of these, nothing can be deployed.
NEEDED = (
    *(
        Right(verb, what)
        for what in ("deployments", "services", "configmaps", "secrets")
        for verb in ("create", "patch", "delete")
    ),
    Right("create", "statefulsets"),
    Right("get", "secrets"),
    Right("list", "pods"),
    Right("list", "endpointslices"),
    Right("list", "persistentvolumeclaims"),
)
#: Without one of these, something is left out.
OPTIONAL = (
    Right("get", "namespaces", "", "the namespace is taken to be there"),
    Right("create", "namespaces", "", "the namespace must be there"),
    Right("list", "nodes", "", "the nodes' processors and their state are not looked at"),
    Right("list", "storageclasses", "", "volumes come from whatever class is the default"),
    Right("list", "ingressclasses", "", "the app gets no Ingress"),
    Right("create", "ingresses", "", "the app gets no Ingress"),
    Right("create", "networkpolicies", "", "the app gets no NetworkPolicies"),
    Right("list", "pods", EVERYWHERE, "only the release's own namespace is looked at"),
    Right("get", "pods/log", "", "logs cannot be read"),
    Right("list", "events", "", "events cannot be read"),
    Right("create", "pods/exec", "", "the database cannot be asked, dumped or restored"),
    Right("create", "pods/portforward", "", "no port-forward leads to the app"),
)


def may(run: Run, tools: Mapping[str, Found], verb: str, what: str, namespace: str = "") -> bool:
    """Whether this user may do that; in the release's namespace unless another is named."""
    return not missing(run, tools, [Right(verb, what, namespace)])


def missing(run: Run, tools: Mapping[str, Found], wanted: Sequence[Right]) -> tuple[Right, ...]:
    """Those of these rights that this user lacks."""
    if not run.settings.is_there:
        return ()
    questions = [one.question(run.settings.release.namespace) for one in wanted]
    # Nothing is created: a review is answered and forgotten.
    asked = ("create", "--validate=false", "-f", "-", "-o", "json")
    items = {"apiVersion": "v1", "kind": "List", "items": questions}
    said = kubectl(run, tools, *asked, stdin=json.dumps(items), reads=True)
    return tuple(one for one, yes in zip(wanted, verdicts(said.stdout), strict=True) if not yes)


@answers.understood("kubectl")
def verdicts(text: str) -> list[bool]:
    """Read what `kubectl create -o json` prints of reviews: one JSON object after the other."""
    found, rest = list[bool](), text.strip()
    while rest:
        review, end = json.JSONDecoder().raw_decode(rest)
        found += [bool(one["status"].get("allowed")) for one in review.get("items", [review])]
        rest = rest[end:].lstrip()
    return found


def get_allowed(run: Run, tools: Mapping[str, Found], kinds: str) -> list[dict[str, Any]]:
    """Objects of all namespaces, as far as this user may read them.

    kinds: separated by commas. Where a kind may not be listed everywhere, there are those of the
    release's namespace.
    """
    if not run.settings.is_there:
        return get_items(run, tools, kinds, "-A")
    names = kinds.split(",")
    far = [Right("list", one, EVERYWHERE) for one in names]
    near = [Right("list", one) for one in names]
    lacking = missing(run, tools, [*far, *near])
    everywhere = [one.what for one in far if one not in lacking]
    own = [
        one.what
        for one in near
        if one not in lacking and one.what not in (*everywhere, *CLUSTER_WIDE)
    ]
    namespace = ("-n", run.settings.release.namespace)
    found = get_items(run, tools, ",".join(everywhere), "-A") if everywhere else []
    return found + (get_items(run, tools, ",".join(own), *namespace) if own else [])
