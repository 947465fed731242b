"""Serves the app below a prefix that the ingress takes off, by http.

A redirect that the app makes is led back below that prefix. An app that sends every request on to
https is told from then on that it came by https: who speaks TLS is in front of it, if anybody is.

A framework's own root_path would do this too, but means different things in different releases of
FastAPI and uvicorn.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from phase4 import load

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_app = load.app()


def _back(location: bytes, prefix: bytes, host: bytes) -> bytes:
    """The address of a redirect, with the prefix where it leads to this app."""
    own = location.split(b"://", 1)[-1] if b"://" in location else host + location
    path = own[len(host) :]
    if not own.startswith(host + b"/") or path.startswith(prefix + b"/"):
        return location
    return location[: len(location) - len(path)] + prefix + path


def _to_https(message: Message, scope: Message, host: bytes) -> bool:
    """Whether the app sends a request on to itself, by https."""
    if message["type"] != "http.response.start" or not 300 <= message["status"] < 400:
        return False
    there = dict(message.get("headers", ())).get(b"location", b"")
    path = scope.get("raw_path") or scope["path"].encode()
    return bool(there.partition(b"?")[0] == b"https://" + host + path)


class _Scheme:
    """https once the app has asked for it."""

    name = ""


async def _serve(scope: Message, receive: Receive, send: Send, host: bytes) -> None:
    """Ask the app, a second time where it answers that it wants https."""
    if _Scheme.name:
        await _app({**scope, "scheme": _Scheme.name}, receive, send)
        return
    sent_on = False

    async def passing(message: Message) -> None:
        nonlocal sent_on
        sent_on = sent_on or _to_https(message, scope, host)
        if not sent_on:
            await send(message)

    await _app(scope, receive, passing)
    if sent_on:
        _Scheme.name = "https"
        await _app({**scope, "scheme": _Scheme.name}, receive, send)


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The app, as ASGI."""
    headers = dict(scope.get("headers") or ())
    prefix, host = headers.get(b"x-forwarded-prefix", b"").rstrip(b"/"), headers.get(b"host", b"")
    if scope["type"] != "http":
        await _app(scope, receive, send)
        return

    async def passing(message: Message) -> None:
        if prefix and message["type"] == "http.response.start":
            pairs = [
                (name, _back(value, prefix, host) if name.lower() == b"location" else value)
                for name, value in message.get("headers", ())
            ]
            message = {**message, "headers": pairs}
        await send(message)

    await _serve(scope, receive, passing, host)
