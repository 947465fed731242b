"""The API. Run it with: uvicorn app.main:app --port 8001"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from app import auth, chat, limits, logs, todos
from app.config import config
from app.database import engine, is_reachable, prepare

log = logging.getLogger("app")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Get ready to serve: the tables."""
    prepare()
    log.info("ready: %s storage, %s", engine().dialect.name, "language model" if config().openai_api_key else "offline assistant")
    yield
    engine().dispose()


logs.configure(config().log_level)  # not in lifespan: uvicorn's first lines come before it
app = FastAPI(title="Todo chatbot", version="1.0.0", lifespan=lifespan)
app.include_router(auth.router)
app.include_router(todos.router)
app.include_router(chat.router)
rate_limit = limits.RateLimit(config().rate_limit_per_minute)


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The process can do its work."""

    status: Literal["ready"] = "ready"
    database: Literal["postgresql", "sqlite"]
    assistant: Literal["openai", "offline"]


@app.get("/health", tags=["operations"])
async def health() -> Health:
    """Alive; says nothing of the database, so that a lost one does not restart this."""
    return Health()


@app.get("/ready", tags=["operations"])
def ready() -> Readiness:
    """Ready: the database answers. 503 otherwise."""
    try:
        is_reachable()
    except OperationalError as error:
        raise HTTPException(503, "the database does not answer") from error
    return Readiness(database=engine().dialect.name, assistant="openai" if config().openai_api_key else "offline")  # type: ignore[arg-type]


@app.exception_handler(OperationalError)
async def database_lost(_request: Request, _error: OperationalError) -> JSONResponse:
    """A lost database is a 503 that says when to come back, not a 500."""
    log.warning("the database does not answer")
    return JSONResponse({"detail": "the database does not answer; try again in a moment"}, 503, {"Retry-After": "2"})


@app.middleware("http")
async def limit(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse what is too much: 413 for a large body, 429 for too many requests."""
    if int(request.headers.get("content-length") or 0) > limits.MOST_BYTES:
        return JSONResponse({"detail": f"a request may have {limits.MOST_BYTES} bytes"}, 413)
    if request.url.path not in ("/health", "/ready"):
        # The ingress puts the caller's own address first; whoever reaches the pod directly is its own address.
        caller = request.headers.get("x-forwarded-for", "").split(",")[0].strip() or (request.client.host if request.client else "")
        wait = rate_limit.retry_after(caller)
        if wait:
            return JSONResponse({"detail": "too many requests; slow down"}, 429, {"Retry-After": str(math.ceil(wait))})
    return await call_next(request)


app.middleware("http")(logs.log_requests)
if config().cors_origins:
    app.add_middleware(
        CORSMiddleware, allow_origins=config().cors_origins, allow_methods=["GET", "POST", "PATCH", "DELETE"], allow_headers=["Authorization", "Content-Type"]
    )
