"""The app's two images: named by a digest of everything that goes into them, built when that is new, tried alone while they travel.

What is digested is what is built: the files are read once, and the build gets a copy of just those bytes. Their dates are
new each time, because BuildKit takes a file of the same size and date for the one that it has.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pathspec
import requests

from scripts import buildkit, fit
from scripts.findings import failure
from scripts.resolve import COMPILERS, LIBRARIES, Resolved
from scripts.run import Run
from scripts.settings import ROOT
from scripts.supply.cache import digest
from scripts.supply.engine import Engine
from scripts.survey import PORT, Survey
from scripts.tracebacks import cause

FRONTEND = "todo-chatbot-frontend"
BACKEND = "todo-chatbot-backend"
TRIAL_TIMEOUT = 45.0
KEPT = 30  # names of earlier images in the engine, of each kind: more than helm keeps revisions
NEEDS_DATABASE = re.compile(r"[Cc]onnection refused|Connect call failed|could not connect|connection to server|ECONNREFUSED", re.IGNORECASE)
PYTHON_BASES = {"3.13": "python", "3.12": "python-3.12", "3.11": "python-3.11"}


@dataclass(frozen=True)
class File:
    """A file of a build context. name: relative, with forward slashes."""

    name: str
    executable: bool
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """An image as it has to be. reference: name and content tag. id: the engine's (sha256:...), empty when it has to be built.

    port, path: where it must answer when it is tried alone; strict: with 200, else with anything. files: the context's own. added: those that are put beside them for the build, or in
    their place. environment: what a container gets when it is tried alone.
    """

    name: str
    reference: str
    id: str
    dockerfile: Path
    context: Path
    files: tuple[File, ...] = field(repr=False)
    arguments: Mapping[str, str]
    port: int
    path: str
    strict: bool = True
    added: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def build_files(self) -> tuple[File, ...]:
        """What the build gets."""
        return _with(self.files, self.added)


@dataclass(frozen=True)
class Plans:
    """Both images, named before they are built."""

    frontend: Plan
    backend: Plan


@dataclass(frozen=True)
class Images:
    """The app's images, built. built: the references that this run made."""

    references: Mapping[str, str]
    built: tuple[str, ...]


def plan(run: Run, engine: Engine, app: Survey, bases: Mapping[str, str], resolved: Resolved, offline: bool) -> Plans:
    """Name both images by what goes into them, and see whether the engine has them. offline: only package registries answer."""
    backend = app.backend
    wrapped = "phase4_asgi.py" in fit.backend_files(app, "")
    fonts = bool(app.frontend.google_fonts) and offline
    front = {
        "NODE_IMAGE": bases["node"],
        "NGINX_IMAGE": bases["nginx"],
        "SERVED": app.frontend.served,
        "ADDRESSES": " ".join(fit.addresses(app)),
        "NEXT_PUBLIC_API_URL": fit.build_environment(app).get("NEXT_PUBLIC_API_URL", "/api"),
        # Without a lock file, what was there on the day of the app's last commit.
        "BEFORE": "" if app.frontend.lock else resolved.date,
        # Turbopack reads the file of font answers as data; webpack runs it.
        "BUILD_OPTIONS": "--webpack" if fonts and app.frontend.major >= 16 else "",
        "FONTS": "/app/phase4-fonts.cjs" if fonts else "",
        "AUTH_TABLES": "phase4-auth.mjs" if app.frontend.auth_module else "",
    }
    back = {
        "PYTHON_IMAGE": bases[PYTHON_BASES[resolved.python]],
        "APP_MODULE": "phase4_asgi:app" if wrapped else backend.module,
        "APP_TARGET": backend.module if wrapped else "",
        "APP_FACTORY": "1" if backend.factory else "",
        "HEALTH_PATH": backend.health_path,
        "BUILD_PACKAGES": COMPILERS if resolved.compiles else "",
        "RUN_PACKAGES": LIBRARIES if resolved.compiles else "",
        "DATA_DIR": fit.data_folder(app),
        "DATA_PATHS": " ".join(fit.data_paths(app)),
    }
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_plan, run, engine, FRONTEND, app.frontend_folder, front, fit.frontend_files(app, offline))
        second = pool.submit(_plan, run, engine, BACKEND, app.backend_folder, back, fit.backend_files(app, resolved.requirements))
        served, health = app.frontend.served == "export", backend.health_path
        return Plans(
            replace(first.result(), port=80, path="/", strict=served, environment=fit.trial_environment(app.frontend.variables, "postgresql")),
            replace(
                second.result(), port=PORT, path=health or "/", strict=bool(health), environment=fit.trial_environment(backend.variables, app.decision.scheme)
            ),
        )


def _plan(run: Run, engine: Engine, name: str, context: Path, arguments: Mapping[str, str], added: Mapping[str, bytes]) -> Plan:
    dockerfile = ROOT / f"{name.rsplit('-', 1)[1]}.Dockerfile"
    files = context_files(dockerfile, context)
    reference = f"{name}:{content_tag(run, engine, dockerfile, _with(files, added), arguments)}"
    return Plan(name, reference, buildkit.image_id(run, engine, reference), dockerfile, context, files, arguments, 0, "", added=added)


def _with(files: Iterable[File], added: Mapping[str, bytes]) -> tuple[File, ...]:
    kept = [file for file in files if file.name not in added]
    return tuple(sorted([*kept, *(File(name, False, content) for name, content in added.items())], key=lambda file: file.name))


def build(run: Run, engine: Engine, plans: Plans) -> Images:
    """Build what is not there, side by side. Raises IMAGE-BUILD-FAILED."""
    both = (plans.frontend, plans.backend)
    with ThreadPoolExecutor(len(both)) as pool:
        found = list(pool.map(lambda plan: plan.id or _build(run, engine, plan), both))
    references = {plan.reference: image_id for plan, image_id in zip(both, found, strict=True)}
    built = tuple(plan.reference for plan in both if not plan.id)
    if built:
        _forget_oldest(run, engine, references)
    return Images(references, built)


def _forget_oldest(run: Run, engine: Engine, wanted: Iterable[str]) -> None:
    """Take from the engine all but the newest images of the app: every edit makes one, and the engine keeps them for ever. What is needed again is built again."""
    old = []
    for name in (FRONTEND, BACKEND, f"{FRONTEND}-source"):
        tags = [reference for reference in engine.images if reference.startswith(f"{name}:")]  # docker lists the newest first
        old += [reference for reference in tags[KEPT:] if reference not in wanted and not reference.endswith(":latest")]
    if old:
        run.say(f"removing {len(old)} names of old images")
        run.shell.detach(engine.client, "rmi", *old, log=run.settings.cache / "logs" / "docker-rmi.log")


def build_source(run: Run, engine: Engine, plan: Plan) -> dict[str, str]:
    """The image with an app's source and packages, before it is built; for the dev loop. reference -> image ID."""
    reference = plan.reference.replace(":", "-source:")
    found = buildkit.image_id(run, engine, reference)
    if not found:
        run.say(f"building {reference.split(':')[0]}")
        staged = stage(plan.build_files, _folder(run, plan))
        found = buildkit.build(run, engine, plan.dockerfile, staged, (reference,), plan.arguments, target="source")
    return {reference: found}


def _folder(run: Run, plan: Plan) -> Path:
    return run.settings.cache / "contexts" / run.settings.cluster.profile / plan.name


def _build(run: Run, engine: Engine, plan: Plan) -> str:
    """Build one image, under a second name that says that it has not run yet: whoever comes next will try it, also after an interruption."""
    run.say(f"building {plan.name}")
    staged = _folder(run, plan) if run.shell.dry else stage(plan.build_files, _folder(run, plan))
    names = (plan.reference, _untried(plan), f"{plan.name}:latest")  # the last is for people, and never sent to a pod
    return buildkit.build(run, engine, plan.dockerfile, staged, names, plan.arguments)


def _untried(plan: Plan) -> str:
    return f"{plan.reference}-untried"


def try_images(run: Run, engine: Engine, plans: Plans, images: Images) -> tuple[str, ...]:
    """Start each image that has not run yet by itself, side by side; the references of those. Raises IMAGE-RUN-FAILED."""

    def attempt(plan: Plan) -> str:
        if plan.reference not in images.built and _has_run(run, engine, plan):
            return ""
        run.say(f"trying {plan.name} alone")
        try_alone(run, engine, plan.reference, plan)
        run.shell.run(engine.client, "rmi", _untried(plan), check=False)
        return plan.reference

    both = (plans.frontend, plans.backend)
    with ThreadPoolExecutor(len(both)) as pool:
        return tuple(filter(None, pool.map(attempt, both)))


def _has_run(run: Run, engine: Engine, plan: Plan) -> bool:
    second = _untried(plan)
    # Where the engine's list has the one name, it would have the other.
    return (engine.images.get(second) if plan.reference in engine.images else buildkit.image_id(run, engine, second)) != plan.id


def content_tag(run: Run, engine: Engine, dockerfile: Path, files: Iterable[File], arguments: Mapping[str, str]) -> str:
    """A digest of all that a build sees: its files, the Dockerfile, the arguments, and the base images' IDs."""
    values = [f"{name}={value}@{buildkit.image_id(run, engine, value) if name.endswith('_IMAGE') else ''}" for name, value in sorted(arguments.items())]
    named = [part for file in files for part in (file.name, "x" if file.executable else "-", file.content)]
    return digest(dockerfile.read_bytes(), *values, *named)


def context_files(dockerfile: Path, context: Path) -> tuple[File, ...]:
    """The files of a build context, less those that <dockerfile>.dockerignore leaves out."""
    ignored = is_ignored(dockerfile)
    names = []
    for folder, folders, files in os.walk(context):
        below = Path(folder).relative_to(context)
        folders[:] = [name for name in folders if not ignored(f"{(below / name).as_posix()}/")]  # node_modules is not even read
        names += [path for name in files if not ignored(path := (below / name).as_posix())]
    names = sorted(name for name in names if (context / name).is_file())  # a link that leads nowhere is none
    return tuple(File(name, os.access(context / name, os.X_OK), (context / name).read_bytes()) for name in names)


def is_ignored(dockerfile: Path) -> Callable[[str], bool]:
    """Whether <dockerfile>.dockerignore leaves out a path of the context; of a folder it ends with a slash."""
    patterns = dockerfile.with_name(dockerfile.name + ".dockerignore").read_text(encoding="utf-8").splitlines()
    # A pattern of .dockerignore is anchored at the root of the context, one of .gitignore is not.
    return pathspec.GitIgnoreSpec.from_lines(line if line.startswith(("**", "!", "#")) or not line else f"/{line}" for line in patterns).match_file


def stage(files: Iterable[File], folder: Path) -> Path:
    """Write the files into `folder`, which holds nothing else afterwards. Returns it."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    return folder


def try_alone(run: Run, engine: Engine, reference: str, plan: Plan) -> None:
    """Start a container on a free port of loopback and ask it. An app that ends without its database is tried in the cluster. Raises IMAGE-RUN-FAILED."""
    variables = [f"--env={name}={value}" for name, value in plan.environment.items()]  # made up: no secrets
    started = run.shell.run(engine.client, "run", "--detach", "--publish", f"127.0.0.1::{plan.port}", *variables, reference, check=False)
    if run.shell.dry:
        return
    container = started.stdout.strip()
    try:
        answer = ""
        if started.ok:
            mapped = run.shell.run(engine.client, "port", container, f"{plan.port}/tcp", check=False).stdout.split()
            if mapped:
                url = f"http://{mapped[0]}{plan.path}"
                if _comes_up(run, engine, container, url, plan.strict):
                    return
                answer = f"{url} did not answer{' 200' if plan.strict else ''}"
        log = run.shell.run(engine.client, "logs", "--tail", "60", container, check=False).tail(60) if started.ok else started.tail(5)
        if started.ok and NEEDS_DATABASE.search(log):
            run.say(f"{plan.name} starts with its database only: it is tried in the cluster")
            return
        why = cause(log)
        raise failure(
            "IMAGE-RUN-FAILED",
            plan.name,
            f"{plan.name} was built but does not work by itself" + (f": {why}" if why else ""),
            "\n".join([answer, *log.splitlines()[-15:]]).strip(),
            f"try it: docker run -p {plan.port}:{plan.port} {reference}",
        )
    finally:
        if container:
            # Nobody waits for it: a quarter of a second.
            run.shell.detach(engine.client, "rm", "--force", "--volumes", container, log=run.settings.cache / "logs" / "docker-rm.log")


def _comes_up(run: Run, engine: Engine, container: str, url: str, strict: bool) -> bool:
    """Whether it answers before it ends, or its time does. Docker is asked now and then only: that takes the CPU that the app starts with."""

    def answers() -> bool:
        return run.shell.until(lambda: _answers(url, strict), 0.5, 0.03)

    return run.shell.until(lambda: answers() or not _is_running(run, engine, container), TRIAL_TIMEOUT, 0.0) and answers()


def _answers(url: str, strict: bool) -> bool:
    try:
        return requests.get(url, timeout=2, allow_redirects=False).status_code == 200 or not strict
    except requests.RequestException:
        return False


def _is_running(run: Run, engine: Engine, container: str) -> bool:
    return run.shell.run(engine.client, "container", "inspect", "--format", "{{.State.Running}}", container, check=False).stdout.strip() == "true"
