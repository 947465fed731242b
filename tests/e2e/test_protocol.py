"""An assistant in an editor, on the live cluster: every tool of `invoke mcp` is called once."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from scripts.checks import protocol
from scripts.release.dev import MARK
from scripts.session.settings import ROOT


@pytest.fixture
def talk(tmp_path):
    """Speak with a server that may change things: `talk(conversation)`."""
    arguments = ["-m", "invoke", "--search-root", str(ROOT), "mcp", "--allow-changes"]
    server = StdioServerParameters(command=sys.executable, args=arguments, cwd=tmp_path)

    def talk(conversation):
        async def main():
            async with Client(stdio_client(server)) as client:
                return await conversation(client)

        with ThreadPoolExecutor(1) as apart:  # the browser's library keeps a loop in this thread
            return apart.submit(anyio.run, main).result()

    return talk


async def _call(client, name, **arguments):
    said = await client.call_tool(name, arguments)
    return protocol.Answer(**said.structured_content)


def test_every_tool_answers(talk):
    async def use(client):
        names = [one.name for one in (await client.list_tools()).tools]
        wanted = [name for name in names if not name.startswith(("dev_", "rollback", "verify"))]
        answers = {name: await _call(client, name) for name in wanted}
        answers["verify"] = await _call(client, "verify", journey=True)
        answers["rollback"] = await _call(client, "rollback", revision=999_999)
        return answers

    answers = talk(use)
    back = answers.pop("rollback")
    assert [one.code for one in back.findings] == ["ROLLBACK-FAILED"]
    assert {name: one.status for name, one in answers.items() if one.status} == {}
    assert any(
        row["name"].startswith("todo-app-backend-") for row in answers["status"].tables["Pods"]
    )
    assert any(one.startswith("install: ") for one in answers["plan_deploy"].stages)
    assert any("Nothing is wrong" in one for one in answers["diagnose"].notes)
    assert "verdict" in {row["step"] for row in answers["verify"].tables["Journey"]}


def test_the_dev_loop_ends_with_the_conversation(talk, as_json, run):
    # As for a program that a shell started with `&`: it hears no Ctrl-C, and so do its children.
    was = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def develop(client):
        begun = await _call(client, "dev_start", component="backend")
        return begun, as_json("get", "service", "todo-app-backend")["spec"]["selector"]

    try:
        begun, selector = talk(develop)
    finally:
        signal.signal(signal.SIGINT, was)
    assert begun.status == 0 and any("Edit " in one for one in begun.notes)
    assert MARK in selector, "edits are served"

    def deployed_pods_serve():  # the client gives the server two seconds, and the loop takes longer
        return MARK not in as_json("get", "service", "todo-app-backend")["spec"]["selector"]

    assert run.shell.until(deployed_pods_serve, 60)
