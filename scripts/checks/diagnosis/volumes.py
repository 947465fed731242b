"""Volume claims that get no volume."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.checks.diagnosis.observed import Item, Observed, name_of, of_kind
from scripts.session.findings import Finding


def claims(seen: Observed) -> list[Finding]:
    """Claims that stay pending, though no pod has to come first."""
    classes = {name_of(one): one for one in of_kind(seen.cluster, "StorageClass")}
    found = []
    for claim in seen.of("PersistentVolumeClaim"):
        if claim["status"].get("phase") != "Pending":
            continue
        name, words = name_of(claim), _last_event(seen, name_of(claim))
        why = _why(claim["spec"].get("storageClassName"), classes, words)
        if why:
            told = f"the claim {name} gets no volume: {why[0]}"
            subject = f"persistentvolumeclaim/{name}"
            found.append(Finding("CLAIM-PENDING", subject, told, words, why[1]))
    return found


def _why(wanted: str | None, classes: Mapping[str, Item], words: str) -> tuple[str, str] | None:
    """Why a pending claim gets no volume, and the remedy; None when it only waits for its pod."""
    if not wanted:
        return (
            "it names no storage class, and the cluster has no default",
            "`invoke cluster-up` adds one to a cluster of ours",
        )
    if classes and wanted not in classes:
        return (
            f"its storage class {wanted} does not exist",
            f"there are: {', '.join(classes) or 'none'}; name one of them, or leave it out",
        )
    if "waiting for first consumer" in words:
        return None
    provisioner = classes.get(wanted, {}).get("provisioner", "?")
    return (
        f"the provisioner of {wanted} makes no volume",
        f"is it running? kubectl get pods -A; its name is {provisioner}",
    )


def _last_event(seen: Observed, name: str) -> str:
    events = [one for one in seen.of("Event") if one["involvedObject"].get("name") == name]
    return str(events[-1].get("message", "")) if events else ""
