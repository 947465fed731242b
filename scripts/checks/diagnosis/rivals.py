"""Routes and middlewares of somebody else on the app's addresses."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.checks.diagnosis.observed import Item, Observed, is_ours, name_of, of_kind
from scripts.release import rollout
from scripts.session.findings import Finding

MIDDLEWARES = "traefik.ingress.kubernetes.io/router.middlewares"


def routes(seen: Observed) -> list[Finding]:
    """Ingresses and Traefik routes that answer for a host of the app."""
    hosts = {host for one in seen.of("Ingress") for host in _hosts(one)} | {seen.host}
    rivals = [
        one
        for kind in ("Ingress", "IngressRoute")
        for one in of_kind(seen.elsewhere, kind)
        if not _is_of_release(seen, one)
    ]
    return [
        finding
        for one in rivals
        for finding in (
            _ingress(one, hosts) if one["kind"] == "Ingress" else _traefik_route(one, hosts)
        )
    ]


def _is_of_release(seen: Observed, item: Item) -> bool:
    return is_ours(item, seen.app) and _namespace(item) in ("", seen.namespace)


def _namespace(item: Item) -> str:
    return str(item["metadata"].get("namespace", ""))


def _hosts(ingress: Item) -> list[str]:
    return [str(rule.get("host", "")) for rule in ingress["spec"].get("rules", [])]


def _ingress(ingress: Item, hosts: set[str]) -> list[Finding]:
    taken = [
        f"{rule['host']}{path.get('path', '/')}"
        for rule in ingress["spec"].get("rules", [])
        if rule.get("host") in hosts
        for path in rule.get("http", {}).get("paths", [])
    ]
    return [_taken(ingress, taken)] if taken else []


def _traefik_route(route: Item, hosts: set[str]) -> list[Finding]:
    rules = [str(one.get("match", "")) for one in route["spec"].get("routes", [])]
    taken = [rule for rule in rules if any(f"`{host}`" in rule for host in hosts if host)]
    return [_taken(route, taken)] if taken else []


def _taken(item: Item, taken: list[str]) -> Finding:
    kind, name = item["kind"], f"{_namespace(item)}/{name_of(item)}"
    return Finding(
        "ROUTE-TAKEN",
        f"{kind.lower()}/{name_of(item)}",
        f"the {kind} {name}, which is not of this release, takes a part of the app's address",
        "\n".join(taken),
        f"kubectl -n {_namespace(item)} describe {kind.lower()} {name_of(item)}; "
        "ask who made it, change its host or delete it",
    )


def middlewares(seen: Observed) -> list[Finding]:
    """Traefik middlewares of the app's Ingresses that are missing, changed, or somebody else's."""
    if seen.middlewares is None:
        return []
    known = {f"{_namespace(one)}-{name_of(one)}@kubernetescrd": one for one in seen.middlewares}
    fails = any(status != 200 for status in seen.answers.values())
    found = []
    for ingress in seen.of("Ingress"):
        for name in _named(ingress):
            wrong = _wrong(seen, known, name, fails)
            if wrong:
                subject = f"ingress/{name_of(ingress)}"
                told = f"the ingress {name_of(ingress)} uses the middleware {name}, {wrong}"
                remedy = "`invoke deploy` puts the Ingress and its middleware back"
                found.append(Finding("INGRESS-MIDDLEWARE", subject, told, remedy=remedy))
    return found


def _named(ingress: Item) -> list[str]:
    """The middlewares that an Ingress goes through, as Traefik names them."""
    text = (ingress["metadata"].get("annotations") or {}).get(MIDDLEWARES, "")
    return [one.strip() for one in text.split(",") if one.strip().endswith("@kubernetescrd")]


def _wrong(seen: Observed, known: Mapping[str, Item], name: str, fails: bool) -> str:
    """What is wrong with a middleware; empty when nothing is. fails: a page does not answer."""
    one = known.get(name)
    if not one:
        return "which does not exist: Traefik then serves none of its paths"
    if not _is_of_release(seen, one):
        return "which is not of this release" if fails else ""
    prefixes = one["spec"].get("stripPrefix", {}).get("prefixes")
    path = rollout.api_path(seen.state)
    if prefixes is None or path in prefixes:
        return ""
    return f"which takes {', '.join(prefixes)} off the path, and not {path}"
