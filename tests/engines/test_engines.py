"""The same deployment on docker engines that keep their images in different ways, side by side."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scripts.images import transport
from scripts.machine import buildkit
from scripts.machine import engine as engines
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell
from scripts.supply import bases, tools
from tests.engines import lab
from tests.reference_app import PLAN_NAMES

PROFILE = "engines"
TURNS = 3
MEGABYTE = 1 << 20
ARTIFACTS = ROOT / "artifacts"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an engine of its own needs root")


def invoke(*words):
    """Run a task of this checkout in the engines' network; what it printed, and the seconds."""
    command = lab.inside(sys.executable, "-m", "invoke", *words, "--yes")
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout, time.monotonic() - began


@pytest.fixture(scope="module")
def folder():
    """Where all may read, on a disk: an overlay cannot lie on another."""
    path = Path(tempfile.mkdtemp(prefix="phase4-engines-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def network():
    with lab.network():
        yield


@pytest.fixture(scope="module")
def bundle(folder):
    """What the machine's own engine has, but for the app's images: those each engine builds."""
    target = folder / "engines.bundle"
    command = [sys.executable, "-m", "invoke", "supply-export", f"{target}", "--yes"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3000)
    return target


@pytest.fixture(scope="module")
def root(folder, bundle):
    run = Run(Settings(), Shell(), print, lambda what: True)
    return lab.make_root(folder, bases.debian_mirror(run))


@pytest.fixture(scope="module")
def app(folder):
    """The reference app in a folder of its own, so that it can be edited."""
    return shutil.copytree(
        ROOT / "phase3-chatbot",
        folder / "phase3-chatbot",
        ignore=shutil.ignore_patterns("node_modules", ".next", "__pycache__", ".env"),
    )


@pytest.fixture(scope="module")
def figures():
    """Engine -> case -> seconds; printed and kept at the end, whatever happened."""
    found = {}
    yield found
    cases = list(dict.fromkeys(case for row in found.values() for case in row))
    print(f"\n| case | {' | '.join(found)} |\n|{' --- |' * (len(found) + 1)}")
    for case in cases:
        taken = (f"{row[case]:.1f}" if case in row else "" for row in found.values())
        print(f"| {case} | {' | '.join(taken)} |")
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "engines.json").write_text(json.dumps(found, indent=2))


@pytest.fixture(scope="module")
def row(kind, folder, root, network, app, figures):
    """An engine that runs, by the environment; the row of its figures."""
    place = folder / f"engine-{len(figures)}"
    (place / "home").mkdir(parents=True)
    shared = (Settings().cache, app.parent)
    with (
        lab.engine(place, root, kind, shared) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        variables = {
            **lab.client(root, place),
            **PLAN_NAMES,
            "DOCKER_HOST": running.address,
            "MINIKUBE_HOME": f"{place / 'home'}",
            "KUBECONFIG": f"{place / 'home' / 'kubeconfig'}",
            "INVOKE_PHASE4_APP_PATH": f"{app}",
            "INVOKE_PHASE4_CLUSTER_PROFILE": PROFILE,
            "INVOKE_PHASE4_CLUSTER_INGRESS_PORT": "8095",
            "INVOKE_PHASE4_HOSTS_FILE": "skip",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        yield figures.setdefault(kind.name, {})


@pytest.fixture
def run():
    return Run(Settings.load({"cluster": {"profile": PROFILE}}), Shell(), print, lambda what: True)


@pytest.fixture
def docker(run):
    return engines.ensure(run)


@pytest.fixture
def make_image(run, docker, tmp_path):
    """Build an image: 1 MB that nobody has seen, on the backend's 200 MB. Reference -> ID."""
    base = next(name for name in docker.images if name.startswith("todo-chatbot-backend:"))
    made = []

    def make():
        (tmp_path / "blob").write_bytes(os.urandom(MEGABYTE))
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY blob /blob\n")
        made.append(f"phase4-engines:{os.urandom(6).hex()}")
        options = ("--quiet", f"--tag={made[-1]}")
        run.shell.run(docker.client, "build", *options, tmp_path, env={"DOCKER_BUILDKIT": "1"})
        return {made[-1]: buildkit.image_id(run, docker, made[-1])}

    yield make
    run.shell.run(docker.client, "rmi", "--force", *made, check=False)


def _edit(path, turn):
    mark = "#" if path.suffix == ".py" else "//"
    path.write_text(f"{path.read_text()}\n{mark} {os.getpid()} {turn} {time.time()}\n")


def test_deployments(row, app, bundle):
    """All of it, nothing, and a line; each is deployed and the app used as a person would."""
    _, row["first deployment, from a bundle"] = invoke("deploy", "--bundle", f"{bundle}")
    cases = {
        "nothing changed": (None, "0 sent", "unchanged"),
        "one line of the backend": (app / "app" / "main.py", "1 sent", "logged in"),
        "one line of the frontend": (app / "frontend" / "lib" / "api.ts", "1 sent", "logged in"),
    }
    for case, (edited, *words) in cases.items():
        taken = []
        for turn in range(TURNS):
            if edited:
                _edit(edited, turn)
            told, seconds = invoke("deploy")
            assert all(word in told for word in words), told
            assert "whole images" not in told
            taken.append(seconds)
        row[case] = statistics.median(taken)


def test_only_what_is_new_travels(row, run, docker, make_image):
    """1 MB of 200, by each way that there is; and once by minikube, which sends all of it."""
    minikube = tools.ensure(run, "minikube", upstream=False)
    python = next(name for name in docker.images if name.startswith("phase4/python:"))
    (node,) = transport.nodes(PROFILE)
    for way in transport._ways(docker)[:-1]:
        taken = []
        for _ in range(TURNS):
            image = make_image()
            there = transport.holdings(run, docker, node, image).layers
            parts = way(run, docker, image, there, python)
            began = time.monotonic()
            run.shell.pipe(*parts, transport._import(docker, node))
            taken.append(time.monotonic() - began)
            assert transport.load_images(run, docker, minikube, image, python).sent == ()
            archive = run.shell.pipe(*parts, ["wc", "-c"]).stdout
            assert MEGABYTE < int(archive) < 1.3 * MEGABYTE
        row[f"1 MB new on 200 MB: {way.__name__.strip('_')}"] = statistics.median(taken)
    image = make_image()
    began = time.monotonic()
    assert transport.load_images(run, docker, minikube, image, python).sent == tuple(image)
    row["1 MB new on 200 MB, with looking before and after"] = time.monotonic() - began
    began = time.monotonic()
    run.shell.run(minikube.path, "-p", PROFILE, "image", "load", *make_image(), timeout=300)
    row["the same by `minikube image load`"] = time.monotonic() - began


def test_a_user_who_may_not_read_the_store_sends_no_more(row, run, docker, make_image, monkeypatch):
    minikube = tools.ensure(run, "minikube", upstream=False)
    python = next(name for name in docker.images if name.startswith("phase4/python:"))
    monkeypatch.setattr(transport, "_may_read", lambda path: False)
    pipes, pipe = [], run.shell.pipe

    def watched(*commands, **options):
        pipes.append(commands)
        return pipe(*commands, **options)

    monkeypatch.setattr(run.shell, "pipe", watched)
    image = make_image()
    began = time.monotonic()
    assert transport.load_images(run, docker, minikube, image, python).sent == tuple(image)
    row["1 MB new on 200 MB, by a user without rights"] = time.monotonic() - began
    assert [commands[0][:2] for commands in pipes] == [[docker.client, "run"]]


def test_the_cluster_goes(row, docker, run):
    _, row["destroy"] = invoke("destroy")
    assert run.shell.run(docker.client, "ps", "--all", "--quiet").stdout == ""
