"""Figures of deploying again: `invoke deploy` beside the way people do it by hand, case by case in one run.

By hand is: docker build of both images under a new tag, `minikube image load`, `helm upgrade --install --wait`. It deploys a release
of its own into the same cluster. Cases run in turns, so that both sides meet the same machine. Medians; artifacts/bench-deploy.json.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from scripts.run import Run
from scripts.settings import ROOT, Settings
from scripts.shell import Shell
from scripts.supply import bases, engine, tools

TURNS = 3
NAME = "by-hand"


class ByHand:
    """What a person types, without looking whether it is needed."""

    def __init__(self, run, app):
        self._app = app
        self._engine = engine.ensure(run)
        upstream = bases.from_upstream(run)
        self._bases = bases.ensure(run, self._engine, ("python", "node", "nginx", "postgres"), upstream)
        self._found = {name: str(tools.ensure(run, name, upstream).path) for name in ("minikube", "helm", "kubectl")}
        self._run = run
        self._number = 0

    def deploy(self):
        self._number += 1
        profile, tag = self._run.settings.cluster.profile, f"{os.getpid()}-{self._number}"
        bases_of = {"frontend": {"NODE_IMAGE": "node", "NGINX_IMAGE": "nginx"}, "backend": {"PYTHON_IMAGE": "python"}}
        for name, context in (("frontend", self._app / "frontend"), ("backend", self._app)):
            arguments = [part for key, base in bases_of[name].items() for part in ("--build-arg", f"{key}={self._bases[base]}")]
            image = f"{NAME}-{name}:{tag}"
            _quietly(self._engine.client, "build", "-f", ROOT / f"{name}.Dockerfile", "-t", image, *arguments, context, DOCKER_BUILDKIT="1")
            _quietly(self._found["minikube"], "-p", profile, "image", "load", image)
        repository, _, postgres = self._bases["postgres"].rpartition(":")
        sets = [
            f"frontend.image.repository={NAME}-frontend", f"frontend.image.tag={tag}", f"backend.image.repository={NAME}-backend",
            f"backend.image.tag={tag}", f"postgres.image.repository={repository}", f"postgres.image.tag={postgres}", f"ingress.host={NAME}.local",
            "ingress.extraHosts=null",
        ]  # fmt: skip
        context = self._run.settings.context
        _quietly(
            self._found["helm"], "--kube-context", context, "upgrade", "--install", NAME, ROOT / "helm-chart", "-n", NAME, "--create-namespace",
            "--wait", "--timeout", "300s", *(part for one in sets for part in ("--set", one)),
        )  # fmt: skip

    def remove(self):
        _quietly(self._found["kubectl"], "--context", self._run.settings.context, "delete", "namespace", NAME, "--ignore-not-found")


def _quietly(*argv, **environment):
    result = subprocess.run([str(part) for part in argv], env={**os.environ, **environment}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def _seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _edit(path, turn):
    """One more line in a file of the app: other contents each time."""
    path.write_text(path.read_text() + f"\n{'#' if path.suffix == '.py' else '//'} {os.getpid()} {turn}\n")


def main():
    settings = Settings.load(yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"])
    run = Run(settings, Shell(), lambda text: None, lambda what: True)
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app"
        shutil.copytree(ROOT / "phase3-chatbot", app, ignore=shutil.ignore_patterns("node_modules", ".next", "out", "data", "__pycache__"))
        hand = ByHand(run, app)

        def ours():
            _quietly("invoke", "deploy", "--yes", INVOKE_PHASE4_APP_PATH=str(app))

        sides = {"by hand": hand.deploy, "invoke deploy": ours}
        cases = {
            "nothing changed": lambda turn: None,
            "one line of the backend": lambda turn: _edit(app / "app" / "main.py", turn),
            "one line of the frontend": lambda turn: _edit(app / "frontend" / "lib" / "api.ts", turn),
        }
        rows = {}
        try:
            for work in sides.values():
                work()  # both are there before anything is timed
            for case, change in cases.items():
                taken = {side: [] for side in sides}
                for turn in range(TURNS):
                    for side, work in sides.items():
                        change(f"{case} {turn} {side}")
                        taken[side].append(_seconds(work))
                rows[case] = {side: round(statistics.median(times), 2) for side, times in taken.items()}
        finally:
            hand.remove()
    subprocess.run(["invoke", "deploy", "--yes"], check=True, capture_output=True)
    print("| case | by hand, s | invoke deploy, s | ratio |\n|---|---|---|---|")
    for case, row in rows.items():
        print(f"| {case} | {row['by hand']:.1f} | {row['invoke deploy']:.1f} | 1/{row['by hand'] / row['invoke deploy']:.1f} |")
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (artifacts / "bench-deploy.json").write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
