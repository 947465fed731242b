"""The Next.js side of an app: its folder, how it is built and served, and the addresses it asks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from scripts.app.survey import asks, node
from scripts.app.survey.tree import Evidence, Tree, address, join, read_env, read_json, table
from scripts.app.survey.variables import Variable, kind, merged

SOURCES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs")
LOCKS = {
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
LOCAL = r"(?:https?|wss?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::\d+)?"
PAGES = ("app", "pages", "src/app", "src/pages")
OWN_PORT = 3000  # of `next dev`: an address there means the page's own origin
PASSWORD = re.compile(r"://[^\s/@]{0,999}:[^\s/@]{1,999}@")
EXAMPLES = (
    ".env.example",
    ".env.local.example",
    ".env.sample",
    ".env.template",
    "env.example",
    ".env.local",
    ".env",
    ".env.production",
    ".env.development",
)


@dataclass(frozen=True)
class Frontend:
    """What was found.

    folder: relative to the app. manager: npm, pnpm, yarn or bun. lock: its file, empty without one.

    addresses: origins on this machine that the code names, with the places. rewrites: from
    next.config. from_root: lines that join a path to an address by `new URL("/path", ...)`, which
    drops the address's own path. pages, handlers: paths of the app's pages and of the route
    handlers under Next's own server. auth: better-auth, next-auth or empty, and the module that
    sets it up. auth_base: the variable in it that gives the page's own address. examples: what env
    files give as values. node: the major version of Node that it gets. other_node: the line that
    asks for another. asks: (path, place) of every path in the code, pages' own among them.
    """

    folder: str
    next_version: str
    output: str
    manager: str
    lock: str
    variables: tuple[Variable, ...]
    addresses: tuple[tuple[str, str], ...]
    rewrites: tuple[Evidence, ...]
    from_root: tuple[Evidence, ...]
    google_fonts: tuple[Evidence, ...]
    pages: tuple[str, ...]
    handlers: tuple[str, ...]
    auth: str
    auth_module: str
    packages: tuple[str, ...]
    examples: dict[str, str]
    evidence: Evidence
    node: int = node.AVAILABLE[0]
    other_node: Evidence | None = None
    asks: tuple[tuple[str, str], ...] = ()
    auth_base: str = ""

    @property
    def served(self) -> str:
        """How it is served: `export` as plain files, `server` by Node."""
        return "export" if self.output == "export" else "server"

    @property
    def major(self) -> int:
        """Next's major version, 0 when it is not known."""
        number = re.search(r"\d+", self.next_version)
        return int(number.group()) if number else 0


def candidates(tree: Tree) -> list[str]:
    """Folders with pages and a package.json that names next, the likeliest first."""
    found = [folder for folder in _with_next(tree) if _has_pages(tree, folder)]
    return sorted(found, key=lambda folder: rank(tree, folder, ("frontend", "web", "client", "ui")))


def without_pages(tree: Tree) -> list[str]:
    """Folders with a package.json that names next, and nothing that Next could serve."""
    return sorted(folder for folder in _with_next(tree) if not _has_pages(tree, folder))


def _with_next(tree: Tree) -> list[str]:
    return [
        posixpath.dirname(name)
        for name in tree.texts
        if PurePosixPath(name).name == "package.json"
        and "next" in _dependencies(read_json(tree.texts[name]))
    ]


def _has_pages(tree: Tree, folder: str) -> bool:
    """Whether one of the folders that Next looks into has a file that may be a page."""
    places = tuple(f"{join(folder, place)}/" for place in PAGES)
    return any(name.startswith(places) and name.endswith((*SOURCES, ".mdx")) for name in tree.names)


def rank(tree: Tree, folder: str, usual: tuple[str, ...]) -> tuple[object, ...]:
    """Order of candidates: the smallest is the likeliest.

    Phase III comes first, then usual names, then the one with most in it, then the shallowest.
    """
    parts = folder.lower().split("/")
    return (
        phase(folder),
        not any(part in usual for part in parts),
        -len(tree.below(folder, (".py", *SOURCES))),
        len(parts),
        folder,
    )


def phase(folder: str) -> int:
    """0 for a folder of phase III or of no phase, more for another phase.

    Apps of several phases lie side by side in one repository.
    """
    found = re.search(r"phase[-_ ]?(\d|iii|ii|iv|i|v)(?![a-z])", folder.lower())
    number = (
        {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}.get(found.group(1)) or int(found.group(1))
        if found
        else 3
    )
    return abs(number - 3)


def read(tree: Tree, folder: str) -> Frontend:
    """Survey the frontend in `folder`."""
    package = read_json(tree.texts[join(folder, "package.json")])
    dependencies = _dependencies(package)
    names = [name for name in tree.below(folder, SOURCES) if not asks.TEST.search(name)]
    lock = next((name for name in LOCKS if tree.has(folder, name)), "")
    examples = example_values(tree, (folder,))
    pages, handlers = _paths(tree, folder)
    config = next(
        (
            join(folder, name)
            for name in ("next.config.ts", "next.config.mjs", "next.config.js", "next.config.cjs")
            if tree.has(folder, name)
        ),
        "",
    )
    auth = next(
        (name for name in ("better-auth", "next-auth", "@auth/core") if name in dependencies), ""
    )
    module = _auth_module(tree, names) if auth == "better-auth" else ""
    manifest = join(folder, "package.json")
    return Frontend(
        folder,
        dependencies.get("next", "").lstrip("^~>= "),
        _output(tree, config),
        LOCKS[lock] if lock else "npm",
        lock,
        merged(list(_variables(tree, names))),
        tuple(
            dict.fromkeys(
                (match.group(0), evidence.place) for evidence, match in tree.search(LOCAL, names)
            )
        ),
        _rewrites(tree, config),
        tuple(evidence for evidence, _ in tree.search(r"new URL\(\s*[`\"']/", names)),
        tuple(evidence for evidence, _ in tree.search(r"from\s+[\"']next/font/google[\"']", names)),
        pages,
        handlers,
        "next-auth" if auth == "@auth/core" else auth,
        module,
        tuple(sorted(dependencies)),
        examples,
        Evidence(
            f"{manifest}:{_line(tree.texts[manifest], 'next')}",
            f'"next": "{dependencies.get("next", "")}"',
        ),
        *node.choose(tree, folder),
        asks.paths(tree, names),
        _auth_base(tree.texts.get(module, "")),
    )


def example_values(tree: Tree, folders: Iterable[str]) -> dict[str, str]:
    """What env files in these folders give: the first file and folder win.

    Secrets are left out: those by name, and addresses that hold a password, whatever their name.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for example in EXAMPLES:
            for key, value in read_env(tree.texts.get(join(folder, example), "")).items():
                secret = kind(key) in ("database", "signing", "provider") or PASSWORD.search(value)
                if value and not secret:
                    found.setdefault(key, value)
    return found


def suffix(frontend: Frontend, variable: Variable) -> str:
    """The path at the end of an API address, as the code's fallback or an env file has it.

    For http://localhost:8000/api/v1 it is /api/v1.
    """
    for value in (frontend.examples.get(variable.name, ""), variable.default):
        if "://" in value:
            return address(value).path.rstrip("/")
    return ""


def with_fitting_examples(front: Frontend, routes: Iterable[str]) -> Frontend:
    """Without addresses of env files that lead past the routes, where the code's own do not.

    http://localhost:8000 is such one beside http://localhost:8000/api/v1 in the code.
    """
    served = {re.sub(r"\{[^}]*\}", "{}", path).rstrip("/") for path in routes}
    asked = [path for path, _ in front.asks]

    def reached(value: str) -> int:
        base = address(value).path.rstrip("/")
        return sum(base + path in served for path in asked)

    kept = dict(front.examples)
    for one in front.variables:
        given = kept.get(one.name, "")
        both = one.kind == "api" and "://" in given and "://" in one.default
        if both and reached(one.default) > reached(given):
            del kept[one.name]
    return replace(front, examples=kept)


def _dependencies(package: dict[str, object]) -> dict[str, str]:
    return {
        str(key): str(value)
        for group in ("devDependencies", "dependencies")
        for key, value in table(package, group).items()
    }


def _line(text: str, package: str) -> int:
    return next(
        (number for number, line in enumerate(text.splitlines(), 1) if f'"{package}"' in line), 1
    )


def _output(tree: Tree, config: str) -> str:
    """Next's output mode: export, standalone, or server for neither."""
    found = tree.first(r"output\s*:\s*[\"'](export|standalone)[\"']", [config])
    return found[1].group(1) if found else "server"


def _rewrites(tree: Tree, config: str) -> tuple[Evidence, ...]:
    if "rewrites" not in tree.texts.get(config, ""):
        return ()
    return tuple(evidence for evidence, _ in tree.search(r"destination\s*:", [config])) or tuple(
        evidence for evidence, _ in tree.search("rewrites", [config])
    )


def _variables(tree: Tree, names: list[str]) -> Iterator[Variable]:
    pattern = re.compile(
        r"process\.env(?:\.(\w+)|\[[\"'](\w+)[\"']\])(!)?"
        r"(?:\s*(?:\|\||\?\?)\s*[\"'`]([^\"'`]*)[\"'`])?"
    )
    for name in names:
        for number, line in tree.lines(name):
            for match in pattern.finditer(line):
                found = match.group(1) or match.group(2)
                if found not in (
                    "NODE_ENV",
                    "NEXT_RUNTIME",
                    "CI",
                    "PORT",
                    "VERCEL_URL",
                    "VERCEL",
                    "ANALYZE",
                    "VERCEL_ENV",
                ):
                    yield Variable(
                        found, f"{name}:{number}", bool(match.group(3)), match.group(4) or ""
                    )


def _paths(tree: Tree, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Paths of pages, and of route handlers, in both routers of Next."""
    pages, handlers = set(), set()
    for name in tree.below(folder, SOURCES):
        inner = PurePosixPath(name.removeprefix(f"{folder}/") if folder else name)
        parts = [part for part in inner.parts if part != "src"]
        if not parts or parts[0] not in ("app", "pages"):
            continue
        shown = [
            part
            for part in parts[1:-1]
            if not (part.startswith("(") and part.endswith(")")) and not part.startswith("@")
        ]
        if parts[0] == "app" and inner.stem == "page":
            pages.add("/" + "/".join(shown))
        elif parts[0] == "app" and inner.stem == "route":
            handlers.add("/" + "/".join(shown))
        elif parts[0] == "pages" and not inner.stem.startswith("_"):
            path = "/" + "/".join([*shown, *([] if inner.stem == "index" else [inner.stem])])
            (handlers if path.startswith("/api") else pages).add(path)
    return tuple(sorted(pages)), tuple(sorted(handlers))


def _auth_base(text: str) -> str:
    """The variable that a module of better-auth has its own address from; empty without one."""
    base = re.search(r"\bbaseURL\s*:\s*([^,\n]+)", text)
    given = base[1].strip() if base else ""
    if re.fullmatch(r"\w+", given):  # a constant of the module
        constant = re.search(rf"\b{given}\s*=\s*([^;\n]+)", text)
        given = constant[1] if constant else ""
    variable = re.search(r"process\.env\.(\w+)", given)
    return variable[1] if variable else ""


def _auth_module(tree: Tree, names: list[str]) -> str:
    """The module that sets better-auth up: the app's own before a script of its author's."""
    found = tree.search(r"=\s*betterAuth\s*(<[^>]*>)?\(", names)
    modules = [evidence.place.rsplit(":", 1)[0] for evidence, _ in found]
    aside = re.compile(r"(^|/)(scripts?|\.\w+)/|(^|/)(test|migrate|seed)[\w.-]*$")
    return min(modules, key=lambda name: bool(aside.search(name)), default="")
