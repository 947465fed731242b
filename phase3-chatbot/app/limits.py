"""Limits on what one caller may request in a minute.

Each process counts for itself, so with two replicas a caller may have twice as much.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from functools import cache

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import problems
from app.config import config

MOST_BYTES = 64 * 1024
MOST_CALLERS = 10_000
#: Kubernetes and Prometheus request these, even if the app is busy, so they are not limited.
FREE = ("/health", "/ready", "/metrics")


class RateLimit:
    """One token bucket per caller: `per_minute` requests at once, refilled evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def retry_after(self, caller: str, take: float = 1.0) -> float:
        """Return the seconds until this caller may ask again.

        If it may ask now, the result is 0 and `take` of its tokens are used.
        """
        now = time.monotonic()
        with self._lock:
            tokens, seen = self._buckets.pop(caller, (float(self._per_minute), now))
            tokens = min(self._per_minute, tokens + (now - seen) * self._per_minute / 60)
            wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / self._per_minute
            self._buckets[caller] = (tokens if wait else tokens - take, now)
            while len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return wait

    def check(self, caller: str, words: str, take: float = 1.0) -> None:
        """Answer 429, with the time to wait, if this caller may not ask now."""
        wait = self.retry_after(caller, take)
        if wait:
            raise HTTPException(429, words, {"Retry-After": str(math.ceil(wait))})


@cache
def by_address() -> RateLimit:
    """Requests by the caller's address."""
    return RateLimit(config().rate_limit_per_minute)


@cache
def by_user() -> RateLimit:
    """Requests by the user who is logged in."""
    return RateLimit(config().rate_limit_user_per_minute)


@cache
def failed_logins() -> RateLimit:
    """Wrong passwords by account, wherever they come from."""
    return RateLimit(config().login_failures_per_minute)


class Limits:
    """ASGI middleware. Refuse bodies that are too large, and addresses that ask too often."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413 or 429."""
        if scope["type"] == "http" and scope["path"] not in FREE:
            request = Request(scope)
            said = request.headers.get("content-length", "0")
            if said.isdecimal() and int(said) > MOST_BYTES:
                return await problems.answer(
                    request, 413, f"a request may have {MOST_BYTES} bytes"
                )(scope, receive, send)
            # uvicorn took the address from X-Forwarded-For, which the ingress sets. A caller that
            # reaches the pod directly has its own address.
            wait = by_address().retry_after(request.client.host if request.client else "")
            if wait:
                refusal = problems.answer(
                    request,
                    429,
                    "too many requests; slow down",
                    {"Retry-After": str(math.ceil(wait))},
                )
                return await refusal(scope, receive, send)
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BYTES:  # it was sent in pieces, without its size
                raise HTTPException(413, f"a request may have {MOST_BYTES} bytes")
            return message

        return await self._app(scope, count, send)
