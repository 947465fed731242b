"""Secrets and ConfigMaps that workloads need."""

from __future__ import annotations

import re

from scripts.checks.diagnosis.observed import Item, Observed, name_of, once, subject_of
from scripts.session.findings import Finding

KINDS = ("secret", "configMap")
#: Keys that must have a value. An empty key of a provider is a choice: the app does without it.
NEEDED = re.compile("SECRET|PASSWORD|DATABASE_URL")


def missing(seen: Observed) -> list[Finding]:
    """Secrets, ConfigMaps and keys that a workload names and that do not exist.

    Pods that run go on; the next one will not start.
    """
    if seen.secrets is None:
        return []
    maps = {name_of(one): set(one.get("data", {})) for one in seen.of("ConfigMap")}
    have = {"secret": {name: set(keys) for name, keys in seen.secrets.items()}, "configMap": maps}
    found = []
    for item in [*seen.of("StatefulSet"), *seen.of("Deployment")]:
        for container in _containers(item):
            for kind, name, key in _named_in(container):
                if name not in have[kind]:
                    found.append(_finding(item, container, f"{_title(kind)} {name}"))
                elif key and key not in have[kind][name]:
                    found.append(_finding(item, container, f"{_title(kind)} {name} (key {key})"))
    return once(found)


def empty(seen: Observed) -> list[Finding]:
    """Keys of Secrets that workloads use, that must have a value, and that are empty."""
    named = {
        (name, key)
        for item in [*seen.of("StatefulSet"), *seen.of("Deployment")]
        for container in _containers(item)
        for kind, name, key in _named_in(container)
        if kind == "secret"
    }
    secrets = seen.secrets or {}
    return [
        Finding(
            "SECRET-EMPTY",
            f"secret/{name}",
            f"the key {key} of the Secret {name} is empty",
            "a program without its key makes one of its own at each start: "
            "log-ins end with the pod, and replicas do not agree",
            "`invoke deploy` makes a new value; into a Secret of your own, put one yourself",
        )
        for name in sorted({name for name, _ in named})
        for key, filled in secrets.get(name, {}).items()
        if not filled and NEEDED.search(key) and {(name, key), (name, "")} & named
    ]


def _containers(item: Item) -> list[Item]:
    pod = item["spec"].get("template", {}).get("spec", {})
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def _title(kind: str) -> str:
    return kind[0].upper() + kind[1:]


def _finding(item: Item, container: Item, what: str) -> Finding:
    return Finding(
        "CONFIG-MISSING",
        subject_of(item),
        f"{name_of(item)} needs the {what}, which does not exist: its next pod will not start",
        f"container {container['name']}",
        "invoke install",
    )


def _named_in(container: Item) -> list[tuple[str, str, str]]:
    """(secret or configMap, name, key) that a container cannot start without."""
    named = []
    for kind in KINDS:
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get(f"{kind}KeyRef")
            if reference and not reference.get("optional"):
                named.append((kind, reference["name"], reference["key"]))
        for source in container.get("envFrom", []):
            reference = source.get(f"{kind}Ref")
            if reference and not reference.get("optional"):
                named.append((kind, reference["name"], ""))
    return named
