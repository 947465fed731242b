"""kubectl with this project's own context, never the current one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found


def kubectl(run: Run, tools: Mapping[str, Found], *arguments: str, **options: Any) -> Result:
    """Run kubectl with this project's own context, never the current one."""
    return run.shell.run(
        tools["kubectl"].path, "--context", run.settings.context, *arguments, **options
    )


def get_items(run: Run, tools: Mapping[str, Found], *arguments: str) -> list[dict[str, Any]]:
    """Return the items of `kubectl get ... -o json`."""
    items: list[dict[str, Any]] = json.loads(
        kubectl(run, tools, "get", *arguments, "-o", "json").stdout
    )["items"]
    return items
