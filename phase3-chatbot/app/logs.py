"""Logs: one JSON object per line, with the request's id; never a secret, a token or a body."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import limits, metrics

FIELDS = ("request_id", "method", "path", "status", "milliseconds", "user_id", "tool", "outcome")
log = logging.getLogger("app")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str) -> None:
    """Send all logs, uvicorn's too, to stdout in this format."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # LogRequests logs more
    for noisy in ("httpx", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Alembic logs an introduction each time that the tables' version is read, for example by every
    # readiness probe.
    logging.getLogger("alembic.runtime.migration").addFilter(
        lambda record: not record.getMessage().startswith(("Context impl", "Will assume"))
    )


class LogRequests:
    """ASGI middleware. Give each request an id; log and count it when it is answered.

    It also sets what every answer carries, and puts the prefix that an ingress took off the path
    back where ASGI wants it, so that redirects and the API's own pages lead back through that
    ingress.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if re.fullmatch(r"[A-Za-z0-9-]{1,64}", given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        path, started, status = scope["path"], time.perf_counter(), 500
        prefix = headers.get("x-forwarded-prefix", "")
        inner = scope
        if re.fullmatch(r"/[A-Za-z0-9_-]{1,40}", prefix):
            inner = scope | {"root_path": prefix, "path": prefix + path}

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-ID"] = request_id
                answer["X-Content-Type-Options"] = "nosniff"
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(inner, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(inner.get("route"), "path", "none")
            metrics.REQUESTS.labels(scope["method"], route, status).inc()
            metrics.SECONDS.labels(scope["method"], route).observe(seconds)
            # Probes come every few seconds, so they are logged only for debugging.
            log.log(
                logging.DEBUG if path in limits.FREE and status < 400 else logging.INFO,
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": path,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 1),
                    "user_id": state.get("user_id"),
                },
            )
        return None
