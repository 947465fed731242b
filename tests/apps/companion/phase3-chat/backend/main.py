"""The chat. It keeps nothing itself: accounts and todos are the business of the phase before."""

import os

import httpx
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

ACCOUNTS_API_URL = os.getenv("ACCOUNTS_API_URL", "http://localhost:8000")
app = FastAPI(title="Chat")


class Person(BaseModel):
    email: str
    password: str


class Todo(BaseModel):
    title: str


class Message(BaseModel):
    message: str


async def _passed_on(method, address, request, body=None):
    headers = {"authorization": request.headers.get("authorization", "")}
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, address, json=body, headers=headers)
    return Response(answer.content, answer.status_code, media_type="application/json")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/auth/signup")
async def signup(person: Person, request: Request):
    address = f"{ACCOUNTS_API_URL}/auth/signup"
    return await _passed_on("POST", address, request, person.model_dump())


@app.post("/auth/login")
async def login(person: Person, request: Request):
    address = f"{ACCOUNTS_API_URL}/auth/login"
    return await _passed_on("POST", address, request, person.model_dump())


@app.get("/todos")
async def todos(request: Request):
    return await _passed_on("GET", f"{ACCOUNTS_API_URL}/todos", request)


@app.post("/todos")
async def add(todo: Todo, request: Request):
    return await _passed_on("POST", f"{ACCOUNTS_API_URL}/todos", request, todo.model_dump())


@app.delete("/todos/{todo_id}")
async def remove(todo_id: int, request: Request):
    return await _passed_on("DELETE", f"{ACCOUNTS_API_URL}/todos/{todo_id}", request)


@app.post("/chat")
def chat(message: Message):
    return {"reply": f"You said: {message.message}"}
