"""Apps of other people's shapes, each in a release of its own.

`invoke deploy --app` puts them there.
"""

import os
import subprocess
import sys

import pytest

from scripts.session.settings import ROOT, Settings
from tests.e2e.conftest import (  # noqa: F401 - fixtures and a hook
    browser,
    browser_path,
    docker,
    found,
    make_run,
    open_page,
    playwright,
    pytest_runtest_makereport,
)

APPS = ROOT / "tests" / "apps"


@pytest.fixture
def release(request, monkeypatch):
    """The names of the release of the app that the test is about."""
    settings = Settings.load({}, str(APPS / request.getfixturevalue("name"))).release
    for key in ("name", "namespace", "host"):
        monkeypatch.setenv(f"INVOKE_PHASE4_RELEASE_{key.upper()}", getattr(settings, key))
    return settings


@pytest.fixture(scope="session")
def run():
    """A run for what all apps share: the tools and the browser."""
    return make_run()


@pytest.fixture
def here(release):
    """A run whose settings name the app's release."""
    return make_run()


@pytest.fixture
def deploy(release):
    """`invoke deploy --app`; its output. `code`: the exit status that is expected."""

    def invoke(*arguments, **environment):
        command = [sys.executable, "-m", "invoke", *arguments, "--yes"]
        wanted = {"cwd": ROOT, "env": {**os.environ, **environment}}
        return subprocess.run(command, capture_output=True, text=True, timeout=500, **wanted)

    def deploy(folder, code=0, **environment):
        done = invoke("deploy", "--app", str(folder), **environment)
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-1000:]
        return done.stdout

    yield deploy
    invoke("undeploy")
