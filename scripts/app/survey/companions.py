"""What an app calls besides its database and its models: further services of the same authors.

A backend that reads an address of this machine from a variable calls somebody there. That is
itself, or another FastAPI app of the same repository, also in a folder beside the app's own. The
routes that it asks for tell which one; the port tells where there are no routes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.app.survey import backend as backends
from scripts.app.survey import frontend as frontends
from scripts.app.survey import python
from scripts.app.survey.backend import Backend, Candidate
from scripts.app.survey.database import Database, decide
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.python import Project, Route, Source
from scripts.app.survey.tree import Evidence, Tree, join, read_tree
from scripts.app.survey.variables import Variable

#: Folders beside the app that may hold a part of it.
BESIDE = re.compile(r"(?i)phase|todo|backend|api|server|service|auth|web|app|chat|hackathon")
MOST_BESIDE = 12
#: An address of this machine with its port.
LOCAL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{1,5})(?:/[^\s,]*)?")
METHODS = frozenset({"get", "post", "put", "patch", "delete", "request", "stream"})
ITSELF = "backend"
RESERVED = frozenset({"backend", "frontend", "postgres", "redis", "config", "credentials"})
#: Services that some apps talk to and that are not deployed here: module -> what it is.
ABSENT = {
    "aiokafka": "Kafka",
    "confluent_kafka": "Kafka",
    "kafka": "Kafka",
    "dapr": "Dapr",
    "celery": "a Celery worker and its broker",
    "pika": "RabbitMQ",
    "aio_pika": "RabbitMQ",
    "pymongo": "MongoDB",
    "elasticsearch": "Elasticsearch",
}


@dataclass(frozen=True)
class Call:
    """Requests to an address that a variable gives.

    paths: `{}` stands for what is filled in at run time. passes_on: a route of the component asks
    for the same route there.
    """

    variable: Variable
    paths: tuple[str, ...]
    passes_on: bool = False


@dataclass(frozen=True)
class Wire:
    """A variable of a component that holds the address of another.

    target: that component's name.
    """

    component: str
    variable: str
    target: str
    place: str


@dataclass(frozen=True)
class Service:
    """A further component of the app. root: the folder that `backend.folder` is relative to.

    decision: about its database. examples: values of its env files, no secrets. evidence: the line
    that calls it.
    """

    name: str
    root: Path
    backend: Backend
    decision: Database
    examples: Mapping[str, str]
    evidence: Evidence


@dataclass(frozen=True)
class Companions:
    """What a backend calls. lost: calls to somebody who is not in the repository.

    absent: modules of services that are not deployed here, with what they are and where they are
    used.
    """

    services: tuple[Service, ...] = ()
    wires: tuple[Wire, ...] = ()
    lost: tuple[Call, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where services are looked for: a folder that was read, and its FastAPI objects."""

    tree: Tree
    sources: dict[str, Source]
    candidates: tuple[Candidate, ...]

    def backend(self, one: Candidate) -> Backend:
        return backends.read(self.tree, self.sources, one, list(self.candidates))

    def service(
        self, name: str, one: Candidate, made: Backend, front: Frontend, call: Call
    ) -> Service:
        project = Project(self.sources, one.folder)
        names = [project.modules[module].name for module in project.reached(one.module)]
        return Service(
            name,
            self.tree.root,
            made,
            decide(self.tree, made, front, names),
            frontends.example_values(self.tree, (one.folder, "")),
            Evidence(call.variable.place, f"{call.variable.name} = {call.variable.default}"),
        )


def find(
    tree: Tree, sources: dict[str, Source], chosen: Candidate, back: Backend, front: Frontend
) -> Companions:
    """The services that the backend calls, and those that these call in turn."""
    here = _Place(tree, sources, tuple(backends.candidates(tree, sources)))
    services: list[Service] = []
    wires: list[Wire] = []
    lost: list[Call] = []
    pending = [(ITSELF, here, chosen)]
    while pending:
        name, place, candidate = pending.pop(0)
        project = Project(place.sources, candidate.folder)
        for call in calls(project, project.reached(candidate.module)):
            known = [(ITSELF, back), *((one.name, one.backend) for one in services)]
            # Who passes its own routes on does not call itself: that would never end.
            target = _known(call, [one for one in known if not (call.passes_on and one[0] == name)])
            if not target:
                found = _search(call, place, candidate)
                if not found:
                    lost.append(call)
                    continue
                where, other, made = found
                target = _name(call.variable.name, other, [one.name for one in services])
                services.append(where.service(target, other, made, front, call))
                pending.append((target, where, other))
            wires.append(Wire(name, call.variable.name, target, call.variable.place))
    return Companions(tuple(services), tuple(wires), tuple(lost), tuple(_absent(back)))


def _known(call: Call, components: Iterable[tuple[str, Backend]]) -> str:
    """The component, of those that are known, that serves what is called."""
    return next((name for name, one in components if _serves(one, call)), "")


def _serves(backend: Backend, call: Call) -> bool:
    if call.paths:
        return matched(call.paths, backend.routes) * 2 > len(call.paths)
    address = LOCAL.fullmatch(call.variable.default)
    return address is not None and any(int(address[1]) == known for known, _ in backend.ports)


def _search(
    call: Call, place: _Place, chosen: Candidate
) -> tuple[_Place, Candidate, Backend] | None:
    """The FastAPI app that serves these requests.

    It is looked for in the app's folder, then in folders beside it.
    """
    for one in (place, *_beside(place.tree.root)):
        ranked = []
        for candidate in one.candidates:
            if one is place and candidate.evidence == chosen.evidence:
                continue
            backend = one.backend(candidate)
            hits = matched(call.paths, backend.routes)
            if hits or (not call.paths and _serves(backend, call)):
                ranked.append((hits, -one.candidates.index(candidate), candidate, backend))
        if ranked:
            _, _, candidate, backend = max(ranked, key=lambda rank: rank[:2])
            return one, candidate, backend
    return None


def _beside(root: Path) -> Iterator[_Place]:
    """Folders of the same repository beside the app; without a repository, those next to it."""
    for folder in _neighbours(root):
        tree = read_tree(folder)
        sources = python.parse(tree, [name for name in tree.texts if name.endswith(".py")])
        yield _Place(tree, sources, tuple(backends.candidates(tree, sources)))


def _neighbours(root: Path) -> list[Path]:
    if (root / ".git").exists():
        return []
    parents = [root.parent]
    above = next((one for one in list(root.parents)[:4] if (one / ".git").exists()), None)
    if above:
        parents = [one for one in root.parents if one == above or above in one.parents]
    near = [
        one
        for parent in parents
        for one in _entries(parent)
        if one.is_dir() and not one.is_symlink() and BESIDE.search(one.name)
        if one != root and one not in root.parents and not one.name.startswith(".")
    ]
    return near[:MOST_BESIDE]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # it may not be read
        return []


def calls(project: Project, reached: Sequence[str]) -> list[Call]:
    """Requests of these modules to addresses of this machine that variables give.

    There is one entry for each variable.
    """
    sources = [project.modules[name] for name in reached]
    found: dict[str, Variable] = {}
    known = python.readers(sources)
    for source in sources:
        for one in python.variables(source, known):
            if _is_local(one.default) and one.kind in ("api", "plain"):
                found.setdefault(one.name, one)
    named = {name: _python_names(name, sources) for name in found}
    made = [
        Call(found[name], tuple(dict.fromkeys(_asked(sources, names))), _passes_on(sources, names))
        for name, names in named.items()
    ]
    # Without a request, an address that is only passed on, in a list of origins say, calls nobody.
    return [one for one in made if one.paths or _is_client(sources, named[one.variable.name])]


def _is_local(address: str) -> bool:
    found = LOCAL.fullmatch(address)
    return found is not None and found[1] != "3000"


def _python_names(variable: str, sources: Iterable[Source]) -> frozenset[str]:
    """The names that the code has for the variable.

    These are the names to which its value is assigned, and the field of a settings class.
    """
    names = {variable, variable.lower()}
    for source in sources:
        for node in python.nodes(source):
            if isinstance(node, ast.Assign) and f"'{variable}'" in ast.unparse(node.value):
                names |= {one.id for one in node.targets if isinstance(one, ast.Name)}
                names |= {one.attr for one in node.targets if isinstance(one, ast.Attribute)}
    return frozenset(names)


def _asked(sources: Iterable[Source], names: frozenset[str]) -> Iterator[str]:
    """The paths that the code puts behind the address.

    For example f"{URL}/auth/login", URL + "/x", client.get("/x").
    """
    for source in sources:
        based = False
        for node in python.nodes(source):
            if isinstance(node, ast.JoinedStr):
                yield from _behind(node, names)
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                if _means(node.left, names) and isinstance(node.right, ast.Constant):
                    yield from _clean(str(node.right.value))
            elif isinstance(node, ast.keyword) and node.arg == "base_url":
                based = based or _means(node.value, names)
        if based:
            yield from _of_a_client(source)


def _passes_on(sources: Iterable[Source], names: frozenset[str]) -> bool:
    """Whether a route's own function asks the address for the same route."""
    for source in sources:
        for node in python.nodes(source):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                served = {_shape(path) for path in _decorated(node)} - {"/"}
                texts = (one for one in ast.walk(node) if isinstance(one, ast.JoinedStr))
                asked = {_shape(path) for text in texts for path in _behind(text, names)}
                if any(path.endswith(own) for path in asked for own in served):
                    return True
    return False


def _decorated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The paths of the routes that a function serves, as its decorators have them."""
    for one in function.decorator_list:
        if isinstance(one, ast.Call) and one.args and isinstance(one.args[0], ast.Constant):
            yield str(one.args[0].value)


def _behind(text: ast.JoinedStr, names: frozenset[str]) -> Iterator[str]:
    first, *rest = text.values or [ast.Constant("")]
    if rest and isinstance(first, ast.FormattedValue) and _means(first.value, names):
        yield from _clean(_told(rest))


def _of_a_client(source: Source) -> Iterator[str]:
    """Paths that a client with a base address is asked for, in the module that makes it."""
    decorators = {
        id(one) for node in python.nodes(source) for one in getattr(node, "decorator_list", [])
    }
    for node in python.nodes(source):
        if (
            isinstance(node, ast.Call)
            and id(node) not in decorators
            and python.called(node) in METHODS
        ):
            for argument in node.args[:2]:
                if isinstance(argument, ast.JoinedStr):
                    yield from _clean(_told(argument.values))
                elif isinstance(argument, ast.Constant):
                    yield from _clean(str(argument.value))


def _told(parts: Iterable[ast.expr]) -> str:
    """A text with `{}` for what is filled in at run time."""
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in parts)


def _means(node: ast.expr, names: frozenset[str]) -> bool:
    """Whether an expression is the variable, or something of it: settings.url, URL.rstrip("/")."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    last = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return last in names


def _clean(path: str) -> Iterator[str]:
    if path.startswith("/") and len(path) > 1 and " " not in path:
        yield path.split("?")[0].rstrip("/")


def _is_client(sources: Iterable[Source], names: frozenset[str]) -> bool:
    """Whether a module that names the variable makes requests."""
    for source in sources:
        text = ast.unparse(source.body)
        asks = re.search(r"\b(httpx|requests|aiohttp)\.\w+\(|\burlopen\(", text)
        if asks and any(re.search(rf"\b{re.escape(name)}\b", text) for name in names):
            return True
    return False


def matched(paths: Iterable[str], routes: Iterable[Route]) -> int:
    """How many of these paths are routes, whatever stands for a parameter."""
    known = {_shape(route.path) for route in routes if "*" not in route.path}
    return sum(_shape(path) in known for path in paths)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/") or "/"


def _name(variable: str, candidate: Candidate, taken: Iterable[str]) -> str:
    """A DNS label for a service: ACCOUNTS_API_URL -> accounts; else what its folder is called."""
    stem = re.sub(r"(_?(API|BASE|SERVICE|BACKEND|SERVER|URL|URI|HOST|ENDPOINT))+$", "", variable)
    folder = next((one for one in candidate.folder.split("/") if one not in ("", "backend")), "")
    for words in (stem, folder, "service"):
        slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:24]
        if slug and slug[0].isalpha() and slug not in RESERVED and slug not in taken:
            return slug
    return f"service-{len(list(taken)) + 1}"


def _absent(back: Backend) -> Iterator[tuple[str, str]]:
    for module, place in back.imported:
        if module in ABSENT:
            yield ABSENT[module], place


def place_of(service: Service) -> str:
    """Where a service is, for a person."""
    return join(service.root.name, service.backend.folder)
