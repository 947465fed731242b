"""What a journey is made of: its steps, and what they say together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["passed", "failed", "not found", "not judged"]
Verdict = Literal["works", "degraded", "not judged"]

SIGN_UP, LOG_IN, ADD = "sign up", "log in", "add a todo"
AGAIN, RESTARTED, CHAT, CLEAN = "see it again", "see it after a restart", "chat", "take it away"


@dataclass(frozen=True)
class Step:
    """One thing that a person would do, and what came of it.

    request: the one that failed or decided, as `POST /auth/signup`. code: its HTTP status, 0
    without an answer. said: the answer's words, or what the page shows. log: the backend's line of
    that moment. screenshot: a file, empty without one.
    """

    name: str
    status: Status
    request: str = ""
    code: int = 0
    said: str = ""
    log: str = ""
    screenshot: str = ""

    @property
    def line(self) -> str:
        """The step in one line."""
        told = f"{self.request} answers {self.code or 'nothing'}" if self.request else ""
        if self.status == "passed" or not self.said:
            return f"{self.name}: {self.status}" + (f" ({told or self.said})" if told else "")
        return f"{self.name}: {self.status}: " + ": ".join(
            part for part in (told, self.said) if part
        )


@dataclass(frozen=True)
class Journey:
    """All steps in the order they were taken.

    way: `browser` or `api`. notes: what is worth saying and no failure. seconds: how long it took.
    """

    way: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[Step, ...]:
        """The steps that failed, the first is the cause."""
        return tuple(step for step in self.steps if step.status == "failed")

    @property
    def verdict(self) -> Verdict:
        """Degraded when a step failed; works when a todo, or an account where there are no todos,
        was seen.
        """
        if self.failed:
            return "degraded"
        passed = {step.name for step in self.steps if step.status == "passed"}
        unsure = {step.name for step in self.steps if step.status == "not judged"}
        if AGAIN in passed or (LOG_IN in passed and not unsure & {ADD, AGAIN}):
            return "works"
        return "not judged"

    def step(self, name: str) -> Step | None:
        """The last step of this name."""
        return next((one for one in reversed(self.steps) if one.name == name), None)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "verdict": self.verdict}
