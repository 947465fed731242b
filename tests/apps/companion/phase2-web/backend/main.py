"""Accounts and todos of the phase before. The chat's backend passes everything on to it."""

import hashlib
import os

import jwt
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, text

engine = create_engine(os.getenv("DATABASE_URL", "postgresql://todo:todo@localhost:5432/todo"))
SECRET = os.getenv("JWT_SECRET", "change-me-change-me-change-me-change-me")
app = FastAPI(title="Accounts")


class Person(BaseModel):
    email: str
    password: str


class Todo(BaseModel):
    title: str


@app.on_event("startup")
def make_tables():
    with engine.begin() as connection:
        for table in (
            "person (email text primary key, password text)",
            "todo (id serial primary key, owner text, title text)",
        ):
            connection.execute(text(f"create table if not exists {table}"))


def _hashed(person):
    return hashlib.sha256(person.password.encode()).hexdigest()


def _owner(authorization):
    try:
        return jwt.decode((authorization or "").removeprefix("Bearer "), SECRET, ["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "log in first") from error


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/auth/signup", status_code=201)
def signup(person: Person):
    values = {"email": person.email, "password": _hashed(person)}
    with engine.begin() as connection:
        if connection.execute(text("select 1 from person where email = :email"), values).first():
            raise HTTPException(409, "that account exists")
        connection.execute(text("insert into person values (:email, :password)"), values)
    return {"email": person.email}


@app.post("/auth/login")
def login(person: Person):
    values = {"email": person.email, "password": _hashed(person)}
    with engine.begin() as connection:
        known = text("select 1 from person where email = :email and password = :password")
        if not connection.execute(known, values).first():
            raise HTTPException(401, "wrong e-mail or password")
    return {"access_token": jwt.encode({"sub": person.email}, SECRET, "HS256")}


@app.get("/todos")
def todos(authorization: str | None = Header(None)):
    with engine.begin() as connection:
        mine = text("select id, title from todo where owner = :owner order by id")
        rows = connection.execute(mine, {"owner": _owner(authorization)})
        return [{"id": row.id, "title": row.title} for row in rows]


@app.post("/todos", status_code=201)
def add(todo: Todo, authorization: str | None = Header(None)):
    values = {"owner": _owner(authorization), "title": todo.title}
    with engine.begin() as connection:
        new = text("insert into todo (owner, title) values (:owner, :title) returning id")
        return {"id": connection.execute(new, values).scalar(), "title": todo.title}


@app.delete("/todos/{todo_id}", status_code=204)
def remove(todo_id: int, authorization: str | None = Header(None)):
    values = {"owner": _owner(authorization), "id": todo_id}
    with engine.begin() as connection:
        connection.execute(text("delete from todo where id = :id and owner = :owner"), values)
