"""The backend's Python and its packages, each with its exact version.

They are as the app lists them, as of its last commit, and only wheels where that works.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from uv import find_uv_bin

from scripts.app.survey import Survey
from scripts.app.survey.tree import is_own, own_bytes, own_text, read_toml, table
from scripts.app.undeclared import name_of, needed, undeclared
from scripts.machine import pip
from scripts.machine.architecture import architecture
from scripts.session.cache import digest, discard, make_once
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.shell import Result

RESOLVE_TIMEOUT = 300.0
MOST_LOCK = 1 << 24  # bytes of a lock file
MOST_INCLUDED = 50  # requirements files
ELSEWHERE = re.compile(r"[\w.-]+\s*(\[[^\]]*\])?\s*@")  # a package at an address of its own
NAMELESS = re.compile(r"[\w+]+://(?!\S+\.whl($|[\s#;?]))")
PINNED = re.compile(r"[\w.-]+==[\w.+!-]+")
#: Packages without a wheel for Linux, or that exist for other systems only: what serves instead.
INSTEAD = {
    "psycopg2": "psycopg2-binary",
    "pywin32": "",
    "pywinpty": "",
    "twisted-iocpsupport": "",
    "pypiwin32": "",
    "win32-setctime": "",
}
COMPILERS = "gcc g++ python3-dev libpq-dev libffi-dev libssl-dev pkg-config"
LIBRARIES = "libpq5"
UPSTREAM_PYTHONS = ("3.13", "3.12", "3.11")
DEBIAN_PYTHONS = ("3.13", "3.11")  # of Debian's present and previous release


@dataclass(frozen=True)
class Resolved:
    """The packages of the app, each with its exact version.

    requirements: a package and its version, one a line. python: 3.13 and the like. compiles: some
    have no wheel. notes: what a person should know.

    date: of the app's last commit (RFC 3339), empty when there is none. services: the same of the
    app's further services, by name. kept: the file in the cache that this was read from.
    """

    requirements: str
    python: str
    compiles: bool
    notes: tuple[str, ...]
    date: str
    services: Mapping[str, Resolved] = field(default_factory=dict)
    kept: Path | None = None

    @property
    def pythons(self) -> tuple[str, ...]:
        """The Pythons that the app's parts run on, the backend's first."""
        return tuple(dict.fromkeys([self.python, *(one.python for one in self.services.values())]))

    def __str__(self) -> str:
        return f"{len(self.requirements.split())} packages on Python {self.python}"


def requirements(run: Run, app: Survey, upstream: bool) -> Resolved:
    """Pin the packages of the backend and of its services, on Pythons that this machine can have.

    Raises PACKAGES-UNRESOLVABLE.
    """
    pythons = UPSTREAM_PYTHONS if upstream else DEBIAN_PYTHONS
    services = {one.name: resolve(run, app.of(one), pythons) for one in app.companions.services}
    return replace(resolve(run, app, pythons), services=services)


def resolve(run: Run, app: Survey, pythons: tuple[str, ...]) -> Resolved:
    """Pin the backend's packages on the first of `pythons` (best first) that they all install on.

    Raises PACKAGES-UNRESOLVABLE with uv's words.
    """
    notes: list[str] = []
    wanted = _requirements(app, notes)
    locked = _locked(app)
    date = _last_commit(run, app)
    fitting = tuple(python for python in pythons if _fits(python, app.backend.python))
    if not fitting:
        # A bound is often only the Python that its author had: what does not run is seen in the
        # image's trial.
        fitting = tuple(one for one in pythons if _fits(one, _lower_bound(app.backend.python))) or (
            pythons[0],
        )
        notes.append(f"Python {app.backend.python} is wanted: {fitting[0]} is what there is")
    key = digest(
        "10",
        app.decision.scheme,
        app.database,
        "\n".join(wanted),
        "\n".join(locked),
        *fitting,
        *(f"{name}" for name, _ in app.backend.imported),
    )

    def make(target: Path) -> None:
        others = tuple(python for python in pythons if python not in fitting)
        found = _resolve(run, app, wanted, locked, date, (fitting, others), notes)
        target.write_text(json.dumps(asdict(found)), encoding="utf-8")

    target = _place(run, key, date)
    try:
        read = json.loads(make_once(target, make).read_text(encoding="utf-8"))
    except ValueError:
        run.say(f"{target.name} in the cache is damaged: resolving anew")
        discard(target)
        read = json.loads(make_once(target, make).read_text(encoding="utf-8"))
    for note in read["notes"]:
        run.say(note)
    return Resolved(
        read["requirements"],
        read["python"],
        read["compiles"],
        tuple(read["notes"]),
        read["date"],
        kept=target,
    )


def _place(run: Run, key: str, date: str) -> Path:
    """Where the answer to this question is kept.

    Where git does not tell the date, and where a bundle is to serve, an earlier answer to the same
    question serves, whatever its date: the newest. A copy of the app has no commits, and a shallow
    clone only one.
    """
    folder = run.settings.cache / "requirements"
    exact = folder / f"{key}-{digest(date) if date else 'undated'}.json"
    if exact.exists() or (date and not run.settings.supply.bundle):
        return exact
    others = sorted(folder.glob(f"{key}-*.json"), key=lambda path: path.stat().st_mtime)
    return others[-1] if others else exact


def _resolve(
    run: Run,
    app: Survey,
    wanted: list[str],
    locked: list[str],
    date: str,
    pythons: tuple[tuple[str, ...], tuple[str, ...]],
    notes: list[str],
) -> Resolved:
    listed = app.backend.dependencies
    run.say(
        f"resolving {len(wanted)} requirements of {listed}"
        + (f" as of {date[:10]}" if date else "")
    )
    way, result = _first_way(run, app, wanted, locked, date, pythons, notes)
    missing = undeclared(app, result.stdout)
    overrides = needed(result.stdout, [package for package, _ in missing])
    while missing or overrides:
        more = [package for package, _ in missing]
        again = _compile(
            run, [*wanted, *more], way.held, way.python, way.wheels, way.until, overrides
        )
        if again.ok:
            notes += [
                f"{one} is used ({place}) but {listed} does not list it: added"
                for one, place in missing
            ]
            notes += [
                f"{one}, because other packages here do not work with what was chosen"
                for one in overrides
            ]
            result = again
            break
        # What no registry has is the app's own affair, and must not keep the others out.
        reason = _reason(again)
        gone = [
            one for one in missing if re.search(rf"\b{re.escape(name_of(one[0]))}\b", reason)
        ] or missing
        notes += [f"{one} is used ({place}), and cannot be had: {reason}" for one, place in gone]
        missing = [one for one in missing if one not in gone]
        overrides = overrides if missing else []
    return Resolved(result.stdout, way.python, not way.wheels, tuple(notes), date)


@dataclass(frozen=True)
class _Way:
    """How packages are resolved.

    held: versions of the lock file. until: the newest date (RFC 3339).
    """

    python: str
    wheels: bool
    held: list[str]
    until: str


def _first_way(
    run: Run,
    app: Survey,
    wanted: list[str],
    locked: list[str],
    date: str,
    pythons: tuple[tuple[str, ...], tuple[str, ...]],
    notes: list[str],
) -> tuple[_Way, Result]:
    """The strictest way on which all fits; what is given up is noted. Raises PACKAGES-UNRESOLVABLE.

    pythons: those that the app's bound allows, and the others. Packages that have wheels there are
    better than what a compiler makes of them: a bound is often only the Python of the author.

    A package that no registry has, and that no module imports, is taken off the list.
    """
    first = pythons[0][0]
    ways = [_Way(python, True, locked, date) for part in pythons for python in part]
    ways.append(_Way(first, False, locked, date))
    ways += [_Way(first, False, [], date)] if locked else []
    ways += [_Way(first, False, [], "")] if date else []
    refused: list[str] = []
    for way in ways:
        result = _compile(run, wanted, way.held, way.python, way.wheels, way.until)
        while not result.ok and (gone := _unused_and_gone(app, wanted, _reason(result))):
            notes.append(f"{gone} is in no registry, and nothing imports it: left out")
            wanted.remove(gone)
            result = _compile(run, wanted, way.held, way.python, way.wheels, way.until)
        if result.ok:
            break
        refused.append(_reason(result))
    else:
        raise _unresolvable(app, refused)
    if way.python != first:
        notes.append(f"Python {way.python} instead of {first}: {refused[0]}")
    if not way.wheels:
        notes.append(f"some packages have no wheel and are compiled: {refused[0]}")
    if locked and not way.held:
        notes.append("the lock file does not fit what is listed beside it, and was not used")
    if date and not way.until:
        notes.append(
            f"nothing that fits was there on {date[:10]}, the app's last commit:"
            " newer releases are used"
        )
    return way, result


def _unused_and_gone(app: Survey, wanted: list[str], reason: str) -> str:
    """The requirement that the registry does not know and no module imports.

    Empty when something else is the reason.
    """
    gone = re.search(r"(\S+) was not found in the package registry", reason)
    imported = {name_of(module) for module, _ in app.backend.imported}
    if not gone or name_of(gone[1]) in imported:
        return ""
    return next((line for line in wanted if name_of(line) == name_of(gone[1])), "")


def _unresolvable(app: Survey, refused: list[str]) -> Failure:
    """The finding, with the line of the app's file that names the package."""
    listed, reason = app.backend.dependencies, refused[-1]
    place = next(
        (
            f"{listed}:{number}"
            for number, line in enumerate(_lines_of(app), 1)
            if name_of(line.strip(" \"',")) in re.split(r"[^\w.-]", reason)
        ),
        listed,
    )
    return failure(
        "PACKAGES-UNRESOLVABLE",
        listed,
        f"the packages of {listed} cannot be installed together: {reason} ({place})",
        "\n".join(dict.fromkeys(refused)),
        "mend what is named in the app's own file; `uv pip compile` on it says the same",
    )


def _lines_of(app: Survey) -> list[str]:
    return own_text(app.root / app.backend.dependencies, app.root).splitlines()


def _compile(
    run: Run,
    wanted: list[str],
    constraints: list[str],
    python: str,
    wheels: bool,
    until: str,
    overrides: Sequence[str] = (),
) -> Result:
    """Ask uv. overrides: requirements that hold in place of all others of their packages."""
    folder = run.settings.cache / "requirements" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    # A lock file's version of what is overridden would be in its way.
    replaced = {name_of(line) for line in overrides}
    kept = [line for line in constraints if name_of(line) not in replaced]
    given, held, over = (
        _written(folder / f"{digest(*lines)}.txt", lines) for lines in (wanted, kept, overrides)
    )
    # uv would run the set-up program of a package that is no wheel, here and not in a container:
    # never one that the app's own list leads to.
    binary = [":all:"] if wheels else [name_of(line) for line in wanted if ELSEWHERE.match(line)]
    machine = "aarch64" if architecture() == "arm64" else "x86_64"
    return run.shell.run(
        find_uv_bin(), "pip", "compile", given, "--constraint", held, "--override", over,
        "--python-version", python, "--python-platform", f"{machine}-manylinux_2_28",
        "--no-header", "--no-annotate", "--quiet", "--prerelease", "if-necessary-or-explicit",
        *(part for name in binary for part in ("--only-binary", name)),
        *(["--exclude-newer", until] if until else []), *_index(),
        timeout=RESOLVE_TIMEOUT, check=False, reads=True, cwd=folder,
    )  # fmt: skip


def _written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _index() -> list[str]:
    """Where this machine's pip finds packages, for uv, which does not read pip's configuration."""
    given = pip.settings()
    options = {"index-url": "--default-index", "extra-index-url": "--index"}
    return [
        part
        for name, option in options.items()
        for value in given.get(name, "").split()
        for part in (option, value)
    ]


def _reason(result: Result) -> str:
    """The sentence in which uv names the package that does not fit."""
    text = " ".join(result.stderr.split())
    cause = re.search(
        r"Because (.*?)(?:, we can conclude|\. And because| and you require|$)", text
    ) or re.search(r"error: (.*?)(?: hint:|$)", text)
    return (cause.group(1) if cause else text)[:300]


def _requirements(app: Survey, notes: list[str]) -> list[str]:
    """The requirements that the app lists, without those that are not meant for Linux.

    The server is added where it is not listed.
    """
    listed = (
        list(app.backend.declared)
        if app.backend.dependencies.endswith(".toml")
        else _expand(app.root / app.backend.dependencies, app.root, notes, set())
    )
    kept = []
    for line in listed:
        name = name_of(line)
        if name in INSTEAD:
            notes.append(
                f"{name} is not for this image: "
                + (f"{INSTEAD[name]}, its wheel, is used" if INSTEAD[name] else "left out")
            )
            line = re.sub(r"^[\w.-]+", INSTEAD[name], line) if INSTEAD[name] else ""
        if re.search(r"\bfile:|^(?![\w+]+://)[^@;\s]*/|^\.\.?$|@\s*[./~]", line):
            notes.append(f"`{line}` lies on somebody's disk: left out")
            line = ""
        if NAMELESS.match(line):
            notes.append(f"`{line}` does not say its name: left out; write NAME @ ADDRESS")
            line = ""
        if "${" in line:  # uv would put this machine's variables, and their secrets, into it
            notes.append(f"`{line}` asks for a variable of this machine: left out")
            line = ""
        if line:
            kept.append(line)
    names = {name_of(line) for line in kept}
    if (
        "uvicorn" not in names
        and "fastapi-cli" not in names
        and not any(re.match(r"fastapi\[(standard|all)", line) for line in kept)
    ):
        kept.append("uvicorn")
    return kept


def _expand(path: Path, root: Path, notes: list[str], seen: set[Path]) -> list[str]:
    """The lines of a requirements file and of those in the app's folder that it includes."""
    found: list[str] = []
    seen.add(path)
    for line in own_text(path, root).splitlines():
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        included = re.match(r"(?:-r|--requirement)[ =](\S+)", text)
        if included:
            other = Path(posixpath.normpath(path.parent / included[1]))
            if not is_own(other, root):
                notes.append(f"{included[1]} is no file of the app's folder: left out")
            elif other not in seen and len(seen) < MOST_INCLUDED:
                found += _expand(other, root, notes, seen)
        elif text and not text.startswith("-"):
            found.append(re.sub(r"\s*--hash=\S+|\s*\\$", "", text).strip())
    return [line for line in found if line]


def _locked(app: Survey) -> list[str]:
    """Versions of a lock file, as constraints.

    A package that it has in several versions is left to the resolver.
    """
    if not app.backend.locks or not app.backend.dependencies.endswith(".toml"):
        return []
    lock = (app.root / app.backend.dependencies).with_name(app.backend.locks[0])
    listed = read_toml(own_text(lock, app.root, MOST_LOCK)).get("package")
    versions: dict[str, set[str]] = {}
    for package in listed if isinstance(listed, list) else ():
        name, version = table(package).get("name"), table(package).get("version")
        is_here = set(table(package, "source")) & {"virtual", "editable", "directory", "path"}
        if not is_here and PINNED.fullmatch(f"{name}=={version}"):
            versions.setdefault(str(name), set()).add(str(version))
    return [
        f"{name}=={next(iter(found))}"
        for name, found in sorted(versions.items())
        if len(found) == 1
    ]


def _fits(python: str, requires: str) -> bool:
    try:
        return not requires or SpecifierSet(requires).contains(f"{python}.9")
    except InvalidSpecifier:
        return True


def _lower_bound(requires: str) -> str:
    """What a specifier asks for at least: `~=3.12.4` and `==3.12.*` both mean 3.12 or later."""
    found = re.search(r"(?:>=|~=|==)\s*(\d+\.\d+)", requires)
    return f">={found[1]}" if found else requires


def _last_commit(run: Run, app: Survey) -> str:
    """When the app was last committed (RFC 3339, UTC).

    Empty outside a repository, and while the file that lists the packages is not committed yet.
    """
    listed = own_bytes(app.root / app.backend.dependencies, app.root)
    if not run.shell.which("git") or listed is None:
        return ""
    committed = _git(run, app, "rev-parse", f"HEAD:./{app.backend.dependencies}")
    changed = committed not in (_blob(listed), _blob(listed.replace(b"\r\n", b"\n")))
    told = _git(run, app, "log", "-1", "--format=%ct", "--", ".")
    if not re.fullmatch(r"\d{1,10}", told) or changed:
        return ""
    return datetime.fromtimestamp(int(told), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(run: Run, app: Survey, *arguments: str) -> str:
    """What git says of the app's repository; empty where it says nothing.

    The repository is foreign, and its configuration may name programs for git to start: to look at
    files (so git is asked for commits only, never for a file's state), to check signatures, to
    fetch what is not there.
    """
    safe = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
    told = run.shell.run(
        "git", "-C", app.root, *safe, *arguments, check=False, reads=True,
        env={"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"},
    )  # fmt: skip
    return told.stdout.strip() if told.ok else ""


def _blob(content: bytes) -> str:
    """The name that git has for a file's content."""
    whole = b"blob %d\0%b" % (len(content), content)
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()
