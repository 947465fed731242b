"""The app's two images, each named by a digest of everything that goes into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.app import fit, reach
from scripts.app.resolve import COMPILERS, LIBRARIES, Resolved
from scripts.app.survey import PORT, Survey
from scripts.images import frontend
from scripts.images.context import File, content_tag, context_files, with_added
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply import bases

FRONTEND = "todo-chatbot-frontend"
BACKEND = "todo-chatbot-backend"
BASE_IMAGES = ("node", "nginx", "postgres")
PYTHON_BASES = {"3.13": "python", "3.12": "python-3.12", "3.11": "python-3.11"}


@dataclass(frozen=True)
class Plan:
    """An image as it has to be. reference: name and content tag. id: the engine's (sha256:...), empty when it has to be built.

    port, path: where it must answer when it is tried alone; strict: with 200, else with anything.
    files: the component's own. build_files: what the build gets.
    environment: what a container gets when it is tried alone.
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
    build_files: tuple[File, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plans:
    """The app's images, named before they are built, and the base images that go with them.

    postgres: reference of the database's image, empty for an app without a database of its own.
    python: reference of an image with Python. services: further components of the app, by name.
    """

    frontend: Plan
    backend: Plan
    postgres: str = ""
    python: str = ""
    services: Mapping[str, Plan] = field(default_factory=dict)

    @property
    def every(self) -> tuple[Plan, ...]:
        """The plans of all images that are built from the app."""
        return (self.frontend, self.backend, *self.services.values())


def base_images(run: Run, engine: Engine, upstream: bool, resolved: Resolved) -> dict[str, str]:
    """Base image -> reference, all of which the engine then has; with Python as the app wants it."""
    python = PYTHON_BASES[resolved.python]
    found = bases.ensure(run, engine, (python, *BASE_IMAGES), upstream)
    return {**found, "python": found[python]}


def plan(
    run: Run,
    engine: Engine,
    app: Survey,
    base: Mapping[str, str],
    resolved: Resolved,
    upstream: bool,
) -> Plans:
    """Name the app's images by what goes into them, and see which of them the engine has.

    base: what `base_images` gave. upstream: upstream's registries answer, not package registries only.
    """
    offline = not upstream
    backend = app.backend
    wrapped = "phase4_asgi.py" in fit.backend_files(app, "")
    fonts = bool(app.frontend.google_fonts) and offline
    reached = reach.reach(app.root, app.frontend.folder)
    front = {
        "NODE_IMAGE": base["node"],
        "NGINX_IMAGE": base["nginx"],
        "SOURCE": frontend.SOURCE,
        "MANIFESTS": frontend.MANIFESTS,
        "FOLDER": reached.folder,
        "WORKSPACE": reached.workspace,
        "SERVED": app.frontend.served,
        "ADDRESSES": " ".join(fit.addresses(app)),
        "NEXT_PUBLIC_API_URL": fit.build_environment(app).get("NEXT_PUBLIC_API_URL", "/api"),
        # Without a lock file, what was there on the day of the app's last commit.
        "BEFORE": "" if app.frontend.lock else resolved.date,
        # Turbopack reads the file of font answers as data; webpack runs it.
        "BUILD_OPTIONS": "--webpack" if fonts and app.frontend.major >= 16 else "",
    }
    back = {
        "PYTHON_IMAGE": base["python"],
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
        first = pool.submit(
            _plan,
            run,
            engine,
            FRONTEND,
            app.frontend_folder,
            front,
            lambda files: frontend.lay_out(files, fit.frontend_files(app, offline), reached),
        )
        second = pool.submit(
            _plan,
            run,
            engine,
            BACKEND,
            app.backend_folder,
            back,
            lambda files: with_added(files, fit.backend_files(app, resolved.requirements)),
        )
        served, health = app.frontend.served == "export", backend.health_path
        return Plans(
            replace(
                first.result(),
                port=80,
                path="/",
                strict=served,
                environment=fit.trial_environment(app.frontend.variables, "postgresql"),
            ),
            replace(
                second.result(),
                port=PORT,
                path=health or "/",
                strict=bool(health),
                environment=fit.trial_environment(backend.variables, app.decision.scheme),
            ),
            base["postgres"] if app.database == "postgres" else "",
            base["python"],
        )


def _plan(
    run: Run,
    engine: Engine,
    name: str,
    context: Path,
    arguments: Mapping[str, str],
    lay_out: Callable[[Iterable[File]], tuple[File, ...]],
) -> Plan:
    dockerfile = ROOT / f"{name.rsplit('-', 1)[1]}.Dockerfile"
    files = context_files(dockerfile, context)
    build_files = lay_out(files)
    if name == FRONTEND:
        arguments = {**arguments, "BUILD_PACKAGES": frontend.build_packages(build_files)}
    reference = f"{name}:{content_tag(run, engine, dockerfile, build_files, arguments)}"
    return Plan(
        name,
        reference,
        buildkit.image_id(run, engine, reference),
        dockerfile,
        context,
        files,
        arguments,
        0,
        "",
        build_files=build_files,
    )
