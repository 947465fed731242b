"""Todos: what the API and the chat's tools do with them, limited to the user's own todos."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response, status
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    computed_field,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.auth import LOGIN_NEEDED, CurrentLogin, Login
from app.database.models import Tag, Todo, User, now
from app.problems import BODY, documented

router = APIRouter(prefix="/todos", tags=["todos"])

LARGEST_ID = 2**31 - 1  # PostgreSQL's integer
UNDO_DAYS = 7
Priority = Literal["low", "normal", "high"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")
Order = Literal["newest", "due", "priority"]


def _as_date(value: object) -> object:
    """Only YYYY-MM-DD: pydantic would also take seconds since 1970."""
    if isinstance(value, date) or (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII)
    ):
        return value
    raise ValueError("a date is written YYYY-MM-DD")


def _tidy_tags(names: list[str]) -> list[str]:
    return sorted({name.lower() for name in names})


TodoId = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[1], description="Number of the todo")]
#: Not only spaces, and without NUL, which PostgreSQL's text cannot hold.
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$"),
    AfterValidator(str.strip),
]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
TagName = Annotated[
    str, StringConstraints(min_length=1, max_length=30, pattern=r"^[A-Za-z0-9_-]+$")
]
Tags = Annotated[list[TagName], Field(max_length=10), AfterValidator(_tidy_tags)]
Day = Annotated[date, BeforeValidator(_as_date, json_schema_input_type=date)]
SearchText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]


def _without_default(schema: dict[str, Any]) -> None:
    """Left out is not the same as null: what has no default is not described with one."""
    schema.pop("default", None)


class NewTodo(BaseModel):
    """What a todo is made from."""

    model_config = ConfigDict(extra="forbid")
    title: Title = Field(examples=["buy milk"])
    note: Note = Field(default="", examples=["the oat one"])
    due_date: Day | None = Field(default=None, examples=["2027-01-31"])
    priority: Priority = "normal"
    tags: Tags = Field(default=[], examples=[["shop", "home"]])


class TodoChange(BaseModel):
    """What may change; what is left out stays. due_date: null takes it away."""

    model_config = ConfigDict(extra="forbid")
    title: Title = Field(default="", json_schema_extra=_without_default, examples=["buy oat milk"])
    note: Note = Field(default="", json_schema_extra=_without_default, examples=["two of them"])
    due_date: Day | None = Field(
        default=None, json_schema_extra=_without_default, examples=["2027-02-01"]
    )
    priority: Priority = Field(default="normal", json_schema_extra=_without_default)
    tags: Tags = Field(default=[], json_schema_extra=_without_default, examples=[["shop"]])
    completed: StrictBool = Field(default=False, json_schema_extra=_without_default)


class TodoView(BaseModel):
    """A todo as its owner sees it.

    version: increases with each change. The header `ETag` has it as an entity tag.
    """

    model_config = ConfigDict(from_attributes=True)
    id: int = Field(examples=[1])
    title: str = Field(examples=["buy milk"])
    note: str = Field(examples=["the oat one"])
    due_date: date | None = Field(examples=["2027-01-31"])
    priority: Priority
    tags: list[str] = Field(examples=[["home", "shop"]])
    completed: bool
    created_at: datetime
    updated_at: datetime
    version: int = Field(examples=[1])

    @field_validator("priority", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return PRIORITIES[value] if isinstance(value, int) else value

    @field_validator("tags", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> list[str]:
        return list(value)

    @computed_field(  # type: ignore[prop-decorator]
        description="It should have been done before today (UTC)"
    )
    @property
    def overdue(self) -> bool:
        """Return whether it is open and its day has passed."""
        return not self.completed and self.due_date is not None and self.due_date < now().date()


class Filter(BaseModel):
    """Which todos, in which order."""

    model_config = ConfigDict(extra="forbid")
    search: SearchText = Field(
        default="", description="Words of the title or the note, upper and lower case alike"
    )
    completed: bool | None = Field(
        default=None, description="Only those that are done, or only those that are not"
    )
    tag: TagName | None = Field(default=None, description="Only those with this tag")
    priority: Priority | None = Field(default=None, description="Only those of this priority")
    due_before: Day | None = Field(
        default=None, description="Only those that are due before this day"
    )
    sort: Order = Field(default="newest", description="Open ones come first in any order")
    limit: int = Field(default=100, ge=1, le=200, description="Most todos in the answer")
    offset: int = Field(default=0, ge=0, le=LARGEST_ID, description="How many to pass over")


ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "newest": (Todo.id.desc(),),
    "due": (Todo.due_date.is_(None), Todo.due_date, Todo.priority.desc(), Todo.id.desc()),
    "priority": (Todo.priority.desc(), Todo.due_date.is_(None), Todo.due_date, Todo.id.desc()),
}


def _matching(user_id: int, wanted: Filter) -> Select[tuple[Todo]]:
    query = select(Todo).where(Todo.owner_id == user_id, Todo.deleted_at.is_(None))
    if wanted.completed is not None:
        query = query.where(Todo.completed == wanted.completed)
    if wanted.search:
        query = query.where(
            or_(
                Todo.title.icontains(wanted.search, autoescape=True),
                Todo.note.icontains(wanted.search, autoescape=True),
            )
        )
    if wanted.tag:
        query = query.where(Todo.tag_rows.any(Tag.name == wanted.tag.lower()))
    if wanted.priority:
        query = query.where(Todo.priority == PRIORITIES.index(wanted.priority))
    if wanted.due_before:
        query = query.where(Todo.due_date < wanted.due_before)
    return query


def find(database: Session, user_id: int, wanted: Filter) -> list[Todo]:
    """Return the user's todos that match, open ones first."""
    query = _matching(user_id, wanted).order_by(Todo.completed, *ORDERS[wanted.sort])
    return list(database.scalars(query.limit(wanted.limit).offset(wanted.offset)))


def count(database: Session, user_id: int, wanted: Filter) -> int:
    """Return how many of the user's todos match, on all pages."""
    return (
        database.scalar(select(func.count()).select_from(_matching(user_id, wanted).subquery()))
        or 0
    )


def get(database: Session, user_id: int, todo_id: int) -> Todo | None:
    """Return one todo of the user; None if it is somebody else's or deleted."""
    return database.scalar(
        select(Todo).where(Todo.id == todo_id, Todo.owner_id == user_id, Todo.deleted_at.is_(None))
    )


def add(database: Session, user_id: int, new: NewTodo, key: str | None = None) -> Todo:
    """Create a todo. key: that of the request; it is kept with the todo."""
    todo = Todo(owner_id=user_id, creation_key=key, creation_digest=_digest(new) if key else None)
    change(todo, new.model_dump())
    database.add(todo)
    database.flush()
    return todo


def change(todo: Todo, values: dict[str, Any]) -> None:
    """Set fields of a todo, by their names in the API."""
    for name, value in values.items():
        if name == "tags":
            if list(todo.tags) != value:
                todo.tags = value
                todo.updated_at = (
                    now()
                )  # tags have rows of their own: this counts the todo's version up
        else:
            setattr(todo, name, PRIORITIES.index(value) if name == "priority" else value)


def remove(database: Session, todo: Todo) -> None:
    """Delete a todo. It can be restored for a while; older deleted todos are removed for good."""
    todo.deleted_at = now()
    database.execute(
        delete(Todo).where(
            Todo.owner_id == todo.owner_id, Todo.deleted_at < now() - timedelta(days=UNDO_DAYS)
        )
    )
    database.flush()


def _digest(new: NewTodo) -> str:
    return hashlib.sha256(new.model_dump_json().encode()).hexdigest()


def _own(database: Session, login: Login, todo_id: int) -> Todo:
    todo = get(database, login.user_id, todo_id)
    if todo is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "you have no todo of this number")
    return todo


def _view(todo: Todo, response: Response) -> TodoView:
    response.headers["ETag"] = f'"{todo.version}"'
    return TodoView.model_validate(todo)


def _check_version(todo: Todo, if_match: str | None) -> None:
    """RFC 9110, If-Match: change only what the caller has seen."""
    if if_match is None or if_match.strip() == "*":
        return
    if f'"{todo.version}"' not in [one.strip() for one in if_match.split(",")]:
        raise HTTPException(
            status.HTTP_412_PRECONDITION_FAILED,
            "this todo has changed since you read it",
            {"ETag": f'"{todo.version}"'},
        )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Answer 409 to the second of two changes at the same moment."""
    try:
        yield
    except StaleDataError as error:
        raise HTTPException(
            status.HTTP_409_CONFLICT,
            "this todo is being changed by another request; read it and try again",
        ) from error


ETAG = {
    "headers": {
        "ETag": {"description": "The todo's version, for If-Match", "schema": {"type": "string"}}
    }
}
IfMatch = Annotated[
    Annotated[str, StringConstraints(max_length=200)] | SkipJsonSchema[None],
    Header(
        description="ETag that the todo had when you read it; `*`: any. "
        "Left out: change it in any case",
        examples=['"1"'],
    ),
]
IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,200}$")] | SkipJsonSchema[None],
    Header(
        description="Any text that only you use. The same request with the same key creates "
        "one todo, even if it is sent several times",
        examples=["7f1c2a9e"],
    ),
]
ONE = {**LOGIN_NEEDED, 404: "You have no todo of this number."}
CHANGING = {
    **ONE,
    409: "Another request changes this todo just now.",
    412: "The todo has changed since you read it (If-Match).",
}


def _page(request: Request, offset: int, limit: int) -> str:
    """Return the query of another page. It is relative to the request, for any ingress."""
    return request.url.include_query_params(offset=offset, limit=limit).query


@router.get(
    "",
    responses={
        **documented(LOGIN_NEEDED),
        200: {
            "headers": {
                "X-Total-Count": {
                    "description": "How many match, on all pages",
                    "schema": {"type": "integer"},
                },
                "Link": {
                    "description": "RFC 8288: the next and the previous page",
                    "schema": {"type": "string"},
                },
            }
        },
    },
)
def list_todos(
    wanted: Annotated[Filter, Query()], login: CurrentLogin, request: Request, response: Response
) -> list[TodoView]:
    """Your todos, a page at a time."""
    with login.transaction() as database:
        found = find(database, login.user_id, wanted)
        whole = len(found) < wanted.limit and not wanted.offset
        total = len(found) if whole else count(database, login.user_id, wanted)
    response.headers["X-Total-Count"] = str(total)
    pages = {"next": wanted.offset + wanted.limit, "prev": max(0, wanted.offset - wanted.limit)}
    there = [
        name
        for name, fits in (("next", pages["next"] < total), ("prev", wanted.offset > 0))
        if fits
    ]
    if there:
        links = [f'<?{_page(request, pages[name], wanted.limit)}>; rel="{name}"' for name in there]
        response.headers["Link"] = ", ".join(links)
    return [TodoView.model_validate(todo) for todo in found]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={
        **documented(
            {
                **BODY,
                **LOGIN_NEEDED,
                409: "The key was used for another request, or for a todo that was deleted.",
            }
        ),
        201: ETAG,
    },
)
def create_todo(
    new: NewTodo, login: CurrentLogin, response: Response, idempotency_key: IdempotencyKey = None
) -> TodoView:
    """Make a todo."""
    made = select(Todo).where(Todo.owner_id == login.user_id, Todo.creation_key == idempotency_key)
    with login.transaction() as database:
        todo = None
        if idempotency_key:
            # One such request of a user at a time. SQLite has no row locks, but only one writer.
            database.execute(
                select(User.id).where(User.id == login.user_id).with_for_update(key_share=True)
            )
            todo = database.scalar(made)
        if todo is None:
            try:
                with database.begin_nested():
                    todo = add(database, login.user_id, new, idempotency_key)
            except IntegrityError as error:
                todo = database.scalar(made)
                if todo is None:
                    raise HTTPException(
                        status.HTTP_409_CONFLICT, "a request with this key is being answered"
                    ) from error
        if idempotency_key and todo.creation_digest != _digest(new):
            raise HTTPException(status.HTTP_409_CONFLICT, "this key was used for another request")
        if todo.deleted_at:
            raise HTTPException(status.HTTP_409_CONFLICT, "the todo that this key made was deleted")
        return _view(todo, response)


@router.get("/{todo_id}", responses={**documented(ONE), 200: ETAG})
def read_todo(todo_id: TodoId, login: CurrentLogin, response: Response) -> TodoView:
    """One todo of yours."""
    with login.transaction() as database:
        return _view(_own(database, login, todo_id), response)


@router.patch("/{todo_id}", responses={**documented({**BODY, **CHANGING}), 200: ETAG})
def update_todo(
    todo_id: TodoId,
    wanted: TodoChange,
    login: CurrentLogin,
    response: Response,
    if_match: IfMatch = None,
) -> TodoView:
    """Change a todo of yours (RFC 7396: what is left out stays)."""
    with login.transaction() as database, _one_at_a_time():
        todo = _own(database, login, todo_id)
        _check_version(todo, if_match)
        change(todo, wanted.model_dump(exclude_unset=True))
        database.flush()
        return _view(todo, response)


@router.delete("/{todo_id}", status_code=status.HTTP_204_NO_CONTENT, responses=documented(CHANGING))
def delete_todo(todo_id: TodoId, login: CurrentLogin, if_match: IfMatch = None) -> None:
    """Delete a todo of yours. It can be restored for seven days."""
    with login.transaction() as database, _one_at_a_time():
        todo = _own(database, login, todo_id)
        _check_version(todo, if_match)
        remove(database, todo)


@router.post("/{todo_id}/restore", responses={**documented(ONE), 200: ETAG})
def restore_todo(todo_id: TodoId, login: CurrentLogin, response: Response) -> TodoView:
    """Undo a deletion. A todo that is not deleted stays as it is."""
    with login.transaction() as database, _one_at_a_time():
        todo = database.scalar(
            select(Todo).where(Todo.id == todo_id, Todo.owner_id == login.user_id)
        )
        if todo is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "you have no todo of this number")
        todo.deleted_at = None
        database.flush()
        return _view(todo, response)
