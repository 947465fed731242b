"""Limits on what one caller may ask for: requests a minute by address, and bytes a request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

MOST_BYTES = 64 * 1024
MOST_CALLERS = 10_000


class RateLimit:
    """A token bucket a caller: `per_minute` requests at once, refilled evenly. Kept in this process."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def retry_after(self, caller: str) -> float:
        """Seconds until this caller may ask again: 0 when it may now, which counts as asking."""
        now = time.monotonic()
        with self._lock:
            tokens, seen = self._buckets.pop(caller, (float(self._per_minute), now))
            tokens = min(self._per_minute, tokens + (now - seen) * self._per_minute / 60)
            wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / self._per_minute
            self._buckets[caller] = (tokens if wait else tokens - 1, now)
            while len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return wait
