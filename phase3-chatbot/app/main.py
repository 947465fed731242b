"""The API. Run it with: uvicorn app.main:app --port 8001"""

from __future__ import annotations

import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, HTTPException, Response
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from app import auth, chat, limits, logs, metrics, problems, todos
from app.config import config
from app.database import engine, schema

log = logging.getLogger("app")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Get ready to serve.

    This process migrates its SQLite file. The release migrates PostgreSQL (`alembic upgrade head`).
    """
    if engine().dialect.name == "sqlite":
        schema.migrate()
    if config().openai_api_key:
        importlib.import_module("app.chat.provider")  # now, not while the first question waits
    log.info(
        "serving: %s storage, %s",
        engine().dialect.name,
        "language model" if config().openai_api_key else "offline assistant",
    )
    yield
    engine().dispose()


logs.configure(config().log_level)  # not in lifespan: uvicorn's first lines come before it
app = FastAPI(
    title="Todo chatbot",
    version="1.1.0",
    description="Todos, and an assistant that works on them. Errors are RFC 9457 problems; "
    "send the token of `/auth/login` as a bearer token.",
    lifespan=lifespan,
)
problems.install(app)
app.include_router(auth.router)
app.include_router(todos.router)
app.include_router(chat.router)


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The process can do its work. schema_version: that of the tables, in Alembic's terms."""

    status: Literal["ready"] = "ready"
    database: Literal["postgresql", "sqlite"]
    schema_version: str
    assistant: Literal["openai", "offline"]


@app.get("/health", tags=["operations"])
async def health() -> Health:
    """Alive. It says nothing about the database, so a lost database does not restart the app."""
    return Health()


@app.get(
    "/ready",
    tags=["operations"],
    responses=problems.documented(
        {503: "The database does not answer, or its tables are older than this app."}
    ),
)
def ready() -> Readiness:
    """Ready: the database answers and has the tables that this app needs."""
    try:
        version = schema.version()
    except OperationalError as error:
        raise HTTPException(503, "the database does not answer") from error
    if not schema.is_current(version):
        raise HTTPException(
            503,
            f"migrations are pending: the tables are of version {version or 'none'}, "
            f"this app needs {schema.HEAD}",
        )
    return Readiness(
        database=engine().dialect.name,
        schema_version=version,
        assistant="openai" if config().openai_api_key else "offline",
    )  # type: ignore[arg-type]


@app.get(
    "/metrics",
    tags=["operations"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics() -> Response:
    """Prometheus metrics, without any data of users."""
    return metrics.exposition()


app.add_middleware(limits.Limits)
if config().cors_origins:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=config().cors_origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "Idempotency-Key"],
        expose_headers=["ETag", "Link", "X-Total-Count", "X-Request-ID"],
    )
app.add_middleware(logs.LogRequests)  # the outermost: it sees what the others answer
