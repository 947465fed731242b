"""What is fuzzed: each target is a kind of case, and the project's own readers of it.

Only the project's `Failure` may come out of one.
"""

import contextlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from hypothesis import strategies as st
from invoke import Config

from scripts.app import describe, environment, fit, reach, resolve, undeclared
from scripts.app.survey import read
from scripts.app.survey.tree import decode, read_env
from scripts.app.tracebacks import cause
from scripts.checks import database, diagnosis, health, model, support
from scripts.checks.diagnosis.observe import skew
from scripts.checks.diagnosis.observed import Observed
from scripts.checks.journey import judgement
from scripts.cluster import facts, minikube
from scripts.cluster.kubectl import get_items
from scripts.images import backend, frontend, transport
from scripts.images.context import content_tag, context_files
from scripts.images.plans import ROOT
from scripts.machine import buildkit, engine, pip
from scripts.release import apps, causes, changes, helm, rollout, secret
from scripts.session.findings import Failure
from scripts.session.run import Run
from scripts.session.settings import BESIDE, Settings
from scripts.session.shell import Result, Shell
from scripts.supply import tools as supply
from scripts.supply.tools import Found
from tests.fuzz import answers
from tests.fuzz.mutations import VALUES, changed, paths, wrong_app, wrong_json, wrong_text

TOOLS = {name: Found(name, Path(name), "v3.1.0", "PATH") for name in ("helm", "kubectl")}
#: Folders whose files are real-looking seeds.
APPS = [ROOT / "phase3-chatbot", *sorted(one for one in (ROOT / "tests/apps").iterdir())]
SEED_SIZE = 1 << 14
NUMBER = itertools.count()
EXTRA = {
    ".env": b"DATABASE_URL=postgresql://a:b@localhost/c\nexport SECRET_KEY='x y' # w\nPATH=/a\n",
    "docker-compose.yml": b"services:\n  api:\n    build: .\n    volumes: ['/:/host']\n",
    "Dockerfile": b"FROM node:24-slim AS web\nEXPOSE 8000\nCMD uvicorn main:app --port 8000\n",
    ".nvmrc": b"v20.1\n",
    "pnpm-workspace.yaml": b"packages:\n  - 'packages/*'\n",
    "frontend/tsconfig.json": b'{"compilerOptions": {"paths": {"@/*": ["../shared/*"]}}}',
}


WANTED = secret.Secrets({}, ("A_SECRET",), (), "postgresql", False)


class Answering(Shell):
    """A shell that starts nothing: each command is answered by `answer`."""

    answer: Callable[[list[str]], str]

    def run(self, *argv: Any, **_: Any) -> Result:
        words = [str(one) for one in argv]
        return Result(tuple(words), 0, self.answer(words), "", 0.0)


def running(answer: Callable[[list[str]], str], folder: Path) -> Run:
    shell = Answering()
    shell.answer = answer
    settings = Settings.load({"supply": {"cache": str(folder / "cache")}})
    return Run(settings, shell, lambda _: None, lambda _: True)


def seeds_of_apps() -> tuple[dict[str, bytes], ...]:
    """Every app's small files, by name."""
    found = []
    for root in APPS:
        files = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
            and path.stat().st_size < SEED_SIZE
            and not {"node_modules", ".next", "__pycache__", "out"} & set(path.parts)
        }
        if any(name.endswith("package.json") for name in files):
            found.append({**EXTRA, **files} if len(files) < 20 else files)
    return tuple(sorted(found, key=len)[:-1])  # the reference app is large: see one_file


@contextlib.contextmanager
def written(files: dict[str, bytes], folder: Path):
    root = folder / f"app-{next(NUMBER)}"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def an_app(files: dict[str, bytes], folder: Path) -> None:
    """Everything that is done with an app's files before a container is started."""
    with written(files, folder) as root:
        found = read(root, database="postgres")
        settings = Settings.load({"supply": {"cache": str(folder / "cache")}}, str(root))
        run = running(lambda argv: "", folder)
        describe.rows(found)
        describe.write(found, folder / "survey")
        with contextlib.suppress(Failure):
            environment.gather(run, found)
        fit.environment(found, settings, {"A": "http://[::1", "X_PORT": "9" * 5000})
        fit.trial_of_backend(found, settings)
        fit.before_start(found)
        fit.backend_paths(found)
        fit.data_paths(found)
        reached = reach.reach(root, found.frontend.folder)
        added = fit.frontend_files(found, True)
        docker = ROOT / "frontend.Dockerfile"
        inside = context_files(docker, found.frontend_folder)
        given = frontend.lay_out(inside, added, reached)
        frontend.build_packages(given)
        nobody = engine.Engine("docker", "1", "/", "overlay2", 1, 1)
        content_tag(run, nobody, docker, given, {"A": "b"})
        backend.lay_out(context_files(ROOT / "backend.Dockerfile", found.backend_folder), "a==1\n")
        resolve._requirements(found, [])
        resolve._locked(found)
        resolve._fits("3.13", found.backend.python)
        undeclared.needed("a==1\nfastapi==0.1\npydantic==2.13\n")
        undeclared.undeclared(found, "a==1\n")


def an_env_file(content: bytes, _: Path) -> None:
    values = read_env(decode(content))
    fit.ports(values)
    assert all(isinstance(one, str) for pair in values.items() for one in pair)


def a_log(content: bytes, _: Path) -> None:
    text = content.decode("utf-8", "replace")
    cause(text)
    causes.known_cause("pod", text)
    health.levels(text.splitlines())
    judgement.cause_in(text)
    database.parse(text)
    minikube_lines(text)
    model._piece(text)
    supply.parse_version(text)


def minikube_lines(text: str) -> None:
    said = minikube._follow(running(lambda _: "", Path("/nowhere")), True)
    for line in text.splitlines():
        said(line)


# --- settings ---

WRITTEN = yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"]
VARIABLES = ["INVOKE_PHASE4_" + "_".join(map(str, path)).upper() for path in paths(WRITTEN) if path]


@st.composite
def a_setting(draw):
    if draw(st.booleans()):
        value = draw(wrong_json(({**WRITTEN, "apps": {"/x": {"database": "file"}}},)))
        if draw(st.booleans()):
            place = draw(st.sampled_from(paths(WRITTEN)))
            value = changed(WRITTEN, place, draw(st.recursive(VALUES, st.lists)), False)
        return "values", value
    if draw(st.booleans()):
        text = b"database: postgres\nenvironment: {A: b}\nfrontend: web\nmodule: 'a.b:c'\n"
        return "beside", draw(wrong_text((text, yaml.safe_dump(WRITTEN).encode())))
    text = draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
    value = draw(st.one_of(st.just(text), VALUES.map(str))).replace("\0", "")
    return "variable", (draw(st.sampled_from(VARIABLES)), value)


def settings(case: tuple[str, Any], folder: Path) -> None:
    kind, given = case
    if kind == "values":
        _use(Settings.load(given))
    elif kind == "beside":
        with written({BESIDE: given}, folder) as root:
            _use(Settings.load({}, str(root)))
    else:
        with mock.patch.dict(os.environ, dict([given])):
            config = Config(defaults={"phase4": WRITTEN})
            config.load_shell_env()
            _use(Settings.load(config["phase4"]))


def _use(found: Settings) -> None:
    assert all(isinstance(one, Path) for one in (found.app_path, found.cache))
    assert found.local_url.startswith("http://")
    found.model_dump_json()


# --- what kubectl, helm, docker and crictl say ---


def a_state(items: Any, folder: Path) -> None:
    """The objects of a release, as kubectl gives them."""
    text = json.dumps({"items": items})
    own = items if isinstance(items, list) else []
    secrets = [one for one in own if isinstance(one, dict) and one.get("kind") == "Secret"]

    def answer(argv: list[str]) -> str:
        if "secrets" in argv:
            return json.dumps({"items": secrets})
        return text if "get" in argv else "an ERROR: x"

    run = running(answer, folder)
    state = get_items(run, TOOLS, "pods")
    with contextlib.suppress(Failure):
        facts.read(run, TOOLS)
    for one in (rollout.unready, rollout.api_path, rollout.health_path, rollout.endpoints):
        with contextlib.suppress(Failure):
            one(state)
    for two in (rollout.stale, rollout.starved):
        with contextlib.suppress(Failure):
            two(state, {"backend:1": "sha256:2"})
    with contextlib.suppress(Failure):
        rollout.explain(run, TOOLS, state, 90.0)
    with contextlib.suppress(Failure):
        rollout.seen(state, 1.0)
    with contextlib.suppress(Failure):
        changes.drift(state, state[1:])
    with contextlib.suppress(Failure):
        database.kept(state, "todo-app")
    with contextlib.suppress(Failure):
        support.known_secrets(run, TOOLS)
    pods = [one for one in state if one["kind"] == "Pod"]
    diagnosis.judge(
        Observed(
            **answers.SEEN,
            state=state,
            cluster=state,
            controllers=pods,
            system=pods,
            secrets={},
            elsewhere=[one for one in state if one["kind"] in ("Ingress", "IngressRoute")],
            middlewares=[one for one in state if one["kind"] == "Middleware"],
            policies=[one for one in state if one["kind"] == "NetworkPolicy"],
        )
    )


def a_helm(told: Any, folder: Path) -> None:
    """helm's lists, revisions and values."""

    def answer(argv: list[str]) -> str:
        if isinstance(told, str):
            return told  # a broken text, whatever was asked
        given = told if isinstance(told, dict) else {}
        return json.dumps(next((given[one] for one in given if one in argv), None))

    run = running(answer, folder)
    for reader in (helm.latest, helm.history, helm.deployed, helm.manifest, apps.deployed):
        with contextlib.suppress(Failure):
            reader(run, TOOLS)
    with contextlib.suppress(Failure):
        helm.values_of(run, TOOLS, 1)


def a_secret(told: Any, folder: Path) -> None:
    """The release's own Secret, which somebody may have edited."""
    run = running(lambda argv: json.dumps(told) if "get" in argv else "1", folder)
    secret.put_secrets(run, TOOLS, WANTED)


def a_docker(told: Any, folder: Path) -> None:
    """docker's and crictl's words, and minikube's and this machine's files."""
    text = told if isinstance(told, str) else json.dumps(told)
    run = running(lambda argv: text, folder)
    docker = engine.Engine("docker", "1", "/", "overlay2", 1, 1)
    home = folder / ".minikube"
    config = home / "profiles/todo-chatbot/config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)
    marker = folder / "cache/clusters/todo-chatbot.json"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(text)
    (folder / "pip.conf").write_text(text)
    (folder / ".npmrc").write_text(text)
    given = {"MINIKUBE_HOME": str(home), "PIP_CONFIG_FILE": str(folder / "pip.conf"),
             "NPM_CONFIG_USERCONFIG": str(folder / ".npmrc")}  # fmt: skip
    with mock.patch.dict(os.environ, given):
        for call in (
            lambda: engine.present(run),
            lambda: engine._images(run, "docker"),
            lambda: buildkit.image_id(run, docker, "a:1"),
            lambda: transport.parse_node_images(text),
            lambda: transport.contents_here(text),
            lambda: transport.contents_there(text),
            lambda: transport.nodes("todo-chatbot"),
            lambda: minikube._marker(run),
            lambda: pip.settings(),
            lambda: buildkit._npm_configuration(),
            lambda: skew(text),
            lambda: supply.parse_version(text),
            lambda: database.parse(f"\n{text}"),
        ):
            with contextlib.suppress(Failure):
                call()


@dataclass(frozen=True)
class Target:
    """share: of all cases, in parts of a hundred."""

    name: str
    share: int
    cases: Callable[[], st.SearchStrategy]
    run: Callable[[Any, Path], None]


def _json_or_text(seeds: tuple[object, ...]) -> st.SearchStrategy:
    texts = tuple(json.dumps(one).encode() for one in seeds)
    damaged = wrong_text(texts).map(lambda one: one.decode("utf-8", "replace"))
    return st.one_of(wrong_json(seeds), wrong_json(seeds), damaged)


TARGETS = (
    Target("apps", 4, lambda: wrong_app(seeds_of_apps()), an_app),
    Target("env files", 34, lambda: wrong_text((EXTRA[".env"], answers.ENV)), an_env_file),
    Target("logs", 26, lambda: wrong_text(answers.LOGS), a_log),
    Target("settings", 12, a_setting, settings),
    Target("kubectl's JSON", 8, lambda: wrong_json((answers.ITEMS,), 4), a_state),
    Target("helm's JSON", 7, lambda: _json_or_text((answers.HELM,)), a_helm),
    Target("Secret", 4, lambda: wrong_json((answers.SECRET,)), a_secret),
    Target("docker, crictl, minikube, pip, npm", 5, lambda: _json_or_text(answers.ENGINE),
           a_docker),
)  # fmt: skip


def spent() -> float:
    """Seconds of this process's own work: other programs on the machine do not count."""
    return time.process_time()
