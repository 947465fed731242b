"""Wait until what was installed serves, and when it does not, say which pod and why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.cluster.kubectl import get_items, kubectl
from scripts.release import pods
from scripts.session import answers
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

KINDS = "pods,deployments,statefulsets,services,endpointslices,ingresses"
EVENTS = ("Event",)  # of use only when something is wrong, and often more than all the rest
INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"


@dataclass(frozen=True)
class Rollout:
    """Everything serves.

    pods: name and phase. services: name and number of ready endpoints. seconds: how long it took.
    """

    pods: Mapping[str, str]
    services: Mapping[str, int]
    seconds: float

    def __str__(self) -> str:
        return f"{len(self.pods)} pods ready, {len(self.services)} services with endpoints"


def monitor(run: Run, tools: Mapping[str, Found]) -> Rollout:
    """Wait for every workload of the release.

    Raises the finding of the first pod that cannot come up, or ROLLOUT-TIMEOUT.
    """
    started = time.monotonic()
    shown: list[str] = []
    while True:
        state = look(run, tools)
        waiting = unready(state)
        if not waiting:
            return seen(state, time.monotonic() - started)
        waited = time.monotonic() - started
        _stop_on_trouble(run, tools, state, waited)
        if waited > run.settings.release.timeout:
            found = explain(run, tools, look(run, tools, EVENTS), pods.PATIENCE)
            raise Failure(*(found or [_timeout(run, tools, state, waiting)]))
        if waiting != shown:
            shown = waiting
            run.say("waiting for " + ", ".join(waiting))
        _until_something_happens(run, tools, waiting)


@answers.understood("kubectl")
def _timeout(
    run: Run, tools: Mapping[str, Found], state: list[dict[str, Any]], waiting: list[str]
) -> Finding:
    """No cause was found: what is not up, and what its pods said last."""
    settings = run.settings
    said = [
        f"{pod['metadata']['name']}: {line}"
        for pod in _of(state, "Pod")
        if not _is_ready(pod)
        for line in pods.last_lines(run, tools, pod).splitlines()[-4:]
    ]
    listing = f"kubectl --context {settings.context} -n {settings.release.namespace}"
    return Finding(
        "ROLLOUT-TIMEOUT",
        waiting[0],
        f"not everything came up within {settings.release.timeout} s",
        "\n".join([*waiting, *said]),
        f"{listing} get pods,events",
    )


@answers.understood("kubectl")
def _is_restarted(state: list[dict[str, Any]]) -> bool:
    """A container does not serve, and was started before.

    One that serves again, after a reboot say, is no reason to read every event.
    """
    statuses = [
        status for pod in _of(state, "Pod") for status in pod["status"].get("containerStatuses", [])
    ]
    return any(one["restartCount"] and not one["ready"] for one in statuses)


def _until_something_happens(run: Run, tools: Mapping[str, Found], waiting: Iterable[str]) -> None:
    """Let kubectl watch the first workload that is not up.

    It ends the moment that the workload is, and after a second at most, so that the others and
    any trouble are seen.
    """
    workload = next((name for name in waiting if not name.startswith("service/")), "")
    watch = ("-n", run.settings.release.namespace, "rollout", "status", workload, "--timeout=1s")
    if not workload or kubectl(run, tools, *watch, check=False).seconds < 0.2:
        run.shell.wait(0.2)


@answers.understood("kubectl")
def seen(state: list[Any], seconds: float) -> Rollout:
    """A state in which everything serves, as a result."""
    return Rollout(_phases(state), endpoints(state), seconds)


def look(run: Run, tools: Mapping[str, Found], more: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Objects of the release's namespace that a rollout depends on, and those of `more` kinds."""
    known = {"Pod", "Deployment", "StatefulSet", "Service", "Ingress"}
    kinds = ",".join([KINDS, *sorted(kind.lower() for kind in more if kind not in known)])
    return get_items(run, tools, kinds, "-n", run.settings.release.namespace)


def _stop_on_trouble(
    run: Run, tools: Mapping[str, Found], state: list[dict[str, Any]], waited: float
) -> None:
    """Raise what is wrong with a state. Events are read only when they may say more."""
    if waited >= pods.PATIENCE or _is_restarted(state):
        state = look(run, tools, EVENTS)
    explained = explain(run, tools, without_outdated(state), waited)
    if explained:
        raise Failure(*explained)


@answers.understood("kubectl")
def without_outdated(state: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A state without the pods that a workload is about to replace.

    They are of an earlier template, and may be in trouble: that decides nothing.
    """
    templates: dict[tuple[str, str], list[Any]] = {}
    for one in [*_of(state, "Deployment"), *_of(state, "StatefulSet")]:
        template = one["spec"]["template"]
        templates.setdefault(_place(template), []).append(_programs(template["spec"]))

    def is_current(pod: Mapping[str, Any]) -> bool:
        runs = _programs(pod["spec"])
        return runs in templates.get(_place(pod), [runs])

    return [one for one in state if one["kind"] != "Pod" or is_current(one)]


def _place(item: Mapping[str, Any]) -> tuple[str, str]:
    """The instance and the component that a pod is of."""
    labels = item["metadata"].get("labels") or {}
    return labels.get(INSTANCE, ""), labels.get(COMPONENT, "")


def _programs(spec: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What the containers of a pod run. The cluster adds other fields, not these."""
    return [
        (one["name"], one["image"], one.get("command"), one.get("args"), one.get("env"))
        for one in [*(spec.get("initContainers") or ()), *spec["containers"]]
    ]


@answers.understood("kubectl")
def explain(
    run: Run, tools: Mapping[str, Found], state: list[dict[str, Any]], waited: float
) -> list[Finding]:
    """The findings of a state, with the logs of the pods they are about."""
    subjects = {finding.subject for finding in pods.findings(state, waited, {})}
    if not subjects:
        return []
    logs = {
        pod["metadata"]["name"]: pods.last_lines(run, tools, pod)
        for pod in _of(state, "Pod")
        if f"pod/{pod['metadata']['name']}" in subjects
    }
    return pods.findings(state, waited, logs)


@answers.understood("kubectl")
def unready(state: list[dict[str, Any]]) -> list[str]:
    """The workloads that are not rolled out and the services without a ready endpoint."""
    workloads = [*_of(state, "Deployment"), *_of(state, "StatefulSet")]
    waiting = [item for item in workloads if not _is_rolled_out(item)]
    empty = [name for name, number in endpoints(state).items() if number == 0]
    return [
        *(f"{item['kind'].lower()}/{item['metadata']['name']}" for item in waiting),
        *(f"service/{name}" for name in empty),
    ]


def _is_rolled_out(workload: Mapping[str, Any]) -> bool:
    """As many pods as are wanted are new and ready, and there is no other."""
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status", {})
    current = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    counts = {status.get(name, 0) for name in ("updatedReplicas", "replicas", "readyReplicas")}
    return not wanted or (current and counts == {wanted})


@answers.understood("kubectl")
def stale(state: list[dict[str, Any]], images: Mapping[str, str]) -> list[str]:
    """The workloads with a pod whose image is not the one that the node has under that name now.

    images: reference -> image ID on the node.
    """
    found = set()
    for pod in _of(state, "Pod"):
        if not pod["metadata"].get("deletionTimestamp") and _is_stale(pod, images):
            owner = pod["metadata"]["ownerReferences"][0]["kind"]
            kind = "statefulset" if owner == "StatefulSet" else "deployment"
            labels = pod["metadata"]["labels"]
            found.add(f"{kind}/{labels[INSTANCE]}-{labels[COMPONENT]}")
    return sorted(found)


def _is_stale(pod: Mapping[str, Any], images: Mapping[str, str]) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    running = {one["name"]: one.get("imageID", "") for one in statuses}
    for container in pod["spec"]["containers"]:
        wanted, has = images.get(container["image"], ""), running.get(container["name"], "")
        # An image from a registry has the ID of its manifest there, which cannot be compared.
        if wanted and has.startswith("sha256:") and has != wanted:
            return True
    return False


@answers.understood("kubectl")
def starved(state: list[dict[str, Any]], images: Mapping[str, str]) -> list[str]:
    """The pods that failed to get an image which the nodes have now, as `pod/NAME`.

    images: reference -> image ID on the node.
    """
    return [
        f"pod/{pod['metadata']['name']}"
        for pod in _of(state, "Pod")
        if not pod["metadata"].get("deletionTimestamp")
        and any(image in images for image in pods.images_not_got(pod))
    ]


@answers.understood("kubectl")
def api_path(state: list[dict[str, Any]]) -> str:
    """The path below which the release's Ingress reaches the whole API, as `/api`."""
    paths = [
        path["path"]
        for ingress in _of(state, "Ingress")
        if ingress["metadata"]["name"].endswith("-api")
        for rule in ingress["spec"]["rules"]
        for path in rule.get("http", {}).get("paths", [])
    ]
    return paths[0].split("(")[0].rstrip("/") if paths else "/api"


@answers.understood("kubectl")
def health_path(state: list[dict[str, Any]]) -> str:
    """The path that the backend's liveness probe asks for.

    `/openapi.json` when the backend has no such probe, `/health` when there is no backend.
    """
    listed = _of(state, "Deployment")
    found = [item for item in listed if item["metadata"]["name"].endswith("-backend")]
    if not found:
        return "/health"
    containers = [one for item in found for one in item["spec"]["template"]["spec"]["containers"]]
    probes = [one.get("livenessProbe", {}).get("httpGet", {}) for one in containers]
    return next((probe["path"] for probe in probes if probe.get("path")), "/openapi.json")


@answers.understood("kubectl")
def endpoints(state: list[dict[str, Any]]) -> dict[str, int]:
    """Ready endpoints of each service."""
    counts = {service["metadata"]["name"]: 0 for service in _of(state, "Service")}
    for piece in _of(state, "EndpointSlice"):
        owner = piece["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        conditions = [one.get("conditions", {}) for one in piece.get("endpoints") or []]
        if owner in counts:
            counts[owner] += sum(1 for one in conditions if one.get("ready"))
    return counts


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return all(one["ready"] for one in pod["status"].get("containerStatuses", []))


def _phases(state: list[dict[str, Any]]) -> dict[str, str]:
    return {
        pod["metadata"]["name"]: pod["status"]["phase"]
        for pod in _of(state, "Pod")
        if not pod["metadata"].get("deletionTimestamp")
    }


def _of(state: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in state if item["kind"] == kind]
