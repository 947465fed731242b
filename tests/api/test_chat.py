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


@pytest.mark.parametrize(
    "message",
    [
        "mark {} as done please",
        "done {}, thanks",
        "could you mark number {} complete for me please?",
        "tick {} off",
        "cross off {}. Thank you!",
        "I have finished {}",
        "I did the dishes",
        "the dishes are done",
        "I'm done with {} thanks",
    ],
)
def test_many_ways_to_say_that_something_is_done(user, message):
    number = user.post("/todos", {"title": "the dishes"}, 201)["id"]
    user.post("/todos", {"title": "something else"}, 201)
    answer = user.post("/chat", {"message": message.format(number)}, 200)
    assert answer["reply"] == f"Done: #{number} the dishes."
    done = {todo["id"] for todo in user.get("/todos") if todo["completed"]}
    assert done == {number}


def test_what_was_done_can_be_opened_again(user):
    number = user.post("/todos", {"title": "the dishes"}, 201)["id"]
    for again in ("undo {}", "mark {} as not done please"):
        user.post("/chat", {"message": f"done {number}"}, 200)
        answer = user.post("/chat", {"message": again.format(number)}, 200)
        assert answer["reply"] == f"Open again: #{number} the dishes."
        assert user.get(f"/todos/{number}")["completed"] is False


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("put eggs on my shopping list please", "eggs"),
        ("don't let me forget to call mom", "call mom"),
        ("I'd like you to add buy bread", "buy bread"),
        ("remind me to say thank you", "say thank you"),
        ("make a note to buy stamps, thanks a lot", "buy stamps"),
        ("jot down read the plan for next week's party", "read the plan for next week's party"),
    ],
)
def test_many_ways_to_ask_for_a_todo(user, message, title):
    user.post("/chat", {"message": message}, 200)
    assert [(todo["title"], todo["due_date"]) for todo in user.get("/todos")] == [(title, None)]


@pytest.mark.parametrize("message", ["get rid of {}", "take the dishes off my list", "scrap {}"])
def test_many_ways_to_delete(user, message):
    number = user.post("/todos", {"title": "the dishes"}, 201)["id"]
    answer = user.post("/chat", {"message": message.format(number)}, 200)
    assert answer["reply"] == f"Deleted #{number} the dishes."
    assert user.get("/todos") == []


def _next(weekday, today):
    return today + timedelta((weekday - today.weekday() - 1) % 7 + 1)


@pytest.mark.parametrize(
    ("message", "title", "due"),
    [
        (
            "remind me to book flights next week",
            "book flights",
            lambda day: day + timedelta(7 - day.weekday()),
        ),
        ("remind me tomorrow to call mom", "call mom", lambda day: day + timedelta(1)),
        ("add pay rent on friday", "pay rent", lambda day: _next(4, day)),
        ("add call mom tomorrow at 5pm please", "call mom at 5pm", lambda day: day + timedelta(1)),
        (
            "I need to water the plants in two days",
            "water the plants",
            lambda day: day + timedelta(2),
        ),
        ("add clean up this weekend", "clean up", lambda day: _next(5, day)),
        (
            "add renew the pass the day after tomorrow",
            "renew the pass",
            lambda day: day + timedelta(2),
        ),
        ("add the bins tonight", "the bins", lambda day: day),
    ],
)
def test_dates_are_understood_as_people_say_them(user, message, title, due):
    user.post("/chat", {"message": message}, 200)
    (todo,) = user.get("/todos")
    assert (todo["title"], todo["due_date"]) == (title, str(due(datetime.now(UTC).date())))


def test_a_day_of_the_calendar_is_understood_and_one_that_does_not_exist_is_left_alone(user):
    user.post("/chat", {"message": "add dentist on 3 december"}, 200)
    user.post("/chat", {"message": "add party on 31 november"}, 200)
    party, dentist = user.get("/todos")
    assert dentist["title"] == "dentist"
    assert dentist["due_date"].endswith("-12-03")
    assert (party["title"], party["due_date"]) == ("party on 31 november", None)


@pytest.mark.parametrize(
    "message", ["what do I have to do today?", "What's due today", "today's todos please"]
)
def test_todays_list_holds_what_is_due_and_what_is_late(user, message):
    today = datetime.now(UTC).date()
    for title, due in (
        ("now", today),
        ("late", today - timedelta(3)),
        ("later", today + timedelta(1)),
    ):
        user.post("/todos", {"title": title, "due_date": str(due)}, 201)
    user.post("/todos", {"title": "some day"}, 201)
    reply = user.post("/chat", {"message": message}, 200)["reply"]
    assert reply.startswith("2 due today:\n")
    assert [line.rpartition(" ")[2] for line in reply.splitlines()[1:]] == ["late", "now"]


def test_a_day_without_todos_says_how_many_are_open(user):
    user.post("/todos", {"title": "some day"}, 201)
    reply = user.post("/chat", {"message": "what do I have to do tomorrow?"}, 200)["reply"]
    assert reply == 'Nothing is due tomorrow. 1 without that date: ask "what is open".'


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
