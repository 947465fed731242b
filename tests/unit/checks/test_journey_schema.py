"""Bodies made from schemas, tokens and ids found in answers, causes found in logs."""

import re

import jwt
import pytest

from scripts.app.survey.reading import read
from scripts.checks.journey import client, hints, judgement, schema
from scripts.checks.journey.account import fixed
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.schema import Values
from scripts.checks.journey.steps import Journey, Step

PERSON = fixed("a secret", "tests/one")
VALUES = Values(PERSON, title="buy milk", user_id="7")


@pytest.mark.parametrize(
    ("name", "told", "wanted"),
    [
        ("email", {"type": "string", "format": "email"}, PERSON.email),
        ("userEmail", {"type": "string"}, PERSON.email),
        ("password", {"type": "string", "minLength": 8}, PERSON.password),
        ("confirmPassword", {"type": "string"}, PERSON.password),
        ("user_name", {"type": "string"}, PERSON.handle),
        ("full_name", {"type": "string"}, "Jo Journey"),
        ("last_name", {"type": "string"}, "Journey"),
        ("agree_to_terms", {"type": "boolean"}, True),
        ("is_admin", {"type": "boolean"}, False),
        ("title", {"type": "string"}, "buy milk"),
        ("user_id", {"type": "string"}, "7"),
        ("user_id", {"type": "integer"}, 7),
        ("priority", {"enum": ["low", "high"], "type": "string"}, "low"),
        ("priority", {"enum": ["low", "high"], "default": "high", "type": "string"}, "high"),
        ("note", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("note", {"type": ["string", "null"]}, None),
        ("count", {"type": "integer", "minimum": 3}, 3),
        ("tags", {"type": "array", "items": {"type": "string"}}, []),
        ("tags", {"type": "array", "items": {"type": "string"}, "minItems": 1}, ["journey"]),
        ("pin", {"type": "string", "pattern": r"^\d{8}$"}, "12345678"),
        ("code", {"type": "string", "minLength": 10}, "journeyxxx"),
        ("code", {"type": "string", "maxLength": 3}, "jou"),
        (
            "extra",
            {"type": "object", "required": ["email"], "properties": {"email": {"type": "string"}}},
            {"email": PERSON.email},
        ),
    ],
)
def test_a_value_fits_its_field(name, told, wanted):
    assert schema.value(name, told, VALUES) == wanted


def test_dates_are_of_the_future_and_of_the_form_asked_for():
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d", schema.value("due", {"type": "string", "format": "date"}, VALUES)
    )
    assert schema.value("due", {"type": "string", "format": "date-time"}, VALUES).endswith("Z")


def test_the_password_keeps_common_rules():
    for kind in (r"[A-Z]", r"[a-z]", r"\d", r"[^A-Za-z0-9]"):
        assert re.search(kind, PERSON.password)
    assert 12 <= len(PERSON.password) <= 16
    assert PERSON.password not in repr(PERSON)


def test_references_are_followed_and_circles_end():
    node = {
        "type": "object",
        "required": ["title"],
        "properties": {"title": {"type": "string"}, "child": {"$ref": "#/components/schemas/Node"}},
    }
    document = {
        "components": {"schemas": {"Node": node}},
        "paths": {
            "/tasks": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Node"}}
                        }
                    }
                }
            }
        },
    }
    (one,) = schema.shape(schema.operations(document)).add
    assert schema.body_of(one, VALUES) == {"title": "buy milk"}


def test_what_only_looks_like_an_account_is_left_alone():
    routes = [
        ("post", "/auth/google/callback/login"), ("post", "/auth/refresh-token"),
        ("post", "/auth/reset-password/login"),
        ("post", "/features/registered"), ("get", "/login"),
    ]  # fmt: skip
    found = schema.shape(schema.undocumented(routes))
    assert found.sign_up == () and found.log_in == ()


def test_a_registration_of_something_else_has_no_password():
    content = {
        "application/json": {
            "schema": {"type": "object", "properties": {"device": {"type": "string"}}}
        }
    }
    document = {"paths": {"/devices/register": {"post": {"requestBody": {"content": content}}}}}
    assert schema.shape(schema.operations(document)).sign_up == ()


def test_a_todo_below_something_unknown_is_not_filled_in():
    routes = [("post", "/projects/{project_id}/tasks"), ("post", "/api/{userId}/tasks")]
    (one,) = schema.shape(schema.undocumented(routes)).add
    assert one.path == "/api/{userId}/tasks"


def answer(body, **headers):
    return client.Answer("POST /login", 200, str(body), body, headers)


@pytest.mark.parametrize(
    "body",
    [
        {"access_token": "abcdefghij"},
        {"token": "Bearer abcdefghij"},
        {"data": {"accessToken": "abcdefghij"}},
        {"session": {"access_token": "abcdefghij"}, "user": {"id": "1"}},
        {"result": {"auth": {"jwt": "abcdefghij"}}},
    ],
)
def test_a_token_is_found_wherever_it_is(body):
    assert client.token_of(answer(body)) == "abcdefghij"


def test_a_token_in_a_header_and_none_at_all():
    assert client.token_of(answer({}, **{"set-auth-token": "abcdefghij"})) == "abcdefghij"
    assert client.token_of(answer({"token_type": "bearer"})) == ""


def test_who_is_logged_in():
    sent = jwt.encode({"sub": "a@example.com", "user_id": 5}, "x" * 32, "HS256")
    assert client.user_ids({"user": {"id": 9}}, sent) == ("9", "5", "a@example.com")
    assert client.user_ids({"data": {"user": {"id": "x"}}}) == ("x",)
    assert client.user_ids(None, "no.jwt.here") == ()


@pytest.mark.parametrize(
    ("status", "text", "is_note"),
    [
        (503, '{"detail": "Google sign-in is not configured"}', True),
        (501, '{"detail": "GitHub login is not enabled"}', True),
        (503, '{"detail": "Missing GOOGLE_CLIENT_ID client id"}', True),
        (503, '{"detail": "database unreachable"}', False),
        (500, '{"detail": "Google sign-in is not configured"}', False),
    ],
)
def test_an_integration_without_keys_is_a_note(status, text, is_note):
    assert judgement.is_unconfigured(status, text) is is_note


def test_the_cause_in_a_log_of_json_and_of_text():
    text = (
        'Traceback (most recent call last):\n  File "/srv/app/todos.py", line 7, in add\n'
        "ValueError: no"
    )
    assert judgement.cause_in("INFO: fine\n" + text) == "ValueError: no (app/todos.py:7)"
    line = (
        '{"level": "error", "message": "failed", "error": ' + __import__("json").dumps(text) + "}"
    )
    assert (
        judgement.cause_in('{"level": "info", "message": "error page served"}\n' + line)
        == "ValueError: no (app/todos.py:7)"
    )
    assert judgement.cause_in('{"level": "info", "message": "an error was not there"}') == ""


@pytest.mark.parametrize(
    ("said", "log", "words"),
    [
        (
            "Internal Server Error",
            "ValueError: no (a.py:1)",
            "answers 500: ValueError: no (a.py:1)",
        ),
        ("ValueError: no", "x.ValueError: no (a.py:1)", "answers 500: x.ValueError: no (a.py:1)"),
        ("could not save", "ValueError: no", "answers 500: could not save (ValueError: no)"),
        ("could not save", "", "answers 500: could not save"),
    ],
)
def test_why_is_said_once(said, log, words):
    step = Step("add a todo", "failed", "POST /todos", 500, said, log)
    (finding,) = judgement.findings(Journey("api", (step,)), Hints())
    assert finding.summary == f"the app runs, but nobody can add a todo: POST /todos {words}"


def test_a_driver_of_a_provider_is_the_cause_of_accounts_that_cannot_be_kept():
    step = Step(
        "sign up", "failed", "POST /api/auth/sign-up/email", 500, "Failed to create account"
    )
    known = Hints(accounts="better-auth", driver="frontend/lib/db.ts:1")
    (finding,) = judgement.findings(Journey("browser", (step,)), known)
    assert finding.summary.startswith("the app runs, but nobody can sign up: Next's server reaches")
    assert "frontend/lib/db.ts:1" in finding.summary
    assert "answers 500: Failed to create account" in finding.evidence
    refused = Step("sign up", "failed", "POST /api/auth/sign-up/email", 422, "too short")
    (finding,) = judgement.findings(Journey("browser", (refused,)), known)
    assert "answers 422: too short" in finding.summary


@pytest.mark.parametrize("call", ["client.signUp.email({})", "export const join = c.signUp.email;"])
def test_whoever_takes_the_librarys_sign_up_keeps_accounts_by_it(tmp_path, call):
    for name, text in {
        "backend/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "backend/requirements.txt": "fastapi\n",
        "frontend/package.json": '{"dependencies": {"next": "16.0.0", "better-auth": "1.4.0"}}',
        "frontend/next.config.mjs": "export default {}\n",
        "frontend/app/page.tsx": "export default () => null\n",
        "frontend/app/api/auth/[...all]/route.ts": "export const GET = 1\n",
        "frontend/lib/auth.ts": "export const auth = betterAuth({})\n",
        "frontend/lib/client.ts": call,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert hints.hints(read(tmp_path, "postgres")).accounts == "better-auth"
