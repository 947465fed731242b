"""An image is tried with what its pods will have; docker is played by a script."""

import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.images import beside, trials
from scripts.images.plans import Plan
from scripts.machine.engine import Engine
from scripts.session.findings import Failure
from scripts.session.shell import Interrupted, Shell

ENGINE = Engine("docker", "20.10.24", "/nowhere", "overlay2", 2, 1 << 34)
PLAN = Plan(
    "todo-chatbot-backend",
    "todo-chatbot-backend:1",
    "",
    Path("backend.Dockerfile"),
    Path(),
    (),
    {},
    8001,
    "/health",
    environment={"DATABASE_URL": "postgresql://trial:trial@127.0.0.1:5432/trial"},
    postgres="postgres:16",
)


@pytest.fixture
def docker(stub, tmp_path):
    """Docker: the database is container `db`, the app `app`; asked keeps each command line."""

    def make(app="exit 0", migration="exit 0"):
        stub(
            "docker",
            f"""[ "$1" = logs ] || printf '%s|' "$@" | tr '\\n' ' ' >> {tmp_path}/asked
            echo >> {tmp_path}/asked
            case "$*" in
                *postgres:16*) echo db ;;
                exec*pg_isready*) exit 0 ;;
                exec*cat*) echo certificate ;;
                *--rm*) {migration} ;;
                run*) echo app ;;
                port*) echo 127.0.0.1:1 ;;
                container*) echo false ;;
                logs*) {app} ;;
            esac""",
        )
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return make


def _code(caught):
    return caught.value.findings[0].code


def test_an_app_that_needs_postgresql_is_tried_beside_it(make_run, docker):
    asked = docker("echo ModuleNotFoundError: no such module")
    with pytest.raises(Failure, match="no such module") as caught:
        trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:1", PLAN)
    assert _code(caught) == "IMAGE-RUN-FAILED"
    database, app = (line for line in asked() if line.startswith("run|"))
    assert "|--publish|127.0.0.1::8001|" in database
    (name,) = re.findall(r"\|--name=(phase4-trial-\w+)\|", database)
    assert f"|--network|container:{name}|--env=DATABASE_CA=certificate" in app
    assert "|--env=DATABASE_URL=postgresql://trial:trial@127.0.0.1:5432/trial|" in app
    assert "--read-only" not in app
    assert [line for line in asked() if line.startswith("port|")] == [f"port|{name}|8001/tcp|"]


def test_containers_of_a_run_that_is_ended_are_removed_by_their_names(make_run, docker, tmp_path):
    """Its `docker run` says no ID any more, and the engine makes the container all the same."""
    run = make_run()
    docker()

    def ended(*_, **__):
        run.shell.cancel()
        raise Interrupted

    run.shell.run = ended
    with pytest.raises(Interrupted):
        trials.try_alone(run, ENGINE, "todo-chatbot-backend:1", PLAN)
    told = tmp_path / "asked"  # nobody waits for `docker rm`
    removed = r"rm\|--force\|--volumes\|phase4-trial-\w+\|"
    assert Shell().until(lambda: told.exists() and re.search(removed, told.read_text()), 10, 0.05)


def test_what_a_killed_run_had_tried_is_removed_before_anything_is_tried(make_run, stub, tmp_path):
    told = tmp_path / "asked"
    stub("docker", f'echo "$*" >> {told}; case "$1" in ps) echo abc; echo def ;; esac')
    beside.discard_left(make_run(), ENGINE)
    assert told.read_text().splitlines() == [
        "ps --all --quiet --filter label=phase4.trial=todo-chatbot",
        "rm --force --volumes abc def",
    ]


def test_beside_its_database_a_refused_connection_is_a_failure(make_run, docker):
    docker("echo OperationalError: Connection refused")
    with pytest.raises(Failure, match="Connection refused"):
        trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:1", PLAN)


def test_tables_that_cannot_be_made_are_named_before_anything_serves(make_run, docker):
    asked = docker(migration="echo 'CommandError: no such revision'; exit 1")
    plan = replace(PLAN, before=("alembic", "upgrade", "head"))
    with pytest.raises(Failure, match="no such revision"):
        trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:1", plan)
    assert len([line for line in asked() if line.startswith("run|")]) == 2


def test_a_migration_that_needs_tables_of_nexts_accounts_is_tried_in_the_cluster(
    make_run, docker, said
):
    missing = 'relation \\"user\\" does not exist'
    docker(migration=f'echo "{missing}" >&2; exit 1')
    wanted = replace(PLAN, before=("python3", "-m", "phase4.again", "alembic", "upgrade", "head"))
    trials.try_alone(make_run(), ENGINE, "app:1", wanted)
    assert any("needs the tables of Next's accounts" in line for line in said)
    with pytest.raises(Failure):
        trials.try_alone(make_run(), ENGINE, "app:1", replace(wanted, before=("alembic",)))


def test_ours_is_tried_alone_and_can_write_nothing_but_its_data(make_run, docker):
    asked = docker("echo OperationalError: Connection refused")
    plan = replace(PLAN, postgres="", read_only=True)
    trials.try_alone(make_run(), ENGINE, "todo-chatbot-backend:1", plan)
    (app,) = (line for line in asked() if line.startswith("run|"))
    assert "|--read-only|--tmpfs=/tmp|" in app


def test_a_program_that_takes_no_plain_http_says_so(tmp_path):
    class ToHttps(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(301)
            self.send_header("Location", f"https://{self.headers['Host']}{self.path}")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), ToHttps) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = trials._refusal(f"http://127.0.0.1:{server.server_port}/health")
        server.shutdown()
    assert answer.endswith("/health sends every request on to https")
    finding = trials._failed(PLAN, "app:1", answer, "WARNING:  Invalid HTTP request").findings[0]
    assert "backend sends every request on to https" in finding.summary
    assert "DEBUG=true" in finding.remedy
