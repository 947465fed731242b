"""One run: the settings, the shell, and the ways to speak to the person who started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scripts.session.settings import Settings
from scripts.session.shell import Shell


def _nobody(_question: str, _secret: bool) -> str:
    return ""


@dataclass(frozen=True)
class Run:
    """What every stage is given.

    say: shows one line of progress. confirm: asks before something on the person's machine is installed or changed and
    returns the answer; an unattended run says what it does and goes on. ask: asks for a value (a secret is not shown), empty when nobody is there.
    attended: a person answers; what was answered is worth keeping.
    """

    settings: Settings
    shell: Shell
    say: Callable[[str], None]
    confirm: Callable[[str], bool]
    ask: Callable[[str, bool], str] = _nobody
    attended: bool = False

    def saying(self, say: Callable[[str], None]) -> Run:
        """The same run, speaking through `say`."""
        return replace(self, say=say)
