"""What an upgrade changes, without any secret's value.

The rendered objects are compared with those of the deployed revision, field by field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.session import answers

Objects = Iterable[Mapping[str, Any]]
ABSENT = object()
#: Kubernetes' suffixes of quantities.
UNITS = {
    "": 1,
    "m": 0.001,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
#: Changes with every version of the chart and of the app, and tells nothing.
NOISE = ("helm.sh/chart", "app.kubernetes.io/version")


@answers.understood("kubectl")
def between(old: Objects, new: Objects) -> list[str]:
    """One line a difference: `+ kind/name`, `- kind/name`, or `kind/name field: old -> new`.

    Hooks run anew each time and are left out.
    """
    before, after = _by_name(old), _by_name(new)
    lines = [f"- {name}" for name in before if name not in after]
    for name, item in after.items():
        if name not in before:
            lines.append(f"+ {name}")
        else:
            lines += [
                f"~ {name} {path}: {_shown(name, was)} -> {_shown(name, now)}"
                for path, was, now in _differences(before[name], item)
            ]
    return lines


@answers.understood("kubectl")
def only_images(old: Objects, new: Objects) -> bool:
    """Whether nothing differs but images and the version of the Secret.

    That version is known at the installation only.
    """
    return all(
        re.match(r"~ \S+ \S+\.(image|checksum/secret): ", line)
        for line in between(old, (item for item in new if item["kind"] != "Pod"))
    )


@answers.understood("kubectl")
def drift(wanted: Objects, live: Objects) -> list[str]:
    """What differs on the cluster from what a release rendered.

    There is one line for each object that is gone, and for each field that was changed.

    Only fields that were rendered count: the cluster and its controllers add their own.
    """
    there = _by_name(live)
    lines = []
    for name, item in _by_name(wanted).items():
        if name not in there:
            lines.append(f"{name} is gone")
        else:
            lines += [
                f"{name} {path} is {_shown(name, now)}, not {_shown(name, was)}"
                for path, was, now in _changed(item, there[name])
            ]
    return lines


def _changed(wanted: Any, live: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The fields of `wanted` that `live` has otherwise."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key, value in wanted.items():
            if key == "stringData":
                continue  # a Secret's, which the API server takes in and never gives back
            yield from _changed(value, live.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif _named(wanted) and _named(live):
        yield from _changed(
            {one["name"]: one for one in wanted}, {one["name"]: one for one in live}, path
        )
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for number, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _changed(one, other, f"{path}.{number}")
    elif not _same(wanted, live):
        yield path, wanted, live


def _same(wanted: Any, live: Any) -> bool:
    """Whether two values are equal as the API server keeps them.

    It leaves out what is empty, and writes quantities its own way (0.5 as 500m).
    """
    if live is ABSENT:
        return not wanted
    if isinstance(wanted, Mapping | list) or isinstance(live, Mapping | list):
        return bool(wanted == live)
    return str(wanted) == str(live) or (
        _quantity(wanted) is not None and _quantity(wanted) == _quantity(live)
    )


def _quantity(value: Any) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", str(value))
    return (
        float(match.group(1)) * UNITS[match.group(2)] if match and match.group(2) in UNITS else None
    )


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
                yield from _differences(
                    old.get(key, ABSENT),
                    new.get(key, ABSENT),
                    f"{path}.{key}" if path else str(key),
                )
    elif _named(old) and _named(new):
        # Containers, variables and volumes are known by their names, not by their places.
        yield from _differences(
            {one["name"]: one for one in old}, {one["name"]: one for one in new}, path
        )
    elif old != new:
        yield path, old, new


def _named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, Mapping) and "name" in one for one in value)
    )


def _shown(name: str, value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    if name.startswith("secret/"):
        return "********"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
