"""The journey through the API: every shape to its end, every failure with its cause."""

import pytest
from fastapi import FastAPI, HTTPException

from scripts.checks.journey import account, api, judgement
from scripts.checks.journey.client import Target
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.steps import ADD, AGAIN, CHAT, CLEAN, LOG_IN, RESTARTED, SIGN_UP
from tests.unit.checks import journey_shapes as shapes


def walked(app, hints=None, person=None, **options):
    with shapes.served(app) as address:
        return api.journey(Target(address), person or account.fresh(), hints, **options)


def statuses(journey):
    return {one.name: one.status for one in journey.steps}


@pytest.mark.parametrize("shape", shapes.WORKING, ids=lambda one: one.__name__)
def test_a_person_gets_to_the_end(shape):
    app = shape()
    journey = walked(app)
    assert journey.verdict == "works", journey
    assert statuses(journey)[AGAIN] == "passed"
    assert judgement.findings(journey, Hints()) == ()


def test_it_takes_its_todo_away():
    app = shapes.plain()
    assert statuses(walked(app))[CLEAN] == "passed"
    assert app.state.store.todos == {}
    assert len(app.state.store.users) == 1


def test_it_takes_its_account_away_where_the_api_can():
    app = shapes.token_at_sign_up()
    walked(app)
    assert app.state.store.users == {}


def test_an_account_that_a_browser_made_is_taken_away():
    app = shapes.plain()
    app.state.store.add_user("a@example.com", "password-1")
    person = account.Account("a@example.com", "a", "password-1")

    @app.delete("/users/{user_id}")
    def leave(user_id: str, who: shapes.Who):
        assert user_id == who
        app.state.store.users.clear()

    with shapes.served(app) as address:
        api.forget(Target(address), person, Hints())
    assert app.state.store.users == {}


def test_the_account_of_a_release_is_made_once():
    app = shapes.plain()
    person = account.fixed("a secret of the release", "todo-app/todo-app")
    for _ in range(3):
        assert walked(app, person=person).verdict == "works"
    assert list(app.state.store.users) == [person.email]


def test_another_secret_is_another_account():
    one, other = account.fixed("one", "a/a"), account.fixed("two", "a/a")
    assert one == account.fixed("one", "a/a")
    assert one.email != other.email and one.password != other.password


def test_routes_of_the_code_do_where_the_document_is_hidden():
    routes = (
        ("post", "/auth/register"),
        ("post", "/auth/login"),
        ("post", "/todos"),
        ("get", "/todos"),
    )
    journey = walked(shapes.hidden(), Hints(routes=routes))
    assert journey.verdict == "works", journey


def test_a_log_in_by_nextauth():
    journey = walked(shapes.next_auth(), Hints(accounts="next-auth"))
    assert journey.verdict == "works", journey


def test_todos_of_nexts_own_handlers():
    app = shapes.nexts_own_todos()
    handlers = ("/api/auth/signup", "/api/auth/login", "/api/tasks", "/api/tasks/[id]")
    with shapes.served(app) as address, shapes.served(FastAPI()) as elsewhere:
        journey = api.journey(Target(address, elsewhere), account.fresh(), Hints(handlers=handlers))
    assert journey.verdict == "works", journey
    assert statuses(journey)[CLEAN] == "passed"


def test_accounts_of_nexts_server_give_the_api_its_token():
    app = shapes.better_auth()
    person = account.fixed("secret", "x/x")
    for _ in range(2):
        journey = walked(app, Hints(accounts="better-auth"), person)
        assert journey.verdict == "works", journey
    assert len(app.state.store.users) == 1


def test_a_sign_up_that_is_passed_on_to_nobody():
    hints = Hints(calls=(("ACCOUNTS_API_URL", "app/accounts.py:7", "http://localhost:8000"),))
    journey = walked(shapes.passed_on(), hints)
    assert journey.verdict == "degraded"
    (finding,) = judgement.findings(journey, hints)
    assert finding.code == "APP-DEGRADED" and finding.exit_code == 21
    for words in (
        "nobody can sign up",
        "POST /auth/signup answers 404",
        "app/accounts.py:7",
        "ACCOUNTS_API_URL",
    ):
        assert words in finding.summary


@pytest.mark.parametrize(
    ("answers", "asked", "verdict"),
    [
        (HTTPException(405, "Method Not Allowed"), True, "degraded"),
        (HTTPException(500, "fetch failed"), True, "degraded"),
        (HTTPException(500, "User already exists"), True, "works"),
        (HTTPException(500, "Internal server error"), True, "works"),  # for a second account
        (HTTPException(405, "Method Not Allowed"), False, "works"),
    ],
)
def test_the_pages_own_way_to_an_account_counts_where_the_page_asks_it(answers, asked, verdict):
    site, door = FastAPI(), "/api/auth/signup"

    @site.post(door)
    def register():
        raise answers

    known = Hints(handlers=(door,), doors=(door,) if asked else ())
    with shapes.served(site) as address, shapes.served(shapes.plain()) as elsewhere:
        journey = api.journey(Target(address, elsewhere), account.fresh(), known)
    assert journey.verdict == verdict, journey
    for finding in judgement.findings(journey, known):
        assert f"nobody can sign up: POST {door} answers {answers.status_code}" in finding.summary


def test_a_write_that_fails_has_its_cause_from_the_log():
    log = "psycopg.errors.ReadOnlySqlTransaction: cannot execute INSERT in a read-only transaction"
    journey = walked(shapes.read_only(), log=lambda: log)
    (finding,) = judgement.findings(journey, Hints())
    assert "nobody can add a todo: POST /todos answers 500" in finding.summary
    assert "ReadOnlySqlTransaction" in finding.summary
    assert statuses(journey)[LOG_IN] == "passed"


def test_a_todo_that_is_not_kept():
    journey = walked(shapes.forgetful())
    assert statuses(journey)[AGAIN] == "failed"
    assert "is not there afterwards" in judgement.findings(journey, Hints())[0].summary


def test_a_success_that_says_no():
    journey = walked(shapes.polite_failure())
    assert statuses(journey)[ADD] == "failed"
    assert "relation tasks does not exist" in judgement.findings(journey, Hints())[0].summary


def test_a_confirmation_by_mail_is_no_failure():
    journey = walked(shapes.confirmation())
    assert statuses(journey) == {SIGN_UP: "passed", LOG_IN: "not judged"}
    assert journey.verdict == "not judged"
    assert any("e-mail" in one for one in judgement.sentences(journey))


def test_accounts_of_another_service_are_not_judged():
    assert walked(shapes.others_accounts()).verdict == "not judged"
    journey = walked(shapes.others_accounts(), Hints(hosted="Clerk"))
    assert journey.verdict == "not judged"
    assert "Clerk keeps the accounts" in judgement.in_one_line(journey)


def test_too_many_requests_are_not_judged():
    assert walked(shapes.impatient()).verdict == "not judged"


def test_an_api_that_does_not_answer_is_a_failure():
    journey = api.journey(Target("http://127.0.0.1:1"), account.fresh())
    assert journey.verdict == "degraded"
    assert "does not answer" in judgement.findings(journey, Hints())[0].summary


def test_it_looks_again_after_a_restart():
    gone = []
    journey = walked(shapes.plain(), restart=lambda: gone.append(1) or "")
    assert gone == [1] and statuses(journey)[RESTARTED] == "passed"


def test_an_app_that_does_not_come_back_is_a_failed_step_and_the_others_are_kept():
    journey = walked(shapes.plain(), restart=lambda: "no answer 240 s after its pods were deleted")
    assert statuses(journey)[ADD] == "passed" and statuses(journey)[RESTARTED] == "failed"
    assert "no answer 240 s" in judgement.findings(journey, Hints())[0].summary


def test_data_that_a_restart_loses():
    app = shapes.plain()
    journey = walked(app, restart=lambda: app.state.store.todos.clear() or "")
    assert statuses(journey)[RESTARTED] == "failed"
    assert "lost when the pods are gone" in judgement.findings(journey, Hints())[0].summary


@pytest.mark.parametrize(
    ("code", "said", "status"),
    [
        (200, None, "passed"),
        (503, "OPENAI_API_KEY is not configured", "not judged"),
        (500, "Error code: 401 - Incorrect API key provided", "not judged"),
    ],
)
def test_a_chat_without_its_key_is_a_note(code, said, status):
    app = shapes.plain()

    @app.post("/chat")
    def chat(body: dict, who: shapes.Who):
        if code != 200:
            raise HTTPException(code, said)
        return {"response": f"done: {body['message']}"}

    journey = walked(app, chat=True)
    assert statuses(journey)[CHAT] == status
    assert journey.verdict == "works"
    assert bool(journey.notes) == (status == "not judged")
