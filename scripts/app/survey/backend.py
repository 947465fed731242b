"""The FastAPI side of an app: which module is the app, what it needs, and what it serves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from scripts.app.survey import asks, python, tables
from scripts.app.survey import frontend as frontends
from scripts.app.survey.python import Import, Project, Route, Source
from scripts.app.survey.tree import Evidence, Tree, join, read_toml, table
from scripts.app.survey.variables import Variable, merged

ASIDE = re.compile(
    r"(^|/)(tests?|examples?|scripts|docs?|specs?|migrations|alembic|old|backup|archive"
    r"|node_modules|\.[^/]+)(/|$)|(^|/)(test_|conftest)"
)
MOST_CANDIDATES = 60  # more is a course or somebody's joke
USUAL = ("backend", "api", "server", "app", "src")
#: A client of a model provider that is made while its module is imported.
CLIENT = (
    r"^\w+(\s*:\s*\w+)?\s*=\s*([\w.]+\.)?"
    r"(Async)?(OpenAI|AzureOpenAI|Groq|Anthropic|Client|ClientV2|AsyncClient)\("
    r"|^genai\.configure\("
)
#: Package, its clients, and the variable in which they look for their key.
CLIENT_KEYS = (
    ("anthropic", r"(Async)?Anthropic", "ANTHROPIC_API_KEY"),
    ("cohere", r"(Async)?Client(V2)?", "CO_API_KEY"),
    ("groq", r"(Async)?Groq", "GROQ_API_KEY"),
    ("openai", r"(Async)?OpenAI", "OPENAI_API_KEY"),
)
CREATES = r"create_all\b|init_db\(|create_db_and_tables\(|on_event\([\"']startup|lifespan\s*="
#: A program of ours in the backend's image.
MAKE_TABLES = ("python3", "-m", "phase4.tables")
REQUIREMENTS = re.compile(r"requirements[\w.-]*\.txt$")


@dataclass(frozen=True)
class Candidate:
    """A FastAPI object. folder: from which it is imported. module: dotted. routes: how many.

    paths: folders below `folder` from which its modules import, too. asked: how many of its routes
    a frontend of the same repository asks for.
    """

    folder: str
    module: str
    name: str
    factory: bool
    evidence: Evidence
    routes: int
    paths: tuple[str, ...] = ()
    asked: int = 0

    @property
    def target(self) -> str:
        """As uvicorn takes it."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True)
class Backend:
    """What was found, all paths relative to the app.

    folder: import root. paths: folders below it from which modules are imported, too.
    modules: files that importing the app reads. dependencies: the file that lists its packages.
    python: a requires-python specifier, empty for any.
    migrations: the command that brings the tables up to date: Alembic, or ours for an app that
    describes tables and makes none at its start. Where the app makes them, migrations written for
    older tables would fail on new ones. migrated: the versions that the tables have then, empty
    when that is not known.
    writes: (path relative to folder, place, whether a folder).
    imported: top-level packages that are imported when the app starts, with a place.
    unresolved: local imports that lead nowhere.
    assigned: environment variables that the code sets itself, with a place.
    addresses: places where the address of a database elsewhere is written into the code. middle:
    the place and table of a migration that changes a table that no migration makes.
    """

    folder: str
    module: str
    factory: bool
    modules: tuple[str, ...]
    dependencies: str
    locks: tuple[str, ...]
    python: str
    declared: tuple[str, ...]
    routes: tuple[Route, ...]
    health_path: str
    ready_path: str
    ports: tuple[tuple[int, str], ...]
    cors: str
    variables: tuple[Variable, ...]
    migrations: tuple[str, ...]
    migrations_folder: str
    migrated: tuple[str, ...]
    startup: tuple[Evidence, ...]
    writes: tuple[tuple[str, str, bool], ...]
    imported: tuple[tuple[str, str], ...]
    unresolved: tuple[tuple[str, str], ...]
    broken: tuple[str, ...]
    provider: str
    client_at_import: bool
    waits_for_database: bool
    candidates: tuple[Candidate, ...]
    evidence: Evidence
    paths: tuple[str, ...] = ()
    assigned: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()
    middle: str = ""


def candidates(tree: Tree, sources: dict[str, Source]) -> list[Candidate]:
    """Every FastAPI object, the likeliest first."""
    found: list[Candidate] = []
    wanted = {
        asks.core(path) for path, _ in asks.paths(tree, tree.below("", frontends.SOURCES))
    } - {"/", "/health"}
    for name, source in sources.items():
        if ASIDE.search(name):
            continue
        # One that is made twice under its name, as in the branches of an `if`, is one.
        made: dict[str, tuple[str, bool, int]] = {}
        for one in python.apps(source):
            made.setdefault(one[0], one)
        for variable, factory, line in [*made.values()][: MOST_CANDIDATES - len(found)]:
            folder, paths = _import_roots(tree, sources, name)
            project = Project(sources, folder, paths)
            module = python.dotted(name.removeprefix(f"{folder}/") if folder else name)
            text = tree.texts[name].splitlines()[line - 1].strip()
            routes = _routes(project, module, variable)
            found.append(
                Candidate(
                    folder,
                    module,
                    variable,
                    factory,
                    Evidence(f"{name}:{line}", text[:160]),
                    len(routes),
                    paths,
                    len({asks.core(route.path) for route in routes} & wanted),
                )
            )
    return sorted(found, key=lambda one: _rank(tree, one))


def _rank(tree: Tree, one: Candidate) -> tuple[object, ...]:
    parts = one.evidence.place.split("/")
    stem = PurePosixPath(parts[-1].split(":")[0]).stem
    listed = bool(dependency_files(tree, one.folder))
    # Whom the page asks is meant. Many routes beat few: beside the app lie stubs, tutorials and
    # servers for a single job.
    return (
        not one.asked,
        frontends.phase(one.evidence.place),
        bool(re.search(r"mcp|worker|agent", one.evidence.place)),
        -one.asked,
        -min(one.routes, 40) // 4,
        not listed,
        not any(part in USUAL for part in parts),
        stem != "main",
        len(parts),
        one.evidence.place,
    )


def _import_root(tree: Tree, sources: dict[str, Source], name: str) -> str:
    """The folder from which a module is imported.

    It is the one from which the local imports of the module, and of the modules that it imports,
    lead somewhere: all of them, or else most.
    """
    parts = name.split("/")[:-1]
    above = _above(name)
    packages = _listed(tree, above)
    depth = max((one.relative for one in python.imports(sources[name])), default=0)
    scores = []
    for length in range(len(parts) - depth + (1 if name.endswith("__init__.py") else 0), -1, -1):
        if not all(part.isidentifier() for part in parts[length:]):
            continue  # no package: Python cannot import ai-agent.main
        folder = "/".join(parts[:length])
        project = Project(sources, folder)
        module = python.dotted(name.removeprefix(f"{folder}/") if folder else name)
        resolved = sum(1 for reached in project.reached(module)[1:])
        astray = {
            one.module.split(".")[0]
            for one, _ in _astray(sources, project, module, above, packages)
            if not one.optional
        }
        listed = bool(dependency_files(tree, folder))
        scores.append((-project.beyond(module), -len(astray), resolved, listed, length, folder))
    return max(scores)[-1] if scores else "/".join(parts)


def _import_roots(tree: Tree, sources: dict[str, Source], name: str) -> tuple[str, tuple[str, ...]]:
    """The folder from which a module is imported, and those below it that must be on the path, too.

    Some apps have two: `from src.api import x` beside `from models import y` of src/models.
    """
    above = _above(name)
    listed = _listed(tree, above)
    roots = {_import_root(tree, sources, name)}
    while True:
        outermost = min(roots, key=len)
        below = tuple(
            root.removeprefix(outermost).strip("/") for root in sorted(roots) if root != outermost
        )
        project = Project(sources, outermost, below)
        module = python.dotted(name.removeprefix(f"{outermost}/") if outermost else name)
        missing = {root for _, root in _astray(sources, project, module, above, listed)} - roots
        if not missing:
            return outermost, below
        roots.add(max(missing, key=len))


def _above(name: str) -> list[str]:
    """The folders that a file lies in, the outermost first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(len(parts) + 1)]


def _astray(
    sources: dict[str, Source], project: Project, module: str, above: list[str], listed: set[str]
) -> Iterator[tuple[Import, str]]:
    """Imports that lead nowhere in the project, and would from another folder, with the folder."""
    for reached in project.reached(module):
        for one in python.imports(project.modules[reached]):
            if one.module and not one.relative and not project.local(one.module):
                top = one.module.split(".")[0]
                for root in above:
                    if _holds(sources, root, top, listed):
                        yield one, root


def _listed(tree: Tree, folders: list[str]) -> set[str]:
    """The words in the names of the packages that are listed in these folders."""
    names = set()
    for file in (file for folder in folders for file in dependency_files(tree, folder)):
        text = tree.texts[file]
        lines = _project_dependencies(text)[0] if file.endswith(".toml") else _lines(text)
        names |= {word for line in lines for word in re.split(r"[^a-z0-9_.]", line.lower())[:4]}
    return names


def _holds(sources: dict[str, Source], folder: str, top: str, listed: set[str]) -> bool:
    """Whether a folder has a module or a package of this name, and no listed package brings it.

    A folder `mcp` beside the package mcp must not take its place.
    """
    start = join(folder, top)
    return (
        not python.standard(top)
        and top not in listed
        and any(name == f"{start}.py" or name.startswith(f"{start}/") for name in sources)
    )


def dependency_files(tree: Tree, folder: str) -> list[str]:
    """Files in `folder` that list Python packages, the one to use first.

    They are requirements.txt, its variants and pyproject.toml; empty ones are left out.
    """
    here = [
        name for name in tree.texts if (name.rsplit("/", 1)[0] if "/" in name else "") == folder
    ]
    listed = [name for name in here if REQUIREMENTS.search(name) and _lines(tree.texts[name])]
    usual = {
        "requirements.txt": 0,
        "requirements-prod.txt": 1,
        "requirements.prod.txt": 1,
        "requirements-base.txt": 2,
    }
    development = re.compile(r"dev|test|lint|min|hf|vercel|freeze|backup|old")
    listed.sort(
        key=lambda name: (
            usual.get(
                PurePosixPath(name).name, 8 if development.search(PurePosixPath(name).name) else 3
            ),
            name,
        )
    )
    pyproject = join(folder, "pyproject.toml")
    if pyproject in tree.texts and _project_dependencies(tree.texts[pyproject])[0]:
        # A lock file beside pyproject.toml is what its author installs from.
        at = (
            0
            if tree.has(folder, "uv.lock")
            and not any(PurePosixPath(name).name == "requirements.txt" for name in listed)
            else len(listed)
        )
        listed.insert(at, pyproject)
    return listed


def read(
    tree: Tree, sources: dict[str, Source], chosen: Candidate, others: list[Candidate]
) -> Backend:
    """Survey the app object `chosen`."""
    folder = chosen.folder
    project = Project(sources, folder, chosen.paths)
    reached = project.reached(chosen.module)
    modules = [project.modules[name] for name in reached]
    files = [one.name for one in modules]
    known = python.readers(modules)
    within = [
        name
        for name in tree.below(folder, (".py",))
        if not ASIDE.search(name.removeprefix(f"{folder}/"))
    ]
    routes = _routes(project, chosen.module, chosen.name)
    dependencies = _dependencies_of(tree, folder, chosen)
    declared, requires = _declared(tree, folder, dependencies)
    beside = dependencies.rsplit("/", 1)[0] if "/" in dependencies else ""
    health = _path(routes, r"^(/\w+){0,3}/(health|healthz|health-check|healthcheck|ping|status)/?$")
    makes = tables.are_made(modules)
    migrations, migrations_folder, migrated = _migrations(tree, folder)
    middle = _starts_in_the_middle(tree, folder) if migrations and not makes else ""
    if makes or middle or not _has_alembic(declared):
        migrations, migrations_folder, migrated = ((), "", ())
    addresses = [place for one in modules for place in python.written_addresses(one, known)]
    if (makes is False or (makes is None and middle) or (makes and addresses)) and not migrations:
        migrations = MAKE_TABLES
    return Backend(
        folder,
        chosen.target,
        chosen.factory,
        tuple(files),
        dependencies,
        tuple(name for name in ("uv.lock", "poetry.lock") if tree.has(beside, name)),
        requires,
        tuple(declared),
        routes,
        health,
        _path(routes, r"^(/\w+){0,3}/(ready|readyz|readiness)/?$"),
        tuple(_ports(tree, within, folder)),
        next(
            (match.group(1) for _, match in tree.search(r"allow_origins\s*=\s*(.+?),?$", files)), ""
        ),
        merged(
            [
                *(one for module in modules for one in python.variables(module, known)),
                *_of_clients(tree, files),
            ]
        ),
        migrations,
        migrations_folder,
        migrated,
        tuple(evidence for evidence, _ in tree.search(CREATES, files)),
        tuple(dict.fromkeys(_writes(project, reached, folder))),
        tuple(_imported(project, reached)),
        tuple(dict.fromkeys(project.unresolved(chosen.module))),
        tuple(project.modules[name].error for name in reached if project.modules[name].error),
        _provider(tree, files),
        bool(tree.first(CLIENT, files)),
        bool(tree.first(r"^\s*(from|import)\s+(tenacity|backoff|retry)", files)),
        tuple(others),
        chosen.evidence,
        chosen.paths,
        tuple(one for name in reached for one in python.assigned_variables(project.modules[name])),
        tuple(addresses),
        middle,
    )


def _routes(project: Project, module: str, name: str) -> tuple[Route, ...]:
    """The app's routes; of a factory, those of all routers in its module."""
    return tuple(project.routes(module, name)) or tuple(
        route for variable in project.routers(module) for route in project.routes(module, variable)
    )


def _declared(tree: Tree, folder: str, dependencies: str) -> tuple[list[str], str]:
    """(packages, requires-python) as the file of the packages has them, or pyproject.toml."""
    text = tree.texts.get(dependencies, "")
    listed, requires = _lines(text), ""
    if dependencies.endswith(".toml"):
        listed, requires = _project_dependencies(text)
    beside = tree.texts.get(join(folder, "pyproject.toml"), "")
    return listed, requires or _project_dependencies(beside)[1]


def _has_alembic(declared: list[str]) -> bool:
    """Whether migrations that lie there are used: without Alembic they were left behind."""
    return any(re.match(r"alembic\b", one) for one in declared)


def _of_clients(tree: Tree, files: list[str]) -> Iterator[Variable]:
    """The keys that clients of language models read by themselves, where the code gives none."""
    for package, maker, variable in CLIENT_KEYS:
        if tree.first(rf"^\s*(from|import)\s+{package}\b", files):
            for evidence, _ in tree.search(rf"\b{maker}\(\s*\)", files):
                yield Variable(variable, evidence.place)


def _dependencies_of(tree: Tree, folder: str, chosen: Candidate) -> str:
    """The nearest file that lists the packages.

    It is beside the app object, at its import root, or above.
    """
    place = chosen.evidence.place.rsplit(":", 1)[0]
    parts = place.split("/")[:-1]
    for length in range(len(parts), -1, -1):
        found = dependency_files(tree, "/".join(parts[:length]))
        if found:
            return found[0]
    return ""


def _lines(text: str) -> list[str]:
    """The requirements of a requirements file, options and comments left out."""
    lines = [re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def _project_dependencies(text: str) -> tuple[list[str], str]:
    """(requirements, requires-python) of a pyproject.toml, of the standard's form or Poetry's."""
    read = read_toml(text)
    project, poetry = table(read, "project"), table(read, "tool", "poetry", "dependencies")
    listed = _texts(project.get("dependencies"))
    requires = str(project.get("requires-python", ""))
    if not listed and poetry:
        listed = [_poetry(name, value) for name, value in poetry.items() if name != "python"]
        requires = requires or _caret(str(poetry.get("python", "")))
    # One line each, and no options: whoever reads the list would take what follows a line's end.
    lines = [" ".join(one.split()) for one in listed]
    return [one for one in lines if one and not one.startswith("-")], requires


def _texts(value: object) -> list[str]:
    """The texts of a list; empty where something else is there."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _poetry(name: str, value: object) -> str:
    """A Poetry dependency as a requirement."""
    version = value if isinstance(value, str) else table(value).get("version", "*")
    extras = _texts(table(value).get("extras"))
    return f"{name}{'[' + ','.join(extras) + ']' if extras else ''}{_caret(str(version))}"


def _caret(version: str) -> str:
    """Poetry's ^1.2 as >=1.2,<2."""
    if version in ("*", ""):
        return ""
    numbers = [int(part) for part in re.findall(r"\d{1,9}", version)[:3]]
    if version.startswith("^") and numbers:
        at = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
        above = [*numbers[:at], numbers[at] + 1]
        return f">={version[1:]},<{'.'.join(map(str, above))}"
    return version if version[0] in "<>=~!" else f"=={version.lstrip('^')}"


def _path(routes: tuple[Route, ...], pattern: str) -> str:
    found = [
        one.path
        for one in routes
        if one.method in ("get", "api_route")
        and re.match(pattern, one.path)
        and "*" not in one.path
        and "{" not in one.path
    ]
    return min(found, key=lambda path: (path.rstrip("/") != "/health", len(path))) if found else ""


def _ports(tree: Tree, names: list[str], folder: str) -> Iterator[tuple[int, str]]:
    others = [
        name
        for name in tree.texts
        if re.search(r"(?i)(dockerfile|procfile)", PurePosixPath(name).name)
        and name.startswith(folder)
    ]
    for evidence, match in tree.search(
        r"(?:\bport\s*=\s*|--port[ =\",']+|\bPORT\D{1,12})(\d{4,5})\b", [*names, *others]
    ):
        yield int(match.group(1)), evidence.place


def _migrations(tree: Tree, folder: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Alembic's command, the folder to run it in, and the newest versions.

    Only where Alembic's configuration has versions and reads the environment.
    """
    for name in sorted(tree.names, key=len):
        if PurePosixPath(name).name == "alembic.ini" and name.startswith(folder):
            home = name.rsplit("/", 1)[0] if "/" in name else ""
            location = re.search(
                r"^script_location\s*=\s*(\S+)", tree.texts.get(name, ""), re.MULTILINE
            )
            place = (
                join(home, location.group(1).replace("%(here)s/", "").removeprefix("./"))
                if location
                else join(home, "alembic")
            )
            versions = [
                one
                for one in tree.below(f"{place}/versions", [".py"])
                if not one.endswith("__init__.py")
            ]
            reads = re.search(
                r"environ|getenv|settings|DATABASE_URL|set_main_option|config\.",
                tree.texts.get(join(place, "env.py"), ""),
            )
            if versions and reads:
                return (
                    ("alembic", "upgrade", "head"),
                    home.removeprefix(folder).strip("/"),
                    _newest([tree.texts[one] for one in versions]),
                )
    return (), "", ()


def _starts_in_the_middle(tree: Tree, folder: str) -> str:
    """The first change of a table that no migration makes: "FILE:LINE changes TABLE"; else empty.

    Its author had the table already when Alembic came.
    """
    texts = {
        name: tree.texts[name]
        for name in tree.below(folder, [".py"])
        if "/versions/" in name and re.search(r"^down_revision\b", tree.texts[name], re.MULTILINE)
    }
    code = "\n".join(texts.values())
    if re.search(r"create_all|has_table|get_table_names|inspect\(", code):
        return ""
    made = re.findall(
        r"create_table\(\s*[\"'](\w+)|CREATE TABLE\s+(?:IF NOT EXISTS\s+)?\"?(\w+)"
        r"|rename_table\(\s*[\"']\w+[\"'],\s*[\"'](\w+)",
        code,
    )
    there = {name for pair in made for name in pair}
    for name, text in sorted(texts.items()):
        changes = r"\b(?:add_column|alter_column|batch_alter_table)\(\s*[\"'](\w+)"
        for found in re.finditer(changes, text):
            if found[1] not in there:
                return f"{name}:{text.count(chr(10), 0, found.start()) + 1} changes {found[1]}"
    return ""


def _newest(scripts: list[str]) -> tuple[str, ...]:
    """The newest revisions of Alembic: no other is built on them.

    None when the revision of one script cannot be read.
    """
    revisions, below = set[str](), set[str]()
    for text in scripts:
        said = python.literals(text)
        revision, before = said.get("revision"), said.get("down_revision", ...)
        if not isinstance(revision, str) or not isinstance(before, str | tuple | None):
            return ()
        revisions.add(revision)
        below |= {before} if isinstance(before, str) else set(before or ())
    return tuple(sorted(revisions - below))


def _writes(project: Project, reached: list[str], folder: str) -> Iterator[tuple[str, str, bool]]:
    """Where the app keeps data, relative to its folder.

    A path is looked for as the text says it, and beside the module that says it.
    """
    for name in reached:
        source = project.modules[name]
        beside = PurePosixPath(
            source.name.removeprefix(f"{folder}/") if folder else source.name
        ).parent.as_posix()
        anchored = any(
            isinstance(node, ast.Name) and node.id == "__file__" for node in ast.walk(source.body)
        )
        for path, place, is_folder in python.written(source):
            yield path, place, is_folder
            if anchored and beside != ".":
                yield f"{beside}/{path}", place, is_folder


def _imported(project: Project, reached: list[str]) -> Iterator[tuple[str, str]]:
    seen = set()
    for name in reached:
        for one in python.imports(project.modules[name]):
            top = one.module.split(".")[0]
            if top == "google":  # a family of packages: google.genai, google.auth
                inner = one.names[0][0] if one.names else ""
                top = ".".join([*one.module.split("."), inner][:2]).rstrip(".")
            if (
                top
                and not one.relative
                and not one.optional
                and not python.standard(top.split(".")[0])
                and not project.local(top)
                and top not in seen
            ):
                seen.add(top)
                yield top, one.place


def _provider(tree: Tree, files: list[str]) -> str:
    known = (
        r"^\s*(?:from|import)\s+(openai|agents|cohere|google\.generativeai|google\.genai"
        r"|groq|anthropic|litellm|mistralai|langchain\w*)"
    )
    found = tree.first(known, files)
    return found[1].group(1).replace("agents", "openai-agents") if found else ""
