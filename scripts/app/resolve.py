"""The backend's Python and its packages, every one pinned: as the app says, as of its last commit, and only wheels where that works."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from scripts.app.survey import Survey
from scripts.app.survey.tree import decode
from scripts.machine import pip
from scripts.machine.architecture import architecture
from scripts.session.cache import digest, make_once
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.session.shell import Result

RESOLVE_TIMEOUT = 300.0
#: Packages whose import has another name, as PyPI has them.
PACKAGES = {
    "PIL": "pillow", "agents": "openai-agents", "argon2": "argon2-cffi", "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil", "decouple": "python-decouple", "dotenv": "python-dotenv", "google": "google-generativeai", "itsdangerous": "itsdangerous",
    "jose": "python-jose[cryptography]", "jwt": "pyjwt", "magic": "python-magic", "multipart": "python-multipart", "passlib": "passlib[bcrypt]",
    "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip
#: What the source uses without an import of its own: pattern, package.
IMPLIED = (
    (r"\bEmailStr\b", "email-validator"),
    (r"\b(OAuth2PasswordRequestForm|UploadFile)\b|=\s*(Form|File)\(", "python-multipart"),
    (r"\bcreate_async_engine\b", "greenlet"),
    (r"sqlite\+aiosqlite", "aiosqlite"),
    (r"postgresql\+asyncpg", "asyncpg"),
)
#: Releases that others do not work with, though they do not say so: package, its releases, what it needs. Where the app has a last commit, that
#: date keeps most of these out by itself.
BREAKS = (
    ("fastapi", "<0.112", "pydantic<2.12"),  # takes FieldInfo apart
    ("passlib", "", "bcrypt<4.1"),  # reads bcrypt.__about__, and tries what bcrypt 5 refuses
    ("openai", "<1.55.3", "httpx<0.28"),  # passes `proxies`
    ("groq", "<0.13", "httpx<0.28"),
    ("anthropic", "<0.40", "httpx<0.28"),
)
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
    """requirements: every package with its version. python: 3.13 and the like. compiles: some have no wheel. notes: what a person should know.

    date: of the app's last commit (RFC 3339), empty when there is none. services: the same of the
    app's further services, by name.
    """

    requirements: str
    python: str
    compiles: bool
    notes: tuple[str, ...]
    date: str
    services: Mapping[str, Resolved] = field(default_factory=dict)

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
    """Pin the backend's packages on the first of `pythons` (best first) that they all install on. Raises PACKAGES-UNRESOLVABLE with uv's words."""
    notes: list[str] = []
    wanted = _requirements(app, notes)
    locked = _locked(app)
    date = _last_commit(run, app)
    fitting = tuple(python for python in pythons if _fits(python, app.backend.python))
    if not fitting:
        raise failure(
            "PACKAGES-UNRESOLVABLE",
            app.backend.dependencies,
            f"the backend wants Python {app.backend.python}, and here it can have {', '.join(pythons)}",
            app.backend.dependencies,
            "widen requires-python, or build where the official Python images can be pulled",
        )
    key = digest(
        "6",
        "\n".join(wanted),
        "\n".join(locked),
        date,
        *fitting,
        *(f"{name}" for name, _ in app.backend.imported),
    )

    def make(target: Path) -> None:
        found = _resolve(run, app, wanted, locked, date, fitting, notes)
        target.write_text(json.dumps(asdict(found)), encoding="utf-8")

    read = json.loads(
        make_once(run.settings.cache / "requirements" / f"{key}.json", make).read_text(
            encoding="utf-8"
        )
    )
    for note in read["notes"]:
        run.say(note)
    return Resolved(
        read["requirements"], read["python"], read["compiles"], tuple(read["notes"]), date
    )


def _resolve(
    run: Run,
    app: Survey,
    wanted: list[str],
    locked: list[str],
    date: str,
    pythons: tuple[str, ...],
    notes: list[str],
) -> Resolved:
    run.say(
        f"resolving {len(wanted)} requirements of {app.backend.dependencies}"
        + (f" as of {date[:10]}" if date else "")
    )
    refused: list[str] = []
    # The strictest way first; what is given up at each step is said.
    ways = [(python, True, locked, date) for python in pythons] + [
        (pythons[0], False, locked, date)
    ]
    if locked:
        ways.append((pythons[0], False, [], date))
    if date:
        ways.append((pythons[0], False, [], ""))
    for python, wheels, held, until in ways:
        result = _compile(run, wanted, held, python, wheels, until)
        if result.ok:
            break
        refused.append(_reason(result))
    else:
        raise failure(
            "PACKAGES-UNRESOLVABLE",
            app.backend.dependencies,
            f"the packages of {app.backend.dependencies} cannot be installed together: {refused[-1]}",
            "\n".join(dict.fromkeys(refused)),
            "mend what is named in the app's own file; `uv pip compile` on it says the same",
        )
    if python != pythons[0]:
        notes.append(f"Python {python} instead of {pythons[0]}: {refused[0]}")
    if not wheels:
        notes.append(f"some packages have no wheel and are compiled: {refused[0]}")
    if locked and not held:
        notes.append("the lock file does not fit what is listed beside it, and was not used")
    if date and not until:
        notes.append(
            f"nothing that fits was there on {date[:10]}, the app's last commit: newer releases are used"
        )
    missing = _undeclared(app, result.stdout)
    notes += [
        f"{package} is used ({place}) but not listed in {app.backend.dependencies}: added"
        for package, place in missing
    ]
    needed = _needed(result.stdout)
    if missing or needed:
        again = _compile(
            run,
            [*wanted, *(package for package, _ in missing)],
            [*held, *needed],
            python,
            wheels,
            until,
        )
        if again.ok:
            result = again
        else:
            notes.append(f"and that could not be done: {_reason(again)}")
    return Resolved(result.stdout, python, not wheels, tuple(notes), date)


def _compile(
    run: Run, wanted: list[str], constraints: list[str], python: str, wheels: bool, until: str
) -> Result:
    folder = run.settings.cache / "requirements" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    given, held = folder / f"{digest(*wanted)}.in", folder / f"{digest(*constraints)}.txt"
    given.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    held.write_text("\n".join(constraints) + "\n", encoding="utf-8")
    machine = "aarch64" if architecture() == "arm64" else "x86_64"
    return run.shell.run(
        find_uv_bin(), "pip", "compile", given, "--constraint", held, "--python-version", python,
        "--python-platform", f"{machine}-manylinux_2_28", "--no-header", "--no-annotate", "--quiet", "--prerelease", "if-necessary-or-explicit",
        *(["--only-binary", ":all:"] if wheels else []), *(["--exclude-newer", until] if until else []), *_index(),
        timeout=RESOLVE_TIMEOUT, check=False, reads=True, cwd=folder,
    )  # fmt: skip


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
    """The requirements that the app lists, less what cannot be meant for Linux; the server is added where it is not listed."""
    listed = (
        list(app.backend.declared)
        if app.backend.dependencies.endswith(".toml")
        else _expand(app.root / app.backend.dependencies)
    )
    kept = []
    for line in listed:
        name = canonicalize_name(_name(line))
        if name in INSTEAD:
            notes.append(
                f"{name} is not for this image: "
                + (f"{INSTEAD[name]}, its wheel, is used" if INSTEAD[name] else "left out")
            )
            line = re.sub(r"^[\w.-]+", INSTEAD[name], line) if INSTEAD[name] else ""
        if re.search(r"@\s*file:|^\.{0,2}/", line):
            notes.append(f"`{line}` lies on somebody's disk: left out")
            line = ""
        if line:
            kept.append(line)
    names = {canonicalize_name(_name(line)) for line in kept}
    if (
        "uvicorn" not in names
        and "fastapi-cli" not in names
        and not any(re.match(r"fastapi\[(standard|all)", line) for line in kept)
    ):
        kept.append("uvicorn")
    return kept


def _expand(path: Path) -> list[str]:
    """The lines of a requirements file and of those that it includes."""
    found = []
    for line in decode(path.read_bytes()).splitlines():
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        included = re.match(r"(?:-r|--requirement)[ =](\S+)", text)
        if included and (path.parent / included.group(1)).is_file():
            found += _expand(path.parent / included.group(1))
        elif text and not text.startswith("-"):
            found.append(re.sub(r"\s*--hash=\S+|\s*\\$", "", text).strip())
    return [line for line in found if line]


def _name(line: str) -> str:
    return (re.match(r"[\w.-]+", line) or re.match("", line) or [""])[0] or "-"


def _locked(app: Survey) -> list[str]:
    """Versions of a lock file, as constraints. A package that it has in several versions is left to the resolver."""
    if not app.backend.locks or not app.backend.dependencies.endswith(".toml"):
        return []
    try:
        read = tomllib.loads(
            (app.root / app.backend.dependencies)
            .with_name(app.backend.locks[0])
            .read_text(encoding="utf-8")
        )
    except tomllib.TOMLDecodeError:
        return []
    versions: dict[str, set[str]] = {}
    for package in read.get("package", []):
        if package.get("version") and not set(package.get("source", {})) & {
            "virtual",
            "editable",
            "directory",
            "path",
        }:
            versions.setdefault(package["name"], set()).add(package["version"])
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


def _last_commit(run: Run, app: Survey) -> str:
    """When the app was last committed (RFC 3339, UTC); empty outside a repository, and while what is listed is not committed yet."""
    where = ("-C", str(app.root))
    if not run.shell.which("git"):
        return ""
    changed = run.shell.run(
        "git",
        *where,
        "status",
        "--porcelain",
        "--",
        app.backend.dependencies,
        check=False,
        reads=True,
    )
    told = run.shell.run(
        "git", *where, "log", "-1", "--format=%ct", "--", ".", check=False, reads=True
    )
    if not told.ok or not told.stdout.strip() or changed.stdout.strip():
        return ""
    return datetime.fromtimestamp(int(told.stdout), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _needed(resolved: str) -> list[str]:
    """Constraints that make what was resolved work together."""
    pins = {
        str(canonicalize_name(_name(line))): line.partition("==")[2].split(";")[0].strip()
        for line in resolved.splitlines()
        if "==" in line
    }
    needed = [
        needs
        for name, releases, needs in BREAKS
        if name in pins and SpecifierSet(releases).contains(pins[name])
    ]
    return [
        needs
        for needs in needed
        if _name(needs) in pins
        and not SpecifierSet(needs.removeprefix(_name(needs))).contains(pins[_name(needs)])
    ]


def _undeclared(app: Survey, resolved: str) -> list[tuple[str, str]]:
    """Packages that the code imports or uses, and that nothing brings: (requirement, place)."""
    have = {canonicalize_name(_name(line)) for line in resolved.splitlines() if line.strip()}
    missing: dict[str, str] = {}
    for module, place in app.backend.imported:
        package = PACKAGES.get(module, module)
        names = {canonicalize_name(_name(package)), canonicalize_name(module)}
        # A distribution may bring a package under another name (sqlalchemy's siblings, google.*): only what nothing resembles is missing.
        near = any(
            canonicalize_name(module) in one
            or one.removeprefix("python-") == canonicalize_name(module)
            for one in have
        )
        if not names & have and not near:
            missing[package] = place
    for pattern, package in IMPLIED:
        found = next((place for place, line in _source_lines(app) if re.search(pattern, line)), "")
        if found and canonicalize_name(package) not in have:
            missing[package] = found
    return list(missing.items())


def _source_lines(app: Survey) -> Iterable[tuple[str, str]]:
    for name in app.backend.modules:
        for number, line in enumerate(decode((app.root / name).read_bytes()).splitlines(), 1):
            yield f"{name}:{number}", line
