"""The plan's phase 6: documents and records."""

from __future__ import annotations

from collections.abc import Callable

from scripts.checks.acceptance.look import Look
from scripts.session.findings import CODES
from scripts.session.settings import ROOT


def file(*names: str) -> Callable[[Look], str]:
    """Files of these names or patterns are in the repository."""

    def exist(look: Look) -> str:
        del look
        counts = {name: len(list(ROOT.glob(name))) for name in names}
        missing = [name for name, count in counts.items() if not count]
        assert not missing, f"missing: {', '.join(missing)}"
        return ", ".join(
            f"{name} ({count})" if "*" in name else name for name, count in counts.items()
        )

    return exist


def troubles(look: Look) -> str:
    """TROUBLESHOOTING.md has a section for every code."""
    del look
    text = (ROOT / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
    missing = [code for code in CODES if f"### {code}\n" not in text]
    assert not missing, f"not explained: {missing}"
    return f"{len(CODES)} codes explained"
