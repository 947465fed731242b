"""Deploy apps that others made, one after another, and walk through each as a person would.

nox -s apps -- FOLDER...        (or a file with one folder a line: @list.txt)

Each app is deployed unmodified by `invoke deploy`, used by `invoke verify --journey --restart`, and
taken away again. What came of it is one JSON object a line in artifacts/apps/results.jsonl; an app
that has a line there is not tried again, so a run that was cut off goes on where it was. Delete the
file, or a line, to try anew. The table at the end is what docs/apps.md shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.session.settings import ROOT, Settings

RESULTS = ROOT / "artifacts" / "apps" / "results.jsonl"
LIMIT = 900  # seconds for one command
#: Names under which apps want the key of a model's provider. None of these keys is a real one.
PROVIDERS = (
    "ANTHROPIC_API_KEY", "COHERE_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY",
    "HF_TOKEN", "HUGGINGFACE_API_KEY", "MISTRAL_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What came of one app.

    status: of the deploy. code, line: of its first finding, empty if it had none.

    journey: the verdict of the person's way through the app. steps: its steps and their results.
    seconds: of the deploy.
    """

    app: str
    status: int
    code: str
    line: str
    journey: str
    steps: dict[str, str]
    seconds: float


def _invoke(app: str, *arguments: str) -> tuple[int, list[dict[str, str]], float]:
    """Run a task with --json: its exit status, its events, and the seconds that it took."""
    keys = {name: f"not-a-real-key-{name.lower()}" for name in PROVIDERS}
    started = time.monotonic()
    command = [sys.executable, "-m", "invoke", *arguments, "--json", "--yes", "--app", app]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**keys, **os.environ},
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, status = (error.stdout or b"").decode(errors="replace"), 124
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return status, events, time.monotonic() - started


def try_app(app: str) -> Result:
    """Deploy one app, walk through it, and take it away."""
    status, events, seconds = _invoke(app, "deploy")
    findings = [one for one in events if one["event"] == "finding"]
    first = findings[0] if findings else {"name": "", "summary": ""}
    verdict, steps = "", {}
    if status in (0, 21):  # it runs; 21: and something of it does not work
        _, events, _ = _invoke(app, "verify", "--journey", "--restart")
        rows = [one["row"] for one in events if one["event"] == "row" and one["name"] == "Journey"]
        steps = {one["step"]: f"{one['result']} {one['evidence']}".strip() for one in rows}
        said = [one["summary"] for one in events if one["event"] == "finding"]
        verdict = steps.pop("verdict", f"no verdict {' '.join(said[:1])}")
    _invoke(app, "undeploy")
    return Result(app, status, first["name"], first["summary"], verdict, steps, round(seconds, 1))


def _listed(words: Iterable[str]) -> list[str]:
    for word in words:
        if word.startswith("@"):
            yield from (line for line in Path(word[1:]).read_text().splitlines() if line.strip())
        else:
            yield word


def _known() -> dict[str, Result]:
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {one.app: one for one in (Result(**json.loads(line)) for line in lines)}


def show(results: Iterable[Result]) -> None:
    """The table of apps, and how many ended how."""
    table = Table("app", "deploy", "s", "journey", "first line", box=None, pad_edge=False)
    found = list(results)
    for one in found:
        name = Settings.load({}, one.app).release.name
        state = "ok" if one.status == 0 else f"{one.status} {one.code}"
        table.add_row(name, state, f"{one.seconds:.0f}", one.journey[:60], one.line[:110])
    console = Console(width=240, soft_wrap=True)
    console.print(table)
    ways = Counter(one.journey.split(" ")[0] or f"{one.code or one.status}" for one in found)
    console.print(f"{len(found)} apps: " + ", ".join(f"{n} {way}" for way, n in ways.most_common()))


def main(words: list[str]) -> None:
    """Try each folder that has no result yet, then show all."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    wanted = [str(Path(word).expanduser().resolve()) for word in _listed(words)]
    for app in wanted:
        if app in _known():
            continue
        print(f"{time.strftime('%H:%M:%S')}  {app}", flush=True)
        result = try_app(app)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        print(f"          {result.status} {result.code} {result.line}", flush=True)
        print(f"          {result.journey}", flush=True)
    show(one for one in _known().values() if one.app in wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
