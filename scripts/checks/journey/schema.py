"""An OpenAPI document read for a person's way: which operation signs up, logs in, keeps a todo.

Pure: nothing is asked here. Where an app hides its document, the routes of its code stand in,
without the form of their bodies; then the fields are guessed from what such apps use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.checks.journey.account import Account

DEEPEST = 4  # levels of $ref and nesting that are followed
ABSENT = object()

SIGN_UP_PATH = re.compile(
    r"/(sign-?_?up|register|registration|create-?_?(user|account))(/(email|user|json))?/?$", re.I
)
ACCOUNTS_PATH = re.compile(r"/(users?|accounts?)(/(create|new|add))?/?$", re.I)
LOG_IN_PATH = re.compile(
    r"/(log-?_?in|sign-?_?in|token|access-?_?token|authenticate|session)"
    r"(/(email|json|access-?_?token|password))?/?$",
    re.I,
)
NOT_ACCOUNT = re.compile(
    r"callback|oauth|google|github|refresh|reset|forgot|verify|webhook|chatkit|/test/|/mcp/", re.I
)
ME_PATH = re.compile(r"/(me|profile|whoami|current[-_]?user|get-session|session|verify)/?$", re.I)
TODO = r"(todos?|tasks?|todo[-_]?items?|task[-_]?items?)"
TODO_PATH = re.compile(rf"/{TODO}(/(create|add|new))?/?$", re.I)
TODO_LIST = re.compile(rf"/{TODO}(/(list|all))?/?$", re.I)
TODO_GONE = re.compile(rf"/{TODO}(/(delete|remove))?(/\{{[^}}]+\}})?/?$", re.I)
CHAT_PATH = re.compile(
    r"/(chat|assistant|agent)(/(\{[^}]+\}|message|messages|ask|send|query))?/?$", re.I
)
GONE_PATH = re.compile(r"/(me|account|users?/\{[^}]+\}|users?/me)(/delete)?/?$", re.I)
USER_PARAMETER = re.compile(r"^(user_?id|uid|owner_?id|user)$", re.I)

PASSWORD = re.compile(r"pass(word|wd|phrase)?|^pwd", re.I)
EMAIL = re.compile(r"e-?mail", re.I)
HANDLE = re.compile(r"^(user_?name|handle|login|identifier|nick_?name)$", re.I)
FULL_NAME = re.compile(r"^(name|full_?name|display_?name|first_?name|last_?name)$", re.I)
AGREES = re.compile(r"agree|accept|terms|consent", re.I)
TITLE = re.compile(r"^(title|task|todo|text|name|content|task_?title|summary)$", re.I)
MESSAGE = re.compile(
    r"^(message|messages|prompt|content|text|query|question|input|user_message)$", re.I
)


@dataclass(frozen=True)
class Parameter:
    """A parameter. where: path, query or header."""

    name: str
    where: str
    schema: Mapping[str, Any]
    required: bool = True


@dataclass(frozen=True)
class Operation:
    """One method of one path. body: its schema, None when nothing is known of it. form: sent as an
    HTML form.

    known: the document describes it; otherwise only its route is known. at_page: Next's own server
    has it, not the API.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    form: bool = False
    parameters: tuple[Parameter, ...] = ()
    known: bool = True
    at_page: bool = False

    @property
    def is_guessed(self) -> bool:
        """Whether nothing tells what its body holds."""
        if self.body is None:
            return not self.known or (self.method == "post" and not self.parameters)
        return not properties(self.body)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body's fields."""
        return properties(self.body or {})

    @property
    def blanks(self) -> tuple[str, ...]:
        """Names in the path that need a value."""
        return tuple(re.findall(r"\{([^}]+)\}", self.path))

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@dataclass(frozen=True)
class Shape:
    """The operations of a person's way, each the likeliest first. open: no operation wants a
    log-in.
    """

    sign_up: tuple[Operation, ...] = ()
    log_in: tuple[Operation, ...] = ()
    me: tuple[Operation, ...] = ()
    add: tuple[Operation, ...] = ()
    todos: tuple[Operation, ...] = ()
    remove: tuple[Operation, ...] = ()
    chat: tuple[Operation, ...] = ()
    leave: tuple[Operation, ...] = ()


def operations(document: Mapping[str, Any]) -> tuple[Operation, ...]:
    """Every operation of a document, with its schemas put in place of references."""
    found = []
    for path, item in (document.get("paths") or {}).items():
        if not isinstance(item, Mapping):
            continue
        for method, told in item.items():
            if method in ("get", "post", "put", "patch", "delete") and isinstance(told, Mapping):
                shared = [*item.get("parameters", []), *told.get("parameters", [])]
                body, form = _body(document, told)
                found.append(
                    Operation(method, path, body, form, tuple(_parameters(document, shared)))
                )
    return tuple(found)


def undocumented(routes: Iterable[tuple[str, str]]) -> tuple[Operation, ...]:
    """Operations of which only method and path are known."""
    return tuple(Operation(method, path, known=False) for method, path in routes if "*" not in path)


def of_handlers(paths: Iterable[str]) -> tuple[Operation, ...]:
    """Operations of Next's route handlers. Their methods are not known, so each may be any."""
    plain = [re.sub(r"\[(\w+)\]", r"{\1}", path) for path in paths if "..." not in path]
    return tuple(
        Operation(method, path, known=False, at_page=True)
        for path in plain
        for method in ("get", "post", "delete")
    )


def shape(found: Sequence[Operation]) -> Shape:
    """Which of the operations belong to a person's way."""

    def chosen(method: str, pattern: re.Pattern[str], *needs: re.Pattern[str]) -> list[Operation]:
        return [
            one
            for one in found
            if one.method == method and pattern.search(one.path) and _has(one, needs)
        ]

    accounts = [one for one in chosen("post", SIGN_UP_PATH, PASSWORD) if not _aside(one)]
    accounts += [one for one in chosen("post", ACCOUNTS_PATH, PASSWORD) if not _aside(one)]
    entries = [one for one in chosen("post", LOG_IN_PATH, PASSWORD) if not _aside(one)]
    added = [one for one in chosen("post", TODO_PATH, TITLE) if _fillable(one)]
    lists = [one for one in chosen("get", TODO_LIST) if _fillable(one)]
    gone = [one for one in chosen("delete", TODO_GONE) if _fillable(one, spare=1)]
    chats = [one for one in chosen("post", CHAT_PATH, MESSAGE) if _fillable(one)]
    leaving = [one for one in chosen("delete", GONE_PATH) if _fillable(one, spare=1)]
    return Shape(
        tuple(sorted(accounts, key=_plainness)),
        tuple(sorted(entries, key=lambda one: (one.form, "token" in one.path, *_plainness(one)))),
        tuple(
            sorted(chosen("get", ME_PATH), key=lambda one: (one.path[-3:] != "/me", len(one.path)))
        ),
        tuple(sorted(added, key=_plainness)),
        tuple(sorted(lists, key=_plainness)),
        tuple(sorted(gone, key=_plainness)),
        tuple(sorted(chats, key=_plainness)),
        tuple(sorted(leaving, key=_plainness)),
    )


def beside(one: Operation, others: Sequence[Operation]) -> tuple[Operation, ...]:
    """Others, those of the same family of paths first: the list that belongs to what adds."""
    return tuple(
        sorted(
            others, key=lambda other: (other.at_page != one.at_page, -_shared(one.path, other.path))
        )
    )


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of an object's schema, those of its parts too."""
    found: dict[str, Any] = {}
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found.update(properties(part))
    return {**found, **(schema.get("properties") or {})}


def required(schema: Mapping[str, Any]) -> set[str]:
    """The fields that must be sent."""
    names = set(schema.get("required") or ())
    for part in schema.get("allOf", ()):
        names |= required(part)
    return names


@dataclass(frozen=True)
class Values:
    """What fields are filled with. login: what stands for the account in a log-in."""

    account: Account
    title: str = ""
    message: str = ""
    user_id: str = ""
    login: str = ""


def body_of(one: Operation, values: Values, optional: re.Pattern[str] | None = None) -> Any:
    """A body for this operation: what is required, and the optional fields that `optional` matches."""
    if one.body is None:
        return {}
    wanted = required(one.body)
    if not wanted:  # alternatives, or nothing marked: what a page would send
        wanted = {name for name in one.fields if _says_something(name)}
    names = [
        name
        for name in one.fields
        if name in wanted or (optional is not None and optional.search(name))
    ]
    return {name: value(name, one.fields[name], values) for name in names}


def value(name: str, schema: Mapping[str, Any], values: Values, depth: int = 0) -> Any:
    """A value for a field that its schema takes, by its name where that tells what is meant."""
    schema, nullable = _one_of(schema)
    meant = _meant(name, schema, values)
    if meant is not ABSENT:
        return meant
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if nullable or depth > DEEPEST:
        return None
    return _made(name, schema, values, depth)


def guessed(name: str, values: Values, number: bool = False) -> Any:
    """A value for a field of which only the name is known, as an error names it."""
    meant = _meant(name, {"type": "string"}, values)
    if meant is not ABSENT:
        return meant
    if re.search(r"date|_at$", name, re.I):
        return _tomorrow()
    return 1 if number else "journey"


def _meant(name: str, schema: Mapping[str, Any], values: Values) -> Any:
    kind = schema.get("type", "string")
    if kind == "boolean":
        return True if AGREES.search(name) else ABSENT
    if kind == "array" and name.lower() == "messages":
        return [{"role": "user", "content": values.message}]
    if kind == "integer" and USER_PARAMETER.match(name) and values.user_id.isdecimal():
        return int(values.user_id)
    if kind != "string":
        return ABSENT
    if PASSWORD.search(name):
        return values.account.password
    if values.login and (HANDLE.match(name) or EMAIL.search(name)):
        return values.login
    if schema.get("format") == "email" or EMAIL.search(name):
        return values.account.email
    if USER_PARAMETER.match(name):
        return values.user_id or ABSENT
    if HANDLE.match(name):
        return values.account.handle
    if values.message and MESSAGE.match(name):
        return values.message
    if values.title and TITLE.match(name):
        return values.title
    if FULL_NAME.match(name):
        first, _, last = values.account.name.partition(" ")
        part = name.lower()
        return first if "first" in part else last if "last" in part else values.account.name
    return ABSENT


def _made(name: str, schema: Mapping[str, Any], values: Values, depth: int) -> Any:
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return least if kind == "number" else int(least)
    if kind == "boolean":
        return False
    if kind == "array":
        one = schema.get("items") or {"type": "string"}
        return [value(name, one, values, depth + 1)] * int(schema.get("minItems", 0))
    if kind == "object":
        inner = properties(schema)
        wanted = required(schema)
        return {key: value(key, inner[key], values, depth + 1) for key in inner if key in wanted}
    return _text(schema)


def _text(schema: Mapping[str, Any]) -> str:
    forms = {
        "date": _tomorrow()[:10],
        "date-time": _tomorrow(),
        "time": "09:00:00",
        "uuid": "00000000-0000-4000-8000-000000000001",
        "uri": "http://example.com/",
        "email": "journey@example.com",
    }
    made = forms.get(str(schema.get("format")), "journey")
    for one in (made, "Journey", "12345678", "+12025550123", "#336699", "09:00", _tomorrow()[:10]):
        if _matches(str(schema.get("pattern", "")), one):
            made = one
            break
    made = made.ljust(int(schema.get("minLength", 0)), "x")
    return made[: int(schema["maxLength"])] if schema.get("maxLength") else made


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # of JavaScript's kind
        return True


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT09:00:00Z")


def _one_of(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The first alternative that is not null, and whether null is one."""
    nullable = False
    for key in ("anyOf", "oneOf", "allOf"):
        parts = [part for part in schema.get(key, ()) if part.get("type") != "null"]
        nullable |= len(parts) < len(schema.get(key, ()))
        if len(parts) == 1 or (parts and key != "allOf"):
            rest = {name: told for name, told in schema.items() if name != key}
            schema = {**parts[0], **rest}
    kind = schema.get("type")
    if isinstance(kind, list):  # OpenAPI 3.1: ["string", "null"]
        nullable |= "null" in kind
        schema = {**schema, "type": next((one for one in kind if one != "null"), "string")}
    return schema, nullable or bool(schema.get("nullable"))


def _body(
    document: Mapping[str, Any], told: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, bool]:
    request = _resolved(document, told.get("requestBody") or {})
    content = request.get("content") or {}
    for kind in sorted(content, key=lambda one: "json" not in one):
        told = content[kind] or {}
        schema = _resolved(document, told.get("schema") or {})
        return _by_example(schema, told), "form" in kind
    return None, False


def _by_example(schema: Mapping[str, Any], told: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plain `dict` in the code has no fields in its schema; an example beside it has."""
    shown = [told.get("example"), schema.get("example"), *(schema.get("examples") or ())]
    shown += [one.get("value") for one in (told.get("examples") or {}).values()]
    example = next((one for one in shown if isinstance(one, Mapping) and one), None)
    if properties(schema) or example is None:
        return schema
    return {
        "type": "object",
        "required": list(example),
        "properties": {
            name: {"default": value, **_kind_of(value)} for name, value in example.items()
        },
    }


def _kind_of(value: Any) -> Mapping[str, str]:
    kinds = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
    )
    return {"type": next((name for kind, name in kinds if isinstance(value, kind)), "object")}


def _parameters(document: Mapping[str, Any], told: Iterable[Any]) -> Iterator[Parameter]:
    for one in told:
        read = _resolved(document, one)
        # A header that the log-in gives is no parameter to fill in.
        if read.get("name", "").lower() not in ("", "authorization"):
            where, form = read.get("in", "query"), read.get("schema") or {}
            yield Parameter(read["name"], where, form, bool(read.get("required")))


def _resolved(document: Mapping[str, Any], part: Any, depth: int = 0) -> Any:
    """A part of the document without references. Deeper than anybody fills in it is left empty."""
    if isinstance(part, Mapping):
        reference = part.get("$ref")
        if isinstance(reference, str):
            if depth > DEEPEST:
                return {}
            found: Any = document
            for name in reference.removeprefix("#/").split("/"):
                found = found.get(name, {}) if isinstance(found, Mapping) else {}
            return _resolved(document, found, depth + 1)
        return {key: _resolved(document, told, depth) for key, told in part.items()}
    if isinstance(part, list):
        return [_resolved(document, told, depth) for told in part]
    return part


def _has(one: Operation, needs: Iterable[re.Pattern[str]]) -> bool:
    """Each of the patterns has a field, or nothing is known of the fields."""
    if one.is_guessed:
        return True
    names = [*one.fields, *(part.name for part in one.parameters)]
    if one.body is None and not one.parameters:
        return not tuple(needs) or one.method == "post"
    return all(any(pattern.search(name) for name in names) for pattern in needs)


def _aside(one: Operation) -> bool:
    return bool(NOT_ACCOUNT.search(one.path))


def _fillable(one: Operation, spare: int = 0) -> bool:
    """The path's names are the user's; `spare` others may be filled from what was made."""
    others = [name for name in one.blanks if not USER_PARAMETER.match(name)]
    return len(others) <= spare


def _plainness(one: Operation) -> tuple[object, ...]:
    return (one.at_page, not one.known, "admin" in one.path, one.path.count("/"), len(one.path))


def _says_something(name: str) -> bool:
    return any(
        pattern.search(name) for pattern in (PASSWORD, EMAIL, HANDLE, FULL_NAME, TITLE, MESSAGE)
    )


def _shared(one: str, other: str) -> int:
    parts = zip(one.strip("/").split("/"), other.strip("/").split("/"), strict=False)
    count = 0
    for mine, its in parts:
        if mine != its:
            break
        count += 1
    return count
