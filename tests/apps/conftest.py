"""Apps of other people's shapes, one after another in a release of their own, as `invoke deploy --app` puts them there."""

import os
import subprocess
import sys

import pytest

from scripts.session.settings import ROOT
from tests.e2e.conftest import browser, browser_path, found, make_run, open_page, playwright, pytest_runtest_makereport  # noqa: F401 - fixtures and a hook

RELEASE = {"INVOKE_PHASE4_RELEASE_NAME": "apps", "INVOKE_PHASE4_RELEASE_NAMESPACE": "apps", "INVOKE_PHASE4_RELEASE_HOST": "apps.local"}
APPS = ROOT / "tests" / "apps"


@pytest.fixture(scope="session", autouse=True)
def _release():
    """The release that the shared fixtures look at, and no trace of it afterwards."""
    os.environ.update(RELEASE)
    yield
    for name in RELEASE:
        del os.environ[name]


@pytest.fixture(scope="session")
def run(_release):
    return make_run()


@pytest.fixture
def deploy():
    """`invoke deploy --app`; its output. `code`: the exit status that is expected."""

    def deploy(folder, code=0, **environment):
        command = [sys.executable, "-m", "invoke", "deploy", "--yes", "--app", str(folder)]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **RELEASE, **environment}, capture_output=True, text=True, timeout=500)
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-1000:]
        return done.stdout

    return deploy
