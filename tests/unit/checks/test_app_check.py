"""Routes of the code against a running app: what is broken, and what only lacks its keys."""

import json
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, HTTPException

from scripts.app.survey import read
from scripts.checks import app_check
from scripts.session.findings import Failure
from scripts.supply.tools import Found
from tests.unit.checks.journey_shapes import served

CODE = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/auth/google")
def google(): ...

@app.get("/todos/")
def todos(): ...

@app.post("/auth/login")
def login(): ...
"""


@pytest.fixture
def check(tmp_path, make_run, stub):
    """Check a running app against CODE; `log` is what its pods say."""
    files = {
        "frontend/package.json": json.dumps({"dependencies": {"next": "14.2.35"}}),
        "frontend/app/page.tsx": "export default function Page() { return null }",
        "requirements.txt": "fastapi\nsqlmodel\npsycopg2-binary\n",
        "main.py": CODE,
    }
    for name, content in files.items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def checked(app, log="", page=""):
        (tmp_path / "app/frontend/app/page.tsx").write_text(page)
        survey = read(tmp_path / "app", "postgres")
        (tmp_path / "log").write_text(log)
        path = stub("kubectl", f"cat {tmp_path / 'log'}")
        tools = {"kubectl": Found("kubectl", path, "v1", "PATH")}
        with served(app) as address:
            run = make_run(cluster={"ingress_port": urlsplit(address).port})
            return app_check.check(run, tools, survey)

    return checked


def running(google=503, said="Google sign-in is not configured", todos=200):
    app = FastAPI()

    @app.get("/api/auth/google")
    def by_google():
        raise HTTPException(google, said)

    @app.get("/api/todos/")
    def every():
        if todos != 200:
            raise HTTPException(todos, "no such table")
        return []

    @app.post("/api/auth/login")
    def login():
        return {}

    @app.get("/api/openapi.json")
    def document():
        return {"paths": {path: {} for path in ("/auth/google", "/todos/", "/auth/login")}}

    return app


def test_an_integration_without_keys_is_a_note(check):
    found = check(running())
    assert (found.declared, found.served) == (3, 3)
    (note,) = found.notes
    assert "GET /auth/google (main.py:5) answers 503" in note and "not configured" in note


def test_a_service_that_is_down_is_no_note(check):
    with pytest.raises(Failure) as raised:
        check(running(said="database unreachable"))
    assert raised.value.findings[0].code == "APP-DEGRADED"


def test_a_log_in_elsewhere_is_not_followed_out_of_the_cluster(check):
    app = running()
    app.router.routes = [one for one in app.router.routes if one.path != "/api/auth/google"]

    @app.get("/api/auth/google")
    def away():
        from fastapi.responses import RedirectResponse

        return RedirectResponse("http://127.0.0.1:1/o/oauth2/auth")

    assert check(app).notes == ()


def test_a_refusal_of_an_empty_request_is_no_fault_whatever_its_status(check):
    app = running()
    app.router.routes = [one for one in app.router.routes if one.path != "/api/auth/login"]

    @app.post("/api/auth/login")
    def login():
        raise HTTPException(500, "Database session error: [{'type': 'missing', 'loc': ('body',)}]")

    assert check(app).asked["POST /auth/login (main.py:11)"] == 500


def test_a_broken_route_has_the_cause_of_the_log(check):
    log = (
        'Traceback\n  File "/srv/main.py", line 9, in todos\nOperationalError: no such table: todos'
    )
    with pytest.raises(Failure) as raised:
        check(running(todos=500), log)
    finding = raised.value.findings[0]
    assert "GET /todos/ (main.py:8) answers 500" in finding.summary
    assert "no such table: todos (main.py:9)" in finding.summary


@pytest.mark.parametrize(
    "page",
    ["fetch('/api/auth/register', { method: 'POST' })", "api.post(`${BASE}/v1/users/sign-up`)"],
)
def test_a_page_whose_sign_up_nobody_serves_is_no_success(check, page):
    with pytest.raises(Failure) as raised:
        check(running(), page=f"\n{page}\n")
    (finding,) = raised.value.findings
    assert finding.code == "APP-DEGRADED"
    assert finding.summary.startswith("nobody can sign up: the page asks for /")
    assert "(frontend/app/page.tsx:2)" in finding.summary


@pytest.mark.parametrize(
    "page",
    ["", "<Link href='/register'>", "fetch('/api/auth/login')", "fetch(`${BASE}/auth/google`)"],
)
def test_a_page_without_a_request_for_an_account_is_not_judged(check, page):
    assert check(running(), page=page).served == 3
