"""The journey through the API alone: sign up, log in, keep a todo, see it again, take it away.

What is asked comes from the API's own OpenAPI document. A field that is missing in a body is told
by FastAPI's 422, and is filled in then.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.checks.journey import schema
from scripts.checks.journey.account import Account
from scripts.checks.journey.client import (
    Answer,
    Client,
    Target,
    holds,
    id_of,
    token_of,
    user_ids,
)
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.schema import Operation, Shape, Values
from scripts.checks.journey.steps import (
    ADD,
    AGAIN,
    CHAT,
    CLEAN,
    LOG_IN,
    RESTARTED,
    SIGN_UP,
    Journey,
    Status,
    Step,
)

DOCUMENTS = ("/openapi.json", "/api/openapi.json", "/api/v1/openapi.json", "/v1/openapi.json")
CHAT_TIMEOUT = 60.0
REPAIRS = 3  # bodies that are sent again with what the answer missed
EXISTS = re.compile(r"exist|already|taken|in use|registered|duplicate", re.I)
CONFIRM = re.compile(
    r"(verif|confirm|activat)\w*[^.]{0,40}(e-?mail|account)"
    r"|e-?mail[^.]{0,40}(verif|confirm|activat)"
    r"|check your (e-?mail|inbox)",
    re.I,
)
UNCONFIGURED = re.compile(
    r"not (been )?(configured|set|enabled|available|provided)|missing.{0,20}key|api.?key", re.I
)


UNREACHED = re.compile(r"fetch failed|ECONNREFUSED|ENOTFOUND|ETIMEDOUT|connection refused", re.I)


@dataclass
class Walk:
    """One journey under way. log: the backend's line about what has just happened."""

    client: Client
    account: Account
    shape: Shape
    hints: Hints
    log: Callable[[], str] = lambda: ""
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    users: tuple[str, ...] = ()
    signed_up: Answer | None = None

    def note(self, name: str, status: Status, answer: Answer | None = None, said: str = "") -> Step:
        """Keep a step; the log is read for those that failed."""
        log = self.log() if status == "failed" else ""
        told = answer or Answer("", 0, "")
        words = "" if status == "passed" and not said else (said or told.said)
        self.steps.append(Step(name, status, told.request, told.code, words, log))
        return self.steps[-1]

    @property
    def has_failed(self) -> bool:
        """Whether going on makes no sense."""
        return any(step.status == "failed" for step in self.steps)


def journey(
    target: Target,
    account: Account,
    hints: Hints | None = None,
    log: Callable[[], str] = lambda: "",
    restart: Callable[[], str] | None = None,
    chat: bool = False,
) -> Journey:
    """Walk the whole way.

    restart: deletes the pods and waits for new ones; it returns why the app did not come back,
    empty when it did. chat: talk to the assistant, too.
    """
    began = time.monotonic()
    hints = hints or Hints()
    client = Client(target)
    walk = Walk(client, account, Shape(), hints, log)
    walk.shape, answer = find(client, hints)
    if answer.code == 0:
        why = f"the API does not answer: {answer.said}"
        walk.note(SIGN_UP, "failed", said=why)
    if answer.code == 0 or not _enter(walk):
        return _ended(walk, began)
    made = _keep(walk, restart)
    if chat:
        _talk(walk, needed=made is None)
    _leave(walk, made)
    return _ended(walk, began)


def forget(target: Target, account: Account, hints: Hints) -> None:
    """Delete an account that a browser has made, where the API can."""
    walk = Walk(Client(target), account, Shape(), hints)
    walk.shape, _ = find(walk.client, hints)
    if walk.shape.leave and _log_in(walk):
        _leave(walk, None)


def _ended(walk: Walk, began: float) -> Journey:
    return Journey("api", tuple(walk.steps), tuple(walk.notes), time.monotonic() - began)


def find(client: Client, hints: Hints) -> tuple[Shape, Answer]:
    """The operations of the API, and what it answered when it was asked for its document.

    They are those of its document, else those of its code.
    """
    answer, own = Answer("", 0, ""), schema.of_handlers(hints.handlers)
    for path in DOCUMENTS:
        answer = client.api("get", path)
        if answer.code == 200 and isinstance(answer.body, Mapping) and answer.body.get("paths"):
            return schema.shape((*schema.operations(answer.body), *own)), answer
        if answer.code == 0:
            break
    return schema.shape((*schema.undocumented(hints.routes), *own)), answer


# --- signing up and logging in ---------------------------------------------------------------


def _enter(walk: Walk) -> bool:
    """Sign up and log in wherever the app keeps its accounts; True when going on makes sense."""
    if walk.hints.accounts == "better-auth":
        return _better_auth(walk)
    if walk.hints.hosted and not walk.shape.sign_up:
        why = f"{walk.hints.hosted} keeps the accounts, outside this deployment"
        walk.note(SIGN_UP, "not judged", said=why)
        return False
    if walk.shape.sign_up:
        _sign_up(walk)
    elif walk.shape.log_in or walk.hints.accounts:
        why = "the app has a log-in, but no sign-up with a password"
        walk.note(SIGN_UP, "not judged", said=why)
        return False
    else:
        walk.note(SIGN_UP, "not found", said="the API has no sign-up with a password")
        return True
    if walk.steps[-1].status != "passed":
        return False
    return _log_in(walk)


def _sign_up(walk: Walk) -> None:
    """Sign up by the first way that answers; an account that is there already will do."""
    values = Values(walk.account)
    optional = re.compile(
        "|".join(
            one.pattern for one in (schema.HANDLE, schema.FULL_NAME, schema.PASSWORD, schema.AGREES)
        ),
        re.I,
    )
    answer, way = Answer("", 0, ""), walk.shape.sign_up[0]
    for way in walk.shape.sign_up[:2]:
        answer = send(walk.client, way, values, optional)
        if answer.ok or _is_there(answer):
            break
    walk.signed_up = answer
    if answer.ok and CONFIRM.search(answer.text) and not token_of(answer):
        walk.notes.append("the app asks for a confirmation by e-mail, which nobody here can read")
    dead = _dead_door(walk, values, optional) if not way.at_page else None
    if dead:
        walk.note(SIGN_UP, "failed", dead)
    elif answer.ok or (walk.account.fixed and _is_there(answer)):
        walk.note(SIGN_UP, "passed", answer, "" if answer.ok else "the account of an earlier run")
    elif answer.code == 429:
        walk.note(SIGN_UP, "not judged", answer, "the app counts requests, and there were too many")
    else:
        walk.note(SIGN_UP, "failed", answer)


def _dead_door(walk: Walk, values: Values, optional: re.Pattern[str]) -> Answer | None:
    """What the page's own way to an account answers, where that is Next's and leads nowhere.

    The account is there by now. So a failure of the handler's own is no sign, but one to reach the
    API is.
    """
    for way in walk.shape.sign_up:
        if way.at_page and way.path in walk.hints.doors:
            answer = send(walk.client, way, values, optional)
            lost = answer.code >= 500 and UNREACHED.search(answer.text)
            if answer.code in (404, 405) or lost:
                return answer
    return None


def _is_there(answer: Answer) -> bool:
    return answer.code == 409 or (answer.code in (400, 422) and bool(EXISTS.search(answer.text)))


def _log_in(walk: Walk) -> bool:
    """Log in by the API's operation, or by a handler of Next's.

    Where there is none, what sign-up gave is used.
    """
    ways = walk.shape.log_in
    given = walk.signed_up
    if not ways and walk.hints.accounts == "next-auth":
        return _next_auth(walk)
    if not ways:
        if given is not None and _take(walk, given):
            walk.note(LOG_IN, "passed", said="signing up logs in")
            return True
        walk.note(LOG_IN, "not found", said="the API has no log-in with a password")
        return True
    answer = Answer("", 0, "")
    for way in ways[:3]:
        for login in (walk.account.email, walk.account.handle):
            answer = send(walk.client, way, Values(walk.account, login=login), schema.PASSWORD)
            if answer.ok or answer.code == 0 or answer.code >= 500 or answer.code == 429:
                break
        if answer.ok:
            break
    if answer.ok:
        _take(walk, answer, given)
        walk.note(LOG_IN, "passed", answer)
        return True
    if answer.code in (400, 401, 403) and CONFIRM.search(answer.text):
        walk.note(LOG_IN, "not judged", answer, "a confirmation by e-mail is asked for first")
    elif answer.code == 429:
        walk.note(LOG_IN, "not judged", answer, "the app counts requests, and there were too many")
    else:
        walk.note(LOG_IN, "failed", answer)
    return False


def _take(walk: Walk, answer: Answer, before: Answer | None = None) -> bool:
    """Keep the token and who it is of. True when there is a token or a cookie."""
    client = walk.client
    client.token = token_of(answer) or (token_of(before) if before else "")
    users = list(user_ids(answer.body, client.token))
    if before is not None:
        users += user_ids(before.body)
    if not users or (users and walk.shape.add and any(one.blanks for one in walk.shape.add)):
        for one in walk.shape.me[:1]:
            told = _asks(client, one)("get", one.path)
            if told.ok:
                users += user_ids(told.body)
    walk.users = tuple(dict.fromkeys(users))
    return bool(client.token or len(client.session.cookies))


def _next_auth(walk: Walk) -> bool:
    """NextAuth's log-in with a password, and the token that its session gives to the API."""
    client, account = walk.client, walk.account
    told = client.page("get", "/api/auth/csrf")
    entry = {"email": account.email, "username": account.email, "password": account.password}
    mark = told.body.get("csrfToken", "") if isinstance(told.body, Mapping) else ""
    form = {**entry, "csrfToken": mark, "json": "true"}
    answer = client.page("post", "/api/auth/callback/credentials", data=form)
    session = client.page("get", "/api/auth/session")
    if not session.body:  # a refused log-in leads back to its page, by a redirect that looks well
        walk.note(LOG_IN, "failed", answer, "the log-in gives no session")
        return False
    client.token = token_of(session)
    walk.users = user_ids(session.body, client.token)
    walk.note(LOG_IN, "passed", answer)
    return True


def _better_auth(walk: Walk) -> bool:
    """better-auth's own routes on Next's server, then the token that its pages give to the API."""
    client, account = walk.client, walk.account
    entry = {"email": account.email, "password": account.password}
    answer = client.page("post", "/api/auth/sign-up/email", json={**entry, "name": account.name})
    there = _is_there(answer)
    if not answer.ok and not (account.fixed and there):
        walk.note(SIGN_UP, "failed", answer)
        return False
    walk.note(SIGN_UP, "passed", answer, "the account of an earlier run" if there else "")
    client.session.cookies.clear()
    answer = client.page("post", "/api/auth/sign-in/email", json=entry)
    if not answer.ok:
        confirm = answer.code == 403 and CONFIRM.search(answer.text.replace("_", " "))
        walk.note(LOG_IN, "not judged" if confirm else "failed", answer)
        return False
    walk.users = user_ids(answer.body)
    walk.note(LOG_IN, "passed", answer)
    client.token = _better_auth_token(walk, answer)
    return True


def _better_auth_token(walk: Walk, answer: Answer) -> str:
    """The token that the API takes: a JWT where the code gives one, else the session's own."""
    client = walk.client
    paths = [
        "/api/auth/token",
        *(path for path in walk.hints.handlers if re.search(r"/(token|jwt)$", path)),
    ]
    tokens = []
    for path in dict.fromkeys(paths):
        told = client.page("get", path)
        tokens.append(token_of(told) if told.ok else "")
    told = client.page("get", "/api/auth/get-session")
    tokens += [str(told.headers.get("set-auth-jwt", "")), token_of(answer), token_of(told)]
    tokens += [str(answer.headers.get("set-auth-token", ""))]
    known = [token for token in dict.fromkeys(tokens) if token]
    for client.token in known:
        for one in walk.shape.todos[:1]:
            user = walk.users[0] if walk.users else ""
            if client.api("get", _filled(one.path, user)).code not in (401, 403):
                return client.token
    return known[0] if known else ""


# --- the todo --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A todo that was made. path: where it is, for those that look at it or delete it."""

    title: str
    key: str
    by: Operation
    user: str


def _keep(walk: Walk, restart: Callable[[], str] | None) -> Made | None:
    """Add a todo and look for it again; None where the API has no way to."""
    if not walk.shape.add:
        walk.note(ADD, "not found", said="the API has no route that adds a todo")
        return None
    title = f"journey {secrets.token_hex(4)}"
    answer, user, way = _added(walk, title)
    if not answer.ok or _says_no(answer):
        _not_added(walk, answer)
        return None
    walk.note(ADD, "passed", answer)
    made = Made(title, id_of(answer.body), way, user)
    _look(walk, made, AGAIN)
    if restart is not None and not walk.has_failed:
        if away := restart():
            walk.note(RESTARTED, "failed", said=away)
        else:
            _look(walk, made, RESTARTED)
    return made


def _says_no(answer: Answer) -> bool:
    """Some apps answer 200 and say inside that it failed."""
    return isinstance(answer.body, Mapping) and answer.body.get("success") is False


def _added(walk: Walk, title: str) -> tuple[Answer, str, Operation]:
    """The answer that decides: that of the first way which the API's own document has."""
    kept: list[tuple[Answer, str, Operation]] = []
    for way in walk.shape.add[:2]:
        for user in (walk.users or (walk.account.handle,))[:3]:
            values = Values(walk.account, title=title, user_id=user)
            answer = send(walk.client, way, values, re.compile(r"^title$"))
            kept.append((answer, user, way))
            if answer.code not in (401, 403, 404, 422):
                return kept[-1]
    return next((one for one in reversed(kept) if one[2].known), kept[-1])


def _not_added(walk: Walk, answer: Answer) -> None:
    entered = any(step.name == LOG_IN and step.status == "passed" for step in walk.steps)
    if answer.code in (401, 403) and not entered:
        walk.note(ADD, "not judged", answer, "the todos want a log-in, and no way to one was found")
    elif answer.code in (401, 403) and walk.hints.accounts:
        why = "what Next's server gives to its pages for the API was not found from outside"
        walk.note(ADD, "not judged", answer, why)
    elif answer.code == 422:
        walk.note(
            ADD, "not judged", answer, f"the route wants what was not understood: {answer.said}"
        )
    elif answer.code == 429:
        walk.note(ADD, "not judged", answer, "the app counts requests, and there were too many")
    else:
        walk.note(ADD, "failed", answer)


def _look(walk: Walk, made: Made, name: str) -> None:
    """Ask for the list, and for the one itself."""
    last: Answer | None = None
    for way in schema.beside(made.by, walk.shape.todos)[:2]:
        values = Values(walk.account, title=made.title, user_id=made.user)
        last = send(walk.client, way, values)
        if last.ok and holds(last.body, made.title):
            walk.note(name, "passed", last)
            return
    if made.key:
        single = _asks(walk.client, made.by)(
            "get", f"{_filled(made.by.path, made.user).rstrip('/')}/{made.key}"
        )
        if single.ok and holds(single.body, made.title):
            walk.note(name, "passed", single)
            return
    if last is None:
        walk.note(name, "not found", said="the API has no route that lists the todos")
    elif last.ok:
        walk.note(
            name, "failed", last, "the todo that was added is not among those that are listed"
        )
    else:
        walk.note(name, "failed", last)


def _talk(walk: Walk, needed: bool) -> None:
    """Ask the chat for a todo. needed: there is no other way to add one."""
    if not walk.shape.chat:
        if needed:
            walk.note(CHAT, "not found", said="the API has no chat")
        return
    user = (walk.users or (walk.account.handle,))[0]
    values = Values(walk.account, message="add a todo: journey by chat", user_id=user)
    answer = send(walk.client, walk.shape.chat[0], values, timeout=CHAT_TIMEOUT)
    if answer.ok and not _says_no(answer):
        walk.note(CHAT, "passed", answer)
    elif answer.code in (500, 501, 502, 503, 504, 0) and UNCONFIGURED.search(answer.text):
        walk.note(CHAT, "not judged", answer)
        walk.notes.append(
            f"the chat is not configured: {answer.request} answers {answer.code}: {answer.said}"
        )
    elif needed and answer.code >= 500:
        walk.note(CHAT, "failed", answer)
    else:
        walk.note(CHAT, "not judged", answer)


def _leave(walk: Walk, made: Made | None) -> None:
    """Take away the todo, and the account where the API can."""
    if made is not None and made.key:
        _remove(walk, made)
    if not walk.users:
        return
    for way in walk.shape.leave[:1]:
        if way.blanks and way.blanks[0] == "id" and not walk.users:
            continue
        path = re.sub(r"\{[^}]+\}", walk.users[0], way.path)
        _asks(walk.client, way)("delete", path, **_sent(way, body_of_leaving(way, walk)))


def body_of_leaving(way: Operation, walk: Walk) -> Any:
    """A body for an account that goes, where one is wanted: some ask for the password again."""
    return schema.body_of(way, Values(walk.account), schema.PASSWORD) if way.body else None


def _remove(walk: Walk, made: Made) -> None:
    """Delete the todo by its id in the path, the query or the body, whichever the API has."""
    answer = Answer("", 0, "the API has no route that deletes one")
    for way in schema.beside(made.by, walk.shape.remove)[:3]:
        path = re.sub(r"\{[^}]+\}", made.key, _filled(way.path, made.user))
        asked = [one for one in way.parameters if one.where == "query"]
        query = {one.name: made.key for one in asked if re.search("id$", one.name, re.I)}
        body = {name: made.key for name in way.fields if re.search("id$", name, re.I)}
        if made.key not in path.split("/") and not query and not body:
            continue  # it would delete all, or nothing
        answer = _asks(walk.client, way)("delete", path, params=query, **_sent(way, body or None))
        if answer.ok:
            walk.note(CLEAN, "passed", answer)
            return
    walk.notes.append(
        f"the todo {made.title!r} stays: {answer.request} {answer.code or answer.said}"
    )


# --- sending ---------------------------------------------------------------------------------


def _asks(client: Client, way: Operation) -> Callable[..., Answer]:
    """Who is asked: Next's own server or the API."""
    return client.page if way.at_page else client.api


def send(
    client: Client,
    way: Operation,
    values: Values,
    optional: re.Pattern[str] | None = None,
    timeout: float | None = None,
) -> Answer:
    """Send what the operation wants; what its answer misses is added, what it refuses left out."""
    ask = _asks(client, way)
    path = _filled(way.path, values.user_id)
    body = _first_body(way, values, optional)
    query = {
        one.name: schema.value(one.name, one.schema, values)
        for one in way.parameters
        if one.where == "query" and one.required
    }
    more = {"timeout": timeout} if timeout else {}
    answer = ask(way.method, path, params=query, **_sent(way, body), **more)
    for _ in range(REPAIRS):
        if answer.code != 422 or not _repair(answer, body, query, values):
            return answer
        answer = ask(way.method, path, params=query, **_sent(way, body), **more)
    return answer


def _first_body(way: Operation, values: Values, optional: re.Pattern[str] | None) -> Any:
    if way.method == "get":
        return None
    if not way.is_guessed:
        return schema.body_of(way, values, optional) if way.body is not None else None
    if values.title:
        return {"title": values.title}
    if values.message:
        return {"message": values.message}
    account = {"email": values.login or values.account.email, "password": values.account.password}
    return account if values.login else {**account, "name": values.account.name}


def _sent(way: Operation, body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    return {"data": body} if way.form else {"json": body}


def _repair(answer: Answer, body: Any, query: dict[str, Any], values: Values) -> bool:
    """Put in what FastAPI's answer says is missing, and take out what it says is too much."""
    changed = False
    for kind, where, name in _complaints(answer.body):
        place = query if where == "query" else body if isinstance(body, dict) else None
        if place is None:
            continue
        if "missing" in kind and name not in place:
            place[name] = schema.guessed(name, values)
            changed = True
        elif "extra" in kind and name in place:
            del place[name]
            changed = True
        elif "int" in kind and name in place:
            changed = place[name] != 1
            place[name] = 1
    return changed


def _complaints(body: Any) -> Iterable[tuple[str, str, str]]:
    """(type, body or query, field) of each thing that FastAPI found wrong."""
    told = body.get("detail", body.get("errors")) if isinstance(body, Mapping) else None
    for one in told if isinstance(told, list) else ():
        place = one.get("loc") if isinstance(one, Mapping) else None
        if isinstance(place, list) and len(place) >= 2:
            yield str(one.get("type", "")), str(place[0]), str(place[-1])


def _filled(path: str, user: str) -> str:
    """The path with the user's id in it."""
    return re.sub(
        r"\{([^}]+)\}",
        lambda match: user if schema.USER_PARAMETER.match(match[1]) and user else match[0],
        path,
    )
