import os

import psycopg2
from fastapi import FastAPI, HTTPException, Request

app = FastAPI()


def rows(statement, *values):
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def user(request: Request):
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    found = rows('SELECT "userId" FROM session WHERE token = %s AND "expiresAt" > now()', token)
    if not found:
        raise HTTPException(401, "who are you?")
    return found[0][0]


@app.on_event("startup")
def tables():
    rows(
        "CREATE TABLE IF NOT EXISTS todos"
        " (id serial PRIMARY KEY, owner text NOT NULL, title text NOT NULL)"
    )


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/api/todos")
def todos(request: Request):
    asked = "SELECT id, title FROM todos WHERE owner = %s ORDER BY id"
    return [{"id": id, "title": title} for id, title in rows(asked, user(request))]


@app.post("/api/todos")
async def create(request: Request):
    title = (await request.json())["title"]
    rows("INSERT INTO todos (owner, title) VALUES (%s, %s)", user(request), title)
    return {"ok": True}
