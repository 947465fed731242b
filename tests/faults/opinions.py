"""How often does an assistant name the cause? Asked about each fault while it is there.

`nox -s faults -- --model` asks a model on this machine twice: as `invoke diagnose --ai` does, with
the findings of the built-in diagnosis, and without them, with what kubectl shows anybody. An answer
names the cause if it names the object of the first finding, and nothing that does not exist.
"""

import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from scripts.checks import assistants, model
from scripts.cluster.kubectl import kubectl
from scripts.session.settings import ROOT

KEPT = ROOT / "artifacts" / "faults" / "opinions.jsonl"
TIMEOUT = 120.0  # seconds for an answer, as `--ai` allows


@dataclass(frozen=True)
class Asked:
    """One question about one fault.

    grounded: the findings were in the question. names: the answer names the object of the first
    finding. invented: objects in the answer that do not exist. seconds: until the answer was there.
    """

    code: str
    subject: str
    grounded: bool
    names: bool
    invented: tuple[str, ...]
    words: str
    seconds: float


class Opinions:
    """The model, and what it said so far."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "tests.faults.local_model", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        address = self.process.stdout.readline().strip()
        assert address, "the model could not be started"
        self.model = model.Model(f"{address}/v1", "SmolLM2-135M-Instruct")
        self.asked: list[Asked] = []
        KEPT.parent.mkdir(parents=True, exist_ok=True)

    def ask(self, run, found, findings):
        """Ask about a fault that the diagnosis has just named, both ways."""
        scope = ("-n", run.settings.release.namespace)
        shown = kubectl(run, found, "get", "pods,svc,ingress,pvc", *scope).stdout.splitlines()
        events = ("get", "events", *scope, "--field-selector=type=Warning", "--no-headers")
        shown += kubectl(run, found, *events).stdout.splitlines()[-10:]
        names = assistants.names_on(run, found)
        whole = assistants.question(findings, shown, names)
        bare = "\n".join(line for line in whole.splitlines() if not line.startswith("finding "))
        for grounded, question in ((True, whole), (False, bare)):
            began = time.monotonic()
            try:
                words = model.ask(self.model, question, TIMEOUT)
            except model.NoAnswer as error:
                words = f"[no answer: {error}]"
            subject = findings[0].subject.rpartition("/")[2]
            invented = assistants.unknown(run, words, names)
            one = Asked(
                findings[0].code,
                findings[0].subject,
                grounded,
                subject in words and not invented,
                invented,
                words,
                round(time.monotonic() - began, 1),
            )
            self.asked.append(one)
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(one)) + "\n")

    def summary(self):
        """One line a way of asking."""
        for grounded in (True, False):
            answers = [one for one in self.asked if one.grounded is grounded]
            right = sum(one.names for one in answers)
            invented = sum(bool(one.invented) for one in answers)
            way = "with the findings" if grounded else "without the findings"
            yield (
                f"{way}: {len(answers)} answers, {right} name the object and invent none, "
                f"{invented} invent objects"
            )
