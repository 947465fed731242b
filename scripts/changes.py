"""What an upgrade changes: the rendered objects against those of the deployed revision, field by field, without any secret's value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Objects = Iterable[Mapping[str, Any]]
ABSENT = object()
#: Changes with every version of the chart and of the app, and tells nothing.
NOISE = ("helm.sh/chart", "app.kubernetes.io/version")


def between(old: Objects, new: Objects) -> list[str]:
    """One line a difference: `+ kind/name`, `- kind/name`, or `kind/name field: old -> new`. Hooks run anew each time and are left out."""
    before, after = _by_name(old), _by_name(new)
    lines = [f"- {name}" for name in before if name not in after]
    for name, item in after.items():
        if name not in before:
            lines.append(f"+ {name}")
        else:
            lines += [f"~ {name} {path}: {_shown(name, was)} -> {_shown(name, now)}" for path, was, now in _differences(before[name], item)]
    return lines


def _by_name(objects: Objects) -> dict[str, Mapping[str, Any]]:
    return {
        f"{item['kind'].lower()}/{item['metadata']['name']}": item
        for item in objects
        if item and "helm.sh/hook" not in (item["metadata"].get("annotations") or {})
    }


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in NOISE:
                yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif _named(old) and _named(new):
        # Containers, variables and volumes are known by their names, not by their places.
        yield from _differences({one["name"]: one for one in old}, {one["name"]: one for one in new}, path)
    elif old != new:
        yield path, old, new


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) and "name" in one for one in value)


def _shown(name: str, value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    if name.startswith("secret/"):
        return "********"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
