"""Errors as RFC 9457 problem details: every refusal has this body, and OpenAPI describes it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("app")

#: What may go wrong anywhere, and when.
EVERYWHERE = {
    413: "The request's body is larger than 64 KiB.",
    422: "The request does not fit its description; `errors` says where.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "The database does not answer; `Retry-After` says when to come back.",
}


class Fault(BaseModel):
    """One part of a request that is not valid."""

    where: str = Field(description="Path to the part", examples=["body.title"])
    message: str = Field(examples=["String should have at least 1 character"])


class Problem(BaseModel):
    """What went wrong, in the form of RFC 9457."""

    type: str = Field(
        default="about:blank",
        description="`about:blank`: the status says what kind of problem it is",
    )
    title: str = Field(description="The status in words", examples=["Not Found"])
    status: int = Field(description="The HTTP status", examples=[404])
    detail: str = Field(
        description="What went wrong this time, for a person",
        examples=["you have no todo of this number"],
    )
    instance: str = Field(
        default="",
        description="The request's id, as in the logs",
        examples=["4d2fa3c1e2f84f7c8a0c5a3b1d9e6f70"],
    )
    errors: list[Fault] = Field(
        default=[], description="With status 422: each part that does not fit"
    )


#: What may go wrong where a body is sent.
BODY = {400: "The body is no UTF-8 text."}


def documented(cases: dict[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: its own refusals, and those of every route."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {
            "description": description,
            "content": {
                MEDIA_TYPE: {
                    "schema": schema,
                    "example": Problem(
                        title=HTTPStatus(status).phrase,
                        status=status,
                        detail=description,
                        instance="4d2fa3c1",
                    ).model_dump(),
                }
            },
        }
        for status, description in {**(cases or {}), **EVERYWHERE}.items()
    }


def answer(
    request: Request,
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    faults: list[Fault] | None = None,
) -> JSONResponse:
    """Return a problem as a response."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=getattr(request.state, "request_id", ""),
        errors=faults or [],
    )
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Each method is a route of its own. The first route that fits the path knows only its own
        # method.
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        paths = request.app.openapi()["paths"].items()
        headers["Allow"] = ", ".join(
            sorted(
                method.upper()
                for template, methods in paths
                if compile_path(template)[0].match(path)
                for method in methods
            )
        )
    return answer(request, error.status_code, error.detail, headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    # The value is not sent back: it may be a password.
    faults = [
        Fault(where=".".join(map(str, one["loc"])), message=one["msg"]) for one in error.errors()
    ]
    return answer(
        request, 422, "; ".join(f"{one.where}: {one.message}" for one in faults)[:500], None, faults
    )


async def _database_lost(request: Request, _error: OperationalError) -> JSONResponse:
    log.warning("the database does not answer")
    return answer(request, 503, "the database does not answer", {"Retry-After": "2"})


async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    return answer(request, 500, "something went wrong here; the log has it under this request's id")


def install(app: FastAPI) -> None:
    """Answer every error as a problem, and put its schema into the OpenAPI document."""
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(OperationalError, _database_lost)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _unexpected)

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"].update(
                {**schema.pop("$defs"), Problem.__name__: schema}
            )
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
