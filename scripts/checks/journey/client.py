"""Asking an app over HTTP as its page would: one origin, its cookies, the API below its own path."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

TIMEOUT = 15.0
TOKEN_NAMES = ("access_token", "accesstoken", "token", "jwt", "id_token", "auth_token", "bearer")
USER_NAMES = ("user_id", "userid", "id", "uid", "uuid", "_id")
SHOWN = 300  # characters of an answer that are worth showing


@dataclass(frozen=True)
class Target:
    """Where an app answers.

    site: the page's origin, as a browser has it. connect: the origin that is connected to, where
    the name of the site does not resolve by itself. api: the path below which the API is, or a
    whole address where it has an origin of its own.
    """

    site: str
    api: str = ""
    connect: str = ""

    @property
    def api_url(self) -> str:
        """What the API's paths are joined to."""
        return self.api if "://" in self.api else f"{self.connect or self.site}{self.api}"

    @property
    def site_url(self) -> str:
        """What the paths of Next's own server are joined to."""
        return self.connect or self.site


@dataclass(frozen=True)
class Answer:
    """What came back. code: 0 when nothing did, and then text says why. body: the JSON, or None."""

    request: str
    code: int
    text: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """A success, or a redirect after one."""
        return 200 <= self.code < 400

    @property
    def said(self) -> str:
        """The words of the answer in one line."""
        for key in ("detail", "message", "error", "title"):
            told = self.body.get(key) if isinstance(self.body, Mapping) else None
            if isinstance(told, Mapping):  # {"error": {"code": ..., "message": ...}}
                told = told.get("message") or told.get("detail")
            if isinstance(told, str) and told:
                return shown(told)
        return shown(self.text)


def shown(text: str) -> str:
    """Words of an answer in one line, without the SQL that SQLAlchemy and PostgreSQL add."""
    return re.sub(r"\s+", " ", re.split(r"\[SQL:|\bLINE \d+:", text)[0]).strip()[:SHOWN]


class Client:
    """A session with the app. token: sent with each request to the API once it is set."""

    def __init__(self, target: Target, timeout: float = TIMEOUT) -> None:
        self.target, self.timeout, self.token = target, timeout, ""
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy between us and loopback
        if target.connect:
            self.session.headers["Host"] = urlsplit(target.site).netloc

    def api(self, method: str, path: str, **sent: Any) -> Answer:
        """Ask the API."""
        return self._ask(self.target.api_url, method, path, **sent)

    def page(self, method: str, path: str, **sent: Any) -> Answer:
        """Ask Next's own server."""
        return self._ask(self.target.site_url, method, path, **sent)

    def _ask(self, base: str, method: str, path: str, **sent: Any) -> Answer:
        request = f"{method.upper()} {path}"
        headers = {"Origin": self.target.site, "Accept": "application/json, */*"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = self.session.request(
                method.upper(),
                base + path,
                headers=headers,
                timeout=sent.pop("timeout", self.timeout),
                # What is sent again after a redirect is no longer what was sent; slashes at the end
                # are followed.
                allow_redirects=method == "get",
                **sent,
            )
            if answer.status_code in (307, 308):
                answer = self._followed(base, method, answer, headers, sent)
        except requests.Timeout:
            return Answer(request, 0, f"no answer in {self.timeout:.0f} s")
        except requests.RequestException as error:
            refused = "Connection refused" in str(error)
            return Answer(request, 0, "connection refused" if refused else str(error)[:SHOWN])
        for cookie in self.session.cookies:
            cookie.secure = (
                False  # browsers send `Secure` ones to localhost over http, and so does this
            )
        return _answer(request, answer)

    def _followed(
        self,
        base: str,
        method: str,
        before: requests.Response,
        headers: Mapping[str, str],
        sent: Mapping[str, Any],
    ) -> requests.Response:
        """FastAPI sends a path without its last slash on, by an address that may name its own host."""
        place = urlsplit(before.headers.get("location", ""))
        asked = urlsplit(before.url).path.removeprefix(urlsplit(base).path)
        path = asked.rstrip("/") + ("" if asked.endswith("/") else "/")
        if place.path.rstrip("/") != asked.rstrip("/") and not place.path.endswith(path):
            path = place.path
        query = f"?{place.query}" if place.query and "params" not in sent else ""
        return self.session.request(
            method.upper(),
            base + path + query,
            headers=headers,
            timeout=self.timeout,
            allow_redirects=False,
            **sent,
        )


def _answer(request: str, answer: requests.Response) -> Answer:
    try:
        body = answer.json()
    except ValueError:
        body = None
    return Answer(request, answer.status_code, answer.text, body, answer.headers)


def token_of(answer: Answer) -> str:
    """The token that an answer holds, empty without one."""
    for name, told in _leaves(answer.body):
        if (
            name.lower().replace("-", "_") in TOKEN_NAMES
            and isinstance(told, str)
            and len(told) > 8
        ):
            return told.removeprefix("Bearer ")
    for header in ("set-auth-jwt", "set-auth-token", "authorization"):
        if answer.headers.get(header):
            return answer.headers[header].removeprefix("Bearer ")
    return ""


def claims(token: str) -> Mapping[str, Any]:
    """What a JSON Web Token says, unverified; nothing of one that is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        read = json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        return {}
    return read if isinstance(read, Mapping) else {}


def user_ids(body: Any, token: str = "") -> tuple[str, ...]:
    """Who is logged in, by an answer and a token: the likeliest first."""
    told = claims(token)
    found: list[Any] = []
    if isinstance(body, Mapping):
        inner = [body.get("user"), body.get("data"), body]
        data = body.get("data")
        inner.insert(1, data.get("user") if isinstance(data, Mapping) else None)
        for part in (one for one in inner if isinstance(one, Mapping)):
            found += [part.get(name) for name in (*USER_NAMES, "userId")]
    found += [told.get(name) for name in ("user_id", "userId", "id", "sub", "uid")]
    texts = [str(one) for one in found if isinstance(one, str | int) and not isinstance(one, bool)]
    return tuple(dict.fromkeys(text for text in texts if text))


def id_of(body: Any) -> str:
    """The id of what was made."""
    for name, told in _leaves(body):
        if re.fullmatch(r"(task|todo|item)?_?id|uuid|_id", name, re.I) and told not in (None, ""):
            return str(told)
    return ""


def holds(body: Any, text: str) -> bool:
    """Whether the text is anywhere in an answer."""
    return text in json.dumps(body, ensure_ascii=False)


def _leaves(body: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and plain values, the outermost first."""
    if depth > 4:
        return
    if isinstance(body, list) and body:
        yield from _leaves(body[0], depth + 1)
    if not isinstance(body, Mapping):
        return
    inner = []
    for name, told in body.items():
        if isinstance(told, Mapping | list):
            inner.append(told)
        else:
            yield str(name), told
    for told in inner:
        yield from _leaves(told, depth + 1)
