"""Steady requests as a person's browser sends them, and what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter

import requests

from tests.api_client import Api, register


def somebody(address: str, host: str) -> Api:
    """A new user, logged in. address: of the ingress."""
    return register(Api(f"{address}/api", host))


def titles(user: Api) -> list[str]:
    """Every todo of a user."""
    found, offset = [], 0
    while page := user.get(f"/todos?limit=200&offset={offset}"):
        found += [todo["title"] for todo in page]
        offset += 200
    return found


class Load:
    """Requests at a rate, from several threads, until it is left.

    rate: requests per second, of all threads together. writes: every so many of a thread's requests
    makes a todo, under a key, and sends it again until it is acknowledged if `again`; the others
    read the ten newest, or the page, if it is one of every `pages`. A connection
    that fails counts as a request that failed.
    """

    def __init__(
        self,
        user: Api,
        rate: float,
        threads: int,
        writes: int,
        again: bool = False,
        pages: int = 0,
    ):
        self._user, self._pause = user, threads / rate
        self._writes, self._again, self._pages = writes, again, pages
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(threads)]
        self.acknowledged: list[tuple[float, str]] = []
        self.failed: Counter[str] = Counter()
        self.sent, self.began, self.took = 0, 0.0, 0.0
        self.slowest = self._last_failure = 0.0

    def __enter__(self) -> Load:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self.took = time.monotonic() - self.began

    def _work(self, number: int) -> None:
        mine = Api(self._user.base, self._user.host, self._user.token)
        page = Api(self._user.base.removesuffix("/api"), self._user.host)
        due, count = time.monotonic() + number * self._pause / len(self._threads), 0
        while not self._stop.wait(max(due - time.monotonic(), 0.0)):
            # What is late is not sent in a burst: a rate that cannot be kept shows in `sent`.
            due = max(due + self._pause, time.monotonic())
            count += 1
            if self._pages and count % self._pages == 0:
                self._ask(page, "GET", "/", None, 200)
            elif count % self._writes == 0:
                self._write(mine)
            else:
                self._ask(mine, "GET", "/todos?limit=10", None, 200)

    def _write(self, mine: Api) -> None:
        key = uuid.uuid4().hex
        while not self._ask(mine, "POST", "/todos", key, 201) and self._again:
            if self._stop.wait(0.1):
                return

    def _ask(self, mine: Api, method: str, path: str, key: str | None, wanted: int) -> bool:
        began = time.monotonic()
        try:
            headers = {"Idempotency-Key": key} if key else None
            answer = mine.ask(method, path, {"title": key} if key else None, headers)
            said = str(answer.status_code)
        except requests.RequestException as error:
            said = type(error).__name__
        ended = time.monotonic()
        with self._lock:
            self.sent += 1
            self.slowest = max(self.slowest, ended - began)
            if said != str(wanted):
                self.failed[f"{method} {said}"] += 1
                self._last_failure = ended
            elif key:
                self.acknowledged.append((ended, key))
        return said == str(wanted)

    def steady(self) -> bool:
        """Twenty writes were acknowledged since the last request failed."""
        with self._lock:
            return sum(at > self._last_failure for at, _ in self.acknowledged) >= 20

    def back_after(self, moment: float) -> float:
        """Seconds from a moment to the end of the longest pause between two acknowledged writes."""
        with self._lock:
            times = sorted(at for at, _ in self.acknowledged)
        before = max((at for at in times if at <= moment), default=moment)
        after = [before, *(at for at in times if at > moment)]
        pauses = [(late - early, late) for early, late in itertools.pairwise(after)]
        return max(pauses)[1] - moment if pauses else -1.0

    def twice(self) -> int:
        """Keys that made more than one todo."""
        there = titles(self._user)
        return len(there) - len(set(there))

    def lost(self) -> list[str]:
        """What was acknowledged and is not there any more."""
        there = set(titles(self._user))
        return [key for _, key in self.acknowledged if key not in there]
