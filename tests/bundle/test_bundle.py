"""One machine exports, another one deploys: an empty engine, an empty cache, and no network."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scripts.session.settings import ROOT

MOST_BYTES = 800e6
ARTIFACTS = ROOT / "artifacts"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an engine of its own needs root")


def invoke(*words):
    """Run a task of this checkout; what it printed."""
    command = [sys.executable, "-m", "invoke", *words, "--yes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder():
    """Where all may read, and nothing is left: pytest's own folders are for root alone."""
    path = Path(tempfile.mkdtemp(prefix="phase4-bundle-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def bundle(folder):
    """A bundle with the reference app, exported when everything is made."""
    target = folder / "todo.bundle"
    invoke("supply-export", f"{target}", "--app")
    began = time.monotonic()
    invoke("supply-export", f"{target}", "--app")
    figures = {"export": time.monotonic() - began, "bytes": target.stat().st_size}
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "bundle.json").write_text(json.dumps(figures))
    target.chmod(0o644)
    return target


def test_the_bundle_is_small_enough_to_be_passed_on(bundle):
    assert bundle.stat().st_size < MOST_BYTES


def test_it_deploys_without_any_network(bundle, folder):
    program = [sys.executable, "-m", "tests.bundle.enclosed", f"{bundle}", f"{folder / 'there'}"]
    done = subprocess.run(
        ["unshare", "--net", *program], cwd=ROOT, capture_output=True, text=True, timeout=2000
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    kept = ARTIFACTS / "bundle.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), **figures}))
    assert figures["again"] < figures["first"] / 2, "the second deployment does nothing"
