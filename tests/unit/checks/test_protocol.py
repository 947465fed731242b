"""The Model Context Protocol, spoken with the server as an editor does, without a cluster."""

import os
import subprocess
import sys

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from scripts.checks import protocol
from scripts.session.findings import CODES
from scripts.session.settings import ROOT

READING = {
    "survey", "status", "diagnose", "verify", "health", "logs", "history", "apps", "plan_deploy",
}  # fmt: skip
CHANGING = {"deploy", "rollback", "dev_start", "dev_stop"}


@pytest.fixture
def talk(tmp_path):
    """Speak with a server that was started in another folder, as editors do."""

    def talk(conversation, *options):
        arguments = ["-m", "invoke", "--search-root", str(ROOT), "mcp", *options]
        server = StdioServerParameters(command=sys.executable, args=arguments, cwd=tmp_path)

        async def main():
            async with Client(stdio_client(server)) as client:
                return await conversation(client)

        return anyio.run(main)

    return talk


async def _tools(client):
    return {one.name: one for one in (await client.list_tools()).tools}


def test_without_its_package_the_server_says_what_to_install():
    without = "import sys; sys.modules['mcp'] = None; from invoke.main import program; "
    done = subprocess.run(
        [sys.executable, "-c", without + "program.run(['invoke', 'mcp'])"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 10
    assert "EXTRA-MISSING" in done.stderr
    assert "pip install -r requirements-mcp.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_reading_steps_are_offered_unless_a_person_allows_more(talk):
    tools = talk(_tools)
    assert set(tools) == READING
    assert all(one.description and one.output_schema for one in tools.values())
    assert set(talk(_tools, "--allow-changes")) == READING | CHANGING


def test_a_tool_that_is_not_offered_cannot_be_called(talk):
    async def deploy(client):
        return await client.call_tool("deploy", {})

    answer = talk(deploy)
    assert answer.is_error
    assert "deploy" in answer.content[0].text


def test_every_code_of_troubleshooting_is_a_resource(talk):
    async def read(client):
        names = {one.name for one in (await client.list_resources()).resources}
        section = await client.read_resource("troubleshooting://APP-NOT-FOUND")
        return names, section.contents[0].text

    names, text = talk(read)
    assert names == set(CODES)
    assert text == "The folder in `phase4.app.path` does not exist."


def test_a_task_runs_and_tells_its_stages(talk):
    told = []

    async def progress(done, total, message):
        told.append(message)

    async def survey(client):
        return await client.call_tool("survey", {}, progress_callback=progress)

    answer = protocol.Answer(**talk(survey).structured_content)
    assert answer.status == 0
    (rows,) = answer.tables.values()
    assert {"what": "database", "is": "postgres, postgresql (likely; phase4.app.database names "
            "another)"} in rows  # fmt: skip
    assert [one.partition(":")[0] for one in told] == ["check", "survey"]


def test_a_failure_is_an_answer_with_its_code(talk, tmp_path):
    async def survey(client):
        return await client.call_tool("survey", {})

    answer = protocol.Answer(**talk(survey, "--app", str(tmp_path / "nowhere")).structured_content)
    assert answer.status == 14
    assert [one.code for one in answer.findings] == ["APP-NOT-FOUND"]


def test_a_value_is_never_an_option():
    assert protocol._option("--component", "--follow") == ["--component=--follow"]
    assert protocol._option("--component", "") == []


def test_events_that_are_none_and_long_texts_are_bounded():
    note = '{"event": "note", "name": "", "at": 1, "text": "%s"}' % ("x" * 30_000)
    answer = protocol.read_events(["a traceback", note], 70)
    assert answer.status == 70
    assert answer.notes == ["[only the end of it:]\n" + "x" * protocol.MOST]


def test_a_row_may_have_a_column_called_name():
    row = '{"event": "row", "name": "Pods", "at": 1, "row": {"name": "a-1", "ready": "1/1"}}'
    assert protocol.read_events([row], 0).tables == {"Pods": [{"name": "a-1", "ready": "1/1"}]}
