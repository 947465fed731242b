"""How an app's images and the chart must be to fit it: addresses, paths, environment, files.

Pure: from the survey, and nothing of it is changed.

The browser finds the API on the page's own origin. Its code keeps the address that it has, one on
this machine such as http://localhost:8000; nginx puts the page's origin and the API's path in its
place on the way out, so that one image serves under every host name, and behind Next's own server
the same address leads to the backend.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.app.survey import PORT, Survey
from scripts.app.survey.frontend import OWN_PORT, Frontend, suffix
from scripts.app.survey.tree import address
from scripts.app.survey.variables import Variable
from scripts.session.settings import ROOT, Settings

REFERENCE = ROOT / "phase3-chatbot"
ASSETS = Path(__file__).parent / "assets"
DATA = "/data"  # where the backend keeps files in its container: a volume, where it keeps any
TEMPORARY = "/tmp"  # noqa: S108 - in the container
ORIGIN = f"http://localhost:{PORT}"  # what a variable for the API's address is given
SITE = f"http://localhost:{OWN_PORT}"  # and one for the page's own
API_PATH, OTHER_API_PATH = "/api", "/_api"
CHARTS_OWN = (
    "BETTER_AUTH_SECRET",
    "OPENAI_API_KEY",
    "DATABASE_URL",
)  # the chart itself takes these from the Secret
PROVIDER = (
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
)  # no secrets; taken from the environment of whoever deploys, and kept as their key is
FRONTEND_DATABASE_URL = "FRONTEND_DATABASE_URL"
DATA_FOLDER = re.compile(r"^(DATA|STORAGE|UPLOADS?|DB|FILES?)_?(DIR|PATH|FOLDER|DIRECTORY)$")
SCHEMES = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "mysql": 3306,
}
#: A key that the app must have to start, and nobody gave. Long, and with the beginning that keys
#: of OpenAI have: some apps look at that before they start.
PLACEHOLDER = "sk-not-set-0123456789abcdef0123456789abcdef"
TRUST = "python3 -m phase4.trust "  # before a command that must trust our database's certificate
TRIAL = "trial"  # user, password and name of the database beside an image that is tried


@dataclass(frozen=True)
class Environment:
    """What the pods are given.

    plain: names and values for the ConfigMap. secrets: name -> how it is made when nobody gives it:
    `generate`, `placeholder`, or nothing. missing: required variables without a known value.
    database: variables for its address. ports: those that the given addresses lead to.
    """

    plain: Mapping[str, str]
    secrets: Mapping[str, str]
    missing: tuple[Variable, ...]
    database: tuple[str, ...]
    frontend_plain: Mapping[str, str]
    frontend_secrets: Mapping[str, str]
    frontend_database: tuple[str, ...]
    ports: tuple[int, ...]


def service_database_key(service: str) -> str:
    """The Secret's key of the database's address in the form that a service's driver takes."""
    return f"DATABASE_URL_{service.upper().replace('-', '_')}"


def api_path(app: Survey) -> str:
    """The path below which the ingress reaches the whole API.

    The ingress takes this path off. Neither the pages nor the API use it for anything of their own.
    """
    taken = [
        *app.frontend.pages,
        *app.frontend.handlers,
        *(route.path for route in app.backend.routes),
    ]
    return (
        OTHER_API_PATH
        if app.frontend.rewrites or any(_below(path, API_PATH) for path in taken)
        else API_PATH
    )


def backend_paths(app: Survey) -> tuple[str, ...]:
    """Paths that reach the backend as they are.

    These are the backend's routes that the browser may ask for on the page's own origin, where Next
    has neither a page nor a handler.

    These are routes below /api, unless Next passes those on itself; and all, where the code joins
    paths in a way that drops the API's own path.
    """
    own = (*app.frontend.handlers, *app.frontend.pages)
    routes = {route.path for route in app.backend.routes if "*" not in route.path}
    passed_on = app.frontend.rewrites or any(re.match(r"/api/\[+\.\.\.", path) for path in own)
    wanted = {
        path
        for path in routes
        if (_below(path, API_PATH) and not passed_on) or app.frontend.from_root
    }
    found = set()
    for path in wanted:
        parts = path.strip("/").split("/")
        prefixes = [
            "/" + "/".join(parts[:length])
            for length in range(1, min(len(parts), 3) + 1)
            if not any("{" in part for part in parts[:length])
        ]
        free = [
            prefix
            for prefix in prefixes
            if prefix != "/"
            and not any(_below(one, prefix) for one in own)
            and prefix != api_path(app)
        ]
        found |= set(free[:1])
    return tuple(sorted(found))


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def addresses(app: Survey) -> tuple[str, ...]:
    """Addresses on this machine that the browser's code may hold.

    They are those in the source, and those that variables are given.
    """
    named = [
        origin
        for origin, place in app.frontend.addresses
        if "/public/" not in f"/{place}" and re.search(r":\d+$", origin)
    ]
    return tuple(dict.fromkeys([*named, *((ORIGIN, SITE) if app.frontend.variables else ())]))


def build_environment(app: Survey) -> dict[str, str]:
    """What `next build` is given.

    Public variables become part of the bundle; rewrites, and pages that are made in advance, read
    the others.
    """
    found = {}
    for one in app.frontend.variables:
        value = _frontend_value(app.frontend, one)
        if value is not None:
            found[one.name] = value
        elif one.kind == "database":
            found[one.name] = "postgresql://build:build@localhost:5432/build"
        elif one.secret:
            found[one.name] = "only-while-building-0123456789abcdef"
    return found


def _frontend_value(frontend: Frontend, one: Variable) -> str | None:
    """What a variable of the frontend is set to, None for secrets and what nothing is known of."""
    told = frontend.examples.get(one.name, one.default)
    if one.kind == "api" and _is_handled(frontend, told):
        return told
    if one.kind == "api":
        is_own = (
            address(one.default).port == OWN_PORT
            or address(frontend.examples.get(one.name, "")).port == OWN_PORT
        )
        socket = "ws" if re.search(r"WS|SOCKET", one.name) else "http"
        return (SITE if is_own else ORIGIN.replace("http", socket, 1)) + suffix(frontend, one)
    if one.kind == "site":
        return (ORIGIN if _is_of_api(frontend, one) else SITE) + suffix(frontend, one)
    return frontend.examples.get(one.name) if not one.secret else None


def _is_handled(frontend: Frontend, told: str) -> bool:
    """Whether an address is a path of the page that a handler of Next's passes on."""
    own = told.rstrip("/")
    return own.startswith("/") and any(path.startswith(f"{own}/") for path in frontend.handlers)


def _is_of_api(frontend: Frontend, one: Variable) -> bool:
    """Whether the code falls back to the API's address on this machine, whatever the name says."""
    ports = {_local_port(other.default) for other in frontend.variables if other.kind == "api"}
    return _local_port(one.default) in ({"8000", "8001"} | ports) - {"", "3000"}


def _local_port(text: str) -> str:
    found = re.match(r"https?://(?:localhost|127\.0\.0\.1):(\d+)", text)
    return found[1] if found else ""


def trial_environment(variables: Iterable[Variable], scheme: str) -> dict[str, str]:
    """Made-up values with which an image is tried alone.

    A database that is not required is left to the app: some have a file instead. scheme: of its
    address.
    """
    found = {}
    for one in variables:
        if one.kind == "database" and one.required:
            found[one.name] = one.default or f"{scheme}://trial:trial@127.0.0.1:1/trial"
        elif one.kind == "signing":
            found[one.name] = "only-for-a-trial-0123456789abcdef0123456789"
        elif one.kind == "provider":
            found[one.name] = PLACEHOLDER
        elif one.required:
            found[one.name] = "[]" if one.is_list else "1"
    return found


def trial_of_backend(app: Survey, settings: Settings) -> dict[str, str]:
    """What a backend's image is tried with: what its pods get, made up where that is a secret.

    An app that is tried beside PostgreSQL gets that one's address (see needs_database).
    """
    found = trial_environment(app.backend.variables, app.decision.scheme)
    found.update(environment(app, settings, {}).plain)
    if needs_database(app):
        place = f"{TRIAL}:{TRIAL}@127.0.0.1:5432/{TRIAL}{app.decision.query}"
        location = f"{app.decision.scheme}://{place}"
        names = [one.name for one in app.backend.variables if one.kind == "database"]
        # The chart gives it under this name, too.
        found.update(dict.fromkeys([*names, "DATABASE_URL"], location))
    return found


def needs_database(app: Survey) -> bool:
    """Whether an image is tried beside PostgreSQL. Ours starts without, and is tried so: sooner."""
    return app.database == "postgres" and not is_reference(app)


def speaks_tls(app: Survey) -> bool:
    """Whether PostgreSQL speaks TLS: other people's code may ask for it anywhere, and verify it."""
    return needs_database(app)


def is_reference(app: Survey) -> bool:
    """Whether it is the reference app or a copy of it, which only writes to its data folder."""
    beside = any(is_folder or path.endswith(".log") for path, _, is_folder in app.backend.writes)
    ours = [path.relative_to(REFERENCE) for path in (REFERENCE / "app").rglob("*.py")]
    return all((app.root / path).is_file() for path in ours) and not beside


def environment(
    app: Survey, settings: Settings, given: Mapping[str, str], component: str = "backend"
) -> Environment:
    """What both components are given at run time.

    given: what the person has set, by name. Of the secrets among it only the names are used.
    """
    plain, made = dict[str, str](), dict[str, str]()
    missing, database = list[Variable](), list[str]()
    wires = {
        one.variable: f"http://{settings.release.name}-{one.target}:{PORT}"
        for one in app.companions.wires
        if one.component == component
    }
    for one in app.backend.variables:
        if one.name in wires:
            plain[one.name] = given.get(one.name, wires[one.name])
        elif one.kind == "database":
            if app.database == "file" and one.default.startswith("sqlite"):
                plain[one.name] = f"{one.default.split('://')[0]}:///{DATA}/app.db"
            elif app.database != "file":
                database.append(one.name)
        elif one.kind == "signing":
            made[one.name] = "generate"
        elif one.kind == "provider":
            made[one.name] = "placeholder" if one.required or app.backend.client_at_import else ""
        elif one.name in given:
            plain[one.name] = given[one.name]
        elif one.kind == "site":
            # Where accounts are kept by Next's server the backend asks that server for its keys,
            # inside the cluster.
            asks = "AUTH" in one.name and app.frontend.served == "server"
            plain[one.name] = (
                f"http://{settings.release.name}-frontend" if asks else settings.local_url
            )
        elif one.kind in ("keys", "issuer") and (told := _of_accounts(app, settings, one)):
            plain[one.name] = told
        elif DATA_FOLDER.match(one.name):
            plain[one.name] = DATA if app.keeps_files else TEMPORARY
        elif one.kind == "origins" and one.required:
            origins = [settings.local_url, f"http://{settings.release.host}"]
            plain[one.name] = json.dumps(origins) if one.is_list else ",".join(origins)
        elif one.required and one.name in app.examples:
            plain[one.name] = app.examples[one.name]
        elif one.required:
            missing.append(one)
    side, side_made, side_database = _frontend_environment(app, settings, given)
    return Environment(
        plain, made, tuple(missing), tuple(database), side, side_made, side_database, ports(given)
    )


def _of_accounts(app: Survey, settings: Settings, one: Variable) -> str:
    """What a backend knows the tokens of better-auth by: where its keys are, and who gives them."""
    front = app.frontend
    if front.auth != "better-auth" or front.served != "server":
        return ""
    if one.kind == "keys":
        return f"http://{settings.release.name}-frontend/api/auth/jwks"
    if one.default:  # the code knows itself, or signs tokens of its own
        return ""
    # By default both are better-auth's own address, as its module has it: NEXT_PUBLIC_* is frozen.
    return SITE if front.auth_base.startswith("NEXT_PUBLIC_") else settings.local_url


def ports(given: Mapping[str, str]) -> tuple[int, ...]:
    """The ports that the pods will connect to.

    They are the ports of all addresses among these values, and those of variables like SMTP_PORT.
    Addresses on the pods' own machine do not count.
    """
    found = set[int]()
    for key, value in given.items():
        if "ORIGIN" in key:
            continue
        if key.endswith("_PORT") and re.fullmatch(r"\d{1,5}", value):
            found.add(int(value))
        for scheme, place in re.findall(r"(?<![\w+.-])([a-z][\w+.-]*)://([^\s/?#,\"']+)", value):
            host = re.fullmatch(r"(?:.*@)?(\[[^]]*\]|[^:]+)(?::(\d{1,5}))?", place)
            if host and host[1] not in ("localhost", "127.0.0.1", "[::1]"):
                found.add(int(host[2] or SCHEMES.get(scheme.partition("+")[0], 0)))
    return tuple(sorted(port for port in found if 0 < port < 65536))


def _frontend_environment(
    app: Survey, settings: Settings, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    if app.frontend.served == "export":
        return {}, {}, ()
    origins = f"{settings.local_url},http://{settings.release.host}"
    plain: dict[str, str] = {}
    if app.frontend.auth == "better-auth":
        plain = {
            "BETTER_AUTH_URL": settings.local_url,
            "BETTER_AUTH_TRUSTED_ORIGINS": origins,
            "AUTH_TABLES": "make",
        }
    elif app.frontend.auth == "next-auth":
        plain = {
            "NEXTAUTH_URL": settings.local_url,
            "AUTH_URL": settings.local_url,
            "AUTH_TRUST_HOST": "true",
        }
    made, database = dict[str, str](), list[str]()
    for one in app.frontend.variables:
        if one.name.startswith("NEXT_PUBLIC_"):
            continue
        if one.kind == "database":
            database.append(one.name)
        elif one.kind == "signing":
            made[one.name] = "generate"
        elif one.kind == "provider":
            made[one.name] = "placeholder" if one.required else ""
        elif one.name in given:
            plain[one.name] = given[one.name]
        elif one.kind == "api" or (one.kind == "site" and _is_of_api(app.frontend, one)):
            plain[one.name] = (
                f"http://{settings.release.name}-backend:{PORT}{suffix(app.frontend, one)}"
            )
        elif one.kind == "site":
            plain[one.name] = settings.local_url
        elif one.name in app.frontend.examples:
            plain[one.name] = app.frontend.examples[one.name]
    if app.frontend.auth == "better-auth":
        made.setdefault("BETTER_AUTH_SECRET", "generate")
    if app.frontend.auth == "next-auth":
        made.update({"NEXTAUTH_SECRET": "generate", "AUTH_SECRET": "generate"})
    if app.frontend.auth and app.database == "postgres" and not database:
        database.append("DATABASE_URL")
    return plain, made, tuple(database)


def data_paths(app: Survey) -> tuple[str, ...]:
    """Files and folders of the backend that lead to its volume, outermost only.

    They are relative to the backend's folder; a folder has a slash at the end.
    """
    if not app.keeps_files:
        return ()
    found = {f"{path.strip('/')}{'/' if is_folder else ''}" for path, _, is_folder in app.written}
    clean = {
        path
        for path in found
        if path.strip("/")
        and re.fullmatch(r"[\w./-]+", path)
        and ".." not in path
        and not path.endswith(".py")
    }
    return tuple(
        sorted(
            path
            for path in clean
            if not any(
                path != other and other.endswith("/") and path.startswith(other) for other in clean
            )
        )
    )


def frontend_files(app: Survey, offline: bool) -> dict[str, bytes]:
    """Files that are put beside the frontend's own for the build."""
    found: dict[str, bytes] = {}
    environment = build_environment(app)
    if environment:
        found["phase4.env"] = "".join(
            f'{key}="{value}"\n' for key, value in sorted(environment.items())
        ).encode()
    if app.frontend.google_fonts and offline:
        found["phase4-fonts.cjs"] = (ASSETS / "fonts.cjs").read_bytes()
    if app.frontend.auth_module:
        module = app.frontend.auth_module.removeprefix(f"{app.frontend.folder}/")
        found["phase4-auth.mjs"] = (
            (ASSETS / "auth.mjs").read_bytes().replace(b"AUTH_MODULE", f"./{module}".encode())
        )
    return found


def next_makes_accounts(app: Survey) -> bool:
    """Whether Next's server makes tables for its accounts, which the backend's may refer to."""
    front = app.frontend
    return bool(front.auth_module) and front.served == "server" and app.database == "postgres"


def must_wait(app: Survey) -> bool:
    """Whether a pod waits for the database before the app starts.

    An app that does not try again itself would end, and count as broken.
    """
    return app.database == "postgres" and not app.backend.waits_for_database


def before_start(app: Survey, behind: bool = True) -> list[str]:
    """The command that runs before a backend pod serves.

    It waits for the database, then brings its tables up to date. behind: the tables may be older
    than the code.
    """
    back = app.backend
    steps = [*(["python3 -m phase4.wait DATABASE_URL"] if must_wait(app) else [])]
    migrate = back.migrations if behind else ()
    if migrate and next_makes_accounts(app):
        migrate = ("python3", "-m", "phase4.again", *migrate)
    if not steps and not back.migrations_folder:
        return [*TRUST.split(), *migrate] if migrate and speaks_tls(app) else list(migrate)
    if migrate:
        steps += [
            *([f"cd {shlex.quote(back.migrations_folder)}"] if back.migrations_folder else []),
            f"exec {TRUST if speaks_tls(app) else ''}{' '.join(migrate)}",
        ]
    return ["sh", "-c", " && ".join(steps)] if steps else []
