"""HTTP to the API as the tests speak it."""

import json
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager

import requests

from scripts.session.settings import ROOT
from tests.reference_app import PASSWORD


class Api:
    """HTTP to the API, as somebody or nobody."""

    def __init__(self, base, host="", token=""):
        self.base, self.host, self.token = base, host, token
        self._session = requests.Session()
        if host:
            self._session.headers["Host"] = host
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, headers=None, **options):
        return self._session.request(
            method, self.base + path, json=body, headers=headers, timeout=30, **options
        )

    def expect(self, status, method, path, body=None, headers=None, **options):
        answer = self.ask(method, path, body, headers, **options)
        assert answer.status_code == status, (
            f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        )
        if status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == status
        return (
            answer.json() if answer.content and "json" in answer.headers["Content-Type"] else None
        )

    def get(self, path, status=200, **options):
        return self.expect(status, "GET", path, **options)

    def post(self, path, body=None, status=201, **options):
        return self.expect(status, "POST", path, body, **options)

    def patch(self, path, body, status=200, **options):
        return self.expect(status, "PATCH", path, body, **options)

    def delete(self, path, status=204, **options):
        return self.expect(status, "DELETE", path, **options)

    @contextmanager
    def events(self, message, history=()):
        """Say something to the assistant: (event, data) as they come."""
        with self._session.post(
            f"{self.base}/chat/stream",
            json={"message": message, "history": list(history)},
            stream=True,
            timeout=30,
        ) as answer:
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield _events(answer)

    def stream(self, message):
        with self.events(message) as events:
            return list(events)


def _events(answer):
    name = ""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def register(anybody):
    """Somebody new, logged in."""
    email = f"{uuid.uuid4().hex}@example.com"
    made = Api(
        anybody.base,
        anybody.host,
        anybody.post("/auth/register", {"email": email, "password": PASSWORD})["access_token"],
    )
    made.email = email
    return made


def run_api_tests(base, host):
    """All of tests/api, against the app behind an ingress."""
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/api",
        "--app",
        f"{base}/api",
        "--app-host",
        host,
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout[-3000:]


class Writer:
    """Makes todos one after another, each with a key, and remembers which were acknowledged.

    What failed is sent again with its key.
    """

    def __init__(self, user):
        self._user = user
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged, self.refused = [], set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)

    def _write(self):
        while not self._stop.is_set():
            key = uuid.uuid4().hex
            while not self._stop.is_set():
                answer = self._user.ask("POST", "/todos", {"title": key}, {"Idempotency-Key": key})
                if answer.status_code == 201:
                    self.acknowledged.append(key)
                    break
                self.refused.add(answer.status_code)
                time.sleep(0.2)
            time.sleep(0.05)
