"""Figures of deploying again: `invoke deploy` beside the way people do it by hand.

All cases are measured in one run, one after another.

By hand is: docker build of both images under a new tag, `minikube image load`, `helm upgrade
--install --wait`. It deploys a release of its own into the same cluster. Cases run in turns, so
that both sides meet the same machine. Medians; artifacts/bench-deploy.json.
"""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import requests
import yaml

from scripts.images import backend, frontend, transport
from scripts.machine import buildkit, engine
from scripts.session import settings
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell
from scripts.supply import bases, tools
from tests.reference_app import PLAN_NAMES

TURNS = 3
NAME = "by-hand"


class ByHand:
    """What a person types, without looking whether it is needed."""

    def __init__(self, run, app, values):
        self._app, self._values = app, values
        self._engine = engine.ensure(run)
        upstream = bases.from_upstream(run)
        self._bases = bases.ensure(
            run, self._engine, ("python", "node", "nginx", "postgres"), upstream
        )
        self._found = {
            name: str(tools.ensure(run, name, upstream).path)
            for name in ("minikube", "helm", "kubectl")
        }
        # Where packages come from is this machine's business: neither side is timed for finding it
        # out.
        files = contextlib.ExitStack()
        atexit.register(files.close)
        self._secrets = {
            name: files.enter_context(buildkit.build_secrets(ROOT / f"{name}.Dockerfile"))
            for name in ("frontend", "backend")
        }
        self._run = run
        self._number = 0

    def deploy(self):
        self._number += 1
        profile, tag = self._run.settings.cluster.profile, f"{os.getpid()}-{self._number}"
        bases_of = {
            "frontend": {"NODE_IMAGE": "node", "NGINX_IMAGE": "nginx"},
            "backend": {"PYTHON_IMAGE": "python"},
        }
        # Beside the app lies a copy of scripts/images, as in the repository.
        context = self._app.parent
        for name in ("frontend", "backend"):
            arguments = [
                part
                for key, base in bases_of[name].items()
                for part in ("--build-arg", f"{key}={self._bases[base]}")
            ]
            image = f"{NAME}-{name}:{tag}"
            given = [f"--secret=id={one},src={path}" for one, path in self._secrets[name].items()]
            _quietly(
                self._engine.client,
                "build",
                "-f",
                ROOT / f"{name}.Dockerfile",
                "-t",
                image,
                *given,
                *arguments,
                context,
                DOCKER_BUILDKIT="1",
            )
            _quietly(self._found["minikube"], "-p", profile, "image", "load", image)
        repository, _, postgres = self._bases["postgres"].rpartition(":")
        sets = [
            f"frontend.image.repository={NAME}-frontend", f"frontend.image.tag={tag}",
            f"backend.image.repository={NAME}-backend",
            f"backend.image.tag={tag}", f"postgres.image.repository={repository}",
            f"postgres.image.tag={postgres}", f"ingress.host={NAME}.local",
            "ingress.extraHosts=null",
        ]  # fmt: skip
        context = self._run.settings.context
        _quietly(
            self._found["helm"], "--kube-context", context, "upgrade", "--install", NAME,
            ROOT / "helm-chart", "-n", NAME, "--create-namespace",
            "--wait", "--timeout", "300s", "-f", self._values,
            *(part for one in sets for part in ("--set", one)),
        )  # fmt: skip

    def load_postgres(self):
        """What a new cluster needs besides; in the other cases it is there."""
        _quietly(
            self._found["minikube"],
            "-p",
            self._run.settings.cluster.profile,
            "image",
            "load",
            self._bases["postgres"],
        )

    def remove(self):
        """Remove all that it left.

        That is the release, the engine's images, and the copies that `minikube image load` keeps.
        """
        _quietly(
            self._found["kubectl"],
            "--context",
            self._run.settings.context,
            "delete",
            "namespace",
            NAME,
            "--ignore-not-found",
        )
        client = self._engine.client
        listed = subprocess.run(
            [client, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        mine = [name for name in listed if name.startswith(f"{NAME}-")]
        if mine:
            _quietly(client, "image", "rm", "--force", *mine)
        for path in (settings.minikube_home() / "cache" / "images").glob(f"*/{NAME}-*"):
            path.unlink()


def _quietly(*argv, **environment):
    result = subprocess.run(
        [str(part) for part in argv],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def _seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _edit(path, turn):
    """One more line in a file of the app: other contents each time."""
    path.write_text(
        path.read_text() + f"\n{'#' if path.suffix == '.py' else '//'} {os.getpid()} {turn}\n"
    )


def _cases(app, values):
    """What is changed before each deployment: case -> function of a text that is new each time."""
    return {
        "nothing changed": lambda new: None,
        "one line of the backend": lambda new: _edit(app / "app" / "main.py", new),
        "one line of the frontend": lambda new: _edit(app / "frontend" / "lib" / "api.ts", new),
        "a chart value": lambda new: values.write_text(
            yaml.safe_dump({"backend": {"podAnnotations": {"bench": new}}})
        ),
    }


def deployments(run, app, values):
    """Each case by hand and by `invoke deploy`, in turns. Yields (case, {side: seconds})."""
    hand = ByHand(run, app, values)
    mine = values.with_name("mine.yaml")
    mine.write_text(yaml.safe_dump({"phase4": {"release": {"values": [str(values)]}}}))
    sides = {
        "by hand": hand.deploy,
        "invoke deploy": lambda: _quietly(
            "invoke", "-f", mine, "deploy", "--yes", INVOKE_PHASE4_APP_PATH=str(app), **PLAN_NAMES
        ),
    }
    try:
        for work in sides.values():
            work()  # both are there before anything is timed
        for case, change in _cases(app, values).items():
            taken = {side: [] for side in sides}
            for turn in range(TURNS):
                for side, work in sides.items():
                    change(f"{os.getpid()} {case} {turn} {side}")
                    taken[side].append(_seconds(work))
            yield case, {side: statistics.median(times) for side, times in taken.items()}
    finally:
        hand.remove()


def transports(run):
    """Images of one new layer on the backend's: `minikube image load` beside ours.

    The cases differ by the layer's size and the number of images.

    Yields (case, {side: seconds}).
    """
    docker, minikube = engine.ensure(run), tools.ensure(run, "minikube", bases.from_upstream(run))
    profile = run.settings.cluster.profile
    python = bases.ensure(run, docker, ("python",), bases.from_upstream(run))["python"]
    names = run.shell.run(
        docker.client, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"
    ).stdout.split()
    base = next(
        name
        for name in names
        if name.startswith("todo-chatbot-backend:") and not name.endswith(":latest")
    )
    made = []

    def image(megabytes):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "blob").write_bytes(os.urandom(megabytes << 20))
            Path(folder, "Dockerfile").write_text(f"FROM {base}\nCOPY blob /blob\n")
            made.append(f"phase4-bench:{os.urandom(6).hex()}")
            run.shell.run(
                docker.client,
                "build",
                "--quiet",
                f"--tag={made[-1]}",
                folder,
                env={"DOCKER_BUILDKIT": "1"},
            )
        return made[-1], buildkit.image_id(run, docker, made[-1])

    def by_minikube(images):
        for reference in images:
            _quietly(minikube.path, "-p", profile, "image", "load", reference)

    try:
        for number, megabytes, turns in (
            (1, 1, TURNS),
            (1, 10, TURNS),
            (1, 100, TURNS),
            (3, 1, 1),
            (10, 1, 1),
        ):
            taken = {"by hand": [], "invoke deploy": []}
            for _ in range(turns):
                images = dict(image(megabytes) for _ in range(number))
                taken["by hand"].append(_seconds(partial(by_minikube, images)))
                images = dict(image(megabytes) for _ in range(number))
                taken["invoke deploy"].append(
                    _seconds(partial(transport.load_images, run, docker, minikube, images, python))
                )
            name = f"transport of {number} image{'s' if number > 1 else ''} with {megabytes} MB new"
            yield name, {side: statistics.median(times) for side, times in taken.items()}
    finally:
        run.shell.run(docker.client, "rmi", *made)
        for node in transport.nodes(profile):
            run.shell.run(
                *node.command(docker, "crictl", "rmi", *map(transport.normalized, made)),
                check=False,
            )


def edits(run, app):
    """Seconds from a saved file to the answer that shows it, in `invoke dev`.

    Yields (case, {"invoke dev": seconds}).
    """
    environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
    loop = subprocess.Popen(
        ["invoke", "dev", "--yes"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    try:
        for line in loop.stdout:
            said.append(line)
            if "Ctrl-C ends" in line:
                break
        assert loop.poll() is None, "".join(said)
        threading.Thread(
            target=loop.stdout.read, daemon=True
        ).start()  # it must not wait for a reader
        url = f"http://127.0.0.1:{run.settings.cluster.ingress_port}"
        host = {"Host": run.settings.release.host}

        def until(path, words):
            while words not in requests.get(url + path, headers=host, timeout=30).text:
                time.sleep(0.01)

        def edit(path, pattern, page):
            taken = []
            for turn in range(5):
                words = f"Title {os.getpid()} {turn}"
                text = re.sub(
                    pattern,
                    lambda match: match.group(1) + f'"{words}"',  # noqa: B023
                    path.read_text(),
                    count=1,
                )
                started = time.perf_counter()
                path.write_text(text)
                until(page, words)
                taken.append(time.perf_counter() - started)
            return {"invoke dev": statistics.median(taken)}

        until("/login", "Log in")  # compiled once before anything is timed
        yield (
            "an edit of the backend, until it is served",
            edit(app / "app" / "main.py", r'(title=)"[^"]*"', "/api/openapi.json"),
        )
        yield (
            "an edit of the frontend, until it is served",
            edit(app / "frontend" / "app" / "layout.tsx", r'(title: )"[^"]*"', "/login"),
        )
    finally:
        loop.send_signal(signal.SIGTERM)
        loop.wait(60)


def new_cluster(run, app, values):
    """A new cluster with warm caches: `invoke deploy` beside the same steps one after another.

    The cluster is deleted before. The steps are cluster, build, load and install.

    Yields (case, {side: seconds}).
    """
    hand = ByHand(run, app, values)

    def in_turn():
        _quietly("invoke", "cluster-up", "--yes")
        hand.load_postgres()
        hand.deploy()

    rows = {}
    for side, work in {
        "by hand": in_turn,
        "invoke deploy": lambda: _quietly("invoke", "deploy", "--yes"),
    }.items():
        _quietly("invoke", "destroy", "--yes")
        rows[side] = _seconds(work)
    yield "cluster deleted, caches warm", rows


def main():
    """Measure all of it, or what is named: deployments, transports, edits, new_cluster."""
    settings = Settings.load(yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"])
    run = Run(settings, Shell(), lambda text: None, lambda what: True)
    with tempfile.TemporaryDirectory() as folder:
        app, values = Path(folder) / "phase3-chatbot", Path(folder) / "values.yaml"
        shutil.copytree(
            ROOT / "phase3-chatbot",
            app,
            ignore=shutil.ignore_patterns("node_modules", ".next", "out", "data", "__pycache__"),
        )
        for programs in (frontend.WEB, backend.API):
            shutil.copytree(ROOT / programs, Path(folder) / programs)
        values.write_text("{}\n")
        parts = {
            "deployments": lambda: deployments(run, app, values),
            "transports": lambda: transports(run),
            "edits": lambda: edits(run, app),
            "new_cluster": lambda: new_cluster(run, app, values),
        }
        rows = {}
        print("| case | by hand, s | ours, s | ratio |\n|---|---|---|---|")
        for name in sys.argv[1:] or parts:
            for case, row in parts[name]():
                rows[case] = row
                hand, ours = row.get("by hand"), row.get("invoke deploy", row.get("invoke dev"))
                print(
                    f"| {case} | {f'{hand:.1f}' if hand else ''} | {ours:.1f} | "
                    f"{f'1/{hand / ours:.1f}' if hand else ''} |",
                    flush=True,
                )
    _quietly("invoke", "deploy", "--yes")
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (artifacts / "bench-deploy.json").write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
