"""The app's two images, each named by a digest of everything that goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.app import fit
from scripts.app.resolve import COMPILERS, LIBRARIES, Resolved
from scripts.app.survey import PORT, Survey
from scripts.images import own
from scripts.images.context import File, content_tag, context_files, with_added
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.run import Run
from scripts.session.settings import ROOT

FRONTEND = "todo-chatbot-frontend"
BACKEND = "todo-chatbot-backend"
PYTHON_BASES = {"3.13": "python", "3.12": "python-3.12", "3.11": "python-3.11"}


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
        return with_added(self.files, self.added)


@dataclass(frozen=True)
class Plans:
    """Both images, named before they are built."""

    frontend: Plan
    backend: Plan


def plan(
    run: Run,
    engine: Engine,
    app: Survey,
    bases: Mapping[str, str],
    resolved: Resolved,
    offline: bool,
) -> Plans:
    """Name both images by what goes into them, and see whether the engine has them. offline: only package registries answer."""
    backend = app.backend
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
        "API_IMAGE": own.ensure(
            run, engine, "api", {"PYTHON_IMAGE": bases[PYTHON_BASES[resolved.python]]}
        ),
        "APP_MODULE": backend.module,
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
            fit.frontend_files(app, offline),
        )
        second = pool.submit(
            _plan,
            run,
            engine,
            BACKEND,
            app.backend_folder,
            back,
            fit.backend_files(resolved.requirements),
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
        )


def _plan(
    run: Run,
    engine: Engine,
    name: str,
    context: Path,
    arguments: Mapping[str, str],
    added: Mapping[str, bytes],
) -> Plan:
    dockerfile = ROOT / f"{name.rsplit('-', 1)[1]}.Dockerfile"
    files = context_files(dockerfile, context)
    reference = (
        f"{name}:{content_tag(run, engine, dockerfile, with_added(files, added), arguments)}"
    )
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
        added=added,
    )
