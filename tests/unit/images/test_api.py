"""What a backend's build gets, and the programs that prepare, start and watch it."""

import asyncio
import contextlib
import importlib
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn
from phase4 import health, load, serve, trust, volume, wait

from scripts.images import backend
from scripts.images.context import File, content_tag, stage
from scripts.session.settings import ROOT


@pytest.fixture
def image(tmp_path, monkeypatch):
    """The app's folder, which is the working folder; the volume; and the first content."""
    folders = [tmp_path / name for name in ("srv", "data", "seed")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.chdir(folders[0])
    return folders


def test_what_the_app_brings_is_the_volumes_first_content(image):
    app, data, seed = image
    (app / "uploads").mkdir()
    (app / "uploads/a.png").write_text("a")
    (app / "todo.db").write_text("first")
    volume.lead_out(["uploads/", "todo.db", "later/", "deep/new.db"], data, seed)
    volume.fill(data, seed)
    assert (app / "uploads/a.png").read_text() == "a"
    (app / "later/b.txt").write_text("b")
    (app / "deep/new.db").write_text("made by the app")
    assert (data / "later/b.txt").read_text() == "b"
    assert (data / "deep/new.db").read_text() == "made by the app"
    assert (app / "todo.db").is_symlink()


def test_a_start_leaves_what_the_volume_has(image):
    _, data, seed = image
    (seed / "todo.db").write_text("first")
    (data / "todo.db").write_text("of yesterday")
    volume.fill(data, seed)
    assert (data / "todo.db").read_text() == "of yesterday"


def test_a_volume_that_cannot_be_filled_is_told_and_the_app_starts(image, capsys):
    _, data, seed = image
    (data / "in-the-way").write_text("")
    volume.fill(data / "in-the-way", seed)
    assert "cannot be filled" in capsys.readouterr().err


@pytest.fixture
def server():
    """A server that answers 200 at /health and 503 elsewhere; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port
    running.shutdown()
    running.server_close()


def test_the_health_check_asks_the_route_and_without_one_it_connects(server):
    health.check("/health", server)
    health.check("", server)
    with pytest.raises(OSError, match="503"):
        health.check("/other", server)


def test_the_health_check_says_no_where_nothing_listens(server):
    with pytest.raises(OSError, match="refused"):
        health.check("", 9)


@pytest.mark.parametrize(
    ("uvicorns", "given"),
    [
        (uvicorn.run, set(serve.OPTIONS)),
        (lambda app, host="", port=0, access_log=True: None, {"host", "port", "access_log"}),
    ],
)
def test_the_app_is_served_by_releases_that_do_not_know_every_option(
    uvicorns, given, monkeypatch, image
):
    seen = {}

    def run(app, **options):
        seen[app] = set(options)

    run.__signature__ = serve.inspect.signature(uvicorns)
    monkeypatch.setattr(serve.uvicorn, "run", run)
    monkeypatch.setenv("DATA_DIR", str(image[1]))
    serve.main()
    assert seen == {"phase4.asgi:app": given}


@pytest.fixture
def wrapped(tmp_path, monkeypatch):
    """An app below a prefix; what it answers to a request: the location that it redirects to."""
    (tmp_path / "an_app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    head = [(b'location', scope['to'])]\n"
        "    await send({'type': 'http.response.start', 'status': 307, 'headers': head})\n"
        "def make():\n    return app\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("APP_MODULE", "an_app:make")
    monkeypatch.setenv("APP_FACTORY", "1")
    sys.modules.pop("phase4.asgi", None)
    asgi = importlib.import_module("phase4.asgi")

    def redirects_to(location, prefix=b"/api"):
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"todo.local"), (b"x-forwarded-prefix", prefix)]
        scope = {"type": "http", "path": "/here", "headers": headers, "to": location}
        asyncio.run(asgi.app(scope, None, send))
        return dict(sent[0]["headers"])[b"location"]

    return redirects_to


def test_a_redirect_of_the_app_stays_below_its_prefix(wrapped):
    assert wrapped(b"http://todo.local/todos/") == b"http://todo.local/api/todos/"
    assert wrapped(b"/todos/") == b"/api/todos/"
    assert wrapped(b"/api/todos/") == b"/api/todos/"  # an app that knows its prefix itself
    assert wrapped(b"http://elsewhere.org/todos/") == b"http://elsewhere.org/todos/"
    assert wrapped(b"/todos/", b"") == b"/todos/"


@pytest.mark.parametrize(
    ("says", "well"), [(b"S", True), (b"N", True), (b"", False), (b"H", False)]
)
def test_only_postgresql_ends_the_wait(says, well):
    """Whoever takes the connection before the network knows the database does not."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(16))
                connection.sendall(says)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        expected = contextlib.nullcontext() if well else pytest.raises(OSError, match="PostgreSQL")
        with expected:
            wait.ask(*server.getsockname())
        thread.join(5)
    assert asked == [bytes([0, 0, 0, 8, 4, 210, 22, 47])]


def test_an_app_that_wants_https_is_told_that_it_came_so(tmp_path, monkeypatch):
    (tmp_path / "wants_https.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['scheme'] == 'http':\n"
        "        head = [(b'location', b'https://todo.local' + scope['path'].encode())]\n"
        "        await send({'type': 'http.response.start', 'status': 307, 'headers': head})\n"
        "        await send({'type': 'http.response.body'})\n"
        "        return\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'well'})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("APP_MODULE", "wants_https:app")
    monkeypatch.delenv("APP_FACTORY", raising=False)
    sys.modules.pop("phase4.asgi", None)
    asgi = importlib.import_module("phase4.asgi")
    for _ in range(2):  # the first request and those after it
        sent = []

        async def send(message, sent=sent):
            sent.append(message)

        scope = {"type": "http", "scheme": "http", "path": "/health"}
        asyncio.run(asgi.app({**scope, "headers": [(b"host", b"todo.local")]}, None, send))
        assert [one.get("status", one.get("body")) for one in sent] == [200, b"well"]


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """An app of these files, named by APP_MODULE, in the working folder."""

    def make(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("APP_MODULE", f"{next(iter(files))}:app")
        monkeypatch.delenv("APP_FACTORY", raising=False)
        for name in files:
            monkeypatch.delitem(sys.modules, name, raising=False)
        return tmp_path

    return make


def test_a_folder_that_was_not_committed_is_made_when_the_app_writes_there(loaded, capsys):
    root = loaded(writes_logs="open('logs/app.log', 'a').close()\napp = 1\n")
    assert load.app() == 1
    assert (root / "logs/app.log").exists()
    assert "the app wants the folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.txt", "/nowhere/at/all.log"])
def test_a_file_that_is_not_there_is_the_apps_own_affair(loaded, name):
    loaded(reads_file=f"open({name!r})\napp = 1\n")
    with pytest.raises(FileNotFoundError):
        load.app()


MODELS = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): ...
class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
{engine}
app = 1
"""


@pytest.mark.parametrize(
    "engine",
    [
        "engine = create_engine('sqlite:///things.db')",
        "",
    ],
)
def test_tables_that_nobody_makes_are_made_by_the_apps_own_engine(loaded, monkeypatch, engine):
    """By a process of its own, as in the pod: models stay in a process for good."""
    root = loaded(has_models=MODELS.format(engine=engine))
    monkeypatch.setenv("DATABASE_URL", "sqlite:///things.db")
    monkeypatch.setenv("PYTHONPATH", f"{root}:{ROOT / 'scripts/images/api'}")
    for _ in range(2):  # a second start finds them
        done = subprocess.run(
            [sys.executable, "-m", "phase4.tables"], capture_output=True, text=True, check=True
        )
        assert "there are the tables thing" in done.stdout, done.stderr
    with sqlite3.connect(root / "things.db") as database:
        assert database.execute("select count(*) from thing").fetchone() == (0,)


def test_tables_that_cannot_be_made_are_told_and_the_app_starts(loaded, monkeypatch):
    root = loaded(has_models=MODELS.format(engine="raise OSError('no key')"))
    monkeypatch.setenv("PYTHONPATH", f"{root}:{ROOT / 'scripts/images/api'}")
    done = subprocess.run(
        [sys.executable, "-m", "phase4.tables"], capture_output=True, text=True, check=True
    )
    assert "tables cannot be made: OSError: no key" in done.stderr


@pytest.mark.parametrize(
    ("said", "seconds", "tries"),
    [('relation "user" does not exist', "60", 2), ("no such column", "60", 1),
     ('relation "user" does not exist', "0", 1)],
)  # fmt: skip
def test_a_migration_waits_for_tables_that_another_part_makes(
    tmp_path, monkeypatch, said, seconds, tries
):
    """The command works at its second try."""
    log, command = tmp_path / "tries", tmp_path / "migrate"
    command.write_text(f"echo x >> {log}; [ $(wc -l < {log}) = 2 ] || {{ echo '{said}'; exit 3; }}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts/images/api"))
    monkeypatch.setenv("TABLES_TIMEOUT", seconds)
    argv = [sys.executable, "-m", "phase4.again", "sh", str(command)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert len(log.read_text().split()) == tries
    assert (done.returncode == 0) is (tries == 2)
    assert said in done.stdout


APP = (File("app/main.py", False, b"app"), File("requirements.txt", False, b"fastapi"))


def test_the_build_gets_the_app_its_packages_versions_and_the_programs():
    laid_out = {file.name: file for file in backend.lay_out(APP, "fastapi==1\n")}
    assert laid_out["source/app/main.py"].content == b"app"
    assert laid_out["source/requirements.txt"].content == b"fastapi"
    assert laid_out["requirements.txt"].content == b"fastapi==1\n"
    assert laid_out["scripts/images/api/bin/with-package-sources"].executable
    assert not any("__pycache__" in name for name in laid_out)


def test_every_program_is_part_of_the_tag(make_run):
    dockerfile, files = ROOT / "backend.Dockerfile", backend.lay_out(APP, "")
    before = content_tag(make_run(), None, dockerfile, files, {})
    ours = [file for file in files if file.name.startswith("scripts/")]
    assert len(ours) >= 8
    for one in ours:
        edited = [replace(file, content=b"other") if file is one else file for file in files]
        assert content_tag(make_run(), None, dockerfile, edited, {}) != before


def test_the_context_has_everything_that_the_dockerfile_copies(tmp_path):
    """In the context that is laid out, and in the repository for a build by hand."""
    staged = stage(backend.lay_out(APP, ""), tmp_path / "context")
    lines = (ROOT / "backend.Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY scripts")]
    assert len(copied) == 2
    for root in (staged, ROOT):
        assert [name for name in copied if not (root / name).exists()] == []


def test_the_dockerfile_holds_no_program_and_says_how_to_build_it_by_hand():
    text = (ROOT / "backend.Dockerfile").read_text()
    lines = text.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("#   docker build ") for line in lines[:4])
    assert not any(word in text for word in ("python3 -c", "sh -c", "printf", "case ", "; do"))


def test_the_databases_certificate_is_trusted_beside_the_public_ones(tmp_path, monkeypatch):
    (tmp_path / "public.crt").write_text("public\n")
    for name, value in {"DATABASE_CA": "own\n", "SSL_CERT_FILE": f"{tmp_path}/public.crt"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGSSLROOTCERT", "")
    trust.add(tmp_path)
    assert Path(os.environ["SSL_CERT_FILE"]).read_text() == "public\nown\n"
    assert Path(os.environ["PGSSLROOTCERT"]).read_text() == "own\n"


def test_without_such_a_certificate_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_CA", raising=False)
    before = dict(os.environ)
    trust.add(tmp_path)
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []
