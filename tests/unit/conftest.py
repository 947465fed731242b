import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.session.run import Run
from scripts.session.settings import Settings
from scripts.session.shell import Shell


@pytest.fixture
def said():
    return []


@pytest.fixture
def make_run(tmp_path, said):
    """A Run with a cache of its own; settings as keyword sections."""

    def make(**sections):
        sections.setdefault("supply", {})
        sections["supply"] = {"cache": str(tmp_path / "cache"), **sections["supply"]}
        return Run(Settings.load(sections), Shell(), said.append, lambda what: True)

    return make


@pytest.fixture
def file_server(tmp_path):
    """A web server on loopback over tmp_path/served; its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Put an executable script on PATH in front of all others.

    This machine's own kubectl and docker are out of reach: a test must not lean on them.
    """
    folder = tmp_path / "stubs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name, script):
        path = folder / name
        path.write_text("#!/bin/sh\n" + script + "\n")
        path.chmod(0o755)
        return path

    for name in ("docker", "helm", "kubectl", "minikube"):
        make(name, f"echo this test has no {name} >&2; exit 97")
    return make
