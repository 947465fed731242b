"""What keeps a pod from coming up, from its state, its events and its last lines."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scripts.app.tracebacks import cause
from scripts.cluster.kubectl import kubectl
from scripts.release.causes import known_cause
from scripts.session import answers
from scripts.session.findings import Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

PATIENCE = 45.0  # seconds for a state that may pass by itself: pending, not ready
MIGRATION = "migrate"  # the chart's container that brings the tables up to date
RESTARTS = 2  # a first restart may be bad luck
#: Done, SIGKILL, SIGTERM, and what containerd says of a container that ended with its node.
NO_FAULT = (0, 137, 143, 255)
PULLS = ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName")
CREATIONS = ("CreateContainerConfigError", "CreateContainerError")
Pod = Mapping[str, Any]
Status = Mapping[str, Any]


@answers.understood("kubectl")
def last_lines(run: Run, tools: Mapping[str, Found], pod: Pod, lines: int = 12) -> str:
    """The last lines of the container that keeps a pod from coming up; secrets masked.

    When the container ended before, the lines of its run before.
    """
    kept = ""
    asked = ("logs", pod["metadata"]["name"], f"--tail={lines}", "-c", _troubled(pod))
    for previous in ((), ("--previous",)):
        scope = ("-n", pod["metadata"].get("namespace") or run.settings.release.namespace)
        result = kubectl(run, tools, *scope, *asked, *previous, check=False)
        said = result.stdout
        if result.ok and said.strip() and not said.startswith("unable to retrieve"):
            kept = run.shell.mask(said)
    return kept


def _troubled(pod: Pod) -> str:
    """The container that keeps a pod from coming up: the first that ended badly, else the first."""
    for status in _statuses(pod):
        ends = [status.get(state, {}).get("terminated") or {} for state in ("state", "lastState")]
        if any(end.get("exitCode") for end in ends):
            return str(status["name"])
    return str(pod["spec"]["containers"][0]["name"])


def _statuses(pod: Pod) -> list[dict[str, Any]]:
    """The statuses of all containers, those that run first come first."""
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


@answers.understood("kubectl")
def images_not_got(pod: Pod) -> list[str]:
    """The images, as the pod names them, that the kubelet tried in vain to get."""
    spec = pod["spec"]
    named = {
        one["name"]: one["image"] for one in [*spec.get("initContainers", []), *spec["containers"]]
    }
    return [
        named[status["name"]]
        for status in _statuses(pod)
        if (status.get("state", {}).get("waiting") or {}).get("reason") in PULLS
    ]


@answers.understood("kubectl")
def findings(state: list[dict[str, Any]], waited: float, logs: Mapping[str, str]) -> list[Finding]:
    """Say what keeps pods from coming up, the surest first.

    waited: seconds so far. logs: pod name -> its last lines.
    """
    events = [item for item in state if item["kind"] == "Event"]
    found = []
    for pod in (item for item in state if item["kind"] == "Pod"):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        name = pod["metadata"]["name"]
        own = [one for one in events if one.get("involvedObject", {}).get("name") == name]
        log = logs.get(name, "")
        found += (
            _killed_by_probe(pod, own)
            or _container_findings(pod, log)
            or _waiting(pod, own, waited, log)
        )
    # A database that starts at the same time is reached by the container's next start.
    return [one for one in found if waited >= PATIENCE or one.code != "DATABASE-UNREACHABLE"]


def _finding(pod: Pod, code: str, words: str, evidence: str, remedy: str) -> Finding:
    """A finding about a pod; `words` follow its name."""
    name = pod["metadata"]["name"]
    return Finding(code, f"pod/{name}", f"{name} {words}", evidence, remedy)


def _of_component(pod: Pod) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/component", ""))


#: Component -> what its pod must answer, and where to look when it does not.
MUST = {
    "backend": "the backend must answer its health path on port 8001; "
    "see backend.healthPath in the chart's values",
    "frontend": "the frontend must answer / on its port: a variable that it reads, the tables of "
    "its accounts or the backend's address may be missing; invoke logs --component frontend",
    "postgres": "PostgreSQL must take connections: its log says what keeps it; "
    "invoke logs --component postgres",
}


def _must(pod: Pod) -> str:
    return MUST.get(_of_component(pod), "its program must answer its probe: see `invoke logs`")


def _killed_by_probe(pod: Pod, events: list[dict[str, Any]]) -> list[Finding]:
    """A container that works, and is restarted because its liveness probe gets no answer."""
    ends = [
        one.get("lastState", {}).get("terminated") or {}
        for one in pod["status"].get("containerStatuses", [])
    ]
    told = [event.get("message", "") for event in events]
    words = [one for one in told if one.startswith("Liveness probe failed")]
    if not words or not {end.get("exitCode") for end in ends} & {0, 137, 143}:
        return []
    return [
        _finding(
            pod,
            "PROBE-FAILING",
            "is restarted again and again because its liveness probe fails",
            words[-1],
            f"the probe must ask the path and port that the program answers; {_must(pod)}",
        )
    ]


def _container_findings(pod: Pod, log: str) -> list[Finding]:
    """What the first container in trouble lacks, or how it ended."""
    for status in _statuses(pod):
        found = _not_started(pod, status) or _ended(pod, status, log)
        if found:
            return [found]
    return []


def _not_started(pod: Pod, status: Status) -> Finding | None:
    """A container that cannot be started: no image, or no configuration."""
    waiting = status.get("state", {}).get("waiting") or {}
    reason, words = waiting.get("reason", ""), waiting.get("message", "")
    if reason in PULLS:
        return _finding(
            pod,
            "IMAGE-PULL",
            f"cannot get its image {status['image']}",
            words,
            "`invoke load-images` sends the app's images to the node; check the tag",
        )
    if reason in CREATIONS:
        return _finding(
            pod,
            "CONFIG-MISSING",
            "lacks a part of its configuration",
            words,
            "the Secret or ConfigMap that is named must have that key; "
            "`invoke install` writes ours",
        )
    return None


def _end(status: Status) -> Mapping[str, Any]:
    """How a container ended last; empty when it never did."""
    last, now = status.get("lastState", {}), status.get("state", {})
    return last.get("terminated") or now.get("terminated") or {}


def _ended(pod: Pod, status: Status, log: str) -> Finding | None:
    """A container that started and ended badly."""
    end = _end(status)
    if end.get("reason") == "OOMKilled":
        return _finding(
            pod,
            "OUT-OF-MEMORY",
            "used more memory than its limit and was ended",
            f"restarts: {status['restartCount']}",
            "raise resources.limits.memory of this component in a values file "
            "(phase4.release.values)",
        )
    migrates, code = status["name"] == MIGRATION, end.get("exitCode", 0)
    if code or (migrates and not status["ready"]):
        known = known_cause(pod["metadata"]["name"], log)
        if known:
            return known
    if migrates and code not in NO_FAULT:
        return _migration_failed(pod, end, log)
    return _crash_loop(pod, status, end, log)


def _migration_failed(pod: Pod, end: Mapping[str, Any], log: str) -> Finding:
    why = cause(log) or end.get("reason", "no reason given")
    return Finding(
        "MIGRATION-FAILED",
        f"pod/{pod['metadata']['name']}",
        f"the database's tables could not be brought up to date: {why}",
        log or f"exit status {end.get('exitCode', '?')}",
        "mend what the log names and run `invoke deploy` again: "
        "a migration that failed has changed nothing",
    )


def _crash_loop(pod: Pod, status: Status, end: Mapping[str, Any], log: str) -> Finding | None:
    """A container that ends by its own fault again and again.

    One that was ended from outside (with its node, by a signal) has done nothing wrong,
    however often that was; nor has a migration that runs again.
    """
    waiting = status.get("state", {}).get("waiting") or {}
    own_fault = end.get("exitCode", 0) not in NO_FAULT
    failing = status["restartCount"] >= RESTARTS and not status["ready"] and own_fault
    backs_off = waiting.get("reason") == "CrashLoopBackOff" and end.get("reason") != "Unknown"
    if not failing and not backs_off:
        return None
    words = end.get("message", "").strip()[:300] or f"exit status {end.get('exitCode', '?')}"
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    return _finding(
        pod,
        "CRASH-LOOP",
        f"starts and ends again: {cause(log) or words}",
        log or words,
        f"kubectl -n {namespace} logs {name} --previous",
    )


def _waiting(pod: Pod, events: list[dict[str, Any]], waited: float, log: str) -> list[Finding]:
    """A pod that has waited too long: for a node, or to become ready."""
    conditions = {one["type"]: one for one in pod["status"].get("conditions", [])}
    if waited < PATIENCE or conditions.get("Ready", {}).get("status") == "True":
        return []
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return [
            _finding(
                pod,
                "POD-PENDING",
                "cannot be placed on a node",
                scheduled.get("message", ""),
                "free what is short, give the cluster more (phase4.cluster), "
                "or mend the claim that is named",
            )
        ]
    known = known_cause(pod["metadata"]["name"], log)
    if known:
        return [known]
    told = [one.get("message", "") for one in events if one.get("reason") == "Unhealthy"]
    return [_unhealthy(pod, told[-1], log)] if told else []


def _seconds_since_start(pod: Pod) -> float:
    """How long its containers run; without end for one that had to be started again."""
    started = []
    for one in pod["status"].get("containerStatuses", []):
        at = one.get("state", {}).get("running", {}).get("startedAt")
        if not at or one.get("restartCount"):
            return math.inf
        started.append(datetime.fromisoformat(at.replace("Z", "+00:00")))
    if not started:
        return math.inf
    return max(0.0, (datetime.now(UTC) - max(started)).total_seconds())


def _unhealthy(pod: Pod, words: str, log: str) -> Finding:
    """A pod that runs, and whose probe fails: it asks another port, or gets no good answer."""
    asked = re.search(r"https?://[^/]*:(\d+)/", words)
    listens = re.findall(r"running on https?://[^:]+:(\d+)", log)
    if asked and listens and asked.group(1) != listens[-1]:
        return _finding(
            pod,
            "PORT-MISMATCH",
            f"listens on port {listens[-1]}, and its probe asks port {asked.group(1)}",
            words,
            "the backend must listen on 8001, and its containerPort and probes must say so",
        )
    why, age = cause(log), _seconds_since_start(pod)
    told = f"runs, but its probe fails: {why}" if why else "runs, but its probe fails"
    if age < PATIENCE and not why:
        return _finding(
            pod,
            "PROBE-FAILING",
            f"started {age:.0f} s ago and does not serve yet",
            words,
            "wait a moment and ask again; a deploy that was interrupted goes on with invoke deploy",
        )
    said = log.strip() or "its log is empty: it waits for something before it says a word"
    return _finding(pod, "PROBE-FAILING", told, f"{words}\n{said}", _must(pod))
