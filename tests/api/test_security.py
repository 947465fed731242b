"""OWASP's API security top 10 (2023): one test at least for each that applies here.

API6 (sensitive business flows) has nothing to abuse here; API7 (server-side request forgery)
neither: the app asks no address that a user gives.
"""

import base64
import json
import time
import uuid

import jwt
import pytest

from tests.reference_app import PASSWORD


def test_api1_nobody_reaches_another_users_todos(make_user):
    mine, theirs = make_user(), make_user()
    todo = mine.post("/todos", {"title": "private", "tags": ["secret"]})
    path = f"/todos/{todo['id']}"
    theirs.get(path, 404)
    theirs.patch(path, {"title": "taken"}, 404)
    theirs.delete(path, 404)
    theirs.post(f"{path}/restore", status=404)
    assert theirs.get("/todos?search=private") == []
    assert theirs.get("/todos?tag=secret") == []
    for words in (f"delete {todo['id']}", f"done {todo['id']}", f"rename {todo['id']} to mine"):
        assert (
            theirs.post("/chat", {"message": words}, 200)["reply"]
            == f"You have no todo {todo['id']}."
        )
    assert "private" not in theirs.post("/chat", {"message": "find private"}, 200)["reply"].replace(
        "mentions private", ""
    )
    assert mine.get(path) == todo


def _forged(token, header=None, claims=None, key="s" * 47 + "x"):
    _, body, _ = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(body + "=="))
    return jwt.encode(
        {**known, **(claims or {})}, key, "HS256", {"typ": "at+jwt", **(header or {})}
    )


def test_api2_a_token_that_is_not_ours_is_refused(user, anybody):
    unsigned = ".".join(
        [
            base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("="),
            user.token.split(".")[1],
            "",
        ]
    )
    other_key = _forged(user.token)
    changed = user.token.split(".")
    changed[1] = (
        base64.urlsafe_b64encode(
            base64.urlsafe_b64decode(changed[1] + "==").replace(b'"sub":"', b'"sub":"1')
        )
        .decode()
        .rstrip("=")
    )
    for token in (
        "",
        "x",
        "a.b.c",
        unsigned,
        other_key,
        ".".join(changed),
        user.token[:-4] + "AAAA",
    ):
        answer = anybody.ask("GET", "/todos", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, token
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_api2_passwords_cannot_be_guessed_for_long(anybody, user):
    body = {"email": user.email, "password": "wrong password"}
    statuses = [anybody.ask("POST", "/auth/login", body).status_code for _ in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    refused = anybody.ask("POST", "/auth/login", {"email": user.email, "password": PASSWORD})
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_api2_an_unknown_address_takes_as_long_as_a_known_one(anybody, user):
    def seconds(email):
        started = time.perf_counter()
        anybody.post("/auth/login", {"email": email, "password": "wrong password"}, 401)
        return time.perf_counter() - started

    known = min(seconds(user.email) for _ in range(3))
    unknown = min(seconds(f"{uuid.uuid4().hex}@example.com") for _ in range(3))
    assert unknown > known / 3


@pytest.mark.parametrize(
    "extra",
    [
        {"id": 1},
        {"owner_id": 1},
        {"version": 9},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"deleted_at": None},
    ],
)
def test_api3_only_what_is_offered_can_be_set(user, extra):
    user.post("/todos", {"title": "x", **extra}, 422)
    todo = user.post("/todos", {"title": "x"})
    user.patch(f"/todos/{todo['id']}", extra, 422)


def test_api3_nothing_internal_is_shown(user):
    todo = user.post("/todos", {"title": "x"})
    assert not {"owner_id", "creation_key", "creation_digest", "deleted_at"} & set(todo)
    assert set(user.get("/auth/me")) == {"id", "email"}


def test_api4_a_body_that_is_too_large_is_refused_however_it_is_sent(user):
    user.post("/todos", {"title": "x", "note": "y" * 70_000}, 413)

    def pieces():
        for _ in range(100):
            yield b'{"title": "' + b"x" * 1000

    answer = user._session.post(
        f"{user.base}/todos",
        data=pieces(),
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 413


def test_api4_an_answer_has_a_largest_size(user):
    user.get("/todos?limit=100000", 422)
    user.post("/chat", {"message": "x" * 100_00}, 422)


def test_api5_there_is_no_way_to_other_users(user):
    for path in ("/users", "/admin", "/auth/users", "/todos/all"):
        assert user.ask("GET", path).status_code in (404, 422)


def test_api8_errors_tell_nothing_of_the_inside(user):
    answer = user._session.post(
        f"{user.base}/todos",
        data=b"{not json",
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 422
    assert not any(word in answer.text for word in ("Traceback", "sqlalchemy", "/srv", ".py"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert user.ask("GET", "/todos").headers["Cache-Control"] == "no-store"


def test_api8_other_sites_may_not_read_answers(user):
    answer = user.ask("GET", "/todos", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_api9_every_route_is_documented_with_its_errors(anybody):
    document = anybody.get("/openapi.json")
    operations = [
        (path, method, one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    assert len(operations) >= 14
    for path, method, operation in operations:
        if path in ("/health", "/ready", "/metrics"):
            continue
        assert {"413", "422", "429", "503"} <= set(operation["responses"]), f"{method} {path}"
        if path not in ("/auth/login", "/auth/register"):
            assert "401" in operation["responses"], f"{method} {path}"
            assert operation["security"], f"{method} {path}"
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert "application/problem+json" in answer["content"], f"{method} {path} {status}"


def test_metrics_name_routes_and_no_user(user):
    todo = user.post("/todos", {"title": "nobody must read this"})
    user.get(f"/todos/{todo['id']}")
    text = user.ask("GET", "/metrics").text
    assert 'http_requests_total{method="GET",route="/todos/{todo_id}",status="200"}' in text
    assert user.email not in text
    assert "nobody must read this" not in text
