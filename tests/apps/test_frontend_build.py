"""A frontend that only `next dev` had seen: built, started beside a database, and used."""

import json
import shutil
import time
from dataclasses import replace

import pytest
import requests

from scripts.app.survey import read
from scripts.images import builds, plans
from scripts.images.context import stage
from scripts.machine import buildkit
from scripts.session.settings import ROOT
from scripts.supply import bases

APP = ROOT / "tests" / "apps" / "only-dev-knew"
NAME = "phase4-frontend-test"


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def image(run, docker, said, tmp_path_factory):
    """Built as a deployment builds it; `said` has what the person is told."""
    folder = tmp_path_factory.mktemp("app") / APP.name
    shutil.copytree(APP, folder)
    # What a step said, it does not say again when BuildKit has its result: packages, then pages.
    manifest, page = (folder / "frontend" / name for name in ("package.json", "app/page.tsx"))
    package = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**package, "description": f"made at {time.time_ns()}"}))
    page.write_text(f"{page.read_text()}// {time.time_ns()}\n")
    app = read(folder, "postgres")
    upstream = bases.from_upstream(run)
    base = bases.ensure(run, docker, ("node", "nginx"), upstream)
    plan = plans._frontend(run, docker, app, base, "2026-01-01", not upstream)
    assert plan.arguments["FOLDER"] == "frontend"
    staged = stage(plan.build_files, tmp_path_factory.mktemp("context"))
    buildkit.build(
        replace(run, say=said.append), docker, plan.dockerfile, staged, (NAME,), plan.arguments,
        explain=builds.explainer(plan),
    )  # fmt: skip
    yield NAME
    run.shell.run(docker.client, "rmi", NAME, check=False)


@pytest.fixture(scope="module")
def address(run, docker, image):
    """The frontend's container, and a database of its own in the same network."""
    postgres = bases.ensure(run, docker, ("postgres",), bases.from_upstream(run))["postgres"]
    run.shell.run(
        docker.client, "run", "--detach", "--name", NAME, "--publish", "127.0.0.1::80",
        "--sysctl", "net.ipv4.ip_unprivileged_port_start=0",
        "--env", "DATABASE_URL=postgresql://postgres:only-here@127.0.0.1:5432/postgres",
        "--env", "BETTER_AUTH_SECRET=only-for-a-test-0123456789abcdef",
        "--env", "BETTER_AUTH_URL=http://todo.localhost:8080", image,
    )  # fmt: skip
    run.shell.run(
        docker.client, "run", "--detach", "--name", f"{NAME}-db", "--network", f"container:{NAME}",
        "--env", "POSTGRES_PASSWORD=only-here", postgres,
    )  # fmt: skip
    port = run.shell.run(docker.client, "port", NAME, "80/tcp").stdout.split()[0]
    assert run.shell.until(lambda: _status(f"http://{port}/") == 200, 90, 0.3)
    yield f"http://{port}"
    for name in (f"{NAME}-db", NAME):
        run.shell.run(docker.client, "rm", "--force", "--volumes", name, check=False)


def _status(url):
    try:
        return requests.get(url, timeout=5).status_code
    except requests.RequestException:
        return 0


def test_what_dev_did_not_check_is_told_with_its_place(image, said):
    told = "\n".join(said)
    assert "types do not fit, built without that check: app/page.tsx:4" in told
    assert "the page /login cannot be made in advance" in told
    assert "the lock file is of another system, added for this one: @next/swc-linux" in told


def test_an_import_from_beside_the_frontend_is_in_the_page(address):
    assert "Only dev knew" in requests.get(address, timeout=10).text


def test_a_page_that_is_made_when_asked_for(address):
    answer = requests.get(f"{address}/login", params={"from": "home"}, timeout=10)
    assert answer.status_code == 200


def test_a_redirect_of_next_itself_stays_on_the_pages_origin(address):
    headers = {"Host": "todo.localhost:8080"}
    answer = requests.get(f"{address}/home", headers=headers, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/login?from=home")


def test_somebody_signs_up_where_drizzle_keeps_the_accounts(address):
    headers = {"Host": "todo.localhost:8080", "Origin": "http://todo.localhost:8080"}
    person = {
        "name": "Ada",
        "email": f"ada-{time.time_ns()}@example.com",
        "password": "a long enough password",
    }
    answer = requests.post(
        f"{address}/api/auth/sign-up/email", json=person, headers=headers, timeout=20
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == person["email"]


def test_its_tables_are_made_once(run, docker, address):
    run.shell.run(docker.client, "restart", NAME)
    port = run.shell.run(docker.client, "port", NAME, "80/tcp").stdout.split()[0]
    # The database's container shares the network of the one that was started anew.
    run.shell.run(docker.client, "restart", f"{NAME}-db")
    assert run.shell.until(lambda: _status(f"http://{port}/") == 200, 90, 0.3)
    log = run.shell.run(docker.client, "logs", NAME).stdout
    assert log.count("statements run") == 2
    assert "tables: 0 statements run" in log
