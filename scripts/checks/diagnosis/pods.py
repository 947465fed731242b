"""Pods: those that are refused, that do not come up, that are not wanted, that are stale."""

from __future__ import annotations

import re

from scripts.checks.diagnosis import volumes
from scripts.checks.diagnosis.observed import (
    COMPONENTS,
    Item,
    Objects,
    Observed,
    component_named,
    component_of,
    is_ready,
    name_of,
    of_kind,
    once,
    subject_of,
)
from scripts.release import pods, rollout
from scripts.session.findings import Finding

#: Codes that say that something is wrong, but not why.
VAGUE = ("PROBE-FAILING", "CRASH-LOOP", "DATABASE-UNREACHABLE")
#: Codes of a backend that only waits for its database.
WAITS = ("DATABASE-UNREACHABLE", "MIGRATION-FAILED", "PROBE-FAILING", "CRASH-LOOP", "NOT-READY")


def refused(seen: Observed) -> list[Finding]:
    """Pods that the API server refuses to create."""
    found = []
    for event in seen.of("Event"):
        owner = event["involvedObject"]
        if event.get("reason") == "FailedCreate" and _wants_more(seen.state, owner):
            found += _refusal(owner, event.get("message", ""))
    return once(found)


def _refusal(owner: Item, words: str) -> list[Finding]:
    name, subject = owner["name"], f"{owner['kind'].lower()}/{owner['name']}"
    quota = re.search(r"(?:exceeded|failed) quota: ([\w.-]+)", words)
    if quota:
        code, told = "QUOTA-EXCEEDED", f"the quota {quota[1]} allows no more pods of {name}"
        remedy = f"kubectl describe resourcequota {quota[1]}; raise it, or ask who made it"
    elif "violates PodSecurity" in words:
        code, told = "POD-REFUSED", f"the namespace's security standard refuses pods of {name}"
        remedy = "mend the securityContext that is named"
    elif "forbidden" in words or "denied" in words:
        code, told = "POD-REFUSED", f"the cluster refuses pods of {name}"
        remedy = "mend what is named, or ask who set the policy"
    else:
        return []
    return [Finding(code, subject, told, words, remedy)]


def _wants_more(state: Objects, owner: Item) -> bool:
    """The owner exists and still wants more pods than it has: its events are not of the past."""
    for item in of_kind(state, owner["kind"]):
        if name_of(item) == owner["name"]:
            has = item.get("status", {}).get("replicas", 0)
            return bool(item["spec"].get("replicas", 1) > has)
    return False


def troubled(seen: Observed) -> list[Finding]:
    """Pods that do not come up, the component that others need first."""
    waiting = {one.subject.partition("/")[2] for one in volumes.claims(seen)}
    found = [
        one
        for one in pods.findings(seen.state, pods.PATIENCE, seen.logs)
        if not (one.code == "POD-PENDING" and _claims_of(seen, one.subject) & waiting)
    ]
    # Of one component's pods the one that says why comes first.
    found.sort(key=lambda one: (_rank(seen.state, one.subject), one.code in VAGUE))
    down = {component_named(seen.state, one.subject) for one in found} | _down(seen)
    return [one for one in found if not ("postgres" in down and _only_waits(seen.state, one))]


def _claims_of(seen: Observed, subject: str) -> set[str]:
    """The names of the volume claims of a pod."""
    pod = next(one for one in seen.of("Pod") if subject_of(one) == subject)
    sources = [one.get("persistentVolumeClaim") for one in pod["spec"].get("volumes", [])]
    return {one["claimName"] for one in sources if one}


def _only_waits(state: Objects, finding: Finding) -> bool:
    """A backend whose trouble is explained by a database that does not run."""
    return component_named(state, finding.subject) == "backend" and finding.code in WAITS


def _down(seen: Observed) -> set[str]:
    """Components without a pod that is ready."""
    ready = {component_of(pod) for pod in seen.of("Pod") if is_ready(pod)}
    return {component_of(item) for item in _workloads(seen)} - ready


def _workloads(seen: Observed) -> Objects:
    return [*seen.of("StatefulSet"), *seen.of("Deployment")]


def _rank(state: Objects, subject: str) -> int:
    component = component_named(state, subject)
    return COMPONENTS.index(component) if component in COMPONENTS else len(COMPONENTS)


def scaled(seen: Observed) -> list[Finding]:
    """Workloads that are paused or scaled to zero."""
    waiting = rollout.unready(seen.state)
    found = []
    for item in _workloads(seen):
        name, subject = name_of(item), subject_of(item)
        if item["spec"].get("paused") and subject in waiting:
            found.append(
                Finding(
                    "ROLLOUT-PAUSED",
                    subject,
                    f"the rollout of {name} is paused",
                    "spec.paused: true",
                    f"kubectl rollout resume {subject}",
                )
            )
        if item["spec"].get("replicas") == 0 and component_of(item) in COMPONENTS:
            found.append(
                Finding(
                    "SCALED-TO-ZERO",
                    subject,
                    f"{name} is scaled to 0 pods",
                    "spec.replicas: 0",
                    f"kubectl scale {subject} --replicas=1, or invoke install",
                )
            )
    return found


def stale(seen: Observed) -> list[Finding]:
    """Workloads whose pods run another image than the node has under that name."""
    return [
        Finding(
            "IMAGE-STALE",
            name,
            f"{name} runs an older image than the node has under the same name",
            remedy="`invoke deploy` starts its pods anew",
        )
        for name in seen.stale
    ]
