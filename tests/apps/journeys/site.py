"""One small site with pages of many shapes and an API below /api; nothing but the standard library.
"""

import itertools
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGES = Path(__file__).parent


class Store:
    """What was kept. failing: statuses of paths that do not work. asked: every request to the API.
    """

    def __init__(self, failing):
        self.users, self.todos, self.failing, self.asked = {}, [], failing, []
        self.numbers = itertools.count(1)


def answer(store, method, path, token, body):
    """(status, JSON) of a request to the API."""
    store.asked.append(f"{method} {path}")
    if path in store.failing:
        return store.failing[path]
    if path == "/auth/register":
        if body.get("email") in store.users:
            return 400, {"detail": "Email already registered"}
        if len(body.get("password", "")) < 8:
            return 422, {"detail": "password too short"}
        store.users[body["email"]] = body
        return 201, {"id": len(store.users)}
    if path == "/auth/login":
        user = store.users.get(body.get("email"))
        if user is None or user["password"] != body["password"]:
            return 401, {"detail": "Invalid credentials"}
        return 200, {"access_token": f"token-{body['email']}"}
    if token not in store.users:
        return 401, {"detail": "Not authenticated"}
    if path == "/chat":
        title = body["message"].partition(": ")[2]
        store.todos.append({"owner": token, "title": title})
        return 200, {"response": f"I have added {title}."}
    if method == "POST":
        store.todos.append({"id": next(store.numbers), "owner": token, "title": body["title"]})
        return 201, store.todos[-1]
    return 200, [one for one in store.todos if one["owner"] == token]


@contextmanager
def served(pages, failing=None):
    """Pages (path -> file of this folder) and the API on loopback; the address and the store."""
    store = Store(failing or {})

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            path = self.path.partition("?")[0]
            if path.startswith("/api/"):
                return self.api()
            if path == "/lib.js":
                return self.send(200, (PAGES / "lib.js").read_bytes(), "text/javascript")
            if path not in pages:
                return self.send(404, b"<h1>404</h1>", "text/html")
            return self.send(200, (PAGES / pages[path]).read_bytes(), "text/html")

        def do_POST(self):
            return self.api()

        def api(self):
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size) or b"{}")
            token = self.headers.get("authorization", "").removeprefix("Bearer token-")
            path = self.path.removeprefix("/api")
            status, told = answer(store, self.command, path, token, body)
            self.send(status, json.dumps(told).encode(), "application/json")

        def send(self, status, content, kind):
            self.send_response(status)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}", store
    finally:
        server.shutdown()
