"""What a person recognises on a page: which form this is, what belongs into which field.

Pure: a page arrives as the plain list of its controls that controls.js makes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["sign up", "log in", ""]

SIGN_UP = re.compile(
    r"\bsign\s?-?up\b|\bregister\b|create (an? |your |my )?(free )?(new )?account"
    r"|get started|\bjoin\b"
    r"|start (for )?free|don.?t have an account|new here",
    re.I,
)
LOG_IN = re.compile(r"\b(log|sign)\s?-?in\b|\blogin\b|welcome back", re.I)
ELSEWHERE = re.compile(
    r"google|github|facebook|apple|microsoft|\bsso\b|forgot|reset|demo|guest", re.I
)
BY_MAIL = re.compile(r"(continue|sign up|sign in|register) with e-?mail", re.I)
SERVICES = re.compile(r"google|github|facebook|microsoft|\bsso\b|\bapple\b", re.I)
ADDS = re.compile(
    r"^\W*(add|create|new|save|submit)\b|^\s*[+＋]\s*$"
    r"|\b(add|create|new)\b.{0,12}\b(task|todo|item)\b",
    re.I,
)
ADDS_TODO = re.compile(r"\b(add|create|new)\b.{0,16}\b(task|todo|to-do|item)\b", re.I)
TITLE = re.compile(
    r"\btask\b|\btodo\b|to-do|\btitle\b|what (needs|do you|are you|would)|add (a|new)", re.I
)
MESSAGE = re.compile(
    r"\bmessage\b|\bask\b|\bchat\b|type (a|your|something|here)|assistant|prompt", re.I
)
OF_TODOS = re.compile(r"/(todos?|tasks?|items?)\b", re.I)
TODO_LINK = re.compile(r"\b(dashboard|tasks?|todos?|to-dos?|my list|go to app|open app)\b", re.I)
CHAT_LINK = re.compile(r"\b(chat|assistant|ai)\b", re.I)
GONE = re.compile(
    r"delete|remove|edit|complete|filter|all tasks|search|clear|log ?out|sign ?out", re.I
)

CONFIRMS = re.compile(r"^\W*(confirm|yes|ok(ay)?|proceed|continue|add)\b", re.I)

#: Purpose of a field by its words; the first that matches. `where` is what of the field is looked
#: at.
PURPOSES: tuple[tuple[str, str], ...] = (
    ("confirm", r"confirm|repeat|re-?_?(enter|type)|again|password_?2|verify.?pass"),
    ("email", r"e-?mail"),
    ("search", r"search|filter|find "),
    ("first", r"first[ _-]?name|given-name"),
    ("last", r"last[ _-]?name|family-name|surname"),
    ("username", r"user[ _-]?name|\bhandle\b|nick"),
    ("phone", r"phone|mobile|\btel\b"),
    ("name", r"\bname\b|full[ _-]?name|display[ _-]?name|john doe"),
)


@dataclass(frozen=True)
class Control:
    """A visible control.

    index: its place among all controls of the page. words: label, placeholder and the like.
    """

    index: int
    tag: str
    type: str
    words: str
    text: str = ""
    href: str = ""
    form: int = -1
    dialog: bool = False
    required: bool = False
    value: str = ""
    disabled: bool = False

    @property
    def is_field(self) -> bool:
        """Something that is filled in."""
        return self.tag in ("input", "textarea", "select") or self.type in ("textbox", "checkbox")

    @property
    def is_text(self) -> bool:
        """Something that is typed into."""
        return self.is_field and self.type not in (
            "checkbox",
            "radio",
            "select-one",
            "file",
            "range",
            "color",
        )


def control(told: dict[str, Any]) -> Control:
    """A control of what the page's script tells. A terminal's look writes NEW_TASK: two words."""
    return Control(**{**told, "text": told.get("text", "").replace("_", " ")})


def purpose(one: Control) -> str:
    """What belongs into a field; empty for one that is left as it is."""
    words = one.words.lower()
    if one.type in ("checkbox",):
        return "agree" if re.search(r"agree|accept|terms|privacy|consent|policy", words) else ""
    if one.type == "password":
        return "confirm" if re.search(PURPOSES[0][1], words) else "password"
    if one.type in ("date", "datetime-local", "time", "number", "hidden", "file", "radio"):
        return one.type if one.required else ""
    if one.type == "email":
        return "email"
    if one.tag == "select":
        return "choice" if one.required and not one.value else ""
    return next((name for name, pattern in PURPOSES if re.search(pattern, words)), "text")


def form_kind(controls: Sequence[Control], path: str, heading: str) -> Kind:
    """Which form the page shows, by what its button says, its fields, its heading, its address."""
    fields = [one for one in controls if one.is_field]
    secret = [one for one in fields if one.type == "password"]
    if not secret:
        return ""
    button = submit(controls, secret[-1])
    told = button.text if button else ""
    if SIGN_UP.search(told):
        return "sign up"
    if LOG_IN.search(told):
        return "log in"
    wanted = {purpose(one) for one in fields}
    if len(secret) > 1 or wanted & {"confirm", "name", "first"}:
        return "sign up"
    for words in (heading, path.replace("/", " ")):
        if SIGN_UP.search(words):
            return "sign up"
        if LOG_IN.search(words):
            return "log in"
    return "log in"


def submit(controls: Sequence[Control], field: Control) -> Control | None:
    """The button that sends the form of a field."""
    buttons = [one for one in controls if not one.is_field and one.tag != "a"]
    buttons += [one for one in controls if one.tag == "input" and one.type == "submit"]
    own = [one for one in buttons if one.form == field.form and field.form >= 0]
    near = own or [one for one in buttons if one.index > field.index]
    kept = [one for one in near if not ELSEWHERE.search(one.text)] or near

    def rank(one: Control) -> tuple[object, ...]:
        speaks = bool(SIGN_UP.search(one.text) or LOG_IN.search(one.text))
        return (one.type != "submit", one.index < field.index, not speaks, one.index)

    return min(kept, key=rank, default=None)


def leads_to(controls: Sequence[Control], kind: Kind) -> list[Control]:
    """Links, buttons and tabs that lead to a form, the likeliest first."""
    pattern = SIGN_UP if kind == "sign up" else LOG_IN
    found = [
        one
        for one in controls
        if not one.is_field
        and not ELSEWHERE.search(one.text)
        and (
            BY_MAIL.search(one.text)
            or pattern.search(one.text)
            or pattern.search(one.href.replace("/", " ").replace("-", ""))
        )
    ]
    exact = re.compile(r"sign\s?-?up|register" if kind == "sign up" else r"(log|sign)\s?-?in", re.I)
    return sorted(found, key=lambda one: (not exact.search(one.text), len(one.text), one.index))


def title_field(controls: Sequence[Control]) -> Control | None:
    """Where the words of a new todo are typed."""
    fields = [
        one
        for one in controls
        if one.is_text and one.type in ("text", "textarea", "textbox", "") and not one.disabled
    ]
    kept = [
        one
        for one in fields
        if purpose(one) in ("text", "name")
        and TITLE.search(one.words)
        and not re.search(r"descri|detail|note|tag|categor", one.words, re.I)
        and not (MESSAGE.search(one.words) and not re.search(r"title|what needs", one.words, re.I))
    ]
    if not kept and any(one.dialog for one in fields):
        kept = [one for one in fields if one.dialog and purpose(one) != "search"]

    def rank(one: Control) -> tuple[object, ...]:
        return (
            not one.dialog,
            one.tag != "input",
            not re.search("title", one.words, re.I),
            one.index,
        )

    return min(kept, key=rank, default=None)


def message_field(controls: Sequence[Control]) -> Control | None:
    """Where one speaks to the assistant."""
    fields = [one for one in controls if one.is_text and not one.disabled]
    kept = [one for one in fields if MESSAGE.search(one.words) and purpose(one) in ("text", "name")]
    kept = kept or [one for one in fields if one.tag == "textarea"]
    return min(kept, key=lambda one: (one.tag != "textarea", one.index), default=None)


def adds(controls: Sequence[Control]) -> list[Control]:
    """Buttons that open what a todo is added with, the likeliest first."""
    found = [
        one
        for one in controls
        if not one.is_field
        and not one.disabled
        and not GONE.search(one.text)
        and ADDS.search(one.text or one.words)
    ]
    return sorted(
        found, key=lambda one: (not ADDS_TODO.search(one.text), one.tag == "a", one.index)
    )


def todo_links(controls: Sequence[Control], path: str) -> list[Control]:
    """Links that sound like todos and lead elsewhere, three at most. path: of this page."""
    found = [
        one
        for one in controls
        if one.href and TODO_LINK.search(one.text) and one.href.rstrip("/") != path.rstrip("/")
    ]
    return found[:3]


def confirms(controls: Sequence[Control], before: Sequence[Control]) -> Control | None:
    """A button that was not there before and says yes to a question."""
    known = {one.text for one in before}
    return next(
        (
            one
            for one in controls
            if not one.is_field
            and not one.disabled
            and one.text not in known
            and CONFIRMS.search(one.text)
        ),
        None,
    )


def saves(controls: Sequence[Control], field: Control) -> Control | None:
    """The button that keeps what was typed into a field."""
    buttons = [
        one for one in controls if not one.is_field and one.tag != "a" and not GONE.search(one.text)
    ]
    own = [one for one in buttons if one.form == field.form and field.form >= 0]
    if not own:
        own = [
            one
            for one in buttons
            if one.dialog == field.dialog and ADDS.search(one.text or one.words)
        ]

    def rank(one: Control) -> tuple[object, ...]:
        says = bool(ADDS.search(one.text or one.words))
        return (not says, one.type != "submit", one.index < field.index, one.index)

    kept = [one for one in own if ADDS.search(one.text or one.words) or one.type == "submit"]
    return min(kept, key=rank, default=None)
