"""The tools of the assistant. Each works only on the todos of one user, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from app import metrics, todos
from app.database import transaction
from app.database.models import Todo


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Add(todos.NewTodo):
    """Add a todo."""


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


class Update(todos.TodoChange):
    """Change a todo: title, note, due date (null: none), priority, tags, or whether it is done."""

    id: int = Field(ge=1, le=todos.LARGEST_ID)


TOOLS: dict[str, type[BaseModel]] = {
    "add_todo": Add,
    "list_todos": ListTodos,
    "search_todos": Search,
    "complete_todo": Complete,
    "update_todo": Update,
    "delete_todo": Delete,
}


class Toolbox:
    """The tools, bound to one user.

    Every call is a transaction of its own, so no transaction is open while a model thinks.
    """

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self.used: list[tuple[str, dict[str, object]]] = []

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool. If it fails, return {"error": ...} for the model to read.

        Raises OperationalError.
        """
        if name not in TOOLS:
            return {"error": f"there is no tool {name}"}
        try:
            checked = TOOLS[name].model_validate(arguments)
        except ValidationError as error:
            return {
                "error": "; ".join(
                    f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
                )
            }
        work: Callable[[Session, Any], dict[str, Any]] = getattr(self, f"_{name}")
        with transaction() as database:
            result = work(database, checked)
        self.used.append((name, checked.model_dump(mode="json", exclude_unset=True)))
        metrics.TOOL_CALLS.labels(name, "error" if "error" in result else "ok").inc()
        return result

    def _add_todo(self, database: Session, wanted: Add) -> dict[str, Any]:
        return {"todo": _view(todos.add(database, self._user_id, wanted))}

    def _list_todos(self, database: Session, wanted: ListTodos) -> dict[str, Any]:
        return {
            "todos": [
                _view(todo)
                for todo in todos.find(
                    database, self._user_id, todos.Filter(completed=wanted.completed)
                )
            ]
        }

    def _search_todos(self, database: Session, wanted: Search) -> dict[str, Any]:
        return {
            "todos": [
                _view(todo)
                for todo in todos.find(database, self._user_id, todos.Filter(search=wanted.text))
            ]
        }

    def _complete_todo(self, database: Session, wanted: Complete) -> dict[str, Any]:
        return self._change(database, wanted.id, {"completed": True})

    def _update_todo(self, database: Session, wanted: Update) -> dict[str, Any]:
        return self._change(
            database, wanted.id, wanted.model_dump(exclude_unset=True, exclude={"id"})
        )

    def _delete_todo(self, database: Session, wanted: Delete) -> dict[str, Any]:
        todo = todos.get(database, self._user_id, wanted.id)
        if todo is None:
            return {"error": f"you have no todo {wanted.id}"}
        todos.remove(database, todo)
        return {"deleted": _view(todo)}

    def _change(self, database: Session, number: int, values: dict[str, Any]) -> dict[str, Any]:
        todo = todos.get(database, self._user_id, number)
        if todo is None:
            return {"error": f"you have no todo {number}"}
        todos.change(todo, values)
        database.flush()
        return {"todo": _view(todo)}


def _view(todo: Todo) -> dict[str, Any]:
    return todos.TodoView.model_validate(todo).model_dump(
        mode="json", include={"id", "title", "note", "due_date", "priority", "tags", "completed"}
    )


def specifications() -> list[dict[str, Any]]:
    """Return the tools in the form of OpenAI's chat completions API."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": model.__doc__,
                "parameters": model.model_json_schema(),
            },
        }
        for name, model in TOOLS.items()
    ]
