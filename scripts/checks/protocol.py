"""The tasks as tools of the Model Context Protocol, for an assistant in an editor.

Each tool is a task of its own process, with --json: what a person would run, with the same locks,
the same masked secrets and the same findings. Tools that change something are offered only to whom
the person allows it. The protocol runs over standard input and output; its package, `mcp`, is in
requirements-mcp.txt.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Sequence
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.text import TextReceiveStream
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resources import TextResource
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from scripts.session.findings import INTERRUPTED
from scripts.session.settings import ROOT, Settings

MOST = 20_000  # characters of a text, of which the end is kept
SECTION = re.compile(r"^### ([A-Z0-9-]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
INSTRUCTIONS = """\
This project puts a Next.js + FastAPI + PostgreSQL app on a local Kubernetes and proves that it
works. Ask `diagnose` first when something does not work: its first finding is the cause. A finding
has a code; the resource troubleshooting://CODE explains it. Names of objects that no tool has shown
do not exist."""


class Finding(BaseModel):
    """Something that is wrong, the cause first."""

    code: str = Field(description="explained by the resource troubleshooting://CODE")
    subject: str
    summary: str
    evidence: str = ""
    remedy: str = ""


class Answer(BaseModel):
    """What a task said."""

    status: int = Field(description="exit status: 0 is success; TROUBLESHOOTING.md has the others")
    findings: list[Finding] = []
    tables: dict[str, list[dict[str, str]]] = Field(
        default={}, description="rows by the table's title"
    )
    notes: list[str] = []
    stages: list[str] = Field(default=[], description="what was done, or would be done, in order")


def read_events(lines: Sequence[str], status: int) -> Answer:
    """Put the events of a task, one JSON object a line, together."""
    answer = Answer(status=status)
    for line in lines:
        if not line.startswith("{"):
            continue
        event: dict[str, Any] = json.loads(line)
        kind, name = event.pop("event"), event.pop("name")
        event.pop("at")
        if kind == "finding":
            answer.findings.append(Finding(code=name, **event))
        elif kind == "row":
            row = {column: str(value) for column, value in event["row"].items()}
            answer.tables.setdefault(name, []).append(row)
        elif kind == "note":
            answer.notes.append(_end_of(event["text"]))
        elif kind == "finished":
            answer.stages.append(f"{name}: {event['summary']}")
        elif kind == "planned":
            told = [*event["said"], *event["commands"]] or [event["summary"]]
            answer.stages.append(f"{name}: " + "; ".join(filter(None, told))[:MOST])
    return answer


def _end_of(text: str) -> str:
    return text if len(text) <= MOST else f"[only the end of it:]\n{text[-MOST:]}"


class Tasks:
    """Runs tasks for one app on one cluster, within `serving`.

    app: its folder, context: the kubeconfig's; empty for those of the settings.
    """

    def __init__(self, app: str, context: str = "") -> None:
        self._app, self._context = app, context
        self._loop: Process | None = None
        self._turn = anyio.Lock()  # one at a time starts or ends the dev loop
        self._group: TaskGroup

    @contextlib.asynccontextmanager
    async def serving(self, _: MCPServer) -> AsyncIterator[None]:
        """Everything that was begun ends with the conversation."""
        async with anyio.create_task_group() as self._group:
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    await self.stop()

    async def _start(self, name: str, options: Sequence[str]) -> Process:
        command = [sys.executable, "-m", "invoke", name, "--json", *options]
        command += ["--app", self._app] if self._app else []
        command += ["--context", self._context] if self._context else []
        return await anyio.open_process(
            command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=None, start_new_session=True
        )

    async def run(self, context: Context, name: str, *options: str) -> Answer:
        """Run a task to its end, and report its stages meanwhile."""
        process = await self._start(name, options)
        lines: list[str] = []
        try:
            async for line in _lines(process):
                lines.append(line)
                if '"event": "finished"' in line:
                    event = json.loads(line)
                    done = f"{event['name']}: {event['summary']}"
                    await context.report_progress(len(lines), message=done)
            return read_events(lines, await process.wait())
        finally:
            await _end(process)

    async def begin(self, component: str) -> Answer:
        """Start the dev loop, and come back when edits are served, or when it failed."""
        async with self._turn:
            await self._stop()
            process = await self._start("dev", _option("--component", component))
            lines: list[str] = []
            try:
                async for line in _lines(process):
                    lines.append(line)
                    if '"event": "note"' in line and "Ctrl-C ends" in line:
                        break
                else:
                    return read_events(lines, await process.wait())
            except BaseException:
                await _end(process)
                raise
            self._loop = process
            self._group.start_soon(_drain, process)
            return read_events(lines, 0)

    async def stop(self) -> Answer:
        """End the dev loop: the deployed pods serve again."""
        async with self._turn:
            return await self._stop()

    async def _stop(self) -> Answer:
        process, self._loop = self._loop, None
        if process is None:
            return Answer(status=0, notes=["no dev loop runs"])
        if process.returncode is None:
            process.terminate()  # as Ctrl-C; SIGINT itself is ignored below `nohup` and `&`
        with anyio.CancelScope(shield=True):
            status = await process.wait()
        return Answer(status=0 if status == INTERRUPTED else status, notes=["the loop has ended"])


async def _drain(process: Process) -> None:
    """Read what nobody needs: the program would wait for room in its pipe."""
    if process.stdout:
        async for _ in process.stdout:
            pass


async def _lines(process: Process) -> AsyncIterator[str]:
    """The lines of a program's output, as they come."""
    assert process.stdout
    rest = ""
    async for text in TextReceiveStream(process.stdout, errors="replace"):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line
    if rest:
        yield rest


async def _end(process: Process) -> None:
    """Interrupt a task that still runs, as Ctrl-C does, and wait until it has cleaned up."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()  # as Ctrl-C; SIGINT itself is ignored below `nohup` and `&`
            await _drain(process)
        await process.wait()


def server(settings: Settings, allow_changes: bool) -> MCPServer:
    """Make the server. allow_changes: also tools that deploy, go back and develop."""
    tasks = Tasks(settings.app.path, settings.cluster.context)
    made = MCPServer(
        "phase4", instructions=INSTRUCTIONS, log_level="WARNING", lifespan=tasks.serving
    )
    _add_reading(made, tasks)
    if allow_changes:
        _add_changing(made, tasks)
    for code, text in SECTION.findall((ROOT / "TROUBLESHOOTING.md").read_text(encoding="utf-8")):
        uri = f"troubleshooting://{code}"
        made.add_resource(
            TextResource(uri=uri, name=code, text=text.strip(), mime_type="text/markdown")
        )
    return made


def _add_reading(made: MCPServer, tasks: Tasks) -> None:
    reads = made.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))

    @reads
    async def survey(context: Context) -> Answer:
        """What the app is made of, and which database it wants, with the lines that say so."""
        return await tasks.run(context, "survey")

    @reads
    async def status(context: Context) -> Answer:
        """What runs: pods, services, ingress, release."""
        return await tasks.run(context, "status")

    @reads
    async def health(context: Context) -> Answer:
        """How it runs: use against limits, restarts, log lines by level, warnings."""
        return await tasks.run(context, "health")

    @reads
    async def logs(context: Context, component: str = "") -> Answer:
        """The last 200 lines of each pod. component: frontend, backend or postgres; else all."""
        return await tasks.run(context, "logs", *_option("--component", component))

    @reads
    async def history(context: Context) -> Answer:
        """The release's revisions and the images that each ran."""
        return await tasks.run(context, "history")

    @reads
    async def apps(context: Context) -> Answer:
        """The apps on the cluster: name, address, revision, folder."""
        return await tasks.run(context, "apps")

    @reads
    async def plan_deploy(context: Context) -> Answer:
        """What a deploy would do now, command by command. Nothing is done."""
        return await tasks.run(context, "deploy", "--dry-run")

    signs_up = made.tool(
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, open_world_hint=False
        )
    )

    @signs_up
    async def diagnose(context: Context) -> Answer:
        """What is wrong, from the machine up to the page, the cause first.

        Where nothing is, an account of its own saves a todo through the API, and takes it away.
        """
        return await tasks.run(context, "diagnose")

    @signs_up
    async def verify(context: Context, journey: bool = False) -> Answer:
        """Every acceptance line of the plan with its evidence; it signs up an account to see.

        journey: only the way of a person through the app, in a browser where there is one.
        """
        return await tasks.run(context, "verify", *(["--journey"] if journey else []))


def _add_changing(made: MCPServer, tasks: Tasks) -> None:
    changes = made.tool(
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, open_world_hint=False
        )
    )

    @changes
    async def deploy(context: Context) -> Answer:
        """Bring what is in the app's folder to the cluster, and prove that it works."""
        return await tasks.run(context, "deploy")

    @changes
    async def rollback(context: Context, revision: int = 0) -> Answer:
        """Go back to an earlier revision; 0 is the newest good one before the present."""
        return await tasks.run(context, "rollback", *_option("--revision", revision))

    @changes
    async def dev_start(component: str = "") -> Answer:
        """Serve edits of the app's files at once, until dev_stop. component: backend, frontend."""
        return await tasks.begin(component)

    @changes
    async def dev_stop() -> Answer:
        """End the dev loop; the deployed pods serve again."""
        return await tasks.stop()


def _option(name: str, value: object) -> list[str]:
    return [f"{name}={value}"] if value else []  # one word: a value is never read as an option
