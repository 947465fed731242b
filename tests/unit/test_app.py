"""The reference app on file storage, and its chat against a real OpenAI-compatible server in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import uuid

import httpx
import pytest

from scripts.settings import ROOT

PASSWORD = "correct horse battery"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _serve(argv, port, path, environment):
    process = subprocess.Popen(
        argv, cwd=ROOT / "phase3-chatbot", env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}{path}")
            return process
        except httpx.TransportError:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


@pytest.fixture(scope="module")
def start_app(tmp_path_factory):
    processes = []

    def start(**environment):
        port = _free_port()
        folder = tmp_path_factory.mktemp("data")
        defaults = {"DATA_DIR": str(folder), "BETTER_AUTH_SECRET": "s" * 48, "DATABASE_URL": "", "OPENAI_API_KEY": "", "RATE_LIMIT_PER_MINUTE": "6000"}
        argv = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port), "--no-access-log"]
        process = _serve(argv, port, "/health", {**defaults, **environment})
        processes.append(process)
        return f"http://127.0.0.1:{port}", process

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def app(start_app):
    return start_app()[0]


def _user(app):
    email = f"{uuid.uuid4().hex}@example.com"
    token = httpx.post(f"{app}/auth/register", json={"email": email, "password": PASSWORD}).json()["access_token"]
    return httpx.Client(base_url=app, headers={"Authorization": f"Bearer {token}"})


def test_alive_and_ready(app):
    assert httpx.get(f"{app}/health").json() == {"status": "ok"}
    assert httpx.get(f"{app}/ready").json() == {"status": "ready", "database": "sqlite", "assistant": "offline"}


def test_accounts(app):
    body = {"email": "Ada@Example.com", "password": PASSWORD}
    assert httpx.post(f"{app}/auth/register", json=body).status_code == 201
    assert httpx.post(f"{app}/auth/register", json=body).status_code == 409
    token = httpx.post(f"{app}/auth/login", json={**body, "email": "ada@example.com"}).json()["access_token"]
    assert httpx.get(f"{app}/auth/me", headers={"Authorization": f"Bearer {token}"}).json()["email"] == "ada@example.com"
    assert httpx.post(f"{app}/auth/login", json={**body, "password": "wrong password"}).status_code == 401
    assert httpx.post(f"{app}/auth/login", json={**body, "email": "nobody@example.com"}).status_code == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_without_a_valid_token_nothing_is_shown(app, token):
    answer = httpx.get(f"{app}/todos", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_todo_from_beginning_to_end(app):
    user = _user(app)
    todo = user.post("/todos", json={"title": "  buy milk "}).json()
    assert (todo["title"], todo["completed"]) == ("buy milk", False)
    assert user.patch(f"/todos/{todo['id']}", json={"completed": True, "note": "oat"}).json()["note"] == "oat"
    assert [one["completed"] for one in user.get("/todos").json()] == [True]
    assert user.get("/todos", params={"search": "OAT"}).json()[0]["id"] == todo["id"]
    assert user.get("/todos", params={"search": "%"}).json() == []
    assert user.delete(f"/todos/{todo['id']}").status_code == 204
    assert user.get(f"/todos/{todo['id']}").status_code == 404


def test_nobody_reaches_another_users_todos(app):
    mine, theirs = _user(app), _user(app)
    todo = mine.post("/todos", json={"title": "private"}).json()["id"]
    assert theirs.get(f"/todos/{todo}").status_code == 404
    assert theirs.patch(f"/todos/{todo}", json={"title": "taken"}).status_code == 404
    assert theirs.delete(f"/todos/{todo}").status_code == 404
    assert theirs.post("/chat", json={"message": f"delete {todo}"}).json()["reply"] == f"You have no todo {todo}."
    assert mine.get(f"/todos/{todo}").json()["title"] == "private"


@pytest.mark.parametrize(
    "body", [{}, {"title": ""}, {"title": "  "}, {"title": "x" * 201}, {"title": "a\x00b"}, {"title": "x", "owner_id": 1}, {"title": 5}, []]
)
def test_a_bad_todo_is_refused_with_422(app, body):
    assert _user(app).post("/todos", json=body).status_code == 422


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999", "x"])
def test_a_bad_number_is_refused_with_422(app, number):
    assert _user(app).get(f"/todos/{number}").status_code == 422


def test_a_body_that_is_too_large_is_refused(app):
    assert _user(app).post("/todos", json={"title": "x", "note": "y" * 70_000}).status_code == 413


def test_too_many_requests_are_refused_with_the_time_to_wait(start_app):
    app, _ = start_app(RATE_LIMIT_PER_MINUTE="5")
    answers = [httpx.get(f"{app}/todos") for _ in range(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("message", "tool"),
    [
        ("add buy milk", "add_todo"),
        ("Please add a task called water the plants to my list", "add_todo"),
        ("remind me to call mom", "add_todo"),
        ("what is open", "list_todos"),
        ("What's left?", "list_todos"),
        ("show my todos", "list_todos"),
        ("what's done", "list_todos"),
        ("find milk", "search_todos"),
    ],
)
def test_the_offline_assistant_calls_the_tool_that_is_meant(app, message, tool):
    answer = _user(app).post("/chat", json={"message": message}).json()
    assert [call["name"] for call in answer["tool_calls"]] == [tool]
    assert answer["provider"] == "offline"


def test_the_offline_assistant_works_on_the_todo_that_is_named(app):
    user = _user(app)
    number = user.post("/chat", json={"message": "add buy milk"}).json()["reply"].split("#")[1].split()[0]
    assert user.post("/chat", json={"message": f"done {number}"}).json()["reply"] == f"Done: #{number} buy milk."
    assert user.get(f"/todos/{number}").json()["completed"] is True
    assert "oat milk" in user.post("/chat", json={"message": "rename milk to oat milk"}).json()["reply"]
    assert user.post("/chat", json={"message": "delete oat milk"}).json()["reply"] == f"Deleted #{number} oat milk."
    assert user.get("/todos").json() == []


def test_what_is_not_understood_changes_nothing_and_gets_help(app):
    answer = _user(app).post("/chat", json={"message": "sing me a song"}).json()
    assert answer["tool_calls"] == []
    assert "add buy milk" in answer["reply"]


PROVIDER = textwrap.dedent('''
    import json, sys
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Provider(BaseHTTPRequestHandler):
        """Speaks OpenAI's chat completions API: first a tool call, then a sentence made of its result."""
        def do_GET(self):
            self.answer(200, {})
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["Authorization"] != "Bearer sk-right":
                return self.answer(401, {"error": {"message": "bad key", "type": "invalid_request_error", "code": "invalid_api_key"}})
            last = asked["messages"][-1]
            if last["role"] == "tool":
                message = {"role": "assistant", "content": "I added " + json.loads(last["content"])["todo"]["title"]}
            else:
                assert "add_todo" in [tool["function"]["name"] for tool in asked["tools"]]
                call = {"id": "c1", "type": "function", "function": {"name": "add_todo", "arguments": json.dumps({"title": "from the model"})}}
                message = {"role": "assistant", "content": None, "tool_calls": [call]}
            self.answer(200, {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})
        def answer(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider).serve_forever()
''')


@pytest.fixture(scope="module")
def provider():
    port = _free_port()
    process = _serve([sys.executable, "-c", PROVIDER, str(port)], port, "/", {})
    yield f"http://127.0.0.1:{port}/v1"
    process.kill()


def test_a_model_calls_the_tools(start_app, provider):
    app, _ = start_app(OPENAI_API_KEY="sk-right", OPENAI_BASE_URL=provider)
    user = _user(app)
    answer = user.post("/chat", json={"message": "please do the thing"}, timeout=30).json()
    assert answer == {
        "reply": "I added from the model",
        "tool_calls": [{"name": "add_todo", "arguments": {"title": "from the model", "note": ""}}],
        "provider": "openai",
    }
    assert [todo["title"] for todo in user.get("/todos").json()] == ["from the model"]


@pytest.mark.parametrize(("key", "address", "words"), [("sk-wrong", None, "refused its key"), ("sk-right", "http://127.0.0.1:9/v1", "does not answer")])
def test_without_a_model_the_built_in_understanding_answers_and_says_so(start_app, provider, key, address, words):
    app, _ = start_app(OPENAI_API_KEY=key, OPENAI_BASE_URL=address or provider)
    answer = _user(app).post("/chat", json={"message": "add buy milk"}, timeout=30).json()
    assert words in answer["reply"]
    assert answer["provider"] == "offline"
    assert answer["tool_calls"][0]["name"] == "add_todo"


def test_logs_are_json_and_hold_no_secret(start_app):
    app, process = start_app()
    user = _user(app)
    user.post("/todos", json={"title": "nobody must read this"})
    process.terminate()
    lines = process.communicate(timeout=10)[0].splitlines()
    entries = [json.loads(line) for line in lines]
    assert any(entry.get("path") == "/todos" and entry["status"] == 201 and entry["user_id"] for entry in entries)
    for secret in ("s" * 48, PASSWORD, user.headers["Authorization"].split()[1], "nobody must read this"):
        assert secret not in "\n".join(lines)


def test_a_short_secret_is_refused_at_start(tmp_path):
    argv = [sys.executable, "-c", "import app.main"]
    result = subprocess.run(argv, cwd=ROOT / "phase3-chatbot", env={**os.environ, "BETTER_AUTH_SECRET": "short"}, capture_output=True, text=True)
    assert result.returncode != 0
    assert "at least 32 characters" in result.stderr
