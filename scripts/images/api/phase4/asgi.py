"""Serves the app below a prefix that the ingress takes off.

A redirect that the app makes is led back below that prefix.

A framework's own root_path would do this too, but means different things in different releases of
FastAPI and uvicorn.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from phase4 import load

Message = MutableMapping[str, Any]

_app = load.app()


def _back(location: bytes, prefix: bytes, host: bytes) -> bytes:
    """The address of a redirect, with the prefix where it leads to this app."""
    own = location.split(b"://", 1)[-1] if b"://" in location else host + location
    path = own[len(host) :]
    if not own.startswith(host + b"/") or path.startswith(prefix + b"/"):
        return location
    return location[: len(location) - len(path)] + prefix + path


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """The app, as ASGI."""
    headers = dict(scope.get("headers") or ())
    prefix, host = headers.get(b"x-forwarded-prefix", b"").rstrip(b"/"), headers.get(b"host", b"")
    if scope["type"] != "http" or not prefix:
        await _app(scope, receive, send)
        return

    async def passing(message: Message) -> None:
        if message["type"] == "http.response.start":
            pairs = [
                (name, _back(value, prefix, host) if name.lower() == b"location" else value)
                for name, value in message.get("headers", ())
            ]
            message = {**message, "headers": pairs}
        await send(message)

    await _app(scope, receive, passing)
