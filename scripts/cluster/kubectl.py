"""kubectl with this project's own context, never the current one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.session import answers
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found


def kubectl(run: Run, tools: Mapping[str, Found], *arguments: str, **options: Any) -> Result:
    """Run kubectl with this project's own context, never the current one."""
    return run.shell.run(
        tools["kubectl"].path, "--context", run.settings.context, *arguments, **options
    )


def get_items(run: Run, tools: Mapping[str, Found], *arguments: str) -> list[dict[str, Any]]:
    """Return the items of `kubectl get ... -o json`. Each has a kind and a name.

    Raises COMMAND-FAILED for anything else.
    """
    return items_of(kubectl(run, tools, "get", *arguments, "-o", "json").stdout)


def items_of(text: str) -> list[dict[str, Any]]:
    """Return the items of a list in JSON, without what is null in them."""
    read = answers.read(text, "kubectl")
    with answers.understood("kubectl"):
        items: list[dict[str, Any]] = [*read.get("items", [])]
        for one in items:
            one["kind"].lower(), one["metadata"]["name"].lower()
        return items
