"""A person's way through the app, over HTTP and in a real browser, and the data after a loss."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import requests
from conftest import ARTIFACTS
from playwright.sync_api import expect, sync_playwright

from scripts import rollout
from scripts.access import HOSTS, resolve
from scripts.supply.engine import apt_install
from tests.reference_app import PASSWORD


def test_the_page_and_the_health_of_the_api_through_the_ingress(base, run):
    for host in (run.settings.release.host, run.settings.local_host):
        page = requests.get(f"{base}/", headers={"Host": host}, timeout=10)
        assert page.status_code == 200
        assert "<title>Todo chatbot</title>" in page.text
        assert requests.get(f"{base}/api/health", headers={"Host": host}, timeout=10).json() == {"status": "ok"}
    assert requests.get(f"{base}/", headers={"Host": "unknown.example"}, timeout=10).status_code == 404


def test_the_host_name_leads_to_the_app(run):
    """`dns` wrote the entry where it may, so the name itself must work."""
    host = run.settings.release.host
    address = resolve(host)
    if not address and not os.access(HOSTS, os.W_OK):
        pytest.skip(f"this user may not write {HOSTS}, and {host} has no entry")
    port = f":{run.settings.cluster.ingress_port}" if address == "127.0.0.1" else ""
    assert requests.get(f"http://{host}{port}/api/health", timeout=10).json() == {"status": "ok"}


def test_a_todo_from_register_to_delete(user):
    assert user.post("/auth/login", {"email": user.email, "password": PASSWORD})["token_type"] == "bearer"
    todo = user.post("/todos", {"title": "buy milk"}, 201)
    assert user.get("/todos") == [todo]
    assert user.patch(f"/todos/{todo['id']}", {"title": "buy oat milk"})["title"] == "buy oat milk"
    assert user.patch(f"/todos/{todo['id']}", {"completed": True})["completed"] is True
    user.delete(f"/todos/{todo['id']}")
    assert user.get("/todos") == []


def test_the_chat_calls_a_tool(user):
    answer = user.post("/chat", {"message": "add water the plants"})
    assert answer["tool_calls"] == [{"name": "add_todo", "arguments": {"title": "water the plants", "note": ""}}]
    assert [todo["title"] for todo in user.get("/todos")] == ["water the plants"]


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("GET", "/todos/0", None, 422), ("POST", "/todos", {"title": ""}, 422), ("GET", "/nowhere", None, 404),
    ("PUT", "/todos", {}, 405), ("POST", "/chat", {"message": "x" * 3000}, 422),
])  # fmt: skip
def test_bad_requests_get_a_clear_answer(user, method, path, body, status):
    answer = user.ask(method, path, body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_todo_outlives_the_database_pod(user, kube, state):
    todo = user.post("/todos", {"title": "still here"}, 201)
    kube("delete", "pod", "todo-app-postgres-0", "--wait=true", timeout=120)
    deadline = time.monotonic() + 120
    while (answer := user.ask("GET", f"/todos/{todo['id']}")).status_code != 200:
        # While the database is away the answer says so; the app does not fall over.
        assert answer.status_code in (502, 503), answer.text
        assert time.monotonic() < deadline, "the database did not come back"
        time.sleep(0.5)
    assert answer.json()["title"] == "still here"
    while rollout.unready(state()):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_every_log_line_is_json_and_none_is_an_unexpected_error(kube):
    for component in ("backend", "frontend"):
        lines = kube("logs", "-l", f"app.kubernetes.io/component={component}", "--tail=-1").splitlines()
        assert lines
        for line in lines:
            entry = json.loads(line)
            assert entry["level"] != "error", line


@pytest.fixture(scope="module")
def browser(run):
    """Debian's chromium where there is one (or where it can be installed); otherwise Playwright's own."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path and shutil.which("apt-get") and os.geteuid() == 0:
        apt_install(run, "chromium")
        path = shutil.which("chromium")
    elif not path:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        opened = playwright.chromium.launch(executable_path=path, args=quiet)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, request, run):
    """A page that must neither log an error nor have a request fail; a picture is kept of it."""
    context = browser.new_context(base_url=run.settings.local_url, viewport={"width": 1180, "height": 760})
    opened = context.new_page()
    opened.problems = []
    opened.on("console", lambda message: message.type == "error" and opened.problems.append(message.text))
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.on("requestfailed", lambda failed: "ERR_ABORTED" in failed.failure or opened.problems.append(f"{failed.url}: {failed.failure}"))  # a page left early
    yield opened
    ARTIFACTS.mkdir(exist_ok=True)
    opened.screenshot(path=ARTIFACTS / f"{request.node.name}.png")
    context.close()


def _register(page):
    page.goto("/register")
    page.get_by_label("E-mail").fill(f"{time.time_ns()}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Todos")).to_be_visible()


def test_a_person_uses_the_app_in_a_browser(page):
    _register(page)
    page.get_by_label("New todo").fill("buy milk")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="buy milk", exact=True)).to_be_visible()
    page.get_by_label("buy milk is done").check()
    expect(page.get_by_text("nothing open")).to_be_visible()
    page.get_by_label("Message").fill("add call the dentist")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("add_todo")).to_be_visible()
    expect(page.get_by_role("button", name="call the dentist", exact=True)).to_be_visible()
    page.get_by_role("button", name="call the dentist", exact=True).click()
    page.get_by_label("Title").fill("call the vet")
    page.get_by_label("Title").press("Enter")
    expect(page.get_by_role("button", name="call the vet", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete buy milk").click()
    expect(page.get_by_text("buy milk", exact=True)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="call the vet", exact=True)).to_be_visible()
    assert page.evaluate("localStorage.getItem('todo-chatbot.token')").count(".") == 2
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    assert page.problems == []


def test_deep_links_work_behind_the_ingress(page):
    page.goto("/login")
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    page.goto("/")  # nobody is logged in
    page.wait_for_url("**/login")
    assert page.problems == []


def test_the_address_of_the_api_is_a_run_time_value(page, kube, run, base, state):
    """Another address in the ConfigMap is used after the pods rolled, with the same image."""
    images = {pod["spec"]["containers"][0]["image"] for pod in state() if pod["kind"] == "Pod"}

    def point_at(address):
        kube("patch", "configmap", "todo-app-config", "--type=merge", "-p", json.dumps({"data": {"NEXT_PUBLIC_API_URL": address}}))
        kube("rollout", "restart", "deployment/todo-app-frontend")
        kube("rollout", "status", "deployment/todo-app-frontend", "--timeout=120s", timeout=130)
        # The old pod answers until it has ended.
        assert run.shell.until(lambda: len(kube("get", "pods", "-l", "app.kubernetes.io/component=frontend", "-o", "name").split()) == 1, 60)
        assert run.shell.until(lambda: f'"{address}"' in requests.get(f"{base}/config.js", headers={"Host": run.settings.release.host}, timeout=5).text, 30)

    try:
        point_at("/api/../api")  # another spelling of the same place, as the browser's requests then show
        with page.expect_request(lambda request: "/api" in request.url and request.method == "POST") as caught:
            page.goto("/login")
            page.get_by_label("E-mail").fill("nobody@example.com")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
        assert caught.value.url.endswith("/api/auth/login")
        assert page.evaluate("window.__CONFIG__.NEXT_PUBLIC_API_URL") == "/api/../api"
        assert {pod["spec"]["containers"][0]["image"] for pod in state() if pod["kind"] == "Pod"} == images
    finally:
        point_at("/api")
