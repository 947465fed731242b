"""The app's two images, each named by a digest of everything that goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from scripts.app import fit, reach
from scripts.app.resolve import COMPILERS, LIBRARIES, Resolved
from scripts.app.survey import PORT, Survey
from scripts.images import backend as backend_build
from scripts.images import frontend
from scripts.images.context import File, content_tag, context_files
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply import bases

PREFIX = "todo-chatbot"
FRONTEND = f"{PREFIX}-frontend"
BACKEND = f"{PREFIX}-backend"
BASE_IMAGES = ("nginx", "postgres")
NODE_BASES = {20: "node-20", 22: "node", 24: "node-24"}
PYTHON_BASES = {"3.13": "python", "3.12": "python-3.12", "3.11": "python-3.11"}


@dataclass(frozen=True)
class Plan:
    """An image as it has to be.

    reference: name and content tag. id: the engine's (sha256:...), empty when it has to be built.

    port, path: where it must answer when it is tried alone; strict: with 200, else with anything.
    files: the component's own. build_files: what the build gets.
    environment: what a container gets when it is tried alone. postgres: reference of the
    database's image, where it is tried beside one. read_only: nothing in it can be written.
    before: command that runs before it serves. within: the folder that links among the files may
    lead to; None: the context.
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
    postgres: str = ""
    read_only: bool = False
    before: tuple[str, ...] = ()
    within: Path | None = None


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


def base_images(
    run: Run, engine: Engine, upstream: bool, resolved: Resolved, app: Survey
) -> dict[str, str]:
    """Base image -> reference, all of which the engine then has.

    The app's own versions of Python and Node are among them.
    """
    pythons = [PYTHON_BASES[one] for one in resolved.pythons]
    node = NODE_BASES[app.frontend.node]
    found = bases.ensure(run, engine, (*pythons, node, *BASE_IMAGES), upstream)
    return {**found, "python": found[pythons[0]], "node": found[node]}


def plan(
    run: Run,
    engine: Engine,
    app: Survey,
    base: Mapping[str, str],
    resolved: Resolved,
    upstream: bool,
) -> Plans:
    """Name the app's images by what goes into them, and see which of them the engine has.

    base: what `base_images` gave. upstream: upstream's registries answer, not package registries
    only.
    """
    services = {
        one.name: _backend(
            run, engine, f"{PREFIX}-{one.name}", app.of(one), base, resolved.services[one.name]
        )
        for one in app.companions.services
    }
    with ThreadPoolExecutor(2) as pool:
        front = pool.submit(_frontend, run, engine, app, base, resolved.date, not upstream)
        back = pool.submit(_backend, run, engine, BACKEND, app, base, resolved)
        postgres = base["postgres"] if app.database == "postgres" else ""
        return Plans(front.result(), back.result(), postgres, base["python"], services)


def _frontend(
    run: Run, engine: Engine, app: Survey, base: Mapping[str, str], date: str, offline: bool
) -> Plan:
    """The frontend's image.

    date: of the app's last commit. offline: only package registries answer.
    """
    reached = reach.reach(app.root, app.frontend.folder)
    dockerfile = ROOT / "frontend.Dockerfile"
    files = context_files(dockerfile, app.frontend_folder, app.root)
    build_files = frontend.lay_out(files, fit.frontend_files(app, offline), reached)
    arguments = {
        "NODE_IMAGE": base["node"],
        "NGINX_IMAGE": base["nginx"],
        "SOURCE": frontend.SOURCE,
        "MANIFESTS": frontend.MANIFESTS,
        "FOLDER": reached.folder,
        "WORKSPACE": reached.workspace,
        "BUILD_PACKAGES": frontend.build_packages(build_files),
        "SERVED": app.frontend.served,
        "ADDRESSES": " ".join(fit.addresses(app)),
        "NEXT_PUBLIC_API_URL": fit.build_environment(app).get("NEXT_PUBLIC_API_URL", "/api"),
        # Without a lock file, what was there on the day of the app's last commit.
        "BEFORE": "" if app.frontend.lock else date,
    }
    reference = f"{FRONTEND}:{content_tag(run, engine, dockerfile, build_files, arguments)}"
    return Plan(
        FRONTEND,
        reference,
        buildkit.image_id(run, engine, reference),
        dockerfile,
        app.frontend_folder,
        files,
        arguments,
        80,
        "/",
        app.frontend.served == "export",
        build_files,
        fit.trial_environment(app.frontend.variables, "postgresql"),
        within=app.root,
    )


def _backend(
    run: Run,
    engine: Engine,
    name: str,
    app: Survey,
    base: Mapping[str, str],
    resolved: Resolved,
) -> Plan:
    """The image of a FastAPI app. name: of the image."""
    backend, dockerfile = app.backend, ROOT / "backend.Dockerfile"
    arguments = {
        "PYTHON_IMAGE": base[PYTHON_BASES[resolved.python]],
        "SOURCE": backend_build.SOURCE,
        "REQUIREMENTS": backend_build.REQUIREMENTS,
        "INSTALL_OPTIONS": "--no-deps",  # all is resolved; pip knows no overrides
        "PYTHON_PATH": "".join(f"/srv/{path}:" for path in backend.paths),
        "APP_MODULE": backend.module,
        "APP_FACTORY": "1" if backend.factory else "",
        "HEALTH_PATH": backend.health_path,
        "BUILD_PACKAGES": COMPILERS if resolved.compiles else "",
        "RUN_PACKAGES": LIBRARIES if resolved.compiles else "",
        "DATA_DIR": fit.DATA,
        "DATA_PATHS": " ".join(fit.data_paths(app)),
    }
    files = context_files(dockerfile, app.backend_folder, app.root)
    build_files = backend_build.lay_out(files, resolved.requirements)
    reference = f"{name}:{content_tag(run, engine, dockerfile, build_files, arguments)}"
    return Plan(
        name,
        reference,
        buildkit.image_id(run, engine, reference),
        dockerfile,
        app.backend_folder,
        files,
        arguments,
        PORT,
        backend.health_path or "/",
        bool(backend.health_path),
        build_files,
        fit.trial_of_backend(app, run.settings),
        base["postgres"] if fit.needs_database(app) else "",
        fit.is_reference(app),
        tuple(fit.before_start(app)),
        app.root,
    )
