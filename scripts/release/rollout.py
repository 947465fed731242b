"""Wait until what was installed serves, and when it does not, say which pod and why."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.app.tracebacks import cause
from scripts.cluster.kubectl import get_items, kubectl
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

KINDS = "pods,deployments,statefulsets,services,endpointslices,ingresses"
EVENTS = ("Event",)  # of use only when something is wrong, and often more than all the rest
PATIENCE = 45.0  # seconds for a state that may pass by itself: pending, not ready
MIGRATION = "migrate"  # the chart's container that brings the tables up to date
RESTARTS = 2  # a first restart may be bad luck
NO_FAULT = (
    0,
    137,
    143,
    255,
)  # done, SIGKILL, SIGTERM, and containerd's word for a container that went with its node


@dataclass(frozen=True)
class Rollout:
    """Everything serves. pods: name and phase. services: name and number of ready endpoints. Seconds waited."""

    pods: Mapping[str, str]
    services: Mapping[str, int]
    seconds: float

    def __str__(self) -> str:
        return f"{len(self.pods)} pods ready, {len(self.services)} services with endpoints"


def monitor(run: Run, tools: Mapping[str, Found]) -> Rollout:
    """Wait for every workload of the release. Raises the finding of the first pod that cannot come up."""
    started = time.monotonic()
    shown: list[str] = []
    while True:
        state = look(run, tools)
        waiting = unready(state)
        if not waiting:
            return seen(state, time.monotonic() - started)
        waited = time.monotonic() - started
        _stop_on_trouble(
            run,
            tools,
            look(run, tools, EVENTS) if waited >= PATIENCE or _is_restarted(state) else state,
            waited,
        )
        if waited > run.settings.release.timeout:
            raise Failure(
                *(
                    findings(state, 0.0, {})
                    or [
                        Finding(
                            "ROLLOUT-TIMEOUT",
                            waiting[0],
                            f"not everything came up within {run.settings.release.timeout} s",
                            "\n".join(waiting),
                            f"kubectl --context {run.settings.context} -n {run.settings.release.namespace} get pods,events",
                        )
                    ]
                )
            )
        if waiting != shown:
            shown = waiting
            run.say("waiting for " + ", ".join(waiting))
        _until_something_happens(run, tools, waiting)


def _is_restarted(state: list[dict[str, Any]]) -> bool:
    """A container does not serve, and not for the first time. One that serves again, after a reboot say, is no reason to read every event."""
    return any(
        one["restartCount"] and not one["ready"]
        for pod in _of(state, "Pod")
        for one in pod["status"].get("containerStatuses", [])
    )


def _until_something_happens(run: Run, tools: Mapping[str, Found], waiting: Iterable[str]) -> None:
    """Let kubectl watch the first workload that is not up: it ends the moment that it is, and after a second at most, for the others and for trouble."""
    workload = next((name for name in waiting if not name.startswith("service/")), "")
    watch = ("-n", run.settings.release.namespace, "rollout", "status", workload, "--timeout=1s")
    if not workload or kubectl(run, tools, *watch, check=False).seconds < 0.2:
        run.shell.wait(0.2)


def seen(state: list[Any], seconds: float) -> Rollout:
    """A state in which everything serves, as a result."""
    return Rollout(_phases(state), endpoints(state), seconds)


def look(run: Run, tools: Mapping[str, Found], more: Iterable[str] = ()) -> list[dict[str, Any]]:
    """All objects of the release's namespace that a rollout depends on, and those of `more` kinds."""
    known = {"Pod", "Deployment", "StatefulSet", "Service", "Ingress"}
    kinds = ",".join([KINDS, *sorted(kind.lower() for kind in more if kind not in known)])
    return get_items(run, tools, kinds, "-n", run.settings.release.namespace)


def _stop_on_trouble(
    run: Run, tools: Mapping[str, Found], state: list[dict[str, Any]], waited: float
) -> None:
    explained = explain(run, tools, state, waited)
    if explained:
        raise Failure(*explained)


def explain(
    run: Run, tools: Mapping[str, Found], state: list[dict[str, Any]], waited: float
) -> list[Finding]:
    """The findings of a state, with the logs of the pods they are about."""
    found = findings(state, waited, {})
    subjects = {finding.subject for finding in found}
    logs = {
        pod["metadata"]["name"]: last_lines(run, tools, pod)
        for pod in _of(state, "Pod")
        if f"pod/{pod['metadata']['name']}" in subjects
    }
    return findings(state, waited, logs) if found else []


def last_lines(
    run: Run, tools: Mapping[str, Found], pod: Mapping[str, Any], lines: int = 12
) -> str:
    """The last lines of the container that keeps a pod from coming up, of its run before when it ended; secrets masked."""
    kept = ""
    for previous in ([], ["--previous"]):
        arguments = (
            "logs",
            pod["metadata"]["name"],
            f"--tail={lines}",
            "-c",
            _troubled(pod),
            *previous,
        )
        result = kubectl(run, tools, "-n", run.settings.release.namespace, *arguments, check=False)
        if (
            result.ok
            and result.stdout.strip()
            and not result.stdout.startswith("unable to retrieve")
        ):
            kept = run.shell.mask(result.stdout)
    return kept


def _troubled(pod: Mapping[str, Any]) -> str:
    """The container that keeps a pod from coming up: the first that has ended badly, else the first."""
    statuses = [
        *pod["status"].get("initContainerStatuses", []),
        *pod["status"].get("containerStatuses", []),
    ]
    ended = [
        one["name"]
        for one in statuses
        if any(
            (one.get(state, {}).get("terminated") or {}).get("exitCode")
            for state in ("state", "lastState")
        )
    ]
    return str(ended[0] if ended else pod["spec"]["containers"][0]["name"])


def findings(state: list[dict[str, Any]], waited: float, logs: Mapping[str, str]) -> list[Finding]:
    """What keeps pods from coming up, the surest first. waited: seconds so far. logs: pod name -> its last lines."""
    found = []
    for pod in _of(state, "Pod"):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        found += (
            _killed_by_probe(pod, state)
            or _container_findings(pod, logs)
            or _pod_findings(pod, state, waited, logs)
        )
    return found


def _killed_by_probe(pod: dict[str, Any], state: list[dict[str, Any]]) -> list[Finding]:
    """A container that works and is restarted all the same, because its liveness probe does not get its answer."""
    name = pod["metadata"]["name"]
    ended = [
        (one.get("lastState", {}).get("terminated") or {}).get("exitCode")
        for one in pod["status"].get("containerStatuses", [])
    ]
    told = [
        event.get("message", "")
        for event in _of(state, "Event")
        if event.get("involvedObject", {}).get("name") == name
    ]
    words = [one for one in told if one.startswith("Liveness probe failed")]
    if not words or not set(ended) & {0, 137, 143}:
        return []
    summary = f"{name} is restarted again and again because its liveness probe fails"
    return [
        Finding(
            "PROBE-FAILING",
            f"pod/{name}",
            summary,
            words[-1],
            "the probe must ask the path and port that the program answers; see backend.healthPath",
        )
    ]


def _container_findings(pod: dict[str, Any], logs: Mapping[str, str]) -> list[Finding]:
    name = pod["metadata"]["name"]
    subject = f"pod/{name}"
    statuses = [
        *pod["status"].get("initContainerStatuses", []),
        *pod["status"].get("containerStatuses", []),
    ]
    for status in statuses:
        waiting = status.get("state", {}).get("waiting") or {}
        ended = (
            status.get("lastState", {}).get("terminated")
            or status.get("state", {}).get("terminated")
            or {}
        )
        reason, words = waiting.get("reason", ""), waiting.get("message", "")
        if reason in ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"):
            return [
                Finding(
                    "IMAGE-PULL",
                    subject,
                    f"{name} cannot get its image {status['image']}",
                    words,
                    "`invoke load-images` sends the app's images to the node; check the tag",
                )
            ]
        if reason in ("CreateContainerConfigError", "CreateContainerError"):
            return [
                Finding(
                    "CONFIG-MISSING",
                    subject,
                    f"{name} lacks a part of its configuration",
                    words,
                    "the Secret or ConfigMap that is named must have that key; `invoke install` writes ours",
                )
            ]
        if ended.get("reason") == "OOMKilled":
            return [
                Finding(
                    "OUT-OF-MEMORY",
                    subject,
                    f"{name} used more memory than its limit and was ended",
                    f"restarts: {status['restartCount']}",
                    "raise resources.limits.memory of this component in a values file (phase4.release.values)",
                )
            ]
        log = logs.get(name, "")
        known = _known_cause(name, log) if ended.get("exitCode") or not status["ready"] else None
        if known and (ended.get("exitCode") or status["name"] == MIGRATION):
            return [known]
        if status["name"] == MIGRATION and ended.get("exitCode", 0) not in NO_FAULT:
            return [
                Finding(
                    "MIGRATION-FAILED",
                    subject,
                    f"the database's tables could not be brought up to date: {cause(log) or ended.get('reason', 'no reason given')}",
                    log or f"exit status {ended.get('exitCode', '?')}",
                    "mend what the log names and run `invoke deploy` again: a migration that failed has changed nothing",
                )
            ]
        # What was ended from outside (with its node, by a signal), or a migration that runs again, has done nothing wrong, however often that was.
        failing = (
            status["restartCount"] >= RESTARTS
            and not status["ready"]
            and ended.get("exitCode", 0) not in NO_FAULT
        )
        if failing or (reason == "CrashLoopBackOff" and ended.get("reason") != "Unknown"):
            code = (
                ended.get("message", "").strip()[:300]
                or f"exit status {ended.get('exitCode', '?')}"
            )
            return [
                Finding(
                    "CRASH-LOOP",
                    subject,
                    f"{name} starts and ends again: {cause(log) or code}",
                    log or code,
                    f"kubectl -n {pod['metadata']['namespace']} logs {name} --previous",
                )
            ]
    return []


#: What a log line says of a cause that has a code of its own: pattern, code, sentence, remedy.
CAUSES = (
    (
        r"password authentication failed", "DATABASE-PASSWORD-WRONG", "{name} cannot log in to the database: its password is not the database's",
        "a volume keeps the password that it was made with: put that one back into the Secret, or change it with ALTER ROLE, then restart the pod",
    ),
    (
        r"migrations are pending", "MIGRATIONS-PENDING", "{name} waits for the database's tables: a migration has not run",
        "`invoke deploy` runs it before a pod serves; with migrations.command empty, run your own: invoke shell, then alembic upgrade head",
    ),
    (
        r"could not translate host name|Name or service not known|could not connect to server|connection to server .* failed|Connection refused|the database does not answer",
        "DATABASE-UNREACHABLE", "{name} does not reach its database", "does DATABASE_URL name the right host and port, and does the database run? invoke status",
    ),
    (
        r"exec format error", "IMAGE-ARCHITECTURE", "{name} runs an image made for another processor",
        "build it on this machine: `invoke build-images` and `invoke load-images`",
    ),
)  # fmt: skip


def _known_cause(name: str, log: str) -> Finding | None:
    for pattern, code, sentence, remedy in CAUSES:
        lines = [line for line in log.splitlines() if re.search(pattern, line)]
        if lines:
            return Finding(
                code, f"pod/{name}", sentence.format(name=name), lines[-1].strip()[:300], remedy
            )
    return None


def _pod_findings(
    pod: dict[str, Any], state: list[dict[str, Any]], waited: float, logs: Mapping[str, str]
) -> list[Finding]:
    name = pod["metadata"]["name"]
    subject = f"pod/{name}"
    conditions = {one["type"]: one for one in pod["status"].get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    if waited >= PATIENCE and scheduled.get("status") == "False":
        return [
            Finding(
                "POD-PENDING",
                subject,
                f"{name} cannot be placed on a node",
                scheduled.get("message", ""),
                "free what is short, give the cluster more (phase4.cluster), or mend the claim that is named",
            )
        ]
    if waited < PATIENCE or conditions.get("Ready", {}).get("status") == "True":
        return []
    known = _known_cause(name, logs.get(name, ""))
    if known:
        return [known]
    failing = [
        event
        for event in _of(state, "Event")
        if event.get("involvedObject", {}).get("name") == name
        and event.get("reason") == "Unhealthy"
    ]
    if failing:
        words = failing[-1].get("message", "")
        asked, listens = (
            re.search(r"https?://[^/]*:(\d+)/", words),
            re.findall(r"running on https?://[^:]+:(\d+)", logs.get(name, "")),
        )
        if asked and listens and asked.group(1) != listens[-1]:
            summary = (
                f"{name} listens on port {listens[-1]}, and its probe asks port {asked.group(1)}"
            )
            return [
                Finding(
                    "PORT-MISMATCH",
                    subject,
                    summary,
                    words,
                    "the backend must listen on 8001, and its containerPort and probes must say so",
                )
            ]
        return [
            Finding(
                "PROBE-FAILING",
                subject,
                f"{name} runs, but its probe fails",
                words,
                "the backend must answer its health path on port 8001; see backend.healthPath in the chart's values",
            )
        ]
    return []


def unready(state: list[dict[str, Any]]) -> list[str]:
    """The workloads that are not rolled out and the services without a ready endpoint."""
    waiting = []
    for item in [*_of(state, "Deployment"), *_of(state, "StatefulSet")]:
        wanted, status = item["spec"].get("replicas", 1), item.get("status", {})
        current = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        rolled = (
            status.get("updatedReplicas", 0) == wanted
            and status.get("replicas", 0) == wanted
            and status.get("readyReplicas", 0) == wanted
        )
        if not (current and rolled) and wanted:
            waiting.append(f"{item['kind'].lower()}/{item['metadata']['name']}")
    waiting += [f"service/{name}" for name, number in endpoints(state).items() if number == 0]
    return waiting


def stale(state: list[dict[str, Any]], images: Mapping[str, str]) -> list[str]:
    """The workloads with a pod that runs other contents than the image of that name has now (reference -> image ID on the node)."""
    found = set()
    for pod in _of(state, "Pod"):
        running = {
            one["name"]: one.get("imageID", "")
            for one in pod["status"].get("containerStatuses", [])
        }
        for container in pod["spec"]["containers"]:
            wanted, has = images.get(container["image"], ""), running.get(container["name"], "")
            # An image that came from a registry is named by its manifest there, which says nothing about its ID.
            if (
                wanted
                and has.startswith("sha256:")
                and has != wanted
                and not pod["metadata"].get("deletionTimestamp")
            ):
                kind = (
                    "statefulset"
                    if pod["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
                    else "deployment"
                )
                labels = pod["metadata"]["labels"]
                found.add(
                    f"{kind}/{labels['app.kubernetes.io/instance']}-{labels['app.kubernetes.io/component']}"
                )
    return sorted(found)


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


def health_path(state: list[dict[str, Any]]) -> str:
    """What the backend's liveness probe asks for; the API's own description where it asks for nothing."""
    found = [
        item for item in _of(state, "Deployment") if item["metadata"]["name"].endswith("-backend")
    ]
    probes = [
        one.get("livenessProbe", {}).get("httpGet", {}).get("path", "")
        for item in found
        for one in item["spec"]["template"]["spec"]["containers"]
    ]
    return next((path for path in probes if path), "/openapi.json") if found else "/health"


def endpoints(state: list[dict[str, Any]]) -> dict[str, int]:
    """Ready endpoints of each service."""
    counts = {service["metadata"]["name"]: 0 for service in _of(state, "Service")}
    for piece in _of(state, "EndpointSlice"):
        owner = piece["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        if owner in counts:
            counts[owner] += sum(
                1 for one in piece.get("endpoints") or [] if one.get("conditions", {}).get("ready")
            )
    return counts


def _phases(state: list[dict[str, Any]]) -> dict[str, str]:
    return {
        pod["metadata"]["name"]: pod["status"]["phase"]
        for pod in _of(state, "Pod")
        if not pod["metadata"].get("deletionTimestamp")
    }


def _of(state: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in state if item["kind"] == kind]
