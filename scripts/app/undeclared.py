"""Packages that an app needs and does not list, and releases that do not work together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scripts.app.survey import Survey
from scripts.app.survey.tree import MOST_COLUMNS, own_text

#: Packages whose import has another name, as PyPI has them.
PACKAGES = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "agents": "openai-agents",
    "argon2": "argon2-cffi",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "chatkit": "openai-chatkit",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "decouple": "python-decouple",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.oauth2": "google-auth",
    "jose": "python-jose[cryptography]",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "multipart": "python-multipart",
    "nacl": "pynacl",
    "passlib": "passlib[bcrypt]",
    "pkg_resources": "setuptools<81",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pythonjsonlogger": "python-json-logger",
    "sklearn": "scikit-learn",
    "socketio": "python-socketio",
    "yaml": "pyyaml",
}
#: What the source uses without an import of its own: pattern, package.
IMPLIED = (
    (r"\bEmailStr\b", "email-validator"),
    (r"\b(OAuth2PasswordRequestForm|UploadFile)\b|=\s*(Form|File)\(", "python-multipart"),
    (r"\bcreate_async_engine\b|\b(sqlalchemy|sqlmodel)\.ext\.asyncio\b", "greenlet"),
    (r"sqlite\+aiosqlite", "aiosqlite"),
    (r"postgresql\+asyncpg", "asyncpg"),
    (r"postgresql\+psycopg\b", "psycopg[binary]"),
    (r"CryptContext\(.*bcrypt", "bcrypt"),
    (r"CryptContext\(.*argon2", "argon2-cffi"),
    (r"\bPyJWKClient\b|algorithms=\[\s*[\"'](RS|ES|PS|EdDSA)", "cryptography"),
    (r"\bSessionMiddleware\b", "itsdangerous"),
    (r"\bJinja2Templates\b", "jinja2"),
    (r"@\w+\.websocket\(", "websockets"),
)
#: Releases that others do not work with, though they do not say so: package, its releases, what
#: it needs. Where the app has a last commit, that date keeps most of these out by itself.
BREAKS = (
    ("fastapi", "<0.112", "pydantic<2.12"),  # takes FieldInfo apart
    ("passlib", "", "bcrypt<4.1"),  # reads bcrypt.__about__, and tries what bcrypt 5 refuses
    ("openai", "<1.55.3", "httpx<0.28"),  # passes `proxies`
    ("groq", "<0.13", "httpx<0.28"),
    ("anthropic", "<0.40", "httpx<0.28"),
    ("psycopg2", "", "sqlalchemy<2.1"),  # 2.1 takes psycopg 3 for an address of postgresql://
    ("psycopg2-binary", "", "sqlalchemy<2.1"),
)


def name_of(line: str) -> str:
    """The package that a requirement names, as registries spell it."""
    found = re.match(r"[\w.-]+", line)
    return str(canonicalize_name(found[0])) if found else "-"


def needed(resolved: str, added: Iterable[str] = ()) -> list[str]:
    """Requirements that make what was resolved work together, and with packages that are added."""
    more = {name_of(package) for package in added}
    pins = {
        name_of(line): line.partition("==")[2].split(";")[0].strip()
        for line in resolved.splitlines()
        if "==" in line
    }
    wanted = [
        needs
        for name, releases, needs in BREAKS
        if (name in more and not releases)
        or (name in pins and SpecifierSet(releases).contains(pins[name], prereleases=True))
    ]
    return [
        needs
        for needs in dict.fromkeys(wanted)
        if name_of(needs) in pins
        and not SpecifierSet(needs.removeprefix(name_of(needs))).contains(pins[name_of(needs)])
    ]


def undeclared(app: Survey, resolved: str) -> list[tuple[str, str]]:
    """Packages that the code imports or uses, and that nothing brings: (requirement, place)."""
    have = {name_of(line) for line in resolved.splitlines() if line.strip()}
    missing = {
        package: place
        for package, place in _imported(app)
        if not _brings(have, package.partition("[")[0])
    }
    lines = list(_source_lines(app))
    for pattern, package in IMPLIED:
        found = next((place for place, line in lines if re.search(pattern, line)), "")
        if found and name_of(package) not in have:
            missing[package] = found
    driver, place = _driver(app, have, lines)
    if driver:
        missing[driver] = place
    return list(missing.items())


def _imported(app: Survey) -> Iterator[tuple[str, str]]:
    """Packages of the modules that are imported.

    A folder of the app's own is none, wherever it is.
    """
    own = {part for name in app.backend.modules for part in name.removesuffix(".py").split("/")}
    for module, place in app.backend.imported:
        if module not in own:
            yield PACKAGES.get(module, module), place


def _brings(have: set[str], package: str) -> bool:
    """Whether one of these packages is it, or resembles it: some bring modules of other names."""
    wanted = str(canonicalize_name(package))
    return wanted in have or any(
        wanted in one or one.removeprefix("python-") == wanted for one in have
    )


def _driver(app: Survey, have: set[str], lines: list[tuple[str, str]]) -> tuple[str, str]:
    """The driver that SQLAlchemy loads for the database's address, where it is missing."""
    if app.database == "file":
        return "", ""
    kinds = {
        "postgresql+asyncpg": ("asyncpg", r"\bcreate_async_engine\("),
        "postgresql+psycopg": ("psycopg[binary]", r"\bcreate_(async_)?engine\("),
        "postgresql": ("psycopg2-binary", r"\bcreate_engine\("),
    }
    package, maker = kinds.get(app.decision.scheme, ("", "$^"))
    names = {"psycopg2", "psycopg2-binary"} if package == "psycopg2-binary" else {name_of(package)}
    chosen = any("postgresql+" in line for _, line in lines) and package == "psycopg2-binary"
    place = next((place for place, line in lines if re.search(maker, line)), "")
    return (package, place) if place and not names & have and not chosen else ("", "")


def _source_lines(app: Survey) -> Iterator[tuple[str, str]]:
    for name in app.backend.modules:
        text = own_text(app.root / name, app.root)
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{name}:{number}", line[:MOST_COLUMNS]
