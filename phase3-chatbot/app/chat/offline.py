"""The built-in understanding.

It turns simple requests in plain English into the same tool calls that a model would make.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from app.chat.tools import Toolbox
from app.database.models import now

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HELP = (
    'I can do things like "add buy milk", "add pay rent by friday #home", "what is open", '
    '"find milk", "done 3", "rename 3 to buy oat milk" and "delete 3".'
)


def answer(message: str, toolbox: Toolbox) -> str:
    """Do what the message asks for and say what was done."""
    text = re.sub(
        r"^(please|can you|could you|would you|hey|hi|hello)\b[,\s]*(please\b\s*)?",
        "",
        message.strip(),
        flags=re.IGNORECASE,
    ).rstrip(" .!?")
    for pattern, act in _REQUESTS:
        match = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
        if match:
            return act(toolbox, match)
    return f"I did not understand that. {HELP}" if text else HELP


def _add(toolbox: Toolbox, match: re.Match[str]) -> str:
    wanted = _details(match["title"].strip(" \"'"))
    result = toolbox.call("add_todo", wanted)
    if "error" in result:
        return f"I could not add that: {result['error']}."
    extra = [f"due {wanted['due_date']}"] if "due_date" in wanted else []
    extra += [f"{wanted['priority']} priority"] if "priority" in wanted else []
    extra += [f"#{tag}" for tag in wanted.get("tags", [])]
    return f"Added {_named(result['todo'])}{' (' + ', '.join(extra) + ')' if extra else ''}."


def _details(text: str) -> dict[str, Any]:
    """Return title, due date, priority and tags of `pay rent by friday, high priority #home`."""
    wanted: dict[str, Any] = {}
    tags = re.findall(r"(?:^|\s)#([A-Za-z][\w-]{0,29})", text, re.ASCII)
    title = re.sub(r"(?:^|\s)#[A-Za-z][\w-]{0,29}", "", text, flags=re.ASCII)
    urgent = re.search(
        r"[,\s]+(?:with )?(?P<level>high|low) priority\b|[,\s]+(?P<now>urgent(?:ly)?)$",
        title,
        re.IGNORECASE,
    )
    if urgent:
        wanted["priority"] = (urgent["level"] or "high").lower()
        title = title[: urgent.start()] + title[urgent.end() :]
    day = re.search(
        rf"[,\s]+(?:(?:by|on|until|due|for)\s+)?(?P<day>today|tomorrow|{'|'.join(_WEEKDAYS)}|\d{{4}}-\d{{2}}-\d{{2}})$",
        title,
        re.IGNORECASE | re.ASCII,
    )
    due = _day(day["day"].lower()) if day else ""
    if day and due:
        wanted["due_date"] = due
        title = title[: day.start()]
    title = title.strip(" ,")
    return (
        {"title": title, "tags": tags, **wanted}
        if tags and title
        else {"title": title or text, **wanted}
    )


def _day(word: str) -> str:
    """Return the date that a word names, counted from today (UTC); empty if it names none."""
    today = now().date()
    if word in _WEEKDAYS:
        return str(today + timedelta(days=(_WEEKDAYS.index(word) - today.weekday() - 1) % 7 + 1))
    if word in ("today", "tomorrow"):
        return str(today + timedelta(days=word == "tomorrow"))
    try:
        return str(date.fromisoformat(word))
    except ValueError:
        return ""


def _list(completed: bool | None) -> Callable[[Toolbox, re.Match[str]], str]:
    def act(toolbox: Toolbox, _match: re.Match[str]) -> str:
        found = toolbox.call("list_todos", {} if completed is None else {"completed": completed})[
            "todos"
        ]
        if not found:
            return "Nothing is done yet." if completed else "Nothing is open. Well done!"
        kind = {True: "done", False: "open", None: "on your list"}[completed]
        return f"{len(found)} {kind}:\n" + _lines(found)

    return act


def _search(toolbox: Toolbox, match: re.Match[str]) -> str:
    found = toolbox.call("search_todos", {"text": match["text"].strip(" \"'")})["todos"]
    return (
        f"Found {len(found)}:\n" + _lines(found)
        if found
        else f"Nothing mentions {match['text'].strip()}."
    )


def _on_one(tool: str, verb: str) -> Callable[[Toolbox, re.Match[str]], str]:
    """Return an action on one todo, which is named by its number or by words of its title."""

    def act(toolbox: Toolbox, match: re.Match[str]) -> str:
        number, problem = _resolve(toolbox, match["which"])
        if number is None:
            return problem
        extra = {"title": match["title"].strip(" \"'")} if "title" in match.re.groupindex else {}
        result = toolbox.call(tool, {"id": number, **extra})
        if "error" in result:
            return f"{result['error'].capitalize()}."
        return f"{verb} {_named(result.get('todo') or result['deleted'])}."

    return act


def _resolve(toolbox: Toolbox, which: str) -> tuple[int | None, str]:
    """Return the number of the todo that is meant, or None and what to say."""
    which = which.strip(" \"'")
    if re.fullmatch(r"#?\d{1,10}", which):
        return int(which.lstrip("#")), ""
    found = toolbox.call("search_todos", {"text": which[:200]})["todos"]
    if len(found) == 1:
        return found[0]["id"], ""
    if not found:
        return None, f"Nothing on your list mentions {which}."
    return None, "Which one?\n" + _lines(found)


def _named(todo: dict[str, Any]) -> str:
    return f"#{todo['id']} {todo['title']}"


def _lines(found: list[dict[str, Any]]) -> str:
    return "\n".join(f"{'✓' if todo['completed'] else '○'} {_named(todo)}" for todo in found)


_ITEM = r"(?:the )?(?:(?:todo|task|item|number)\b\s*)?"
_TAIL = r"(?: (?:to|on|onto|in) (?:my |the )?(?:todo |to-do )?list)?"
_MINE = r"(?:all |me |my |the |of )*"

#: The first pattern that fits is the one that is meant.
_REQUESTS: list[tuple[str, Callable[[Toolbox, re.Match[str]], str]]] = [
    (r"(?:help|what can you do|how does this work)", lambda _toolbox, _match: HELP),
    (
        rf"(?:show|list|what(?:'s| is| are)?|which(?: are| is)?) {_MINE}"
        r"(?:done|completed|finished)(?: todos?| tasks?| ones)?",
        _list(True),
    ),
    (
        rf"(?:show|list|what(?:'s| is| are)?|which(?: are| is)?|anything) {_MINE}"
        r"(?:open|left|pending|todo|to do|unfinished)(?: todos?| tasks?| ones)?",
        _list(False),
    ),
    (r"what (?:do i|should i|must i)(?: have to| need to)? do(?: today| now| next)?", _list(False)),
    (
        rf"(?:show|list)(?: {_MINE}(?:todos?|tasks?|list|everything|items)?)?"
        rf"|(?:my )?(?:todos|tasks|list)|what(?:'s| is) on {_MINE}list",
        _list(None),
    ),
    (
        r"(?:add|create|new|remember)(?: an?)?(?: new)?(?: (?:todo|task|item))?"
        rf"(?: called| named)?:? (?:to )?(?P<title>.+?){_TAIL}",
        _add,
    ),
    (r"(?:remind me to|i (?:need|have|want) to|i must) (?P<title>.+)", _add),
    (
        rf"(?:rename|change|update|edit) {_ITEM}(?P<which>#?\d+|.+?) (?:to|into|as) (?P<title>.+)",
        _on_one("update_todo", "Renamed to"),
    ),
    (
        r"(?:done|did|complete|completed|finish|finished|check off|tick off|close)(?: with)? "
        rf"{_ITEM}(?P<which>.+)",
        _on_one("complete_todo", "Done:"),
    ),
    (
        rf"mark {_ITEM}(?P<which>.+?) (?:as )?(?:done|complete|completed|finished)",
        _on_one("complete_todo", "Done:"),
    ),
    (
        rf"{_ITEM}(?P<which>#?\d+) (?:is )?(?:done|complete|completed|finished)",
        _on_one("complete_todo", "Done:"),
    ),
    (
        rf"(?:delete|remove|drop|forget|cancel) {_ITEM}(?P<which>.+?)(?: from (?:my |the )?list)?",
        _on_one("delete_todo", "Deleted"),
    ),
    (
        rf"(?:find|search(?: for)?|look for|which mention|what mentions) {_MINE}"
        r"(?:(?:todos?|tasks?) )?(?:about |with )?(?P<text>.+)",
        _search,
    ),
]
