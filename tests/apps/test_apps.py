"""Each app is deployed unmodified, and its page is used in a browser.

Its data must still be there after its pods were deleted.
"""

import subprocess
import time

import pytest
from playwright.sync_api import expect

from scripts.cluster.kubectl import kubectl
from scripts.release import rollout
from scripts.session.settings import ROOT

APPS = ROOT / "tests" / "apps"

#: app -> (address of its page, its heading, words that the deployment must say)
SHAPES = {
    "export-sqlite": ("/", "Export", ("Next.js 14.2.35 (export)", "database: file")),
    "rewrites-asyncpg": (
        "/",
        "Rewrites",
        ("Next.js 14.2.35 (standalone)", "src.main:app", "database: postgres"),
    ),
    "monorepo-uv": ("/", "Monorepo", ("app.main:app", "database: postgres")),
    "key-at-import": (
        "/",
        "Key",
        ("OPENAI_API_KEY is not given", "python-multipart is used", "database: file"),
    ),
    "fonts-clash": (
        "/",
        "Chat",
        ("Python 3.11 instead of 3.13", "python-multipart is used", "database: postgres"),
    ),
    "companion/phase3-chat": ("/", "Companion", ("service accounts", "database: postgres")),
    "auth-next16": ("/", "Auth", ("psycopg2 is not for this image", "database: postgres")),
}


SIGN_UP_FIRST = ("auth-next16", "companion/phase3-chat")


def _tree(folder):
    return subprocess.run(
        ["git", "status", "--porcelain", "--ignored", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("name", SHAPES)
def test_an_app_as_it_is(name, deploy, open_page, here, found, release):
    path, heading, words = SHAPES[name]
    before = _tree(APPS / name)
    said = deploy(APPS / name)
    for one in words:
        assert one in said
    assert _tree(APPS / name) == before, "the app's folder was changed"
    page = open_page(base_url=here.settings.local_url)
    page.goto(path)
    if name in SIGN_UP_FIRST:
        page.get_by_label("Email").fill(f"somebody-{time.time_ns()}@example.com")
        page.get_by_label("Password").fill("a long enough password")
        page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    title = f"water the plants {time.time_ns()}"
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text(title)).to_be_visible()
    assert page.problems == []
    if name == "auth-next16":
        return  # its page forgets who was logged in
    pods = ("pods", "-l", f"app.kubernetes.io/instance={release.name}", "--wait=true")
    kubectl(here, found, "-n", release.namespace, "delete", *pods, timeout=180)
    assert here.shell.until(lambda: not rollout.unready(rollout.look(here, found)), 150, 1)
    # An app without a connection check gives its first answer after its database's restart to a
    # connection that is gone: a person reloads.
    assert here.shell.until(lambda: _shows(page, path, title), 60, 1)


def _shows(page, path, title):
    page.goto(path)
    try:
        expect(page.get_by_text(title)).to_be_visible(timeout=3000)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "status", "code", "words"),
    [
        (
            "missing-model",
            15,
            "IMAGE-RUN-FAILED",
            ("ImportError: cannot import name 'Todo' from 'models.todo'", "(main.py:2)"),
        ),
        (
            "half-there",
            21,
            "APP-DEGRADED",
            (
                "the app runs without 1 of its routes (POST /auth/login)",
                "cannot import name 'LoginForm'",
            ),
        ),
    ],
)
def test_an_app_that_cannot_work_says_why_in_its_first_line(name, status, code, words, deploy):
    said = deploy(APPS / name, status)
    assert f"{code} in TROUBLESHOOTING.md" in said
    first = next(line for line in said.split("\n\n", 1)[1].splitlines() if line.strip())
    assert all(one in first for one in words)
