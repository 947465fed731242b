"""Look at the cluster, the release and the way to it. Nothing is changed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import requests

from scripts.checks import database
from scripts.checks.diagnosis.observed import (
    Item,
    Objects,
    Observed,
    component_of,
    is_ready,
    name_of,
    of_kind,
)
from scripts.cluster import there
from scripts.cluster.kubectl import get_items, items_of, kubectl
from scripts.cluster.rights import Right, get_allowed, missing
from scripts.images import transport
from scripts.machine.engine import Engine
from scripts.release import access, helm, pods, rollout
from scripts.session import answers
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found

NAMESPACED = (
    "pods,deployments,statefulsets,replicasets,services,endpointslices,ingresses,events,"
    "persistentvolumeclaims,configmaps"
)
CLUSTER_WIDE = "nodes,storageclasses,ingressclasses,namespaces"
TRAEFIK = "ingressroutes.traefik.io,middlewares.traefik.io"
#: The Secrets' names and keys, a key without a value marked. No value is asked for.
KEYS = (
    "{{range .items}}{{.metadata.name}}"
    "{{range $key, $value := .data}} {{$key}}{{if not $value}}={{end}}{{end}}"
    '{{"\\n"}}{{end}}'
)
CONTROLLER = re.compile("traefik|nginx-ingress|ingress-nginx|haproxy")
ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
TIMEOUT = 8.0  # seconds for a page
#: Prints the body of an answer, whatever its status.
ASK = (database.INSIDE / "ask-address.py").read_text(encoding="utf-8")


@answers.understood("kubectl")
def observe(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Observed:
    """Ask everything that does not depend on another answer at the same time, then the rest."""
    release, cluster = run.settings.release, run.settings.cluster
    ours = not run.settings.is_there
    scope = ("-n", release.namespace)
    listing = (*scope, "get", "secrets", "-o", f"go-template={KEYS}")
    inspect = ("container", "inspect", "--format", ADDRESSES, cluster.profile)
    with ThreadPoolExecutor(8) as pool:
        asked = pool.submit(database.look, run, tools)
        traefik = pool.submit(kubectl, run, tools, "get", TRAEFIK, "-A", "-o", "json", check=False)
        state = pool.submit(get_items, run, tools, _readable(run, tools), *scope)
        whole = pool.submit(get_allowed, run, tools, CLUSTER_WIDE)
        every = pool.submit(get_allowed, run, tools, "pods,ingresses,networkpolicies")
        latest = pool.submit(helm.latest, run, tools)
        secrets = pool.submit(kubectl, run, tools, *listing, check=False)
        time_there = ("info", "--format", "{{.SystemTime}}")
        clock = pool.submit(run.shell.run, engine.client, *time_there, check=False)
        page = pool.submit(_status, run, "/")
        objects = state.result()
        health = rollout.api_path(objects) + rollout.health_path(objects)
        pages = {"/": page.result(), health: _status(run, health)}
    given = {} if ours else helm.values_now(run, tools).get("ingress", {})
    address = run.shell.run(engine.client, *inspect, check=False)
    pods_seen = of_kind(every.result(), "Pod")
    routes = items_of(traefik.result().stdout) if traefik.result().ok else None
    observed = Observed(
        release.name,
        release.host,
        f"http://127.0.0.1:{cluster.ingress_port}",
        objects,
        whole.result(),
        [pod for pod in pods_seen if _is_controller(pod)],
        release=latest.result(),
        # Elsewhere they have other names, or run where nobody may look.
        system=[pod for pod in pods_seen if pod["metadata"]["namespace"] == "kube-system"]
        if ours
        else None,
        secrets=_keys(secrets.result()),
        answers=pages,
        # Whoever has a cluster there decides by what name it is known.
        name=access.resolve(release.host) if ours else "",
        expected=("127.0.0.1", *address.stdout.split()),
        skew=skew(clock.result().stdout),
        namespace=release.namespace,
        database=asked.result(),
        policies=of_kind(every.result(), "NetworkPolicy"),
        elsewhere=[*of_kind(every.result(), "Ingress"), *of_kind(routes or [], "IngressRoute")],
        middlewares=None if routes is None else of_kind(routes, "Middleware"),
        meant=bool(given.get("enabled", True)),
        sees_controllers=ours,
        proxy=os.environ.get("http_proxy") or os.environ.get("HTTP_PROXY") or "",
    )
    return replace(
        observed,
        logs=_logs(run, tools, [*objects, *(observed.system or [])]),
        stale=_stale_workloads(run, engine, tools, objects),
    )


def _readable(run: Run, tools: Mapping[str, Found]) -> str:
    """The kinds of the release's namespace that this user may list."""
    if not run.settings.is_there:
        return NAMESPACED
    kinds = [Right("list", kind) for kind in NAMESPACED.split(",")]
    refused = {one.what for one in missing(run, tools, kinds)}
    return ",".join(one.what for one in kinds if one.what not in refused)


def _is_controller(pod: Item) -> bool:
    return any(CONTROLLER.search(one["image"]) for one in pod["spec"]["containers"])


def _keys(listed: Result) -> dict[str, dict[str, bool]] | None:
    """The keys of each Secret, and whether they have a value; None when they cannot be read."""
    if not listed.ok:
        return None
    lines = [line.split() for line in listed.stdout.splitlines() if line.strip()]
    return {
        name: {key.removesuffix("="): not key.endswith("=") for key in keys}
        for name, *keys in lines
    }


def _stale_workloads(
    run: Run, engine: Engine, tools: Mapping[str, Found], state: Objects
) -> tuple[str, ...]:
    """The workloads whose pods run another image than the node has under that name."""
    pods_seen = of_kind(state, "Pod")
    names = {one["image"] for pod in pods_seen for one in pod["spec"]["containers"]}
    nodes = there.way_of(run, engine, tools).nodes
    held = transport.holdings(run, engine, nodes[0], names).images if nodes else {}
    return tuple(rollout.stale(state, _by_reference(names, held)))


def _by_reference(names: Iterable[str], held: Mapping[str, str]) -> dict[str, str]:
    """Image references as pods write them -> the node's image IDs."""
    known = {name: held.get(transport.normalized(name), "") for name in names}
    return {name: identity for name, identity in known.items() if identity}


def _status(run: Run, path: str) -> int:
    """The ingress' answer to a path, 200 for all that a working app says; 0 for no answer."""
    url = f"http://127.0.0.1:{run.settings.cluster.ingress_port}{path}"
    headers = {"Host": run.settings.release.host}
    try:
        answer = requests.get(url, headers=headers, timeout=TIMEOUT, proxies={"http": ""})
    except requests.RequestException:
        return 0
    return 200 if access.works(answer) else answer.status_code


def skew(text: str) -> float:
    """Seconds between this clock and an RFC 3339 time; 0 when it cannot be read."""
    match = TIME.match(text)
    if not match:
        return 0.0
    there = datetime.fromisoformat(match.group(1) + match.group(2).replace("Z", "+00:00"))
    return abs(time.time() - there.timestamp())


def _logs(run: Run, tools: Mapping[str, Found], state: Objects) -> dict[str, str]:
    """The last lines of each pod that is not ready; also a backend's answer to its probe."""
    return {
        name_of(pod): "\n".join(
            (pods.last_lines(run, tools, pod), _readiness(run, tools, pod))
        ).strip()
        for pod in of_kind(state, "Pod")
        if not is_ready(pod)
    }


def _readiness(run: Run, tools: Mapping[str, Found], pod: Item) -> str:
    """The body of the answer to a backend's readiness probe, asked for inside the container.

    The kubelet keeps the status only.
    """
    container = pod["spec"]["containers"][0]
    probe = container.get("readinessProbe", {}).get("httpGet")
    statuses = pod["status"].get("containerStatuses", [])
    running = any("running" in one.get("state", {}) for one in statuses)
    if not probe or not running or component_of(pod) != "backend":
        return ""
    ports = {one.get("name"): one["containerPort"] for one in container.get("ports", [])}
    url = f"http://127.0.0.1:{ports.get(probe['port'], probe['port'])}{probe['path']}"
    inside = ("exec", name_of(pod), "-c", container["name"], "--", "python3", "-c", ASK, url)
    scope = ("-n", run.settings.release.namespace)
    return kubectl(run, tools, *scope, *inside, check=False, timeout=20, reads=True).stdout.strip()
