"""The built-in understanding, for when there is no language model.

Simple requests in plain English become the same tool calls that a model would make.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from app.chat import dates
from app.chat.tools import Toolbox
from app.database.models import now

HELP = (
    'I can do things like "add buy milk", "add pay rent by friday #home", "what is open", '
    '"what do I have to do today", "find milk", "done 3", "rename 3 to buy oat milk" '
    'and "delete 3".'
)
_VERBS = (
    "add|create|make|put|note|remind|delete|remove|mark|complete|finish|see|show|list|find|rename"
)
_POLITE = re.compile(
    r"^(?:(?:please|kindly|just|hey|hi|hello|ok|okay|so|assistant|can you|could you|would you"
    rf"|will you|i(?:'d| would) like you to|(?:i(?:'d| would) like|i want) to (?=(?:{_VERBS})\b)"
    r"|let's|(?:show|tell) me (?=what))\b[,!.\s]*)+",
    re.IGNORECASE,
)
_PLEASE = re.compile(r"(?:[\s,.!]+(?:please|for me))+[\s.!?]*$", re.IGNORECASE)
_THANKS = r"(?:thanks|thank you|thx|cheers)(?: (?:a lot|so much|very much))?[\s.!]*$"
#: Words of a title may be thanks too; behind a comma they are not.
_THANKS_APART = re.compile(rf"[,.!?]\s*{_THANKS}", re.IGNORECASE)
_THANKS_ANYWHERE = re.compile(rf"[\s,.!?]+{_THANKS}", re.IGNORECASE)


def answer(message: str, toolbox: Toolbox) -> str:
    """Do what the message asks for and say what was done."""
    text = _plain(message)
    for pattern, act in _REQUESTS:
        match = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
        if match:
            return act(toolbox, match)
    return f"I did not understand that. {HELP}" if text else HELP


def _plain(message: str) -> str:
    """The request without politeness before and after it."""
    text = _POLITE.sub("", message.replace("’", "'").strip())
    for ending in (_THANKS_APART, _PLEASE):
        text = ending.sub("", text)
    if not re.match(rf"(?:{_ADD}|rename|change|update|edit)\b", text, re.IGNORECASE):
        text = _PLEASE.sub("", _THANKS_ANYWHERE.sub("", text))
    return text.rstrip(" .,!?")


def _add(toolbox: Toolbox, match: re.Match[str]) -> str:
    return _add_words(toolbox, match["title"])


def _add_words(toolbox: Toolbox, words: str) -> str:
    wanted = _details(words.strip(" \"'"))
    result = toolbox.call("add_todo", wanted)
    if "error" in result:
        return f"I could not add that: {result['error']}."
    extra = [f"due {wanted['due_date']}"] if "due_date" in wanted else []
    extra += [f"{wanted['priority']} priority"] if "priority" in wanted else []
    extra += [f"#{tag}" for tag in wanted.get("tags", [])]
    return f"Added {_named(result['todo'])}{' (' + ', '.join(extra) + ')' if extra else ''}."


def _details(text: str) -> dict[str, Any]:
    """Title, due date, priority and tags of words like `pay rent by friday, urgent #home`."""
    wanted: dict[str, Any] = {}
    tags = re.findall(r"(?:^|\s)#([A-Za-z][\w-]{0,29})", text, re.ASCII)
    title = re.sub(r"(?:^|\s)#[A-Za-z][\w-]{0,29}", "", text, flags=re.ASCII)
    urgent = re.search(
        r"[,\s]+(?:with )?(?P<level>high|low) priority\b|[,\s]+(?P<now>urgent(?:ly)?|asap)$",
        title,
        re.IGNORECASE,
    )
    if urgent:
        wanted["priority"] = (urgent["level"] or "high").lower()
        title = title[: urgent.start()] + title[urgent.end() :]
    left, day = dates.at_end(title, now().date())
    if day and left:
        title = left
        wanted["due_date"] = str(day)
    title = title.strip(" ,")
    wanted["title"] = title or text
    return {**wanted, "tags": tags} if tags and title else wanted


def _add_when(toolbox: Toolbox, match: re.Match[str]) -> str:
    """`remind me tomorrow to call mom`: the date comes first."""
    return _add_words(toolbox, f"{match['title']} {match['when']}")


def _list(completed: bool | None) -> Callable[[Toolbox, re.Match[str]], str]:
    def act(toolbox: Toolbox, _match: re.Match[str]) -> str:
        wanted = {} if completed is None else {"completed": completed}
        found = toolbox.call("list_todos", wanted)["todos"]
        if not found:
            return "Nothing is done yet." if completed else "Nothing is open. Well done!"
        kind = {True: "done", False: "open", None: "on your list"}[completed]
        return f"{len(found)} {kind}:\n" + _lines(found)

    return act


def _due(toolbox: Toolbox, match: re.Match[str]) -> str:
    """The open todos of a day or a week; with today those that should be done already."""
    when, today = match["when"].lower(), now().date()
    opened = toolbox.call("list_todos", {"completed": False})["todos"]
    first, last = _span(when, today)
    dated = sorted(
        (todo for todo in opened if todo["due_date"]), key=lambda todo: str(todo["due_date"])
    )
    found = [todo for todo in dated if first <= date.fromisoformat(todo["due_date"]) <= last]
    told = "overdue" if when == "overdue" else f"due {when}"
    if found:
        return f"{len(found)} {told}:\n" + _lines(found)
    more = f' {len(opened)} without that date: ask "what is open".' if opened else ""
    return f"Nothing is {told}.{more}"


def _span(when: str, today: date) -> tuple[date, date]:
    """First and last day that are meant; what is late belongs to today and to this week."""
    sunday = today + timedelta(6 - today.weekday())
    if when == "overdue":
        return date.min, today - timedelta(1)
    if when == "this week":
        return date.min, sunday
    if when == "next week":
        return sunday + timedelta(1), sunday + timedelta(7)
    _, day = dates.at_end(when, today)
    day = day or today
    return (date.min if day == today else day), day


def _search(toolbox: Toolbox, match: re.Match[str]) -> str:
    text = match["text"].strip(" \"'")
    found = toolbox.call("search_todos", {"text": text})["todos"]
    return f"Found {len(found)}:\n{_lines(found)}" if found else f"Nothing mentions {text}."


def _on_one(tool: str, verb: str, **values: object) -> Callable[[Toolbox, re.Match[str]], str]:
    """An act on one todo, named by its number or by words of its title."""

    def act(toolbox: Toolbox, match: re.Match[str]) -> str:
        number, problem = _resolve(toolbox, match["which"])
        if number is None:
            return problem
        extra = {"title": match["title"].strip(" \"'")} if "title" in match.re.groupindex else {}
        result = toolbox.call(tool, {"id": number, **extra, **values})
        if "error" in result:
            return f"{result['error'].capitalize()}."
        return f"{verb} {_named(result.get('todo') or result['deleted'])}."

    return act


def _resolve(toolbox: Toolbox, which: str) -> tuple[int | None, str]:
    """The number of the todo meant, or None and what to say."""
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
_TAIL = r"(?:,? (?:to|on|onto|in) (?:my |the )?(?:(?:todo|to-do|task) )?list)?"
_MINE = r"(?:all |me |my |the |of |is |are )*"
_ASK = r"(?:show|list|see|give me|tell me|read|what(?:'s|'re)?|which|anything|is there anything)"
_THINGS = r"(?: (?:todos?|tasks?|ones|items|things))?"
_DONE = r"(?:done|complete|completed|finished|closed)"
_OPEN = r"(?:open|left|pending|todo|to do|unfinished|remaining|not done)"
_WHEN = (
    r"(?P<when>today|tonight|tomorrow|this week|next week|overdue|"
    r"(?:on |this |next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_ADD = (
    r"(?:add|create|make|new|put|remember|remind me|note(?: down)?|write down|jot down|schedule"
    r"|(?:don't|do not) (?:let me )?forget|i (?:need|have|want|ought|got) to|i've got to|i must"
    r"|i gotta)"
)

Act = Callable[[Toolbox, re.Match[str]], str]
_complete = _on_one("complete_todo", "Done:")
_delete = _on_one("delete_todo", "Deleted")
_reopen = _on_one("update_todo", "Open again:", completed=False)

#: In order: the first that fits is meant.
_REQUESTS: list[tuple[str, Act]] = [
    (r"(?:help|what can (?:you|i) do|how does this work)", lambda _toolbox, _match: HELP),
    # What there is.
    (rf"{_ASK} {_MINE}{_DONE}{_THINGS}|what (?:have|did) i (?:done|do|finish(?:ed)?)", _list(True)),
    (rf"(?:{_ASK} )?{_MINE}(?:{_OPEN} |due |up |on |for )*{_WHEN}(?:'s)?{_THINGS}", _due),
    (
        r"(?:what|which)(?: (?:else|all))? (?:do|should|must|have) i"
        rf"(?: have| need| got)?(?: to)?(?: do| get done)?(?: due)?(?: (?:for|on))? {_WHEN}",
        _due,
    ),
    (rf"(?:do i have )?anything (?:left )?(?:to do |due |for |on )*{_WHEN}", _due),
    (rf"(?:what's|what is|show|list)(?: {_MINE})?(?:todos?|tasks?)? (?:for|due|on) {_WHEN}", _due),
    (rf"{_ASK} {_MINE}(?:still )?{_OPEN}(?: to do)?{_THINGS}", _list(False)),
    (
        r"what(?: else)? (?:do i|should i|must i|have i)(?: have| need| got)*(?: left)?"
        r"(?: to)?(?: do)?(?: now| next| left)?"
        r"|(?:do i have|is there) anything(?: left| else)?(?: to do)?"
        r"|what(?:'s| is) (?:next|on my plate)",
        _list(False),
    ),
    (
        rf"(?:show|list|see|read|give|tell)(?: {_MINE}(?:todos?|tasks?|list|everything|items)?)?"
        rf"|(?:my )?(?:todos|tasks|list)|what(?:'s| is) (?:there )?on {_MINE}list",
        _list(None),
    ),
    # New ones.
    (
        rf"(?:{_ADD} )?(?P<when>today|tonight|tomorrow|(?:on |this |next )?\w+day|next week)"
        r",? (?:i (?:have|need) to|remind me to|to) (?P<title>.+)",
        _add_when,
    ),
    (r"put (?:an? )?(?P<title>.+?),? (?:on|onto|in|to) (?:my |the )?(?:[\w-]+ )?list", _add),
    (
        r"(?:add|create|make|new|remember|note(?: down)?|write down|jot down|schedule)"
        r"(?: an?)?(?: new)?(?: (?:todo|task|item|note|reminder))?"
        rf"(?: called| named)?:? (?:to )?(?P<title>.+?){_TAIL}",
        _add,
    ),
    (r"remind me (?:to|about|of|that i (?:have|need) to) (?P<title>.+)", _add),
    (rf"{_ADD}(?: to)? (?P<title>.+)", _add),
    # Changes.
    (
        rf"(?:rename|change|update|edit) {_ITEM}(?P<which>#?\d+|.+?) (?:to|into|as) (?P<title>.+)",
        _on_one("update_todo", "Renamed to"),
    ),
    (rf"(?:reopen|undo|uncheck|untick) {_ITEM}(?P<which>.+)", _reopen),
    (rf"(?:mark|set) {_ITEM}(?P<which>.+?) (?:as |to )?(?:not {_DONE}|undone|open)", _reopen),
    (rf"(?:mark|set) {_ITEM}(?P<which>.+?) (?:as |to |off as |off )?{_DONE}", _complete),
    (rf"(?:mark|check|tick|cross|strike) {_ITEM}(?P<which>.+?) (?:off|out)", _complete),
    (
        r"(?:i(?:'ve| have)? )?(?:just |already )*"
        r"(?:done|did|complete|completed|finish|finished|close"
        rf"|(?:check|tick|cross|mark) off)(?: with)? {_ITEM}(?P<which>.+)",
        _complete,
    ),
    (rf"i(?:'m| am) (?:done|finished) with {_ITEM}(?P<which>.+)", _complete),
    (rf"{_ITEM}(?P<which>#?\d+) (?:is )?{_DONE}", _complete),
    (rf"{_ITEM}(?P<which>.+?) (?:is|are) (?:now |already )?{_DONE}(?: now)?", _complete),
    (
        r"(?:delete|remove|drop|forget(?: about)?|cancel|erase|scrap|get rid of|throw (?:away|out)"
        rf"|take) {_ITEM}(?P<which>.+?)(?: (?:from|off)(?: of)? (?:my |the )?(?:[\w-]+ )?list)?",
        _delete,
    ),
    (
        r"(?:find|search(?: for)?|look (?:for|up)|which mention|what mentions|where is) "
        rf"{_MINE}(?:(?:todos?|tasks?) )?(?:about |with )?(?P<text>.+)",
        _search,
    ),
]
