"""The journey in a real browser: every step as a person takes it, with a picture of each.

Playwright is no requirement of this project. Where it or a browser is missing, NoBrowser says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.checks.journey import forms
from scripts.checks.journey.account import Account
from scripts.checks.journey.api import CONFIRM, UNCONFIGURED
from scripts.checks.journey.client import Answer, Target
from scripts.checks.journey.forms import Control, Kind
from scripts.checks.journey.hints import (
    CHAT_PAGE,
    LOG_IN_PAGE,
    NO_TODO_PAGE,
    SIGN_UP_PAGE,
    TODO_PAGE,
    Hints,
)
from scripts.checks.journey.steps import (
    ADD,
    AGAIN,
    CHAT,
    LOG_IN,
    RESTARTED,
    SIGN_UP,
    Journey,
    Status,
    Step,
)
from scripts.session.shell import Shell

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request, Response

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
CONTROLS = (
    "input, textarea, select, button, a[href], [role=button], [role=tab], [role=link],"
    " [role=checkbox], [contenteditable=true]"
)
SCRIPT = Path(__file__).with_name("controls.js")
LOADS, SETTLES, ANSWERS, CHATS = 30.0, 6.0, 20.0, 45.0  # seconds
LIMIT, CLOSES = 600.0, 20.0  # seconds for the whole way, which took 20 to 60; and for the end
OTHERS = 4  # pages that do not sound like todos, and may have some
QUIET = 4.0  # seconds in which a click that did something has asked for something
GOOD = re.compile(
    r"success|created|welcome|logged in|signed (up|in)|check your|loading|thank", re.I
)
COMMON_SIGN_UP = ("/signup", "/sign-up", "/register", "/auth/signup", "/auth/register")
COMMON_LOG_IN = ("/login", "/sign-in", "/signin", "/auth/login", "/auth/signin")
COMMON_TODO = ("/dashboard", "/tasks", "/todos", "/todo")
ERRORS = (
    "[role=alert], [class*=error i], [class*=destructive i], "
    "[class*='text-red'], [class*='bg-red'],"
    " [data-sonner-toast], [class*=toast i]"
)
ASIDE = re.compile(r"/_next/|/__nextjs|favicon|\.well-known|/_vercel|telemetry|analytics|sentry")


class NoBrowser(Exception):
    """No real browser can be used here; the text says why."""


@dataclass
class Sight:
    """A page, what it asked for, and what it said.

    lost: (request, error) of those that had no answer. pending: those that change something and
    have none yet.
    """

    page: Page
    responses: list[Response] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    pending: set[Request] = field(default_factory=set)


@dataclass
class Walk:
    """A journey under way."""

    context: Callable[[], BrowserContext]
    target: Target
    account: Account
    hints: Hints
    folder: Path
    log: Callable[[], str]
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sight: Sight | None = None
    doing: str = SIGN_UP
    home: str = "/"
    status: int = 0

    @property
    def page(self) -> Page:
        """The page that is looked at now."""
        assert self.sight is not None
        return self.sight.page


def journey(
    target: Target,
    account: Account,
    hints: Hints,
    folder: Path,
    log: Callable[[], str] = lambda: "",
    restart: Callable[[], str] | None = None,
) -> Journey:
    """Walk the whole way.

    folder: for the pictures. restart: deletes the pods and waits for new ones; it returns why the
    app did not come back, empty when it did.

    Raises NoBrowser.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with _browser() as opened:

        def context() -> BrowserContext:
            made: BrowserContext = opened.new_context(
                viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
            )
            made.set_default_timeout(ANSWERS * 1000)
            return made

        walk = Walk(context, target, account, hints, folder, log)
        try:
            _all_steps(walk, restart)
        except opened_error() as error:  # a page may do what nobody foresaw: that is no verdict
            walk.notes.append(f"the browser: {str(error).splitlines()[0][:200]}")
            _note(walk, walk.doing, "not judged", said=walk.notes[-1])
    return Journey("browser", tuple(walk.steps), tuple(walk.notes), time.monotonic() - began)


def opened_error() -> type[Exception]:
    """Playwright's own error, which is there only when Playwright is."""
    from playwright.sync_api import Error

    error: type[Exception] = Error
    return error


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("Playwright is not installed") from None
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    with sync_playwright() as started:
        try:
            opened = started.chromium.launch(executable_path=program, args=ARGUMENTS)
        except Error as error:
            raise NoBrowser(f"no browser starts: {str(error).splitlines()[0]}") from None
        try:
            with _at_most(LIMIT):
                yield opened
        finally:
            with _at_most(CLOSES), contextlib.suppress(Error):  # it may be gone already
                opened.close()


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """End the browsers that this process has started, if it takes longer.

    Whoever waits for one gets an error then. Not all that is asked of a browser has a time of its
    own, and a browser may never answer.
    """
    bound = threading.Timer(seconds, _end_browsers)
    bound.daemon = True
    bound.start()
    try:
        yield
    finally:
        bound.cancel()


def _end_browsers() -> None:
    listed = Shell().run("ps", "-A", "-o", "pid=,ppid=,comm=", check=False).stdout
    rows = [row for row in (line.split(None, 2) for line in listed.splitlines()) if len(row) == 3]
    ours = {str(os.getpid())}
    for _ in range(4):  # this process, Playwright's driver, the browser, its parts
        ours |= {pid for pid, parent, _name in rows if parent in ours}
    for pid, _parent, name in rows:
        if pid in ours and "chrom" in name.lower():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)


def _all_steps(walk: Walk, restart: Callable[[], str] | None) -> None:
    entered = _sign_up(walk)
    if entered:
        entered = _log_in(walk)
    if not entered or any(step.status == "failed" for step in walk.steps):
        return
    title = f"journey {secrets.token_hex(4)}"
    walk.doing = ADD
    if _add(walk, title):
        _see_again(walk, title, AGAIN)
        if restart is not None and walk.steps[-1].status == "passed":
            walk.doing = RESTARTED
            if away := restart():
                _note(walk, RESTARTED, "failed", said=away)
            else:
                _see_again(walk, title, RESTARTED)


# --- looking ---------------------------------------------------------------------------------


def _open(walk: Walk) -> Sight:
    """A window of a person who was never here."""
    page = walk.context().new_page()
    seen = Sight(page)
    page.on("response", lambda one: seen.responses.append(one))  # a method of a list is refused
    page.on(
        "requestfailed",
        lambda one: seen.lost.append((f"{one.method} {one.url}", one.failure or "")),
    )
    page.on("console", lambda one: seen.console.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: seen.console.append(str(error)))

    page.on("request", lambda one: seen.pending.add(one) if _changes(one) else None)
    page.on("requestfinished", lambda one: seen.pending.discard(one))
    page.on("requestfailed", lambda one: seen.pending.discard(one))

    def answer(dialog: Any) -> None:
        seen.alerts.append(dialog.message)
        dialog.accept()

    page.on("dialog", answer)
    if walk.sight is not None:
        walk.sight.page.context.close()
    walk.sight = seen
    return seen


def _go(walk: Walk, path: str) -> bool:
    """Open a path of the app; False when nothing of it came."""
    from playwright.sync_api import Error

    try:
        answer = walk.page.goto(
            walk.target.site + path, wait_until="domcontentloaded", timeout=LOADS * 1000
        )
    except Error as error:
        walk.notes.append(f"{path} did not load: {str(error).splitlines()[0][:160]}")
        return False
    _settle(walk.page)
    walk.status = answer.status if answer else 200
    return walk.status < 400


def _settle(page: Page) -> None:
    """Until the network is quiet; a page with an open stream never is, so not for ever."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        page.wait_for_load_state("networkidle", timeout=SETTLES * 1000)


def _until(page: Page, ready: Callable[[], bool], seconds: float) -> bool:
    """Look until it is so. Playwright's events arrive while it waits."""
    from playwright.sync_api import Error

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(Error):  # the page may be on its way to another address
            if ready():
                return True
        page.wait_for_timeout(100)
    return False


def _controls(page: Page) -> list[Control]:
    from playwright.sync_api import Error

    for _ in range(3):
        try:
            told = page.locator(CONTROLS).evaluate_all(SCRIPT.read_text(encoding="utf-8"))
            return [forms.control(one) for one in told]
        except Error:  # it changed its address just now
            _settle(page)
    return []


def _kind(page: Page, controls: list[Control]) -> Kind:
    heading = " ".join(page.locator("h1, h2").all_inner_texts()[:2])
    return forms.form_kind(controls, urlsplit(page.url).path, heading)


def _element(page: Page, one: Control) -> Any:
    return page.locator(CONTROLS).nth(one.index)


def _press(page: Page, one: Control) -> bool:
    """Click it, also where it never stands still; False where it cannot be clicked.

    What lies below something else, an open chat for example, is pressed by the keyboard.
    """
    from playwright.sync_api import Error

    element = _element(page, one)
    try:
        element.click(timeout=2000)
    except Error as error:
        covered = "intercepts pointer events" in str(error) and one.tag in ("button", "a")
        try:
            if covered:
                element.press("Enter", timeout=1000)
            else:
                element.click(timeout=1000, force=True)
        except Error:
            return False
    _settle(page)
    return True


def _complaint(page: Page) -> str:
    """What the page itself says is wrong."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        shown = page.locator(ERRORS).all_inner_texts()  # None for an icon: SVG has no inner text
        texts = [re.sub(r"\s+", " ", one).strip() for one in shown if one]
        told = [one for one in texts if len(one) > 3 and not GOOD.search(one)]
        return "; ".join(dict.fromkeys(told))[:300]
    return ""


# --- forms -----------------------------------------------------------------------------------


def _reach(walk: Walk, kind: Kind) -> bool:
    """Find the form of this kind.

    It may be on the page, behind a link or a tab, at an address that the code has, or at a usual
    one.
    """
    page = walk.page
    pattern, usual = (
        (SIGN_UP_PAGE, COMMON_SIGN_UP) if kind == "sign up" else (LOG_IN_PAGE, COMMON_LOG_IN)
    )
    known = walk.hints.pages_like(pattern)
    if _go(walk, "/") and _reach_from_here(walk, kind):
        return True
    for path in known or usual:
        if _go(walk, path) and (_shows(page, kind) or _reach_from_here(walk, kind, deep=False)):
            return True
    if kind == "sign up":
        for path in walk.hints.pages_like(LOG_IN_PAGE) or COMMON_LOG_IN[:1]:
            if _go(walk, path) and _reach_from_here(walk, kind):
                return True
    return False


def _shows(page: Page, kind: Kind) -> bool:
    return _until(page, lambda: _kind(page, _controls(page)) == kind, 2.0)


def _reach_from_here(walk: Walk, kind: Kind, deep: bool = True) -> bool:
    """The form on this page, or one or two clicks away."""
    page = walk.page
    controls = _controls(page)
    if _kind(page, controls) == kind:
        return True
    address = page.url
    for one in forms.leads_to(controls, kind)[:3]:
        if not _press(page, one):
            continue
        if _shows(page, kind):
            return True
        if deep and page.url != address and _reach_from_here(walk, kind, deep=False):
            return True
        if page.url != address:
            _go(walk, urlsplit(address).path or "/")
    return False


def _fill(walk: Walk, title: str = "", near: Control | None = None) -> None:
    """Fill in what a form wants. What a page takes back while it comes to life is typed again."""
    page, account = walk.page, walk.account
    first, _, last = account.name.partition(" ")
    values = {
        "email": account.email,
        "password": account.password,
        "confirm": account.password,
        "username": account.handle,
        "name": account.name,
        "first": first,
        "last": last,
        "phone": "+12025550123",
        "text": title or account.name,
        "date": "2030-01-31",
        "datetime-local": "2030-01-31T09:00",
        "time": "09:00",
        "number": "1",
    }
    for one in _controls(page):
        if not one.is_field or one.disabled or (near is not None and one.form != near.form):
            continue
        wanted = forms.purpose(one)
        if near is not None and (one.index == near.index or not one.required):
            continue
        if wanted == "text" and not one.required:
            continue
        _enter(page, one, wanted, values.get(wanted, ""))


def _enter(page: Page, one: Control, wanted: str, text: str) -> None:
    from playwright.sync_api import Error

    element = _element(page, one)
    with contextlib.suppress(Error):
        if wanted == "agree":
            element.check(timeout=2000)
        elif wanted == "choice":
            element.select_option(index=1, timeout=2000)
        elif text:
            element.fill(text, timeout=3000)


def _send_form(walk: Walk, kind: Kind) -> Step:
    """Fill in the form of accounts, send it, and tell what came of it."""
    page, seen = walk.page, walk.sight
    assert seen is not None
    name = SIGN_UP if kind == "sign up" else LOG_IN
    before = (len(seen.responses), len(seen.lost), len(seen.alerts))
    address = page.url
    for _ in range(3):  # a page that was not alive yet has taken the click and done nothing
        _fill(walk)
        controls = _controls(page)
        secret = [one for one in controls if one.type == "password"]
        if not secret:
            break
        told, since = _complaint(page), time.monotonic()
        button = forms.submit(controls, secret[-1])
        if button is None or not _press(page, button):
            _element(page, secret[-1]).press("Enter")

        def moved(told: str = told, since: float = since) -> bool:
            if seen.pending:
                return False
            new = _complaint(page) not in ("", told)
            late = time.monotonic() - since > QUIET
            return (
                _trouble(seen, before) is not None
                or _left(page, kind, address)
                or (new and (late or bool(_asked(seen, before))))
                or len(seen.alerts) > before[2]
            )

        _until(page, lambda: moved() or bool(seen.pending or _asked(seen, before)), QUIET)
        asked = seen.pending or _asked(seen, before)
        if not asked and not moved():
            continue
        _until(page, moved, ANSWERS)
        break
    return _outcome(walk, name, kind, address, before)


Before = tuple[int, int, int]


def _left(page: Page, kind: Kind, address: str) -> bool:
    """The form is gone: another page, another form, or none."""
    if urlsplit(page.url).path != urlsplit(address).path:
        return True
    return _kind(page, _controls(page)) != kind


def _changes(one: Request) -> bool:
    return one.method not in ("GET", "HEAD", "OPTIONS") and not ASIDE.search(one.url)


def _asked(seen: Sight, before: Before) -> list[Response]:
    """What was sent since, with its answer."""
    return [one for one in seen.responses[before[0] :] if _changes(one.request)]


def _trouble(seen: Sight, before: Before) -> tuple[str, int, str] | None:
    """The request that decides, when it failed: (request, status, words).

    It is the first that was sent since, or the first about todos: what a page asks for afterwards,
    a session of its chat for example, decides nothing.
    """
    sent = _asked(seen, before)
    for one in [*(one for one in sent if forms.OF_TODOS.search(urlsplit(one.url).path)), *sent[:1]]:
        if one.status >= 400:
            return f"{one.request.method} {urlsplit(one.url).path}", one.status, _words(one)
    for request, why in seen.lost[before[1] :]:
        if (
            "ERR_ABORTED" not in why
            and not re.match(r"GET|HEAD", request)
            and not ASIDE.search(request)
        ):
            return request, 0, why
    return None


def _words(response: Response) -> str:
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        text = response.text()
        return Answer("", response.status, text, _json(text)).said
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _outcome(walk: Walk, name: str, kind: Kind, address: str, before: Before) -> Step:
    page, seen = walk.page, walk.sight
    assert seen is not None
    _settle(page)
    trouble = _trouble(seen, before)
    said = " ".join(seen.alerts[before[2] :]) or _complaint(page)
    if _left(page, kind, address) and not (trouble and trouble[1] >= 400):
        return _note(walk, name, "passed")
    if kind == "sign up" and not trouble and _asked(seen, before) and not said:
        if CONFIRM.search(page.locator("body").inner_text()):
            walk.notes.append(
                "the app asks for a confirmation by e-mail, which nobody here can read"
            )
        return _note(walk, name, "passed")
    if trouble:
        request, code, words = trouble
        status: Status = (
            "not judged" if CONFIRM.search(words) and code in (400, 401, 403) else "failed"
        )
        return _note(walk, name, status, request, code, _with_origin(walk, request, words or said))
    return _note(walk, name, "failed", said=said or "the form was sent, and nothing happened")


def _with_origin(walk: Walk, request: str, words: str) -> str:
    """Say it where a page calls an address that is not of this deployment."""
    place = urlsplit(request.split(" ")[-1])
    own = urlsplit(walk.target.site)
    if place.netloc and place.netloc != own.netloc:
        return (
            f"the page calls {place.scheme}://{place.netloc}, which is not of this deployment: "
            f"{words}"
        )
    return words


def _note(
    walk: Walk, name: str, status: Status, request: str = "", code: int = 0, said: str = ""
) -> Step:
    """Keep a step with a picture; the log is read for those that failed."""
    from playwright.sync_api import Error

    picture = walk.folder / f"{len(walk.steps) + 1}-{name.replace(' ', '-')}.png"
    with contextlib.suppress(Error):
        walk.page.screenshot(path=picture, timeout=10_000)
    log = walk.log() if status == "failed" else ""
    shown = str(picture) if picture.exists() else ""
    if status == "failed" and walk.sight is not None and walk.sight.console:
        walk.notes.append(f"the console at `{name}`: {walk.sight.console[-1][:200]}")
    walk.steps.append(Step(name, status, request, code, said, log, shown))
    return walk.steps[-1]


# --- the steps -------------------------------------------------------------------------------


def _sign_up(walk: Walk) -> bool:
    _open(walk)
    if _reach(walk, "sign up"):
        return _send_form(walk, "sign up").status == "passed"
    if not _go(walk, "/"):
        said = walk.notes[-1] if walk.notes else f"the first page answers {walk.status}"
        _note(walk, SIGN_UP, "failed", said=said)
        return False
    if walk.hints.hosted:
        why = f"{walk.hints.hosted} keeps the accounts, outside this deployment"
        _note(walk, SIGN_UP, "not judged", said=why)
        return False
    other = _other_way_in(walk)
    if other:
        _note(walk, SIGN_UP, "not judged", said=f"the way in is another service's: {other}")
        return False
    _note(walk, SIGN_UP, "not found", said="no page with a sign-up form was found")
    return True


def _other_way_in(walk: Walk) -> str:
    """A button such as `Continue with Google`, on the first page or that of the log-in."""
    for path in ("/", *walk.hints.pages_like(LOG_IN_PAGE)):
        _go(walk, path)
        for one in _controls(walk.page):
            if not one.is_field and forms.SERVICES.search(one.text):
                return one.text
    return ""


def _log_in(walk: Walk) -> bool:
    """In a window of its own, so that it is the log-in that lets in."""
    walk.doing = LOG_IN
    signed_up = any(step.name == SIGN_UP and step.status == "passed" for step in walk.steps)
    if not signed_up:
        return True
    before = walk.sight
    walk.sight = None
    _open(walk)
    if _reach(walk, "log in"):
        if before is not None:
            before.page.context.close()
        return _send_form(walk, "log in").status == "passed"
    walk.page.context.close()
    walk.sight = before
    _note(
        walk, LOG_IN, "not found", said="no page with a log-in form was found; signing up logs in"
    )
    return True


def _add(walk: Walk, title: str) -> bool:
    """Add a todo by the form, else by the chat; True when there is one to look for."""
    walk.home = urlsplit(walk.page.url).path or "/"
    if _reach_todo(walk):
        return _add_by_form(walk, title)
    if walk.hints.widget:
        _note(walk, ADD, "not judged", said=f"{walk.hints.widget} is loaded from the internet")
        return False
    if _reach_chat(walk):
        return _add_by_chat(walk, title)
    _note(walk, ADD, "not found", said="no field for a new todo and no chat was found")
    return False


def _reach_todo(walk: Walk) -> bool:
    """Find a field for a new todo.

    It may be here, behind a button, behind a link, or at an address that the code has: one that
    sounds like it first, then the first page, which is another one for whoever is logged in.
    """
    if _todo_here(walk):
        return True
    page, address = walk.page, walk.page.url
    for one in forms.todo_links(_controls(page), urlsplit(address).path):
        if _press(page, one) and page.url != address:
            if _todo_here(walk):
                return True
            _back(page, address)
    likely = walk.hints.pages_like(TODO_PAGE) or COMMON_TODO
    others = [one for one in walk.hints.pages if not NO_TODO_PAGE.search(one)]
    for path in dict.fromkeys([*likely, "/", *others[:OTHERS]]):
        if _go(walk, path) and _todo_here(walk):
            return True
    return False


def _todo_here(walk: Walk, deep: bool = True) -> bool:
    """A field for a new todo on this page, behind a button, or behind a button and the next."""
    page = walk.page
    controls = _controls(page)
    if _kind(page, controls):
        return False
    if _until(page, lambda: forms.title_field(_controls(page)) is not None, SETTLES):
        return True
    for one in forms.adds(_controls(page))[:3]:
        address = page.url
        if _press(page, one) and _until(
            page, lambda: forms.title_field(_controls(page)) is not None, QUIET
        ):
            return True
        if page.url != address:
            if deep and _todo_here(walk, deep=False):
                return True
            _back(page, address)
        else:
            page.keyboard.press("Escape")
    return False


def _back(page: Page, address: str) -> None:
    """Go back as a person does: an app may forget who this is when a page is loaded anew."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        page.go_back(wait_until="domcontentloaded", timeout=LOADS * 1000)
    if page.url != address:
        with contextlib.suppress(Error):
            page.goto(address, wait_until="domcontentloaded", timeout=LOADS * 1000)
    _settle(page)


def _reach_chat(walk: Walk) -> bool:
    page = walk.page

    def here() -> bool:
        return _until(page, lambda: forms.message_field(_controls(page)) is not None, SETTLES)

    if _go(walk, walk.home) and here():
        return True
    for one in [one for one in _controls(page) if forms.CHAT_LINK.search(one.text or one.words)][
        :2
    ]:
        if not one.is_field and _press(page, one) and here():
            return True
    return any(
        _go(walk, path) and here() for path in walk.hints.pages_like(CHAT_PAGE) or ("/chat",)
    )


def _add_by_form(walk: Walk, title: str) -> bool:
    page, seen = walk.page, walk.sight
    assert seen is not None
    before = (len(seen.responses), len(seen.lost), len(seen.alerts))
    chosen = forms.title_field(_controls(page))
    assert chosen is not None
    _element(page, chosen).fill(title)
    if chosen.form >= 0:
        _fill(walk, "journey", near=chosen)
    known = _controls(page)
    button = forms.saves(known, chosen)
    if button is None or button.disabled or not _press(page, button):
        _element(page, chosen).press("Enter")
    _confirm(page, known, lambda: bool(_asked(seen, before)))
    _until(page, lambda: _is_shown(page, title) or bool(_trouble(seen, before)), ANSWERS)
    trouble = _trouble(seen, before)
    if _is_shown(page, title) and not trouble:
        _note(walk, ADD, "passed")
        return True
    if trouble:
        request, code, words = trouble
        _note(walk, ADD, "failed", request, code, _with_origin(walk, request, words))
        return False
    if _asked(seen, before):  # it was kept; the list may be on another page
        _note(walk, ADD, "passed", said="kept, and not shown at once")
        return True
    said = _complaint(page) or "the todo was typed and sent, and nothing happened"
    _note(walk, ADD, "failed", said=said)
    return False


def _confirm(page: Page, known: Sequence[Control], done: Callable[[], bool]) -> None:
    """Say yes where the page asks once more, and has done nothing yet."""

    def asked() -> Control | None:
        return forms.confirms(_controls(page), known)

    _until(page, lambda: done() or asked() is not None, 2.0)
    button = None if done() else asked()
    if button:
        _press(page, button)


def _add_by_chat(walk: Walk, title: str) -> bool:
    page, seen = walk.page, walk.sight
    assert seen is not None
    before = (len(seen.responses), len(seen.lost), len(seen.alerts))
    chosen = forms.message_field(_controls(page))
    assert chosen is not None
    _element(page, chosen).fill(f"Add a todo: {title}")
    _element(page, chosen).press("Enter")
    _until(page, lambda: bool(_asked(seen, before) or _trouble(seen, before)), CHATS)
    trouble = _trouble(seen, before)
    if trouble:
        request, code, words = trouble
        unset = bool(UNCONFIGURED.search(words)) and code >= 500
        _note(walk, CHAT, "not judged" if unset else "failed", request, code, words)
        return False
    if not _asked(seen, before):
        _note(walk, CHAT, "failed", said="the message was typed and sent, and nothing happened")
        return False
    _note(walk, CHAT, "passed")
    return True


def _is_shown(page: Page, title: str) -> bool:
    found = page.get_by_text(title)
    return any(found.nth(number).is_visible() for number in range(min(found.count(), 5)))


def _follows(walk: Walk, title: str) -> bool:
    """Whether the todo is behind a link of the page that a log-in leads to."""
    page, address = walk.page, walk.page.url
    for one in forms.todo_links(_controls(page), urlsplit(address).path):
        if _press(page, one) and _until(page, lambda: _is_shown(page, title), 5.0):
            return True
        if page.url != address:
            _back(page, address)
    return False


def _see_again(walk: Walk, title: str, name: str) -> None:
    """Reload, and log in again where the app has forgotten who this is."""
    from playwright.sync_api import Error

    walk.doing = name
    page = walk.page
    address = page.url
    with contextlib.suppress(Error):
        page.reload(wait_until="domcontentloaded", timeout=LOADS * 1000)
    _settle(page)
    if _until(page, lambda: _is_shown(page, title), 5.0):
        _note(walk, name, "passed")
        return
    if _reach_from_here(walk, "log in") and _send_form(walk, "log in").status == "passed":
        walk.steps.pop()
        walk.notes.append("after the reload it wanted a log-in again")
        if _until(page, lambda: _is_shown(page, title), SETTLES) or _follows(walk, title):
            _note(walk, name, "passed")
            return
    for path in (urlsplit(address).path, *walk.hints.pages_like(TODO_PAGE)):
        if _is_shown(page, title):
            break
        _go(walk, path)
        _until(page, lambda: _is_shown(page, title), 5.0)
    if _is_shown(page, title):
        _note(walk, name, "passed")
    elif name == AGAIN and any(step.name == CHAT for step in walk.steps):
        # Whether its model works, and does what it is told, is not the deployment's affair. What
        # was seen once and is gone after a restart is.
        _note(walk, name, "not judged", said="the chat answered, and no todo of its is shown")
    else:
        _note(walk, name, "failed", said="the todo that was added is not shown any more")
