"""Figures of the app behind its ingress.

They are page load, API latency under a steady load, and the time until the assistant's first word.

Loopback only, bounded in time. Run it with `nox -s bench`; the table is printed and kept as
artifacts/bench-app.json.
"""

import json
import random
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import yaml
from playwright.sync_api import sync_playwright

from scripts.session.settings import ROOT, Settings
from tests.api_client import Api, register

RATE, SECONDS, USERS = 50, 20, 5
SAMPLES = 10


def _percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def api_latency(anybody):
    """Milliseconds of each answer at RATE requests a second.

    Requests are sent on time, however long the answers take.
    """
    users = [register(anybody) for _ in range(USERS)]
    for user in users:
        for number in range(20):
            user.post("/todos", {"title": f"todo {number}", "tags": ["bench"]})
    begin = time.perf_counter() + 0.5

    def ask(number):
        user = users[number % USERS]
        time.sleep(max(0.0, begin + number / RATE - time.perf_counter()))
        method, path, body = random.Random(number).choices(
            [
                ("GET", "/todos", None),
                ("GET", "/todos?search=todo&sort=due", None),
                ("POST", "/todos", {"title": f"load {number}"}),
                ("GET", "/auth/me", None),
            ],
            [5, 2, 2, 1],
        )[0]
        started = time.perf_counter()
        status = user.ask(method, path, body).status_code
        assert status < 400, f"{method} {path}: {status}"
        return (time.perf_counter() - started) * 1000

    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(ask, range(RATE * SECONDS)))


def first_token(anybody):
    """Milliseconds from the question to the assistant's first words, without a language model."""
    user, found = register(anybody), []
    for number in range(SAMPLES):
        started = time.perf_counter()
        with user.events(f"add todo {number}") as events:
            next(event for event in events if event[0] == "text")
            found.append((time.perf_counter() - started) * 1000)
    return found


def page_load(anybody, url):
    """Milliseconds until the load event, and until the list is there.

    The person is logged in, and nothing is cached.
    """
    user, loaded, shown = register(anybody), [], []
    for number in range(20):
        user.post("/todos", {"title": f"todo {number}"})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(SAMPLES):
            context = browser.new_context(base_url=url)
            context.add_init_script(f"localStorage.setItem('todo-chatbot.token', '{user.token}')")
            page = context.new_page()
            started = time.perf_counter()
            page.goto("/", wait_until="load")
            loaded.append(
                page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            )
            page.get_by_role("listitem").nth(19).wait_for()
            shown.append((time.perf_counter() - started) * 1000)
            context.close()
        browser.close()
    return loaded, shown


def main():
    settings = Settings.load(yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"])
    url = f"http://127.0.0.1:{settings.cluster.ingress_port}"
    anybody = Api(f"{url}/api", settings.release.host)
    loaded, shown = page_load(anybody, settings.local_url)
    latency = api_latency(anybody)
    token = first_token(anybody)
    rows = [
        ("page: load event, median", statistics.median(loaded), 1000),
        ("page: 20 todos shown, median", statistics.median(shown), 1000),
        (f"API at {RATE}/s: median", statistics.median(latency), None),
        (f"API at {RATE}/s: p95", _percentile(latency, 0.95), 50),
        (f"API at {RATE}/s: p99", _percentile(latency, 0.99), None),
        ("assistant, offline: first word, median", statistics.median(token), 200),
    ]
    print("| figure | ms | goal |\n|---|---|---|")
    for name, value, goal in rows:
        print(f"| {name} | {value:.0f} | {f'under {goal}' if goal else ''} |")
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (artifacts / "bench-app.json").write_text(
        json.dumps(
            {name: {"ms": round(value, 1), "goal": goal} for name, value, goal in rows}, indent=2
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
