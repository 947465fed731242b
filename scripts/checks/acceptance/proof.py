"""The plan's phase 5: the app works for a person, lasts, and says nothing bad in its logs."""

from __future__ import annotations

import json
import re
import time

import requests

from scripts.checks.acceptance.chart import RESOURCES
from scripts.checks.acceptance.look import (
    METRICS,
    TIMEOUT,
    Look,
    NotApplicable,
    cores,
    mebibytes,
    must,
)
from scripts.release import rollout

SLOW_PAGE, SLOW_API = 1.0, 0.5  # seconds; the plan says "acceptable"
PATIENCE = 120.0  # seconds for data to be there again after a restart
CHAT_TIMEOUT = 60.0  # seconds; a model may think
BAD_LEVEL = re.compile(r'"level": ?"(error|critical|fatal)"')


def page(look: Look) -> str:
    """The page is HTML."""
    answer = look.get("/")
    assert "<html" in answer.text, "no HTML"
    title = re.search(r"<title>([^<]*)", answer.text)
    return f"{len(answer.text)} bytes of HTML, title {title.group(1) if title else 'none'!r}"


def console(look: Look) -> str:
    """A real browser shows the page, and no error in its console."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NotApplicable(
            "Playwright is not installed here; `nox -s e2e` reads the console of a real browser"
        ) from None
    host, port = look.release.host, look.run.settings.cluster.ingress_port
    # The name leads to this machine whether or not the hosts file says so.
    resolver = f"--host-resolver-rules=MAP {host} 127.0.0.1"
    path = look.run.shell.which("chromium") or look.run.shell.which("google-chrome")
    picture = look.run.settings.cache / "logs" / "verify.png"
    problems: list[str] = []
    with sync_playwright() as started:
        try:
            browser = started.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-gpu", resolver]
            )
        except Error as error:
            words = str(error).splitlines()[0]
            raise NotApplicable(f"no browser could be started: {words}") from None
        shown = browser.new_page(viewport={"width": 1180, "height": 760})
        shown.on("console", lambda said: problems.extend([said.text] * (said.type == "error")))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.goto(f"http://{host}:{port}/", wait_until="networkidle")
        shown.screenshot(path=picture)
        browser.close()
    assert not problems, f"{problems}"
    return f"no error in the console of a browser; picture {picture}"


def nothing_wrong(look: Look) -> str:
    """The diagnosis finds nothing."""
    assert not look.findings, "; ".join(f"{one.code}: {one.summary}" for one in look.findings)
    return "`invoke diagnose` finds nothing"


def within_limits(look: Look) -> str:
    """Every container uses less than its limits."""
    told = []
    for name, (cpu, memory) in look.usage(METRICS).items():
        if name not in RESOURCES:
            continue
        kind = "StatefulSet" if name == "postgres" else "Deployment"
        limits = look.container(name, kind)["resources"]["limits"]
        fits = cpu <= cores(limits["cpu"]) * 1.05 and memory <= mebibytes(limits["memory"])
        assert fits, f"{name}: {cpu} cores, {memory:.0f} MiB of {limits}"
        used = f"{cpu * 1000:.0f}m of {limits['cpu']}, {memory:.0f}Mi of {limits['memory']}"
        told.append(f"{name} {used}")
    assert told, "no container of the plan's parts runs"
    return "; ".join(told)


def no_errors(look: Look) -> str:
    """No line of a log is of level error or worse."""
    lines = _lines(look)
    bad = [(name, line) for name, line in lines if BAD_LEVEL.search(line)]
    if bad:
        name, line = bad[0]
        raise AssertionError(f"{len(bad)} error lines, the first of {name}: {line[:200]}")
    return f"{len(lines)} lines of {len(look.logs)} pods, none an error"


def structured(look: Look) -> str:
    """Every line of a log is a JSON object."""
    lines = _lines(look)
    plain = [(name, line) for name, line in lines if line.strip() and not _is_json(line)]
    if plain:
        name, line = plain[0]
        raise AssertionError(f"{len(plain)} lines are no JSON, the first of {name}: {line[:160]}")
    return f"every one of {len(lines)} lines is a JSON object"


def _lines(look: Look) -> list[tuple[str, str]]:
    return [(name, line) for name, lines in look.logs.items() for line in lines]


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def todo_kept(look: Look) -> str:
    """A person's todo is made, listed, completed and deleted."""
    user, todos = look.user, f"{look.api}/todos"
    made = must(user.post(todos, json={"title": "verify"}, timeout=TIMEOUT), 201).json()
    own = f"{todos}/{made['id']}"
    listed = must(user.get(todos, timeout=TIMEOUT), 200).json()
    assert made["id"] in [one["id"] for one in listed], "the new todo is not in the list"
    done = must(user.patch(own, json={"completed": True}, timeout=TIMEOUT), 200).json()
    assert done["completed"], "not completed"
    must(user.delete(own, timeout=TIMEOUT), 204)
    return "registered, logged in, todo made, listed, completed, deleted, through the ingress"


def token(look: Look) -> str:
    """Log-in gives a JWT."""
    parts = str(look.user.headers["Authorization"]).removeprefix("Bearer ").split(".")
    assert len(parts) == 3, "no JWT"
    return "a JWT of three parts"


def assistant(look: Look) -> str:
    """The assistant makes a todo when it is asked to."""
    asked = {"message": "add a todo: water the plants"}
    answer = must(look.user.post(f"{look.api}/chat", json=asked, timeout=CHAT_TIMEOUT), 200).json()
    listed = look.user.get(f"{look.api}/todos", timeout=TIMEOUT).json()
    made = any("water the plants" in one["title"].lower() for one in listed)
    assert made, f"the assistant said {str(answer)[:120]}, and no todo was made"
    return "asked for a todo in words; its tool made it"


def same_origin(look: Look) -> str:
    """The page calls the API at its own origin."""
    config = look.get("/config.js").text
    address = re.search(r'NEXT_PUBLIC_API_URL: "([^"]*)"', config)
    assert address, "no run-time address"
    assert address.group(1).startswith("/"), f"the page calls {address.group(1)}, another origin"
    return f"the page calls {address.group(1)} of its own origin: nothing for CORS to refuse"


def persists(look: Look) -> str:
    """A todo is there again after the pod that keeps the data was deleted."""
    if not look.restart:
        raise NotApplicable(
            "not asked for: `invoke verify --restart` deletes the pod that keeps the data "
            "and looks again"
        )
    user, todos = look.user, f"{look.api}/todos"
    todo = must(user.post(todos, json={"title": "survives"}, timeout=TIMEOUT), 201).json()
    keeper = "postgres" if look.of("StatefulSet", "postgres") else "backend"
    selector = (
        f"app.kubernetes.io/component={keeper},app.kubernetes.io/instance={look.release.name}"
    )
    look.kubectl("delete", "pod", "-l", selector, "--wait=true")
    began = time.monotonic()

    def there() -> bool:
        try:
            return user.get(f"{todos}/{todo['id']}", timeout=TIMEOUT).status_code == 200
        except requests.RequestException:
            return False

    kept = look.run.shell.until(there, PATIENCE)
    after = f"after the pod of {keeper} was deleted"
    assert kept, f"the todo was not there {PATIENCE:.0f} s {after}"
    return f"a todo was there again {time.monotonic() - began:.0f} s {after}"


def refuses(look: Look) -> str:
    """Bad requests get the right status, and JSON."""
    answer = must(look.user.post(f"{look.api}/todos", json={"title": ""}, timeout=TIMEOUT), 422)
    assert "json" in answer.headers["content-type"], "no JSON"
    prefix = rollout.api_path(look.state)
    look.get(f"{prefix}/nowhere", 404)
    look.get(f"{prefix}/todos", 401)
    title = answer.json().get("title", answer.text[:60])
    return f"422, 404, 401 as they should be; a problem says: {title!r}"


def fast(look: Look) -> str:
    """The best of three answers is fast enough."""
    pages = [look.get("/") for _ in range(3)]
    lists = [look.user.get(f"{look.api}/todos", timeout=TIMEOUT) for _ in range(3)]
    shown, api = (min(one.elapsed.total_seconds() for one in answers) for answers in (pages, lists))
    assert shown < SLOW_PAGE and api < SLOW_API, f"page {shown:.2f} s, API {api:.2f} s"
    return f"page {shown * 1000:.0f} ms, list of todos {api * 1000:.0f} ms"
