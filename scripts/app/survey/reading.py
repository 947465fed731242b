"""Read an app: choose its frontend and backend, decide its database, and warn of what is odd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

from scripts.app.survey import backend as backends
from scripts.app.survey import companions, python
from scripts.app.survey import frontend as frontends
from scripts.app.survey.backend import Backend, Candidate
from scripts.app.survey.companions import Companions, Service
from scripts.app.survey.database import Database, Kind, decide
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.tree import MOST_TEXTS, Evidence, Tree, join, read_tree
from scripts.app.survey.variables import kind as kind_of
from scripts.session.findings import Failure, Finding, failure
from scripts.session.run import Run
from scripts.session.settings import remember

PORT = 8001
#: Files that an app writes beside itself and that nobody misses: they end with the pod.
SCRATCH = re.compile(r"(^|/)(logs?|te?mp|cache|\.cache)(/|$)|\.log$")
CONTAINERS = re.compile(r"(?i)(dockerfile|compose\.ya?ml|docker-compose[\w.-]*\.ya?ml|Chart\.yaml)")


@dataclass(frozen=True)
class Survey:
    """What was found.

    database: as decided, by the code or by the settings.
    examples: values of the backend's env files, no secrets.
    containers: Dockerfiles, compose files and charts of the app's own.
    certainty: of the choice of frontend, backend and database: `certain` (one candidate, or
    settled by a person) or `likely` (the best of several).
    """

    root: Path
    frontend: Frontend
    backend: Backend
    database: Kind
    decision: Database
    examples: Mapping[str, str]
    containers: tuple[str, ...]
    certainty: dict[str, str]
    warnings: tuple[Finding, ...]
    companions: Companions = field(default_factory=Companions)

    def __str__(self) -> str:
        front = f"Next.js {self.frontend.next_version} ({self.frontend.output})"
        return f"{front}, {self.backend.module}, database: {self.database}"

    def of(self, service: Service) -> Survey:
        """The same app, with one of its services in the place of the backend."""
        return replace(
            self,
            root=service.root,
            backend=service.backend,
            decision=service.decision,
            examples=service.examples,
        )

    @property
    def frontend_folder(self) -> Path:
        """The frontend's folder on disk."""
        return self.root / self.frontend.folder

    @property
    def backend_folder(self) -> Path:
        """The folder from which the backend is imported."""
        return self.root / self.backend.folder

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The lines that the choices rest on."""
        return (*self.decision.evidence, self.backend.evidence, self.frontend.evidence)

    @property
    def keeps_files(self) -> bool:
        """Whether the backend writes files that must outlive its pod."""
        return self.database == "file" or bool(self.written)

    @property
    def written(self) -> tuple[tuple[str, str, bool], ...]:
        """What the backend writes and must keep: (path, place, whether a folder).

        With PostgreSQL, its SQLite is only what it would fall back to.
        """
        return tuple(
            one
            for one in self.backend.writes
            if not SCRATCH.search(one[0])
            and (self.database == "file" or not re.search(r"\.(db|sqlite3?)$", one[0]))
        )


def survey(run: Run) -> Survey:
    """Read the app.

    A database that its code does not tell is asked for once, where somebody is there to ask.

    Raises APP-NOT-FOUND, APP-INCOMPLETE, APP-NEEDS-SERVICE, or DATABASE-UNCLEAR with the lines that
    disagree.
    """
    wanted, root = run.settings.app, run.settings.app_path
    try:
        return read(root, wanted.database, wanted.module, wanted.frontend)
    except Failure as error:
        if error.findings[0].code != "DATABASE-UNCLEAR":
            raise
        answer = run.ask("the database that the app wants (postgres, file or external)", False)
        if answer not in ("postgres", "file", "external"):
            raise
        remember(root, {"database": answer})
        return read(root, answer, wanted.module, wanted.frontend)


def read(root: Path, database: str = "auto", module: str = "", frontend: str = "") -> Survey:
    """Survey the app in `root`.

    database: `postgres`, `file` or `external` settles what the code would otherwise decide.
    module (`backend/app.main:app`) and frontend (a folder) settle which candidate is meant.
    """
    if not root.is_dir():
        raise failure(
            "APP-NOT-FOUND",
            str(root),
            f"there is no app in {root}",
            remedy="set phase4.app.path to the app's folder, or remove it to use the reference app",
        )
    tree = read_tree(root)
    sources = python.parse(tree, [name for name in tree.texts if name.endswith(".py")])
    chosen, backend_candidates = _backend(tree, sources, module)
    front, frontend_candidates = _frontend(tree, frontend, chosen)
    back = backends.read(tree, sources, chosen, backend_candidates)
    front = frontends.with_fitting_examples(front, [route.path for route in back.routes])
    reached = python.Project(sources, chosen.folder, chosen.paths)
    names = [reached.modules[name].name for name in reached.reached(chosen.module)]
    called = companions.find(tree, sources, chosen, back, front)
    # A backend that keeps nothing itself has a service that does.
    own = decide(tree, back, front, names)
    kept = (one.decision for one in called.services if one.decision.kind)
    decision = own if own.kind or own.other else next(kept, own)
    return Survey(
        root,
        front,
        back,
        _settled(root, database, decision),
        decision,
        frontends.example_values(tree, (chosen.folder, "")),
        _containers(tree),
        {
            "backend": _certain(bool(module) or len(backend_candidates) == 1),
            "frontend": _certain(bool(frontend) or len(frontend_candidates) == 1),
            "database": _certain(database != "auto" or not _has_two(decision)),
        },
        (
            *_warnings(tree, back, front, backend_candidates, frontend_candidates),
            *_warnings_of(called),
            *_hosted_driver(decision),
        ),
        called,
    )


def _settled(root: Path, database: str, decision: Database) -> Kind:
    """The database that the settings name, else the one that the code tells. Raises if neither."""
    if database != "auto":
        return cast(Kind, database)
    if decision.other:
        raise failure(
            "APP-NEEDS-SERVICE",
            str(root),
            f"the app keeps its data in {decision.other}, which is not deployed here",
            "\n".join(f"{one.place}: {one.line}" for one in decision.evidence),
            f"run {decision.other} yourself and give its address to the app's own variables,"
            " with INVOKE_PHASE4_APP_DATABASE=external",
        )
    if decision.kind is None:
        raise failure(
            "DATABASE-UNCLEAR",
            str(root),
            "the code does not tell whether the app keeps its data in PostgreSQL or in files",
            "\n".join(f"{one.place}: {one.line}" for one in decision.evidence)
            or "no database URL, driver or data file was found",
            "say which: INVOKE_PHASE4_APP_DATABASE=postgres (or file) invoke deploy",
        )
    return decision.kind


def _hosted_driver(decision: Database) -> Iterator[Finding]:
    """The frontend's database driver, where only its provider understands it."""
    if decision.neon:
        yield Finding(
            "APP-NEEDS-SERVICE",
            decision.neon.place,
            "Next's server reaches its database by Neon's own driver, over WebSocket:"
            " PostgreSQL does not understand that",
            f"{decision.neon.place}: {decision.neon.line}",
            "use `pg` in the frontend, or give the address of a database at Neon",
        )


def _containers(tree: Tree) -> tuple[str, ...]:
    """Dockerfiles, compose files and charts of the app's own."""
    return tuple(sorted(name for name in tree.names if CONTAINERS.search(PurePosixPath(name).name)))


def _certain(settled: bool) -> str:
    return "certain" if settled else "likely"


def _has_two(decision: Database) -> bool:
    """Whether the code has SQLite beside PostgreSQL."""
    return decision.kind == "postgres" and any("sqlite" in one.line for one in decision.evidence)


def _backend(
    tree: Tree, sources: dict[str, python.Source], wanted: str
) -> tuple[Candidate, list[Candidate]]:
    found = backends.candidates(tree, sources)
    if wanted:
        named = [one for one in found if wanted in (one.target, f"{one.folder}/{one.target}")]
        if not named:
            listed = "\n".join(
                f"{join(one.folder, one.target)}  {one.evidence.place}" for one in found
            )
            raise failure(
                "APP-INCOMPLETE",
                wanted,
                f"there is no FastAPI app {wanted}",
                listed,
                "set phase4.app.module to one of these, or to nothing",
            )
        return named[0], found
    usable = [
        one
        for one in found
        if backends.dependency_files(tree, one.folder) or _listed_above(tree, one)
    ]
    if not usable:
        broken = [one.error for one in sources.values() if one.error]
        meant = [
            one.error
            for one in sources.values()
            if one.error and "FastAPI(" in tree.texts[one.name]
        ]
        empty = [
            name
            for name in tree.texts
            if backends.REQUIREMENTS.search(name) and not tree.texts[name].strip()
        ]
        where = (
            f"{found[0].evidence.place}: {found[0].evidence.line}, but no requirements.txt or "
            "pyproject.toml lists packages"
            if found
            else "no `... = FastAPI(...)` was found"
        )
        raise failure(
            "APP-INCOMPLETE",
            str(tree.root),
            "the backend does not say which packages it needs"
            if found
            else f"the FastAPI backend cannot be read: {meant[0]}"
            if meant
            else "no FastAPI backend was found",
            "\n".join([where, *(f"{name} is empty" for name in empty), *broken[:3]]),
            "docs/apps.md tells what is looked for",
        )
    return usable[0], found


def _listed_above(tree: Tree, one: Candidate) -> bool:
    parts = one.evidence.place.rsplit(":", 1)[0].split("/")[:-1]
    return any(
        backends.dependency_files(tree, "/".join(parts[:length]))
        for length in range(len(parts) + 1)
    )


def _frontend(tree: Tree, wanted: str, chosen: Candidate) -> tuple[Frontend, list[str]]:
    found = frontends.candidates(tree)
    if wanted:
        found = [one for one in found if one == wanted.strip("/")] or found
    if not found:
        empty = ", ".join(one or "the root" for one in frontends.without_pages(tree))
        raise failure(
            "APP-INCOMPLETE",
            str(tree.root),
            "no Next.js frontend was found",
            f"there are no pages in {empty}: neither a folder app nor pages"
            if empty
            else f"no package.json in {tree.root} names next",
            "docs/apps.md tells what is looked for",
        )
    # Of several phases side by side, the frontend that shares most of its path with the backend.
    shared = {
        one: len(
            [
                1
                for mine, its in zip(one.split("/"), chosen.evidence.place.split("/"), strict=False)
                if mine == its
            ]
        )
        for one in found
    }
    best = max(found, key=lambda one: (shared[one], -found.index(one)))
    return frontends.read(tree, best), found


def _warnings_of(called: Companions) -> Iterator[Finding]:
    """What the app needs besides, and will not have."""
    for call in called.lost:
        one = call.variable
        asks = f"{', '.join(call.paths[:3])} of {one.default}" if call.paths else one.default
        yield Finding(
            "APP-NEEDS-SERVICE",
            one.place,
            f"the backend asks for {asks}, and no part of the app serves that",
            f"{one.place}: {one.name} = {one.default}",
            f"give the address of that service: {one.name}=... in the environment or an env file",
        )
    for name, place in called.absent:
        yield Finding(
            "APP-NEEDS-SERVICE",
            place,
            f"the backend uses {name}, which is not deployed here: what goes through it will fail",
            place,
        )


def _warn(subject: str, summary: str, evidence: str = "", remedy: str = "") -> Finding:
    return Finding("APP-INCOMPLETE", subject, summary, evidence, remedy)


def _warnings(
    tree: Tree, back: Backend, front: Frontend, candidates: list[Candidate], folders: list[str]
) -> Iterator[Finding]:
    """What is odd about an app: its parts, how they were chosen, and how they fit together."""
    if tree.unread:
        yield _warn(
            tree.unread,
            f"the folder has more than {MOST_TEXTS} files that may be code: from {tree.unread} on"
            " they are not looked at",
            remedy="move data out of the app's folder",
        )
    yield from _odd_in_backend(tree, back)
    yield from _odd_in_frontend(tree, front)
    yield from _chosen(back, front, candidates, folders)
    clash = sorted(
        {
            page
            for page in front.pages
            if page != "/" and any(route.path.rstrip("/") == page for route in back.routes)
        }
    )
    if clash:
        yield _warn(
            ", ".join(clash),
            f"{', '.join(clash)} is both a page and a route of the API: the browser gets the "
            "page, and the API is reached below its own prefix",
        )


def _odd_in_backend(tree: Tree, back: Backend) -> Iterator[Finding]:
    if not back.health_path:
        yield _warn(
            back.evidence.place,
            "the backend has no health route: its probes only try to connect",
            remedy="add one that answers 200",
        )
    for place in back.addresses:
        yield _warn(
            place,
            "the address of a database elsewhere is written into the code, with its password: "
            f"{place} does not use the database of this deployment",
            remedy=f"read DATABASE_URL in {place} instead, and change that password",
        )
    if back.middle:
        yield _warn(
            back.middle.partition(" ")[0],
            f"the migrations start in the middle: {back.middle}, which none of them makes; "
            "the tables are made from the models instead",
            remedy="add a first migration that makes it",
        )
    elif back.migrations == backends.MAKE_TABLES and not back.addresses:
        yield _warn(
            back.evidence.place,
            "the backend describes tables and makes none when it starts: they are made before that",
        )
    for port, place in back.ports:
        if port != PORT:
            yield _warn(
                place, f"the code names port {port}; in the cluster the backend listens on {PORT}"
            )
    for error in back.broken:
        yield _warn(error.rsplit(":", 1)[0], f"a module of the backend is no Python: {error}")
    for module, place in back.unresolved:
        yield _warn(
            place,
            f"{module} is imported, and there is no such file: it was not committed, or its name "
            "differs in case",
            place,
        )
    for name, place in back.assigned:
        if kind_of(name) in ("database", "signing"):
            yield _warn(
                place,
                f"the code sets {name} itself: the value that the deployment gives is not used",
                remedy=f"delete the line {place}, or write os.environ.setdefault",
            )
    lost = {path: place for path, place, _ in back.writes if SCRATCH.search(path)}
    if lost:
        yield _warn(
            next(iter(lost.values())),
            f"the app writes {', '.join(sorted(lost))} in its own folder: lost with the pod",
        )
    for name in sorted(tree.texts):
        if backends.REQUIREMENTS.search(name) and not tree.texts[name].strip():
            yield _warn(name, f"{name} is empty, and is not used; {back.dependencies} is")


def _odd_in_frontend(tree: Tree, front: Frontend) -> Iterator[Finding]:
    if not front.lock:
        yield _warn(
            join(front.folder, "package.json"),
            "the frontend has no lock file: its packages are not pinned",
            remedy="npm install --package-lock-only",
        )
    if front.other_node:
        yield _warn(
            front.other_node.place,
            f"the frontend asks for another Node ({front.other_node.line});"
            f" it is built and run with Node {front.node}",
        )
    for one in frontends.without_pages(tree):
        yield _warn(
            join(one, "package.json"),
            f"{one or 'the root'} names next and has no pages, so it is not taken for a frontend",
        )


def _chosen(
    back: Backend, front: Frontend, candidates: list[Candidate], folders: list[str]
) -> Iterator[Finding]:
    """Which of several candidates were taken."""
    if len(candidates) > 1:
        others = ", ".join(
            f"{join(one.folder, one.target)} ({one.routes} routes)" for one in candidates[1:6]
        )
        yield _warn(
            back.evidence.place,
            f"{join(back.folder, back.module)} is taken for the backend; there are also {others}",
            remedy="phase4.app.module names another",
        )
    if len(folders) > 1:
        others = ", ".join(one or "." for one in folders if one != front.folder)
        yield _warn(
            front.folder or ".",
            f"{front.folder or 'the root'} is taken for the frontend; there are also {others}",
            remedy="phase4.app.frontend names another",
        )
