"""Imports between the rooms of scripts/ go one way, and each room says what it may import."""

import ast
import re

import pytest

import scripts
from scripts import deployment
from scripts.session.settings import ROOT
from scripts.session.stage import Stage

SCRIPTS = ROOT / "scripts"
INSIDE_IMAGES = SCRIPTS / "images" / "api" / "phase4"  # programs of an image, which run there alone

#: Each room with its level. A room may import rooms of lower levels only.
LEVELS = {
    "session": 0,
    "machine": 1,
    "supply": 2,
    "app": 2,
    "images": 3,
    "cluster": 4,
    "release": 5,
    "checks": 6,
}


def _imports(path):
    """The rooms, or top modules of scripts/, that this file imports anywhere, also in functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively: write scripts.ROOM"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("scripts.")}


def _used(room):
    paths = [path for path in (SCRIPTS / room).rglob("*.py") if INSIDE_IMAGES not in path.parents]
    return set().union(*(_imports(path) for path in paths)) - {room}


def _below(room):
    return {other for other, level in LEVELS.items() if level < LEVELS[room]}


def _said(room):
    """The rooms that the sentence "May import: ..." of the room's docstring names."""
    words = ast.get_docstring(ast.parse((SCRIPTS / room / "__init__.py").read_text())) or ""
    sentence = re.search(r"^May import:? (.+?)\.$", words, re.MULTILINE | re.DOTALL)
    assert sentence, f"scripts/{room}/__init__.py has no sentence 'May import: ...'"
    if sentence[1] in ("no other room", "every other room"):
        return _below(room) if sentence[1] == "every other room" else set()
    return set(re.findall(r"[a-z]+", re.sub(r"\(.*?\)", "", sentence[1], flags=re.DOTALL)))


def test_every_folder_of_scripts_is_a_room():
    assert {path.parent.name for path in SCRIPTS.glob("*/__init__.py")} == set(LEVELS)
    assert {path.stem for path in SCRIPTS.glob("*.py")} <= {"__init__", "deployment", "commands"}
    assert scripts.__doc__


@pytest.mark.parametrize("room", LEVELS)
def test_a_room_imports_lower_rooms_only(room):
    assert _used(room) <= _below(room)


@pytest.mark.parametrize("room", LEVELS)
def test_a_room_imports_what_it_says_and_no_more(room):
    said = _said(room)
    assert said <= _below(room), f"scripts/{room} says that it may import a room above itself"
    assert _used(room) <= said, f"scripts/{room} imports a room that its docstring does not name"


@pytest.mark.parametrize("room", LEVELS)
def test_a_room_knows_nothing_of_the_task_runner(room):
    """So its functions can be called from anywhere, and tests need no task."""
    for path in (SCRIPTS / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [node.module] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            tops = {str(name).split(".")[0] for name in named}
            assert not tops & {"invoke", "nox", "tasks", "noxfile"}, f"{path}:{node.lineno}"


def test_rooms_of_the_same_level_do_not_know_each_other():
    assert "app" not in _used("supply")
    assert "supply" not in _used("app")


def _drawn(title):
    """The arrows of the picture below this heading of docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition(f"## {title}\n")[2]
    picture = text.partition("```mermaid\n")[2].partition("```")[0]
    return set(re.findall(r"^  ([\w-]+) --> ([\w-]+)$", picture, re.MULTILINE))


def _shortest(real):
    """These arrows without those where a longer way leads to the same end."""
    return {
        (start, end)
        for start, end in real
        if not any(end in _reached(real, other) for begin, other in real if begin == start)
    }


def _reached(real, start):
    """Every room that imports lead to from `start`, directly or through others."""
    found, open_ends = set(), [start]
    while open_ends:
        new = {end for begin, end in real if begin == open_ends[-1]} - found
        open_ends.pop()
        found |= new
        open_ends += new
    return found


def test_the_picture_in_the_documents_is_that_of_the_imports():
    drawn = _drawn("The rooms of scripts/")
    modules = {path.stem: _imports(path) for path in SCRIPTS.glob("[cd]*.py")}
    users = {**modules, **{room: _used(room) for room in LEVELS}}
    real = {(user, used) for user in users for used in users[user]}
    assert drawn == _shortest(real)


def test_the_graph_in_the_documents_is_that_of_the_stages():
    stages = [one for one in vars(deployment).values() if isinstance(one, Stage)]
    real = {(one.name, need.name) for one in stages for need in (*one.needs, *one.after)}
    assert _drawn("The graph of stages") == {(end, start) for start, end in _shortest(real)}
