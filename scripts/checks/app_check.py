"""Whether the app serves the routes that its code declares, and whether one of them works.

Pods that are ready do not prove that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from scripts.app import fit
from scripts.app.survey import Survey, asks
from scripts.app.survey.python import Route
from scripts.app.tracebacks import cause
from scripts.checks.journey.judgement import is_unconfigured
from scripts.cluster.kubectl import kubectl
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

REQUEST_TIMEOUT = 15.0
MOST_PROBES = 12  # routes that are asked one by one
LOGIN = re.compile(r"(login|log-in|signin|sign-in|signup|sign-up|register|token)/?$")
ASIDE = re.compile(r"(health|ready|metrics|docs|openapi)")
#: Some apps answer 500 where FastAPI refuses a request without data: that is a refusal.
REFUSED = re.compile(r"Field required|'type': 'missing'|RequestValidationError")
TROUBLE = re.compile(
    r"ImportError|ModuleNotFoundError|Traceback"
    r"|(?i:failed to (import|load)|could not (import|load)|not available|error)"
)


@dataclass(frozen=True)
class Checked:
    """What was found.

    declared: routes of the code whose path is known. served: those of them that the running app
    has. asked: requests and their statuses. notes: integrations without keys.
    """

    declared: int
    served: int
    asked: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.served} of {self.declared} routes of the code are served"


def check(run: Run, tools: Mapping[str, Found], app: Survey) -> Checked:
    """Compare the routes, and ask a real one and the login.

    Raises APP-DEGRADED, the cause in it.
    """
    api = f"http://127.0.0.1:{run.settings.cluster.ingress_port}{fit.api_path(app)}"
    session = requests.Session()
    session.trust_env = False  # no proxy between us and loopback
    session.headers["Host"] = run.settings.release.host
    declared = [
        route
        for route in app.backend.routes
        if "*" not in route.path and route.method != "websocket"
    ]
    known = _schema(session, api)
    absent = [route for route in declared if _shape(route.path) not in known]
    # What is left out of the schema on purpose is there all the same: a path that exists answers
    # anything but FastAPI's own 404.
    missing = [route for route in absent[:MOST_PROBES] if _is_absent(session, api, route)]
    answers = [_ask(session, api, route) for route in _sample(app, missing)]
    asked = {one.what: one.status for one in answers}
    notes = tuple(
        f"{one.what} answers {one.status}: {one.text}"
        for one in answers
        if is_unconfigured(one.status, one.text)
    )
    broken = {
        one.what: one.status
        for one in answers
        if one.status >= 500
        and not is_unconfigured(one.status, one.text)
        and not REFUSED.search(one.text)
    }
    if missing or broken:
        log = _log(run, tools)
        raise Failure(*_findings(missing, broken, log))
    if found := _no_sign_up(app, {*known, *(route.path for route in declared)}):
        raise Failure(found)
    return Checked(len(declared), len(declared) - len(missing), asked, notes)


def _no_sign_up(app: Survey, routes: Iterable[str]) -> Finding | None:
    """The page asks for an account where nothing answers. A library's accounts are not judged."""
    front = app.frontend
    asked = asks.nobody_signs_up(front.asks, front.pages, front.handlers, routes)
    if not asked or front.auth:
        return None
    path, place = asked[0]
    return Finding(
        "APP-DEGRADED",
        place,
        f"nobody can sign up: the page asks for {path} ({place}), and no part of the app serves it",
        "\n".join(f"{where}: {what}" for what, where in asked[:4]),
        "another FastAPI object may be meant: `invoke survey` lists them, phase4.app.module "
        "chooses",
    )


def _schema(session: requests.Session, api: str) -> set[str]:
    try:
        answer = session.get(f"{api}/openapi.json", timeout=REQUEST_TIMEOUT)
        return (
            {_shape(path) for path in answer.json()["paths"]}
            if answer.status_code == 200
            else set()
        )
    except (requests.RequestException, ValueError, KeyError):
        return set()


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/") or "/"


def _is_absent(session: requests.Session, api: str, route: Route) -> bool:
    """Asked by GET, which changes nothing: a path that has another method only answers 405."""
    try:
        answer = session.get(
            api + re.sub(r"\{[^}]*\}", "0", route.path),
            timeout=REQUEST_TIMEOUT,
            allow_redirects=True,
        )
    except requests.RequestException:
        return False
    return answer.status_code == 404 and answer.text.replace(" ", "") == '{"detail":"NotFound"}'


def _sample(app: Survey, missing: list[Route]) -> list[Route]:
    """The login, and the first route that reads something."""
    there = [
        route
        for route in app.backend.routes
        if route not in missing and "*" not in route.path and "{" not in route.path
    ]
    login = [route for route in there if route.method == "post" and LOGIN.search(route.path)][:2]
    reading = [
        route
        for route in there
        if route.method == "get" and not ASIDE.search(route.path) and route.path != "/"
    ][:2]
    return [*login, *reading]


@dataclass(frozen=True)
class _Asked:
    """A request as it is told, its status, and the words of its answer."""

    what: str
    status: int
    text: str


def _ask(session: requests.Session, api: str, route: Route) -> _Asked:
    """Ask without a log-in and without data.

    A working app refuses (4xx) or answers, a broken one fails (5xx).

    A redirect is followed where it only adds the last slash. Another leads to a log-in elsewhere.
    """
    what = f"{route.method.upper()} {route.path} ({route.place})"
    body: dict[str, str] | None = {} if route.method == "post" else None
    try:
        for path in (route.path, route.path.rstrip("/") + "/"):
            answer = session.request(
                route.method.upper(),
                api + path,
                json=body,
                timeout=REQUEST_TIMEOUT,
                allow_redirects=False,
            )
            if urlsplit(answer.headers.get("location", "")).path.rstrip("/") != (
                urlsplit(answer.url).path.rstrip("/")
            ):
                break
    except requests.Timeout:
        return _Asked(what, 504, "")
    except requests.RequestException:
        return _Asked(what, 502, "")
    return _Asked(what, answer.status_code, answer.text[:300])


def _log(run: Run, tools: Mapping[str, Found]) -> list[str]:
    release = run.settings.release
    selector = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component=backend"
    said = kubectl(
        run,
        tools,
        "-n",
        release.namespace,
        "logs",
        "-l",
        selector,
        "-c",
        "backend",
        "--tail=400",
        check=False,
    ).stdout
    return [run.shell.mask(line)[:300] for line in said.splitlines()]


def _findings(missing: list[Route], broken: Mapping[str, int], log: list[str]) -> list[Finding]:
    told = [line for line in log if TROUBLE.search(line)]
    why = cause("\n".join(log))
    found = []
    if missing:
        first = missing[0]
        where = (
            f"{first.guarded} includes it under a `try` that goes on without it"
            if first.guarded
            else f"{first.place} declares it"
        )
        listed = ", ".join(f"{route.method.upper()} {route.path}" for route in missing[:6])
        found.append(
            Finding(
                "APP-DEGRADED",
                first.place,
                f"the app runs without {len(missing)} of its routes ({listed})"
                + (f": {why}" if why else ""),
                "\n".join([where, *told[-4:]]),
                "mend what the log names: the app's health says nothing about it",
            )
        )
    if broken:
        what, status = next(iter(broken.items()))
        found.append(
            Finding(
                "APP-DEGRADED",
                what,
                f"the app runs, but {what} answers {status}" + (f": {why}" if why else ""),
                "\n".join(
                    [*(f"{one} answers {number}" for one, number in broken.items()), *told[-4:]]
                ),
                "invoke logs --component backend",
            )
        )
    return found
