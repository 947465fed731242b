"""Todos from beginning to end, as the API has them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest


def _day(offset):
    return str((datetime.now(UTC) + timedelta(days=offset)).date())


def test_a_todo_from_beginning_to_end(user):
    todo = user.post("/todos", {"title": "  buy milk "})
    assert todo == todo | {
        "title": "buy milk",
        "note": "",
        "due_date": None,
        "priority": "normal",
        "tags": [],
        "completed": False,
        "version": 1,
        "overdue": False,
    }
    change = {
        "completed": True,
        "note": "oat",
        "due_date": _day(-1),
        "priority": "high",
        "tags": ["Shop", "home", "shop"],
    }
    changed = user.patch(f"/todos/{todo['id']}", change)
    assert changed == changed | {**change, "tags": ["home", "shop"], "version": 2, "overdue": False}
    assert user.patch(f"/todos/{todo['id']}", {"completed": False})["overdue"] is True
    assert user.patch(f"/todos/{todo['id']}", {"due_date": None})["due_date"] is None
    assert user.get("/todos") == [user.get(f"/todos/{todo['id']}")]
    user.delete(f"/todos/{todo['id']}")
    user.get(f"/todos/{todo['id']}", 404)
    assert user.get("/todos") == []


def test_a_deleted_todo_can_be_restored(user):
    todo = user.post("/todos", {"title": "dear", "tags": ["kept"]})
    user.delete(f"/todos/{todo['id']}")
    user.patch(f"/todos/{todo['id']}", {"title": "gone"}, 404)
    user.delete(f"/todos/{todo['id']}", 404)
    restored = user.post(f"/todos/{todo['id']}/restore", status=200)
    assert (restored["title"], restored["tags"]) == ("dear", ["kept"])
    assert user.get("/todos") == [restored]
    user.post("/todos/2147483647/restore", status=404)


def test_search_and_filters(user):
    for title, details in {
        "buy milk": {"note": "the OAT one", "tags": ["shop"]},
        "100% sure": {"priority": "high", "due_date": _day(1)},
        "done already": {"completed": True},
    }.items():
        made = user.post(
            "/todos",
            {
                "title": title,
                **{name: value for name, value in details.items() if name != "completed"},
            },
        )
        if "completed" in details:
            user.patch(f"/todos/{made['id']}", {"completed": True})

    def titles(query):
        return [todo["title"] for todo in user.get(f"/todos?{query}")]

    assert titles("search=oat") == ["buy milk"]
    assert titles("search=%25") == ["100% sure"]
    assert titles("search=_") == []
    assert titles("tag=SHOP") == ["buy milk"]
    assert titles("priority=high") == ["100% sure"]
    assert titles(f"due_before={_day(2)}") == ["100% sure"]
    assert titles(f"due_before={_day(1)}") == []
    assert titles("completed=true") == ["done already"]
    assert titles("") == ["100% sure", "buy milk", "done already"]
    assert titles("sort=priority") == ["100% sure", "buy milk", "done already"]


def test_pages_follow_their_links(user):
    for number in range(5):
        user.post("/todos", {"title": f"todo {number}"})
    seen, query = [], "?limit=2"
    for _ in range(3):
        answer = user.ask("GET", f"/todos{query}")
        assert answer.headers["X-Total-Count"] == "5"
        seen += [todo["title"] for todo in answer.json()]
        query = answer.links.get("next", {}).get("url")
    assert seen == [f"todo {number}" for number in (4, 3, 2, 1, 0)]
    assert query is None
    assert answer.links["prev"]["url"] == "?offset=2&limit=2"


def test_a_change_of_what_was_not_seen_is_refused(user):
    answer = user.ask("POST", "/todos", {"title": "mine"})
    path, seen = f"/todos/{answer.json()['id']}", answer.headers["ETag"]
    user.patch(path, {"title": "changed elsewhere"})
    user.patch(path, {"title": "lost update"}, 412, headers={"If-Match": seen})
    user.delete(path, 412, headers={"If-Match": seen})
    user.patch(path, {"title": "lost update"}, 412, headers={"If-Match": "anything"})
    now = user.ask("GET", path)
    assert now.json()["title"] == "changed elsewhere"
    assert (
        user.patch(path, {"title": "seen"}, headers={"If-Match": now.headers["ETag"]})["version"]
        == 3
    )
    assert user.patch(path, {"tags": ["x"]}, headers={"If-Match": '"3"'})["version"] == 4
    assert user.patch(path, {"title": "any"}, headers={"If-Match": "*"})["version"] == 5


def test_of_changes_at_once_none_is_lost_unseen(user):
    path = f"/todos/{user.post('/todos', {'title': 'busy'})['id']}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: user.ask(
                    "PATCH", path, {"title": f"try {number}"}, {"If-Match": '"1"'}
                ),
                range(8),
            )
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 409, 412}
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert user.get(path)["title"] == won["title"]


def test_the_same_key_makes_one_todo(user, make_user):
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda _: user.ask("POST", "/todos", {"title": "once"}, {"Idempotency-Key": "k-1"}),
                range(6),
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(user.get("/todos")) == 1
    user.post("/todos", {"title": "something else"}, 409, headers={"Idempotency-Key": "k-1"})
    user.delete(f"/todos/{answers[0].json()['id']}")
    user.post("/todos", {"title": "once"}, 409, headers={"Idempotency-Key": "k-1"})
    make_user().post("/todos", {"title": "of somebody else"}, headers={"Idempotency-Key": "k-1"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"title": ""},
        {"title": "  "},
        {"title": None},
        {"title": 5},
        {"title": "x" * 201},
        {"title": "a\x00b"},
        {"title": "x", "owner_id": 1},
        {"title": "x", "note": "y" * 4001},
        {"title": "x", "due_date": "tomorrow"},
        {"title": "x", "due_date": "2026-02-30"},
        {"title": "x", "due_date": 0},
        {"title": "x", "priority": "highest"},
        {"title": "x", "tags": ["two words"]},
        {"title": "x", "tags": [f"t{number}" for number in range(11)]},
    ],
)
def test_a_bad_todo_is_refused_with_the_place(user, body):
    problem = user.post("/todos", body, 422)
    assert problem["errors"][0]["where"].startswith("body")
    assert problem["instance"]


@pytest.mark.parametrize(
    "body", [{"title": None}, {"completed": "yes"}, {"completed": None}, {"version": 7}, {"id": 1}]
)
def test_a_bad_change_is_refused(user, body):
    todo = user.post("/todos", {"title": "as it is"})
    user.patch(f"/todos/{todo['id']}", body, 422)
    assert user.get(f"/todos/{todo['id']}") == todo


@pytest.mark.parametrize(
    "path",
    [
        "/todos/0",
        "/todos/-1",
        "/todos/99999999999999",
        "/todos/x",
        "/todos?limit=0",
        "/todos?sort=random",
        "/todos?limit=201",
    ],
)
def test_a_bad_address_is_refused(user, path):
    user.get(path, 422)


def test_what_is_not_there(user):
    user.get("/nowhere", 404)
    assert user.ask("PUT", "/todos", {}).headers["Allow"] == "GET, POST"
    assert user.ask("PUT", "/todos/1", {}).headers["Allow"] == "DELETE, GET, PATCH"
