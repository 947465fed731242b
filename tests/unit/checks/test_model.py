"""A model that helps, and models that are slow, refuse, repeat themselves, lie or say nothing."""

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.checks import assistants as aiops
from scripts.checks import model
from scripts.session.findings import Finding

NAMES = frozenset({"todo-app-backend", "todo-app-backend-7d9-x2x", "todo-app-postgres-0"})


@pytest.fixture
def play(monkeypatch):
    """Serve an answer: `play(handle)`, where handle gets the request. What was asked is kept."""
    asked, servers = [], []

    def play(handle):
        class Provider(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                asked.append((self.headers, json.loads(self.rfile.read(length))))
                handle(self)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-person-1234567890")
        return asked

    yield play
    for server in servers:
        server.shutdown()
        server.server_close()


def _head(request, status=200):
    request.send_response(status)
    request.end_headers()


def says(words):
    def handle(request):
        _head(request)
        for word in words:
            piece = {"choices": [{"delta": {"content": word}}]}
            request.wfile.write(f": kept alive\n\ndata: {json.dumps(piece)}\n\n".encode())
        request.wfile.write(b"data: [DONE]\n\n")

    return handle


def refuses(request):
    _head(request, 401)
    request.wfile.write(b'{"error": {"message": "wrong key sk-of-a-person-1234567890"}}')


def trickles(request):
    _head(request)
    for _ in range(600):
        request.wfile.write(b": thinking\n\n")
        request.wfile.flush()
        time.sleep(0.05)


def stalls(request):
    _head(request, 500)
    request.wfile.flush()
    time.sleep(20)


def repeats(request):
    _head(request)
    piece = json.dumps({"choices": [{"delta": {"content": "again " * 50}}]})
    for _ in range(1000):
        request.wfile.write(f"data: {piece}\n\n".encode())


def floods(request):
    _head(request)
    for _ in range(3):
        request.wfile.write(b"x" * (1 << 20))


def redirects(request):
    request.send_response(302)
    request.send_header("Location", "http://127.0.0.1:1/elsewhere")
    request.end_headers()


def test_the_model_of_the_person_answers_and_gets_no_secret(make_run, stub, play):
    asked = play(says(["the database ", "is full"]))
    stub("nothing", "true")
    said = []
    run = replace(make_run(), say=said.append)
    run.shell.hide("hunter22hunter22")
    cause = Finding("VOLUME-FULL", "todo-app-postgres-0", "no room", "hunter22hunter22")
    opinion = aiops.ask(run, {}, aiops.question([cause], ["seen"], NAMES), NAMES)
    assert opinion.words == "the database is full"
    assert opinion.name.startswith("the model at 127.0.0.1:")
    ((headers, body),) = asked
    assert headers["Authorization"] == "Bearer sk-of-a-person-1234567890"
    sent = body["messages"][0]["content"]
    assert "VOLUME-FULL" in sent and "todo-app-backend-7d9-x2x" in sent and "hunter22" not in sent
    assert any(sent in words for words in said), "what is sent is shown first"


def test_objects_that_do_not_exist_are_told(make_run, stub, play):
    play(says(["delete pod/todo-app-redis-0; the pod `todo-app-backend-7d9-x2x` waits for ",
               "todo-app-cache and Service 'todo-app-backend'"]))  # fmt: skip
    stub("nothing", "true")
    assert aiops.ask(make_run(), {}, "why?", NAMES).unknown == (
        "todo-app-cache",
        "todo-app-redis-0",
    )
    assert aiops.ask(make_run(), {}, "why?").unknown == (), "without names nothing can be told"


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        (refuses, "answers 401 wrong key"),
        (trickles, "was not done after"),
        (stalls, "does not answer"),
        (floods, "not of the form"),
        (redirects, "answers 302"),
        (says([]), "gave an empty answer"),
        (lambda request: None, "does not answer"),
    ],
)
def test_a_model_that_does_not_help_does_no_harm(make_run, stub, play, monkeypatch, handle, reason):
    monkeypatch.setattr(aiops, "ASK_TIMEOUT", 1.0)
    play(handle)
    stub("nothing", "true")
    started = time.monotonic()
    opinion = aiops.ask(make_run(), {}, "why?", NAMES)
    assert (opinion.name, opinion.words) == ("", "")
    assert reason in opinion.skipped[-1]
    assert "sk-of-a-person" not in opinion.skipped[-1]
    assert time.monotonic() - started < 10


def test_a_model_that_repeats_itself_is_cut_off(make_run, stub, play):
    play(repeats)
    stub("nothing", "true")
    assert len(aiops.ask(make_run(), {}, "why?").words) == model.MOST + len(" [cut off here]")


def test_nothing_is_sent_where_the_person_declines_or_names_no_model(make_run, stub, monkeypatch):
    stub("nothing", "true")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert "neither OPENAI_API_KEY" in aiops.ask(make_run(), {}, "why?").skipped[-1]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    declining = replace(make_run(), confirm=lambda what: False)
    assert aiops.ask(declining, {}, "why?").skipped[-1] == "a model: declined"


@pytest.mark.parametrize(("named", "answers"), [("model", "the model at "), ("kubectl-ai", "")])
def test_whom_the_settings_name_is_asked_and_nobody_else(make_run, stub, play, named, answers):
    play(says(["yes"]))
    stub("kagent", '[ "$1" = version ] && exit; echo never')
    run = make_run(assistant=named)
    opinion = aiops.ask(run, {}, "why?")
    assert opinion.name.startswith(answers) and bool(opinion.name) is bool(answers)
    assert [one.partition(":")[0] for one in opinion.skipped] == ([] if answers else [named])


def test_a_model_on_this_machine_needs_no_key():
    local = model.configured({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1/"})
    assert local == model.Model("http://127.0.0.1:11434/v1", model.MODEL)
    assert model.configured({}) is None


@pytest.mark.parametrize(
    ("address", "key"),
    [("http://[::1", "x"), ("http://127.0.0.1:1/v1", "sk-\u2026"), ("ftp://a", "")],
)
def test_what_cannot_be_asked_is_said(address, key):
    with pytest.raises(model.NoAnswer, match="does not answer"):
        model.ask(model.Model(address, "small", key), "why?", 5)


def test_a_password_in_the_address_is_not_told():
    one = model.Model("https://me:geheim@llm.example/v1", "small")
    assert (one.host, one.password) == ("llm.example", "geheim")


def test_opinions_are_kept_beside_the_diagnosis(make_run):
    run = make_run()
    assert aiops.kept(run, "2026") == []
    cause = Finding("VOLUME-FULL", "pod/todo-app-postgres-0", "no room")
    for words in ("todo-app-postgres-0 has no room", "it is the network"):
        aiops.keep(run, aiops.Opinion("the model", words, (), "small"), [cause])
    first, second = aiops.kept(run, time.strftime("%Y-%m-%d"))
    assert (first["assistant"], first["model"]) == ("the model", "small")
    assert first["diagnosis"] == ["VOLUME-FULL"]
    assert (first["agrees"], second["agrees"]) == (True, False)
    assert aiops.kept(run, "1999-01-01") == []
