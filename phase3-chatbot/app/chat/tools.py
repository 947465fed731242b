"""The tools of the assistant. Each works on the todos of one user and on nothing else, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from app import todos
from app.database.models import Todo, User


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Add(_Arguments):
    """Add a todo."""

    title: todos.Title
    note: todos.Note = ""


class ListTodos(_Arguments):
    """List the user's todos; completed: only those that are done, or only those that are not."""

    completed: bool | None = None


class Search(_Arguments):
    """Find todos whose title or note contains a text."""

    text: str = Field(min_length=1, max_length=200)


class Number(_Arguments):
    """A todo by its number."""

    id: int = Field(ge=1, le=todos.LARGEST_ID)


class Complete(Number):
    """Mark a todo as done."""


class Delete(Number):
    """Delete a todo."""


class Update(Number):
    """Change the title or the note of a todo."""

    title: todos.Title | None = None
    note: todos.Note | None = None


TOOLS: dict[str, type[_Arguments]] = {
    "add_todo": Add,
    "list_todos": ListTodos,
    "search_todos": Search,
    "complete_todo": Complete,
    "update_todo": Update,
    "delete_todo": Delete,
}


class Toolbox:
    """The tools, bound to one user. used: what was called, in order."""

    def __init__(self, database: Session, user: User) -> None:
        self._database = database
        self._user = user
        self.used: list[tuple[str, dict[str, object]]] = []

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool; what went wrong comes back as {"error": ...}, for the model to read."""
        if name not in TOOLS:
            return {"error": f"there is no tool {name}"}
        try:
            checked = TOOLS[name].model_validate(arguments)
        except ValidationError as error:
            return {"error": "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())}
        self.used.append((name, checked.model_dump(exclude_none=True)))
        work: Callable[[Any], dict[str, Any]] = getattr(self, f"_{name}")
        return work(checked)

    def _add_todo(self, wanted: Add) -> dict[str, Any]:
        return {"todo": _view(todos.add(self._database, self._user, wanted.title, wanted.note))}

    def _list_todos(self, wanted: ListTodos) -> dict[str, Any]:
        return {"todos": [_view(todo) for todo in todos.find(self._database, self._user, completed=wanted.completed)]}

    def _search_todos(self, wanted: Search) -> dict[str, Any]:
        return {"todos": [_view(todo) for todo in todos.find(self._database, self._user, search=wanted.text)]}

    def _complete_todo(self, wanted: Complete) -> dict[str, Any]:
        return self._change(wanted.id, {"completed": True})

    def _update_todo(self, wanted: Update) -> dict[str, Any]:
        return self._change(wanted.id, wanted.model_dump(include={"title", "note"}, exclude_none=True))

    def _delete_todo(self, wanted: Delete) -> dict[str, Any]:
        todo = todos.get(self._database, self._user, wanted.id)
        if todo is None:
            return {"error": f"you have no todo {wanted.id}"}
        self._database.delete(todo)
        self._database.flush()
        return {"deleted": _view(todo)}

    def _change(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        todo = todos.get(self._database, self._user, number)
        if todo is None:
            return {"error": f"you have no todo {number}"}
        for name, value in values.items():
            setattr(todo, name, value)
        self._database.flush()
        return {"todo": _view(todo)}


def _view(todo: Todo) -> dict[str, Any]:
    return {"id": todo.id, "title": todo.title, "note": todo.note, "completed": todo.completed}


def specifications() -> list[dict[str, Any]]:
    """The tools as OpenAI's chat completions API wants them."""
    return [
        {"type": "function", "function": {"name": name, "description": model.__doc__, "parameters": model.model_json_schema()}} for name, model in TOOLS.items()
    ]
