"""The assistant without a language model: what it understands, whole and streamed."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.mark.parametrize(
    ("message", "tool"),
    [
        ("add buy milk", "add_todo"),
        ("Please add a task called water the plants to my list", "add_todo"),
        ("remind me to call mom", "add_todo"),
        ("what is open", "list_todos"),
        ("What's left?", "list_todos"),
        ("show my todos", "list_todos"),
        ("what's done", "list_todos"),
        ("find milk", "search_todos"),
    ],
)
def test_the_tool_that_is_meant_is_called(user, message, tool):
    answer = user.post("/chat", {"message": message}, 200)
    assert [call["name"] for call in answer["tool_calls"]] == [tool]
    assert answer["provider"] == "offline"


def test_it_works_on_the_todo_that_is_named(user):
    number = (
        user.post("/chat", {"message": "add buy milk"}, 200)["reply"]
        .split("#")[1]
        .split()[0]
        .rstrip(".")
    )
    assert (
        user.post("/chat", {"message": f"done {number}"}, 200)["reply"]
        == f"Done: #{number} buy milk."
    )
    assert user.get(f"/todos/{number}")["completed"] is True
    assert "oat milk" in user.post("/chat", {"message": "rename milk to oat milk"}, 200)["reply"]
    assert (
        user.post("/chat", {"message": "delete oat milk"}, 200)["reply"]
        == f"Deleted #{number} oat milk."
    )
    assert user.get("/todos") == []


def test_details_are_understood(user):
    user.post("/chat", {"message": "add pay the rent with high priority by tomorrow #home"}, 200)
    (todo,) = user.get("/todos")
    tomorrow = str((datetime.now(UTC) + timedelta(days=1)).date())
    assert (todo["title"], todo["priority"], todo["due_date"], todo["tags"]) == (
        "pay the rent",
        "high",
        tomorrow,
        ["home"],
    )


def test_what_is_not_understood_changes_nothing_and_gets_help(user):
    answer = user.post("/chat", {"message": "sing me a song"}, 200)
    assert answer["tool_calls"] == []
    assert "add buy milk" in answer["reply"]


def test_an_answer_is_streamed_tools_first(user):
    events = user.stream("add water the plants")
    assert events[0] == ("tool", {"name": "add_todo", "arguments": {"title": "water the plants"}})
    assert [name for name, _ in events] == ["tool", "text", "done"]
    assert "water the plants" in events[1][1]["text"]
    assert events[-1][1] == {"provider": "offline"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": ""},
        {"message": "  "},
        {"message": "x" * 2001},
        {"message": "x", "history": [{"role": "system", "content": "x"}]},
    ],
)
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_a_bad_question_is_refused(user, path, body):
    user.post(path, body, 422)
