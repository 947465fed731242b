"""Small backends of our own, each of a shape that public apps have; real FastAPI on loopback."""

import itertools
import threading
import time
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import parse_qs

import jwt
import uvicorn
from fastapi import Body, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from tests.reference_app import free_port

SECRET = "a-secret-of-these-tests-0123456789abcdef"


@contextmanager
def served(app):
    """The app on loopback; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(5)


class State:
    """What an app has stored: accounts by address, todos by number."""

    def __init__(self):
        self.users, self.todos, self.numbers = {}, {}, itertools.count(1)

    def add_user(self, email, password, **more):
        if email in self.users:
            raise HTTPException(400, "Email already registered")
        self.users[email] = {"id": f"u{next(self.numbers)}", "password": password, **more}
        return self.users[email]

    def of(self, email, password):
        user = self.users.get(email)
        if user is None or user["password"] != password:
            raise HTTPException(401, "Invalid credentials")
        return user

    def add_todo(self, owner, title):
        todo = {"id": next(self.numbers), "title": title, "owner": owner}
        self.todos[todo["id"]] = todo
        return todo

    def list(self, owner):
        return [one for one in self.todos.values() if one["owner"] == owner]


def made(state=None):
    app = FastAPI()
    app.state.store = state or State()
    return app, app.state.store


def token(user, **claims):
    return jwt.encode({"sub": user["id"], **claims}, SECRET, "HS256")


def bearer(request: Request):
    """Who asks, by the Authorization header."""
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        return jwt.decode(sent, SECRET, ["HS256"])["sub"]
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Not authenticated") from None


Who = Annotated[str, Depends(bearer)]


class Entry(BaseModel):
    email: str
    password: str = Field(min_length=8, max_length=72)


class Title(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str | None = None
    completed: bool = False


def accounts(app, store, prefix="/auth", sign_up="/register", log_in="/login"):
    """JSON sign-up and log-in with a token in the answer."""

    @app.post(prefix + sign_up, status_code=201)
    def register(entry: Entry):
        return {"id": store.add_user(entry.email, entry.password)["id"], "email": entry.email}

    @app.post(prefix + log_in)
    def login(entry: Entry):
        return {
            "access_token": token(store.of(entry.email, entry.password)),
            "token_type": "bearer",
        }


def todos(app, store, path="/todos"):
    """Add, list and delete, for who is logged in."""

    @app.post(path, status_code=201)
    def add(todo: Title, who: Who):
        return store.add_todo(who, todo.title)

    @app.get(path)
    def every(who: Who):
        return store.list(who)

    @app.delete(path.rstrip("/") + "/{todo_id}", status_code=204)
    def remove(todo_id: int, who: Who):
        store.todos.pop(todo_id)


def plain():
    app, store = made()
    accounts(app, store)
    todos(app, store)
    return app


def oauth_form():
    """Log-in by an OAuth2 form whose `username` is the address; the token below `data`."""
    app, store = made()

    @app.post("/api/v1/users/", status_code=201)
    def register(entry: Entry):
        return {"data": {"id": store.add_user(entry.email, entry.password)["id"]}}

    fields = {"username": {"type": "string"}, "password": {"type": "string"}}
    schema = {"type": "object", "required": list(fields), "properties": fields}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}

    @app.post("/api/v1/auth/token", openapi_extra={"requestBody": {"content": content}})
    async def login(request: Request):
        sent = parse_qs((await request.body()).decode())
        user = store.of(sent["username"][0], sent["password"][0])
        return {"data": {"accessToken": token(user)}}

    todos(app, store, "/api/v1/tasks")
    return app


def user_in_path():
    """The user's id is in the path of the todos, and only the log-in's answer has it."""
    app, store = made()
    accounts(app, store, "/api/auth", "/signup", "/signin")

    @app.post("/api/{user_id}/tasks")
    def add(user_id: str, todo: Title, who: Who):
        if user_id != who:
            raise HTTPException(403, "Not your tasks")
        return {"task": store.add_todo(who, todo.title)}

    @app.get("/api/{user_id}/tasks")
    def every(user_id: str, who: Who):
        return {"tasks": store.list(user_id), "total": len(store.list(user_id))}

    @app.delete("/api/{user_id}/tasks/{task_id}")
    def remove(user_id: str, task_id: int, who: Who):
        return {"deleted": store.todos.pop(task_id)["id"]}

    return app


def by_me():
    """The token is opaque; who it is of is told by /users/me alone."""
    app, store = made()

    @app.post("/register")
    def register(entry: Entry):
        store.add_user(entry.email, entry.password)
        return {"message": "User created"}

    @app.post("/login")
    def login(entry: Entry):
        return {"token": f"opaque-{store.of(entry.email, entry.password)['id']}"}

    def who(request: Request):
        return request.headers.get("authorization", "").removeprefix("Bearer opaque-")

    @app.get("/users/me")
    def me(request: Request):
        return {"user": {"id": who(request)}}

    @app.post("/users/{user_id}/todos")
    def add(user_id: str, todo: Title, request: Request):
        if not user_id or user_id != who(request):
            raise HTTPException(403, "Forbidden")
        return store.add_todo(user_id, todo.title)

    @app.get("/users/{user_id}/todos")
    def every(user_id: str):
        return store.list(user_id)

    return app


def cookie():
    """A session in a `Secure` cookie, as browsers take it from localhost; no token anywhere."""
    app, store = made()

    @app.post("/auth/sign-up")
    def register(entry: Entry):
        store.add_user(entry.email, entry.password)
        return {"ok": True}

    @app.post("/auth/sign-in")
    def login(entry: Entry, response: Response):
        user = store.of(entry.email, entry.password)
        response.set_cookie("session", user["id"], httponly=True, secure=True, samesite="lax")
        return {"ok": True}

    @app.post("/tasks")
    def add(todo: Title, request: Request):
        if not request.cookies.get("session"):
            raise HTTPException(401, "no session")
        return store.add_todo(request.cookies["session"], todo.title)

    @app.get("/tasks")
    def every(request: Request):
        return store.list(request.cookies.get("session"))

    return app


class Long(BaseModel):
    username: str = Field(min_length=3, max_length=20, pattern="^[a-z0-9_]+$")
    email: str
    password: str = Field(min_length=8)
    confirm_password: str
    first_name: str
    last_name: str | None = None
    accept_terms: bool


def long_form():
    """A long form with rules, and a log-in by the user's name."""
    app, store = made()

    @app.post("/auth/register")
    def register(form: Long):
        secret = form.password
        kinds = (str.isupper, str.islower, str.isdigit, lambda one: not one.isalnum())
        if form.confirm_password != secret or not form.accept_terms:
            raise HTTPException(400, "Passwords do not match, or the terms are not accepted")
        if not all(any(kind(one) for one in secret) for kind in kinds):
            raise HTTPException(400, "Password must have all kinds of characters")
        return {"id": store.add_user(form.username, secret)["id"]}

    @app.post("/auth/login")
    def login(username: Annotated[str, Body()], password: Annotated[str, Body()]):
        return {"jwt": token(store.of(username, password))}

    todos(app, store)
    return app


def plain_dict():
    """Bodies that are a `dict` in the code: only an example tells their fields; deleted by query."""
    app, store = made()

    @app.post("/api/auth/signup")
    def register(
        payload: Annotated[
            dict, Body(examples=[{"email": "a@b.co", "password": "x", "name": "A"}])
        ],
    ):
        if not payload.get("name"):
            raise HTTPException(400, "name is required")
        return {"id": store.add_user(payload["email"], payload["password"])["id"]}

    @app.post("/api/auth/login")
    def login(payload: dict):
        return {"token": token(store.of(payload["email"], payload["password"]))}

    @app.post("/api/tasks")
    def add(payload: dict, who: Who):
        return store.add_todo(who, payload["title"])

    @app.get("/api/tasks")
    def every(who: Who):
        return store.list(who)

    @app.delete("/api/tasks/delete")
    def remove(who: Who, task_id: int | None = None, title: str | None = None):
        return {"deleted": store.todos.pop(task_id)["id"]}

    return app


def slashes():
    """Paths end with a slash, and FastAPI sends those without one on."""
    app, store = made()
    accounts(app, store)
    todos(app, store, "/tasks/")
    return app


def without_accounts():
    """No accounts: whoever comes gives a name in the path."""
    app, store = made()

    @app.post("/api/{user_id}/tasks")
    def add(user_id: str, todo: Title):
        return store.add_todo(user_id, todo.title)

    @app.get("/api/{user_id}/tasks")
    def every(user_id: str):
        return store.list(user_id)

    return app


def hidden():
    """No OpenAPI document; only the routes of the code are known."""
    app, store = FastAPI(openapi_url=None), State()
    accounts(app, store)
    todos(app, store)
    return app


class Dated(BaseModel):
    title: str
    due_date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    priority: str = Field(json_schema_extra={"enum": ["low", "high"]})
    tags: list[str] = Field(min_length=1)
    reminder: str | None


def demanding():
    """A todo that wants more than a title, and the user's number in the query."""
    app, store = made()
    accounts(app, store)

    @app.post("/todos/create")
    def add(todo: Dated, user_id: Annotated[str, Query()], who: Who):
        if todo.priority not in ("low", "high") or user_id != who:
            raise HTTPException(400, "not so")
        return store.add_todo(who, todo.title)

    @app.get("/todos/list")
    def every(user_id: Annotated[str, Query()], who: Who):
        return {"items": store.list(user_id)}

    return app


def token_at_sign_up():
    """Signing up logs in; there is no other log-in, and the account can be deleted."""
    app, store = made()

    @app.post("/api/register")
    def register(entry: Entry):
        return {
            "user": {"email": entry.email},
            "token": token(store.add_user(entry.email, entry.password)),
        }

    @app.delete("/api/auth/me")
    def leave(who: Who):
        store.users = {email: user for email, user in store.users.items() if user["id"] != who}
        return {"ok": True}

    todos(app, store, "/api/todos")
    return app


def better_auth():
    """Accounts on the page's own server, as better-auth serves them; the API wants its JWT."""
    app, store = made()

    @app.post("/api/auth/sign-up/email")
    def register(body: dict):
        if not body.get("name"):
            raise HTTPException(400, "name")
        if body["email"] in store.users:
            return JSONResponse(
                {"code": "USER_ALREADY_EXISTS", "message": "User already exists."}, 422
            )
        return {
            "token": "session",
            "user": {"id": store.add_user(body["email"], body["password"])["id"]},
        }

    @app.post("/api/auth/sign-in/email")
    def login(body: dict, response: Response):
        user = store.of(body["email"], body["password"])
        response.set_cookie("better-auth.session_token", user["id"], httponly=True)
        return {"token": "a-session-not-a-jwt", "user": {"id": user["id"]}}

    @app.get("/api/auth/token")
    def give(request: Request):
        return {"token": token({"id": request.cookies["better-auth.session_token"]})}

    @app.get("/api/auth/get-session")
    def session():
        return {"session": {"token": "a-session-not-a-jwt"}}

    todos(app, store, "/api/tasks")
    return app


def next_auth():
    """NextAuth's credentials: a mark against forgery, a form, and a session that has the token."""
    app, store = made()

    @app.post("/api/register")
    def register(entry: Entry):
        return {"id": store.add_user(entry.email, entry.password)["id"]}

    @app.get("/api/auth/csrf")
    def csrf(response: Response):
        response.set_cookie("next-auth.csrf-token", "mark|hash")
        return {"csrfToken": "mark"}

    @app.post("/api/auth/callback/credentials")
    async def login(request: Request):
        sent = {name: told[0] for name, told in parse_qs((await request.body()).decode()).items()}
        if sent["csrfToken"] != "mark" or not request.cookies.get("next-auth.csrf-token"):
            raise HTTPException(400, "csrf")
        response = JSONResponse({"url": "/"})
        user = store.of(sent["email"], sent["password"])
        response.set_cookie("next-auth.session-token", user["id"])
        return response

    @app.get("/api/auth/session")
    def session(request: Request):
        who = request.cookies.get("next-auth.session-token")
        return {"user": {"id": who}, "accessToken": token({"id": who})} if who else {}

    todos(app, store, "/api/tasks")
    return app


def nexts_own_todos():
    """Accounts and todos in route handlers of Next's own server; the API has only its health."""
    app, store = FastAPI(openapi_url=None), State()
    accounts(app, store, "/api/auth", "/signup", "/login")
    todos(app, store, "/api/tasks")
    return app


#: Shapes in which a person gets to the end.
WORKING = (
    plain, oauth_form, user_in_path, by_me, cookie, long_form, plain_dict, slashes,
    without_accounts, demanding, token_at_sign_up,
)  # fmt: skip


def passed_on():
    """The sign-up asks a second service that is not there, and hands its answer on."""
    app, _ = made()

    @app.post("/auth/signup")
    def register(entry: Entry):
        raise HTTPException(404, "Not Found")

    return app


def read_only():
    """Reading works, writing does not."""
    app, store = made()
    accounts(app, store)

    @app.post("/todos")
    def add(todo: Title, who: Who):
        raise HTTPException(500, "cannot execute INSERT in a read-only transaction")

    @app.get("/todos")
    def every(who: Who):
        return store.list(who)

    return app


def forgetful():
    """It takes a todo and does not keep it."""
    app, store = made()
    accounts(app, store)

    @app.post("/todos")
    def add(todo: Title, who: Who):
        return {"id": 1, "title": todo.title}

    @app.get("/todos")
    def every(who: Who):
        return []

    return app


def polite_failure():
    """200, and inside it says that it failed."""
    app, store = made()
    accounts(app, store)

    @app.post("/todos")
    def add(todo: Title, who: Who):
        return {"success": False, "message": "relation tasks does not exist"}

    return app


def confirmation():
    """The address must be confirmed before the first log-in."""
    app, store = made()

    @app.post("/auth/register")
    def register(entry: Entry):
        store.add_user(entry.email, entry.password)
        return {"message": "Check your email to activate your account"}

    @app.post("/auth/login")
    def login(entry: Entry):
        raise HTTPException(403, "Please verify your email first")

    return app


def others_accounts():
    """Only a log-in by another service."""
    app, store = made()

    @app.get("/auth/google")
    def google():
        raise HTTPException(503, "Google sign-in is not configured")

    todos(app, store)
    return app


def impatient():
    """It counts requests, and this is one too many."""
    app, _ = made()

    @app.post("/auth/register")
    def register(entry: Entry):
        raise HTTPException(429, "Too many requests")

    return app
