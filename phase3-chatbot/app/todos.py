"""Todos: what the API and the chat's tools do with them. Everything is limited to the user's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.auth import CurrentUser, Database
from app.database.models import Todo, User

router = APIRouter(prefix="/todos", tags=["todos"])

LARGEST_ID = 2**31 - 1  # PostgreSQL's integer
TodoId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
#: NUL cannot be stored in PostgreSQL's text.
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]


class NewTodo(BaseModel):
    """What a todo is made from."""

    model_config = ConfigDict(extra="forbid")
    title: Title = Field(examples=["buy milk"])
    note: Note = ""


class TodoChange(BaseModel):
    """What may change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    title: Title | None = None
    note: Note | None = None
    completed: bool | None = None


class TodoView(BaseModel):
    """A todo as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    note: str
    completed: bool
    created_at: datetime
    updated_at: datetime


def find(database: Session, user: User, search: str = "", completed: bool | None = None, limit: int = 200) -> list[Todo]:
    """The user's todos, open ones first, newest first."""
    query = select(Todo).where(Todo.owner_id == user.id).order_by(Todo.completed, Todo.id.desc()).limit(limit)
    if completed is not None:
        query = query.where(Todo.completed == completed)
    if search:
        query = query.where(or_(Todo.title.icontains(search, autoescape=True), Todo.note.icontains(search, autoescape=True)))
    return list(database.scalars(query))


def get(database: Session, user: User, todo_id: int) -> Todo | None:
    """One todo of the user's, None for anybody else's."""
    return database.scalar(select(Todo).where(Todo.id == todo_id, Todo.owner_id == user.id))


def add(database: Session, user: User, title: str, note: str = "") -> Todo:
    """Make a todo."""
    todo = Todo(owner_id=user.id, title=title, note=note)
    database.add(todo)
    database.flush()
    return todo


def _own(database: Session, user: User, todo_id: int) -> Todo:
    todo = get(database, user, todo_id)
    if todo is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "you have no todo of this number")
    return todo


@router.get("")
def list_todos(
    user: CurrentUser,
    database: Database,
    search: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    completed: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
) -> list[TodoView]:
    """Your todos, open ones first."""
    return [TodoView.model_validate(todo) for todo in find(database, user, search, completed, limit)]


@router.post("", status_code=status.HTTP_201_CREATED)
def create_todo(new: NewTodo, user: CurrentUser, database: Database) -> TodoView:
    """Make a todo."""
    return TodoView.model_validate(add(database, user, new.title, new.note))


@router.get("/{todo_id}")
def read_todo(todo_id: TodoId, user: CurrentUser, database: Database) -> TodoView:
    """One todo of yours."""
    return TodoView.model_validate(_own(database, user, todo_id))


@router.patch("/{todo_id}")
def update_todo(todo_id: TodoId, change: TodoChange, user: CurrentUser, database: Database) -> TodoView:
    """Change a todo of yours."""
    todo = _own(database, user, todo_id)
    for name, value in change.model_dump(exclude_none=True).items():
        setattr(todo, name, value)
    database.flush()
    return TodoView.model_validate(todo)


@router.delete("/{todo_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_todo(todo_id: TodoId, user: CurrentUser, database: Database) -> None:
    """Delete a todo of yours."""
    database.delete(_own(database, user, todo_id))
