"""What is recognised on a page: forms, fields, buttons."""

import pytest

from scripts.checks.journey import forms
from scripts.checks.journey.forms import Control


def page(*told):
    """Controls of (tag, type, words or text) in one form; a link's words are its text."""
    found = []
    for index, (tag, kind, words, *more) in enumerate(told):
        is_field = tag in ("input", "textarea", "select")
        found.append(
            Control(
                index,
                tag,
                kind,
                words if is_field else "",
                "" if is_field else words,
                form=-1 if tag == "a" else 0,
                **(more[0] if more else {}),
            )
        )
    return found


EMAIL, PASSWORD = ("input", "email", "you@example.com"), ("input", "password", "Password")
GO = ("button", "submit", "Go")


@pytest.mark.parametrize(
    ("controls", "path", "heading", "kind"),
    [
        (page(EMAIL, PASSWORD, ("button", "submit", "Sign in")), "/", "Welcome", "log in"),
        (page(EMAIL, PASSWORD, ("button", "submit", "Sign Up")), "/", "Welcome", "sign up"),
        (page(EMAIL, PASSWORD, ("button", "submit", "Create Account")), "/x", "", "sign up"),
        (page(EMAIL, PASSWORD, ("button", "submit", "Continue")), "/signup", "", "sign up"),
        (page(EMAIL, PASSWORD, ("button", "submit", "Continue")), "/sign-up", "", "sign up"),
        (page(EMAIL, PASSWORD, ("button", "submit", "Continue")), "/auth", "Register", "sign up"),
        (page(EMAIL, PASSWORD, ("input", "password", "Confirm"), GO), "/", "", "sign up"),
        (page(("input", "text", "Full name"), EMAIL, PASSWORD, GO), "/", "", "sign up"),
        (page(("input", "text", "What needs to be done?")), "/register", "Register", ""),
        (
            page(
                ("button", "button", "Register"),
                ("button", "button", "Login"),
                EMAIL,
                PASSWORD,
                ("button", "submit", "Login"),
            ),
            "/",
            "Register or log in",
            "log in",
        ),
        (
            page(
                EMAIL,
                PASSWORD,
                ("button", "submit", "Sign in with Google"),
                ("button", "submit", "Login"),
            ),
            "/",
            "",
            "log in",
        ),
    ],
)
def test_which_form_it_is(controls, path, heading, kind):
    assert forms.form_kind(controls, path, heading) == kind


@pytest.mark.parametrize(
    ("tag", "kind", "words", "wanted"),
    [
        ("input", "text", "Email address email", "email"),
        ("input", "email", "", "email"),
        ("input", "password", "Enter your password", "password"),
        ("input", "password", "Confirm your password", "confirm"),
        ("input", "password", "Re-enter your password", "confirm"),
        ("input", "text", "Username", "username"),
        ("input", "text", "John Doe", "name"),
        ("input", "text", "First name", "first"),
        ("input", "text", "Search tasks by title", "search"),
        ("input", "checkbox", "I agree to the Terms", "agree"),
        ("input", "checkbox", "Remember me", ""),
        ("input", "date", "Due date", ""),
        ("input", "text", "Task title", "text"),
    ],
)
def test_what_belongs_into_a_field(tag, kind, words, wanted):
    assert forms.purpose(page((tag, kind, words))[0]) == wanted


def test_links_to_a_sign_up_by_their_words():
    controls = page(
        ("a", "", "Features"), ("a", "", "Get Started"),
        ("button", "submit", "Sign up with Google"),
        ("a", "", "Don't have an account? Sign up"), ("a", "", "Sign up"),
    )  # fmt: skip
    assert [one.text for one in forms.leads_to(controls, "sign up")] == [
        "Sign up",
        "Don't have an account? Sign up",
        "Get Started",
    ]


def test_the_field_of_a_todo_is_no_search_no_description_no_chat():
    controls = page(
        ("input", "text", "Search tasks..."),
        ("textarea", "textarea", "Task description (optional)"),
        ("input", "text", "Ask me to manage your tasks..."), ("input", "text", "Enter task title"),
    )  # fmt: skip
    assert forms.title_field(controls).words == "Enter task title"
    assert forms.message_field(controls).words == "Ask me to manage your tasks..."


@pytest.mark.parametrize(
    "words", ["What needs to be done?", "Add a new task...", "Task title", "todo", "Title *"]
)
def test_words_of_a_todos_field(words):
    assert forms.title_field(page(("input", "text", words))) is not None


def test_a_field_in_a_dialog_needs_no_words():
    controls = page(("input", "text", "x", {"dialog": True}), ("input", "text", "Search"))
    assert forms.title_field(controls).index == 0


def test_the_button_that_opens_and_the_button_that_keeps():
    controls = page(
        ("button", "button", "All tasks"), ("button", "button", "Delete task"),
        ("button", "button", "+ New Task"),
        ("input", "text", "Title"), ("button", "button", "Cancel"), ("button", "submit", "Create"),
    )  # fmt: skip
    assert forms.adds(controls)[0].text == "+ New Task"
    assert forms.saves(controls, controls[3]).text == "Create"


def test_a_button_in_a_terminals_look_opens_too():
    told = {"index": 0, "tag": "button", "type": "button", "words": "", "text": "> NEW_TASK"}
    assert [one.text for one in forms.adds([forms.control(told)])] == ["> NEW TASK"]


def test_a_page_without_a_button_is_sent_with_enter():
    controls = page(("input", "text", "What needs to be done?"))
    assert forms.saves(controls, controls[0]) is None
    assert forms.submit(controls, controls[0]) is None
