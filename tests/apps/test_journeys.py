"""The journey in a real browser, on small pages of many shapes."""

import time

import pytest

from scripts.checks.journey import account, browser, judgement
from scripts.checks.journey.client import Target
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.steps import ADD, AGAIN, CHAT, LOG_IN, SIGN_UP
from tests.apps.journeys.site import served

PAGES = {
    "/": "landing.html",
    "/auth/register": "register.html",
    "/auth/sign-in": "login.html",
    "/dashboard": "dashboard.html",
}


@pytest.fixture
def walk(tmp_path):
    """Walk through a site of these pages; the journey and what the site has kept."""

    def walked(pages, failing=None, hints=None):
        with served(pages, failing) as (address, store):
            found = browser.journey(
                Target(address, "/api"), account.fresh(), hints or Hints(), tmp_path
            )
        return found, store

    return walked


def statuses(journey):
    return {one.name: one.status for one in journey.steps}


def test_one_page_that_turns_into_a_sign_up(walk):
    found, store = walk({"/": "toggle.html"})
    assert found.verdict == "works", found
    assert list(statuses(found)) == [SIGN_UP, LOG_IN, ADD, AGAIN]
    assert len(store.users) == 1 and len(store.todos) == 1


def test_pages_behind_links(walk):
    found, store = walk(PAGES)
    assert found.verdict == "works", found
    assert store.todos[0]["title"].startswith("journey ")


def test_pages_that_only_the_code_names(walk):
    found, _ = walk({**PAGES, "/": "blank.html"}, hints=Hints(pages=tuple(PAGES)))
    assert found.verdict == "works", found


def test_a_page_of_todos_that_no_word_names(walk):
    pages = {**{k: v for k, v in PAGES.items() if k != "/dashboard"}, "/quests": "dashboard.html"}
    found, store = walk(pages, hints=Hints(pages=tuple(pages)))
    assert found.verdict == "works", found
    assert len(store.todos) == 1


def test_an_app_that_forgets_who_this_is_when_a_page_is_loaded_anew(walk):
    own = dict.fromkeys(("/auth/sign-in", "/dashboard", "/tasks"), "forgets.html")
    pages = {**PAGES, **own}
    found, store = walk(pages, hints=Hints(pages=tuple(pages)))
    assert found.verdict == "works", found
    assert statuses(found)[AGAIN] == "passed" and len(store.todos) == 1
    assert "after the reload it wanted a log-in again" in found.notes


def test_pages_that_come_to_life_late(walk):
    found, _ = walk({**PAGES, "/auth/register": "late.html", "/auth/sign-in": "late.html"})
    assert found.verdict == "works", found


def test_a_page_that_asks_once_more(walk):
    found, store = walk({**PAGES, "/dashboard": "asks.html"})
    assert found.verdict == "works", found
    assert store.todos[0]["title"].startswith("journey ")


def test_a_button_below_an_open_assistant(walk):
    found, store = walk({**PAGES, "/dashboard": "covered.html"})
    assert found.verdict == "works", found
    assert store.todos[0]["title"].startswith("journey ")


def test_a_todo_by_the_chat(walk):
    pages = {**PAGES, "/dashboard": "chat.html"}
    found, store = walk(pages)
    assert statuses(found)[CHAT] == "passed", found
    assert found.verdict == "works"
    assert store.todos[0]["title"].startswith("journey ")


def test_a_dead_sign_up_with_its_request_and_picture(walk, tmp_path):
    failing = {"/auth/register": (404, {"detail": "Not Found"})}
    found, _ = walk(PAGES, failing)
    (step,) = found.failed
    assert (step.name, step.request, step.code) == (SIGN_UP, "POST /api/auth/register", 404)
    assert step.screenshot == str(tmp_path / "1-sign-up.png")
    assert (tmp_path / "1-sign-up.png").read_bytes().startswith(b"\x89PNG")
    (finding,) = judgement.findings(found, Hints())
    assert "nobody can sign up: POST /api/auth/register answers 404: Not Found" in finding.summary
    assert "screenshot: " in finding.evidence


def test_an_address_that_is_written_into_the_page(walk):
    found, _ = walk({"/": "elsewhere.html"})
    (finding,) = judgement.findings(found, Hints())
    assert "http://127.0.0.1:1, which is not of this deployment" in finding.summary
    assert "make it a variable" in finding.remedy


def test_a_todo_that_the_page_alone_has(walk):
    found, _ = walk({**PAGES, "/dashboard": "memory.html"})
    assert statuses(found)[AGAIN] == "failed"
    assert "is not there afterwards" in judgement.findings(found, Hints())[0].summary


def test_a_write_that_fails(walk):
    found, _ = walk(PAGES, {"/todos": (500, {"detail": "relation todos does not exist"})})
    assert found.verdict == "degraded" or statuses(found)[ADD] in ("not found", "failed")


def test_accounts_of_another_service(walk):
    found, _ = walk({"/": "google.html"})
    assert statuses(found) == {SIGN_UP: "not judged"}
    assert "Continue with Google" in judgement.in_one_line(found)


def test_a_site_that_is_not_there(tmp_path):
    found = browser.journey(Target("http://localhost:1"), account.fresh(), Hints(), tmp_path)
    assert found.verdict == "degraded"


def test_a_first_page_that_is_not_served(walk):
    found, _ = walk({})
    assert "the first page answers 404" in judgement.findings(found, Hints())[0].summary


def test_a_page_that_never_answers_again(walk, monkeypatch):
    monkeypatch.setattr(browser, "LIMIT", 8.0)
    began = time.monotonic()
    found, _ = walk({"/": "endless.html"})
    assert time.monotonic() - began < 30
    assert statuses(found) == {SIGN_UP: "not judged"}
    assert "the browser: " in found.notes[-1]
