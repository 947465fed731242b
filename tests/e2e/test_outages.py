"""The app while a part of it is gone, and after it came back.

Nothing that was acknowledged is lost, and every page says what is going on.
"""

import json
import time

import pytest
from playwright.sync_api import expect

from scripts.release import rollout
from tests.api_client import Writer


def _until_ready(state, deadline=120):
    end = time.monotonic() + deadline
    while rollout.unready(state()):
        assert time.monotonic() < end, rollout.unready(state())
        time.sleep(0.3)


def _all_titles(user):
    titles, offset = [], 0
    while page := user.get(f"/todos?limit=200&offset={offset}"):
        titles += [todo["title"] for todo in page]
        offset += 200
    return titles


def _until_written(writer):
    """Ten more writes were acknowledged: the database is back."""
    before, end = len(writer.acknowledged), time.monotonic() + 120
    while len(writer.acknowledged) < before + 10:
        assert time.monotonic() < end, "the database did not come back"
        time.sleep(0.2)


def test_no_acknowledged_write_is_lost_with_the_database_pod(user, kube, state, keep_logs):
    keep_logs("postgres")
    with Writer(user) as writer:
        time.sleep(1)
        kube("delete", "pod", "todo-app-postgres-0", "--wait=true", timeout=120)
        _until_written(writer)
    _until_ready(state)
    assert writer.refused <= {502, 503, 504}
    titles = _all_titles(user)
    assert sorted(set(titles)) == sorted(titles), "a key made two todos"
    assert set(writer.acknowledged) <= set(titles)


def test_no_acknowledged_write_is_lost_when_postgresql_is_killed(user, kube, state, keep_logs):
    """kill -9 of everything in the pod: recovery from the write-ahead log."""
    keep_logs("postgres")
    with Writer(user) as writer:
        time.sleep(1)
        kube(
            "delete",
            "pod",
            "todo-app-postgres-0",
            "--grace-period=0",
            "--force",
            "--wait=true",
            timeout=120,
        )
        _until_written(writer)
    _until_ready(state)
    assert set(writer.acknowledged) <= set(_all_titles(user))


def test_a_restart_of_the_backend_is_not_noticed(user, kube, state, keep_logs):
    """Rolling update: a request that was sent is answered, all the way through."""
    keep_logs("backend")
    with Writer(user) as writer:
        time.sleep(0.5)
        kube("rollout", "restart", "deployment/todo-app-backend")
        kube("rollout", "status", "deployment/todo-app-backend", "--timeout=120s", timeout=130)
        time.sleep(4)  # the old pod's last seconds
    _until_ready(state)
    assert writer.refused == set()
    assert set(writer.acknowledged) <= set(_all_titles(user))


@pytest.fixture
def away(kube, state):
    """Scale a workload away; it comes back at the end of the test, however that ends."""
    gone = []

    def away(what):
        gone.append(what)
        kube("scale", what, "--replicas=0")
        component = what.rsplit("-", 1)[1]
        end = time.monotonic() + 60
        while kube(
            "get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "name"
        ).strip():
            assert time.monotonic() < end
            time.sleep(0.3)

    def back(what):
        kube("scale", what, "--replicas=1")

    away.back = back
    yield away
    for what in gone:
        back(what)
    _until_ready(state)


def test_a_page_waits_for_a_backend_that_is_gone(page, user, log_in, away, keep_logs):
    user.post("/todos", {"title": "was there before"})
    log_in(page, user)
    expect(page.get_by_role("button", name="was there before", exact=True)).to_be_visible()
    keep_logs("backend")
    away("deployment/todo-app-backend")
    assert user.ask("GET", "/health").status_code == 503
    page.get_by_label("New todo").fill("typed in the meantime")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("I keep trying")).to_be_visible()
    expect(page.get_by_role("button", name="was there before", exact=True)).to_be_visible()
    expect(page.get_by_label("New todo")).to_have_value("typed in the meantime")
    page.get_by_label("Message").fill("what is open")
    page.get_by_label("Message").press("Enter")
    expect(page.get_by_label("Message")).to_have_value("what is open")
    away.back("deployment/todo-app-backend")
    expect(page.get_by_text("I keep trying")).to_have_count(0, timeout=60_000)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="typed in the meantime", exact=True)).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("list_todos")).to_be_visible()


def test_a_login_without_a_database_says_so(page, user, away, keep_logs):
    keep_logs("postgres")
    away("statefulset/todo-app-postgres")
    assert user.ask("GET", "/health").status_code in (
        200,
        503,
    )  # alive; out of service once Kubernetes has noticed
    page.goto("/login")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Try again in a moment.")).to_be_visible(timeout=15_000)
    away.back("statefulset/todo-app-postgres")
    end = time.monotonic() + 90
    # As a person would: again, until it works. Kubernetes may take the backend out of service once
    # more for a probe that was under way.
    while not page.get_by_text("Nothing here yet").is_visible():
        assert time.monotonic() < end
        if page.get_by_role("button", name="Log in").count():  # neither busy nor through
            page.get_by_role("button", name="Log in").click()
        page.wait_for_timeout(1000)


@pytest.mark.last
def test_every_log_line_is_json_and_none_is_an_error(kube, kept_logs):
    """No test causes an error of the app on purpose.

    A lost database is a warning of its clients and of PostgreSQL itself.
    """
    lines = dict(kept_logs)
    for pod in kube("get", "pods", "-o", "name").split():
        lines[pod] = kube("logs", pod, "--all-containers", "--tail=-1").splitlines()
    assert {pod.split("-")[2] for pod in lines} >= {"backend", "frontend", "postgres"}
    for pod, said in lines.items():
        assert said, pod
        for line in said:
            entry = json.loads(line)
            assert entry["level"] not in ("error", "critical", "fatal"), f"{pod}: {line}"
