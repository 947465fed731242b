"""What a backend's Python source says, read as syntax: nothing of it is run."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from scripts.app.survey.tree import Tree, join
from scripts.app.survey.variables import Variable

METHODS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket", "route"}
)
WRITERS = frozenset(
    {"makedirs", "mkdir", "FileHandler", "RotatingFileHandler", "TimedRotatingFileHandler"}
)
ENVIRON = ("os.environ", "environ")
GETTERS = ("os.getenv", "getenv", "os.environ.get", "environ.get")
COMMON = ("get", "pop", "getenv", "setdefault", "require", "read", "load", "value")
#: An address with a password, of a host with a full name.
ELSEWHERE = re.compile(r"postgres(ql)?(\+\w+)?://[^\s:@/]+:[^\s@]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}\b")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)  # git's own mark
MOST_NESTED = 150  # expressions in each other: readers of syntax call themselves for each
MOST_DEEP = 500  # statements and expressions; a chain of `elif` is one in the other
NESTED = "its parts are nested too deep"
DATA_FILES = (".db", ".sqlite", ".sqlite3", ".log")


@dataclass(frozen=True)
class Route:
    """A route that the code declares.

    path: from the app's root. place: file:line. guarded: under a `try` that goes on without it.
    """

    method: str
    path: str
    place: str
    guarded: str = ""


@dataclass(frozen=True)
class Import:
    """An import of another module.

    relative: how many dots. optional: under a `try` or inside a function.
    """

    module: str
    names: tuple[tuple[str, str], ...]
    relative: int
    place: str
    optional: bool


@dataclass
class Router:
    """A FastAPI or APIRouter object of a module.

    It holds its own routes, and what it includes (expression, prefix, line, guarded).
    """

    prefix: str = ""
    routes: list[tuple[str, str, int]] = field(default_factory=list)
    includes: list[tuple[ast.expr, str, int, bool]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A parsed file. error: why it could not be parsed."""

    name: str
    body: ast.Module
    error: str = ""


def parse(tree: Tree, names: Iterable[str]) -> dict[str, Source]:
    """Parse files. One that is no Python has an error and an empty body."""
    found = {}
    for name in names:
        text = tree.texts[name]
        try:
            found[name] = Source(name, _parsed(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", 0) or 0
            why = getattr(error, "msg", str(error)) or NESTED
            if conflict := CONFLICT.search(text):
                line, why = (
                    text.count("\n", 0, conflict.start()) + 1,
                    "a merge that was not resolved",
                )
            found[name] = Source(name, ast.Module([], []), f"{name}:{line}: {why}")
    return found


def _parsed(text: str) -> ast.Module:
    """The syntax of a module. Raises ValueError for one that no person wrote."""
    module = ast.parse(text)
    pending: list[tuple[ast.AST, int, int]] = [(module, 0, 0)]
    while pending:
        node, depth, nested = pending.pop()
        if depth > MOST_DEEP or nested > MOST_NESTED:
            raise ValueError(NESTED)
        for one in ast.iter_child_nodes(node):
            pending.append((one, depth + 1, nested + 1 if isinstance(one, ast.expr) else 0))
    return module


def apps(source: Source) -> Iterator[tuple[str, bool, int]]:
    """The FastAPI objects of a module: (name, whether it is a factory, line)."""
    makers = {
        one.name: one
        for one in source.body.body
        if isinstance(one, ast.FunctionDef)
        and any(_is_call(node, "FastAPI") for node in ast.walk(one))
    }
    made = False
    for node in _statements(source.body.body):
        target, value = _assignment(node)
        if target and (
            _is_call(value, "FastAPI") or (isinstance(value, ast.Call) and called(value) in makers)
        ):
            made = True
            yield target, False, node.lineno
    if not made:
        yield from ((name, True, one.lineno) for name, one in makers.items())


@cache
def nodes(source: Source) -> tuple[ast.AST, ...]:
    """Every node of a module."""
    return tuple(ast.walk(source.body))


@cache
def imports(source: Source) -> tuple[Import, ...]:
    """Every import of a module."""
    return tuple(_imports(source.name, source.body.body, False))


def _imports(name: str, body: list[ast.stmt], optional: bool) -> Iterator[Import]:
    for node in body:
        place = f"{name}:{node.lineno}"
        if isinstance(node, ast.Import):
            yield from (Import(one.name, (), 0, place, optional) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(
                node.module or "",
                tuple((one.name, one.asname or one.name) for one in node.names),
                node.level,
                place,
                optional,
            )
        else:
            inside = optional or isinstance(
                node, (ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.If)
            )
            for part in ("body", "orelse", "finalbody"):
                yield from _imports(name, getattr(node, part, []), inside)
            for handler in getattr(node, "handlers", []):
                yield from _imports(name, handler.body, inside)


def _assignment(node: ast.stmt) -> tuple[str, ast.expr | None]:
    if (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
    ):
        return node.targets[0].id, node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    return "", None


def literals(text: str) -> dict[str, object]:
    """Names of a module that are assigned a literal, and its value.

    Empty for a text that is not Python.
    """
    found = {}
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        for node in _parsed(text).body:
            name, value = _assignment(node)
            with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError):
                found[name] = ast.literal_eval(value) if value else None
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if` and `try` too."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try, ast.With)):
                yield from _statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def called(node: ast.AST | None) -> str:
    """The last name of what is called: FastAPI of fastapi.FastAPI(...)."""
    if not isinstance(node, ast.Call):
        return ""
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def _is_call(node: ast.AST | None, name: str) -> bool:
    return called(node) == name


class Project:
    """Modules below an import root, and how they refer to each other.

    paths: folders below it from which modules are imported, too.
    """

    def __init__(
        self, sources: Mapping[str, Source], folder: str, paths: Iterable[str] = ()
    ) -> None:
        self.folder = folder
        self.modules: dict[str, Source] = {}
        for root in (folder, *(join(folder, path) for path in paths)):
            start = f"{root}/" if root else ""
            for name, one in sources.items():
                if name.startswith(start):
                    self.modules.setdefault(dotted(name.removeprefix(start)), one)
        self._constants = _constants(sources.values())
        self._routers: dict[str, dict[str, Router]] = {}

    def resolve(self, module: str, reference: Import) -> str:
        """The dotted name that an import in `module` refers to."""
        if not reference.relative:
            return reference.module
        package = module.split(".")
        is_package = self.modules[module].name.endswith("__init__.py")
        base = package[: len(package) - reference.relative + (1 if is_package else 0)]
        return ".".join([*base, *([reference.module] if reference.module else [])])

    def local(self, name: str) -> bool:
        """Whether a dotted name, or a package above it, is of this project."""
        first = name.split(".")[0]
        return first in self.modules or any(one.startswith(f"{first}.") for one in self.modules)

    def reached(self, start: str) -> list[str]:
        """The modules that importing `start` imports, itself first."""
        seen: list[str] = []
        pending = [start]
        while pending:
            name = pending.pop(0)
            if name in seen or name not in self.modules:
                continue
            seen.append(name)
            parts = name.split(".")
            pending += [".".join(parts[:length]) for length in range(1, len(parts))]
            for one in imports(self.modules[name]):
                target = self.resolve(name, one)
                pending += [target, *(f"{target}.{inner}" for inner, _ in one.names)]
        return seen

    def beyond(self, start: str) -> int:
        """How many relative imports lead above the import root, which Python refuses."""
        return sum(
            one.relative > len(name.split(".")) - (not self._is_package(name))
            for name in self.reached(start)
            for one in imports(self.modules[name])
        )

    def _is_package(self, module: str) -> bool:
        return self.modules[module].name.endswith("__init__.py")

    def unresolved(self, start: str) -> list[tuple[str, str]]:
        """Local imports that lead nowhere: (what is imported, place).

        A missing file, or one whose name differs in case.
        """
        missing = []
        for name in self.reached(start):
            for one in imports(self.modules[name]):
                target = self.resolve(name, one)
                known = target in self.modules or any(
                    other.startswith(f"{target}.") for other in self.modules
                )
                if (
                    (one.relative or self.local(target))
                    and target
                    and not known
                    and not one.optional
                ):
                    missing.append((target, one.place))
        return missing

    def routes(self, module: str, variable: str) -> list[Route]:
        """Every route of an app, those of included routers with their prefixes.

        A prefix that is not a constant is `*`.
        """
        return list(self._collect(module, variable, "", "", frozenset()))

    def _collect(
        self,
        module: str,
        variable: str,
        prefix: str,
        guarded: str,
        seen: frozenset[tuple[str, str]],
    ) -> Iterator[Route]:
        router = self.routers(module).get(variable)
        if router is None or (module, variable) in seen:
            return
        inside = prefix + router.prefix
        name = self.modules[module].name
        for method, path, line in router.routes:
            yield Route(method, (inside + path) or "/", f"{name}:{line}", guarded)
        for expression, more, line, is_guarded in router.includes:
            target = self._target(module, expression)
            if target:
                place = f"{name}:{line}" if is_guarded else guarded
                yield from self._collect(*target, inside + more, place, seen | {(module, variable)})

    def _target(self, module: str, expression: ast.expr) -> tuple[str, str] | None:
        """The (module, variable) that an expression such as `tasks.router` means."""
        if isinstance(expression, ast.Name):
            return (
                self._parameter(module, expression.id[:-2])
                if expression.id.endswith("()")
                else self._named(module, expression.id)
            )
        if isinstance(expression, ast.Attribute):
            path = ast.unparse(expression.value)
            owner = self._module_named(module, path)
            return self._exported(owner, expression.attr) if owner else None
        return None

    def _parameter(self, module: str, function: str) -> tuple[str, str] | None:
        """Where a function that is given the app keeps it: (its module, its first parameter)."""
        homes = [(module, function)]
        for one in imports(self.modules[module]):
            homes += [
                (self.resolve(module, one), inner)
                for inner, local in one.names
                if local == function
            ]
        for home, name in homes:
            for node in self.modules[home].body.body if home in self.modules else ():
                if isinstance(node, ast.FunctionDef) and node.name == name and node.args.args:
                    return home, node.args.args[0].arg
        return None

    def _named(self, module: str, name: str) -> tuple[str, str] | None:
        if name in self.routers(module):
            return module, name
        for one in imports(self.modules[module]):
            for inner, local in one.names:
                if local == name:
                    return self._exported(self.resolve(module, one), inner)
        return None

    def _exported(self, module: str, name: str, depth: int = 0) -> tuple[str, str] | None:
        if module not in self.modules or depth > 5:
            return None
        return (
            (module, name)
            if name in self.routers(module)
            else self._named(module, name)
            if depth == 0
            else None
        )

    def _module_named(self, module: str, path: str) -> str:
        """The module that a dotted expression means inside another."""
        first, _, rest = path.partition(".")
        for one in imports(self.modules[module]):
            target = self.resolve(module, one)
            if (
                not one.names
                and (target == path or target.split(".")[0] == first)
                and path in self.modules
            ):
                return path
            for inner, local in one.names:
                if local == first:
                    found = f"{target}.{inner}" if target else inner
                    whole = f"{found}.{rest}" if rest else found
                    if whole in self.modules:
                        return whole
        return ""

    def routers(self, module: str) -> dict[str, Router]:
        """The routers of a module by the names of their variables."""
        if module not in self._routers:
            self._routers[module] = {}
            if module in self.modules:
                self._routers[module] = self._read(self.modules[module])
        return self._routers[module]

    def _read(self, source: Source) -> dict[str, Router]:
        found: dict[str, Router] = {}
        guarded = {
            id(inner)
            for node in nodes(source)
            if isinstance(node, ast.Try)
            for inner in ast.walk(node)
        }
        for node in nodes(source):
            target, value = _assignment(node) if isinstance(node, ast.stmt) else ("", None)
            if target and called(value) in ("FastAPI", "APIRouter"):
                assert isinstance(value, ast.Call)
                found[target] = Router(self._prefix(value))
        makers = {one.name: one for one in source.body.body if isinstance(one, ast.FunctionDef)}
        for node in source.body.body:
            target, value = _assignment(node)
            maker = makers.get(called(value))
            if target and maker:  # app = create_app(): what the function's own variable has
                for inner in ast.walk(maker):
                    if (
                        isinstance(inner, ast.Return)
                        and isinstance(inner.value, ast.Name)
                        and inner.value.id in found
                    ):
                        found[target] = found[inner.value.id]
        for node in nodes(source):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                owner = found.get(node.func.value.id)
                if owner is None and node.func.attr == "include_router":
                    owner = found.setdefault(
                        node.func.value.id, Router()
                    )  # a parameter: def setup(app): app.include_router(...)
                if owner is None:
                    continue
                if node.func.attr == "include_router" and node.args:
                    owner.includes.append(
                        (node.args[0], self._prefix(node), node.lineno, id(node) in guarded)
                    )
                elif node.func.attr == "add_api_route" and node.args:
                    owner.routes.append(("get", self._text(node.args[0]), node.lineno))
                elif node.func.attr in METHODS and node.args and node.func.attr not in ("route",):
                    owner.routes.append((node.func.attr, self._text(node.args[0]), node.lineno))
            elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                for (
                    argument
                ) in node.args:  # setup_routes(app): what that function includes into its parameter
                    if (
                        isinstance(argument, ast.Name)
                        and argument.id in found
                        and isinstance(node.func, ast.Name)
                    ):
                        found[argument.id].includes.append(
                            (ast.Name(f"{node.func.id}()"), "", node.lineno, id(node) in guarded)
                        )
        return found

    def _prefix(self, call: ast.Call) -> str:
        return next((self._text(one.value) for one in call.keywords if one.arg == "prefix"), "")

    def _text(self, node: ast.expr) -> str:
        """A text that the syntax tells, `*` where it does not."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(
                self._text(one.value if isinstance(one, ast.FormattedValue) else one)
                for one in node.values
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._text(node.left) + self._text(node.right)
        name = (
            node.id
            if isinstance(node, ast.Name)
            else node.attr
            if isinstance(node, ast.Attribute)
            else ""
        )
        return self._constants.get(name, "*")


@cache
def dotted(name: str) -> str:
    """a/b.py -> a.b, a/__init__.py -> a."""
    *above, last = name.removesuffix(".py").split("/")
    return ".".join(above if last == "__init__" else [*above, last])


def _constants(sources: Iterable[Source]) -> dict[str, str]:
    """Texts that are assigned to a name once: module constants and fields of settings."""
    found: dict[str, str] = {}
    for source in sources:
        for name, value in _texts(source):
            found.setdefault(name, value)
    return found


@cache
def _texts(source: Source) -> tuple[tuple[str, str], ...]:
    assigned = (
        _assignment(node) for node in nodes(source) if isinstance(node, (ast.Assign, ast.AnnAssign))
    )
    return tuple(
        (name, value.value)
        for name, value in assigned
        if name and isinstance(value, ast.Constant) and isinstance(value.value, str)
    )


def readers(sources: Iterable[Source]) -> dict[str, bool]:
    """Functions that read the environment variable that their first argument names.

    Name -> whether they raise without it. Those with a name that anything may have are left out.
    """
    found = {}
    for function in (node for source in sources for node in nodes(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = [one.arg for one in function.args.args if one.arg not in ("self", "cls")]
        within = [_key(node) for node in ast.walk(function)] if names else []
        if function.name not in COMMON and any(
            isinstance(key, ast.Name) and key.id == names[0] for key in within
        ):
            found[function.name] = any(isinstance(one, ast.Raise) for one in ast.walk(function))
    return found


def _key(node: ast.AST) -> ast.expr | None:
    """What names the variable, in a reading of the environment."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ENVIRON:
        return node.slice
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in GETTERS:
        return node.args[0]
    return None


def variables(source: Source, known: Mapping[str, bool]) -> list[Variable]:
    """The environment variables that a module reads.

    It reads them by os.environ, os.getenv, decouple, the fields of a pydantic settings class, or a
    function of the app's own. known: those functions, as `readers` finds them.
    """
    found = []
    assigned: dict[str, str] = {}
    required = set()
    for node in nodes(source):
        one = _reading(node, source.name) or _by_reader(node, source.name, known)
        if one:
            found.append(one)
        target, value = _assignment(node) if isinstance(node, ast.stmt) else ("", None)
        read = _reading(value, source.name) if value is not None else None
        if target and read:
            assigned[target] = read.name
        if isinstance(node, ast.If) and any(
            isinstance(inner, ast.Raise) for inner in node.body
        ):  # if not X: raise
            test = node.test
            if (
                isinstance(test, ast.UnaryOp)
                and isinstance(test.op, ast.Not)
                and isinstance(test.operand, ast.Name)
            ):
                required.add(test.operand.id)
        if isinstance(node, ast.ClassDef) and any(
            "BaseSettings" in ast.unparse(base) for base in node.bases
        ):
            found += _fields(node, source.name)
    needed = {assigned[name] for name in required if name in assigned}
    return [
        Variable(one.name, one.place, one.required or one.name in needed, one.default, one.is_list)
        for one in found
    ]


def assigned_variables(source: Source) -> Iterator[tuple[str, str]]:
    """Environment variables that a module sets itself: (name, place). They win over the pod's."""
    for node in nodes(source):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.slice, ast.Constant)
            and ast.unparse(node.value) in ENVIRON
        ):
            yield str(node.slice.value), f"{source.name}:{node.lineno}"


def written_addresses(source: Source, known: Mapping[str, bool]) -> Iterator[str]:
    """Places of addresses of PostgreSQL elsewhere that are written into the code: file:line.

    What the code falls back to without a variable is none of them. Each holds a password.
    """
    fallbacks = {one.default for one in variables(source, known)}
    for node in nodes(source):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and ELSEWHERE.match(node.value)
            and node.value not in fallbacks
        ):
            yield f"{source.name}:{node.lineno}"


def _reading(node: ast.AST | None, name: str) -> Variable | None:
    """A single reading of the environment, if this is one."""
    if (
        isinstance(node, ast.Subscript)
        and ast.unparse(node.value) in ENVIRON
        and isinstance(node.ctx, ast.Load)
    ):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return Variable(key, f"{name}:{node.lineno}", True) if isinstance(key, str) else None
    if (
        not isinstance(node, ast.Call)
        or not node.args
        or not isinstance(node.args[0], ast.Constant)
        or not isinstance(node.args[0].value, str)
    ):
        return None
    function = ast.unparse(node.func)
    key, default = node.args[0].value, _default(node)
    if function in GETTERS:
        return Variable(key, f"{name}:{node.lineno}", False, default or "")
    if (
        function in ("config", "env", "env.str", "env.int", "env.bool", "env.list")
        and key.isupper()
    ):  # decouple, starlette, environs
        return Variable(key, f"{name}:{node.lineno}", default is None, default or "")
    return None


def _by_reader(node: ast.AST, name: str, known: Mapping[str, bool]) -> Variable | None:
    """A reading by a function of the app's own."""
    function = called(node)
    if not isinstance(node, ast.Call) or function not in known or not node.args:
        return None
    key = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    if not isinstance(key, str) or not VARIABLE.fullmatch(key):
        return None
    default = _default(node)
    needed = known[function] and default is None
    return Variable(key, f"{name}:{node.lineno}", needed, default or "")


def _default(call: ast.Call) -> str | None:
    """What a reading falls back to; None when it has no second argument."""
    given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "default")]
    if not given:
        return None
    return (
        str(given[0].value)
        if isinstance(given[0], ast.Constant) and given[0].value is not None
        else ""
    )


def _fields(settings: ast.ClassDef, name: str) -> Iterator[Variable]:
    prefix = ""
    for node in ast.walk(settings):
        if (
            isinstance(node, ast.keyword)
            and node.arg == "env_prefix"
            and isinstance(node.value, ast.Constant)
        ):
            prefix = str(node.value.value)
    for node in settings.body:
        if (
            not isinstance(node, ast.AnnAssign)
            or not isinstance(node.target, ast.Name)
            or node.target.id in ("model_config",)
        ):
            continue
        field_name, value, is_list = (
            node.target.id,
            node.value,
            ast.unparse(node.annotation).lower().startswith(("list[", "typing.list[")),
        )
        if "ClassVar" in ast.unparse(node.annotation):
            continue
        alias, default, required = (prefix + field_name).upper(), "", value is None
        if isinstance(value, ast.Constant) and value.value is not None:
            default = str(value.value)
        if isinstance(value, ast.Call) and called(value) == "Field":
            required = not any(
                one.arg in ("default", "default_factory") for one in value.keywords
            ) and (
                not value.args
                or (isinstance(value.args[0], ast.Constant) and value.args[0].value is Ellipsis)
            )
            for one in value.keywords:
                if one.arg in ("alias", "validation_alias", "env") and isinstance(
                    one.value, ast.Constant
                ):
                    alias = str(one.value.value)
                if (
                    one.arg == "default"
                    and isinstance(one.value, ast.Constant)
                    and one.value.value is not None
                ):
                    default = str(one.value.value)
        elif isinstance(value, ast.Call) and (read := _reading(value, name)):
            alias, default = read.name, read.default
        yield Variable(alias, f"{name}:{node.lineno}", required, default, is_list)


def written(source: Source) -> Iterator[tuple[str, str, bool]]:
    """Relative paths that a module keeps data in: (path, place, whether it is a folder)."""
    writes_json = any(_is_call(node, "dump") for node in nodes(source)) or any(
        _is_call(node, "open")
        and any(
            isinstance(one, ast.Constant) and str(one.value) in ("w", "a", "w+", "wb")
            for one in node.args[1:]
        )
        for node in nodes(source)
        if isinstance(node, ast.Call)
    )
    for node in nodes(source):
        place = f"{source.name}:{getattr(node, 'lineno', 0)}"
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and 0 < len(node.value) < 100
            and " " not in node.value
        ):
            text = node.value
            if text.startswith("sqlite") and "://" in text:
                text = text.split("://", 1)[1].split("?")[0].removeprefix("/")
            if text.startswith("/") or "{" in text or "*" in text or text.startswith("."):
                text = text.removeprefix("./") if text.startswith("./") else ""
            kept = text.endswith(DATA_FILES) or (text.endswith(".json") and writes_json)
            if kept and PurePosixPath(text).stem not in ("", "package", "tsconfig"):
                yield text, place, False
        if isinstance(node, ast.Call) and called(node) in WRITERS:
            owner = (
                node.func.value
                if isinstance(node.func, ast.Attribute) and called(node) == "mkdir"
                else node.args[0]
                if node.args
                else None
            )
            for inner in ast.walk(owner) if owner is not None else ():
                if (
                    isinstance(inner, ast.Constant)
                    and isinstance(inner.value, str)
                    and not inner.value.startswith(("/", "."))
                    and "." not in inner.value
                ):
                    yield inner.value, place, True


def documentation(text: str) -> Iterator[tuple[int, int]]:
    """First and last line of each docstring; none of a text that is not Python."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        for node in ast.walk(_parsed(text)):
            value = node.value if isinstance(node, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, value.end_lineno or value.lineno


def standard(module: str) -> bool:
    """Whether a module comes with Python."""
    return module.split(".")[0] in sys.stdlib_module_names
