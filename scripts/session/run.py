"""One run: the settings, the shell, and how to talk to the person who started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scripts.session.settings import Settings
from scripts.session.shell import Shell


def _nobody(_question: str, _secret: bool) -> str:
    return ""


def _no_point(_name: str) -> None:
    pass


@dataclass(frozen=True)
class Run:
    """What every stage is given.

    say: shows one line of progress. confirm: asks before something on the person's machine is
    installed or changed, and returns the answer; an unattended run says what it does and goes on.
    ask: asks for a value, empty when nobody is there; a secret is not shown. attended: a person
    answers, and the answer is worth keeping. reached: tells the pipeline that a milestone is
    passed.
    """

    settings: Settings
    shell: Shell
    say: Callable[[str], None]
    confirm: Callable[[str], bool]
    ask: Callable[[str, bool], str] = _nobody
    attended: bool = False
    reached: Callable[[str], None] = _no_point

    def saying(self, say: Callable[[str], None]) -> Run:
        """Return the same run with another `say`."""
        return replace(self, say=say)

    def reaching(self, reached: Callable[[str], None]) -> Run:
        """The same run, telling `reached` about milestones."""
        return replace(self, reached=reached)
