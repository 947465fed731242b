"""The journey on a release.

Its account comes from the Secret, its cause from the log, and its pods are deleted.
"""

import base64
from urllib.parse import urlsplit

import pytest

from scripts.checks.journey import account, browser, release
from scripts.checks.journey.hints import Hints
from scripts.checks.journey.steps import RESTARTED
from scripts.session.findings import Failure
from scripts.supply.tools import Found
from tests.unit.checks import journey_shapes as shapes

SECRET = "the release's own secret, 0123456789"


@pytest.fixture
def deployed(tmp_path, make_run, stub):
    """A run whose ingress is a running app, with the kubectl that this pretends to be."""

    def make(address, log="", secret=SECRET):
        (tmp_path / "log").write_text(log)
        told = base64.b64encode(secret.encode()).decode()
        path = stub(
            "kubectl",
            f'echo "$*" >> {tmp_path}/calls\n'
            f'case "$*" in *" get secret "*) printf %s "{told}";; *" logs "*) cat '
            f"{tmp_path}/log;; esac",
        )
        run = make_run(cluster={"ingress_port": urlsplit(address).port})
        return run, {"kubectl": Found("kubectl", path, "v1", "PATH")}

    return make


def test_one_account_for_all_deployments(deployed, tmp_path):
    app = shapes.plain()
    with shapes.served(app) as address:
        run, tools = deployed(address)
        for _ in range(2):
            assert release.short_form(run, tools, "", Hints()).verdict == "works"
    person = account.fixed(SECRET, "todo-app/todo-app")
    assert list(app.state.store.users) == [person.email]
    assert run.shell.mask(f"{person.password} {SECRET}") == "******** ********"
    assert SECRET not in (tmp_path / "calls").read_text()


def test_without_a_secret_the_account_is_new_each_time(deployed):
    app = shapes.plain()
    with shapes.served(app) as address:
        run, tools = deployed(address, secret="")
        for _ in range(2):
            release.short_form(run, tools, "", Hints())
    assert len(app.state.store.users) == 2


def test_a_write_that_fails_is_named_with_the_logs_cause(deployed, tmp_path):
    log = '{"level": "info", "message": "error page"}\nOperationalError: disk full\n'
    with shapes.served(shapes.read_only()) as address:
        run, tools = deployed(address, log)
        (finding,) = release.diagnosis(run, tools, "")
        with pytest.raises(Failure) as raised:
            release.judged(release.short_form(run, tools, "", Hints()), Hints())
    assert "nobody can add a todo: POST /todos answers 500" in finding.summary
    assert "OperationalError: disk full" in finding.summary
    assert raised.value.exit_code == 21
    assert "--since=20s" in (tmp_path / "calls").read_text()


def test_all_pods_are_deleted_and_the_todo_looked_for(deployed, tmp_path, monkeypatch, said):
    def nothing(*_):
        raise browser.NoBrowser("Playwright is not installed")

    monkeypatch.setattr(browser, "journey", nothing)
    monkeypatch.setattr(release, "hints", lambda _: Hints())
    monkeypatch.setattr(release.fit, "api_path", lambda _: "")
    with shapes.served(shapes.plain()) as address:
        run, tools = deployed(address)
        found = release.run_journey(run, tools, None, restart=True, pictures=tmp_path)
    assert found.verdict == "works" and found.step(RESTARTED).status == "passed"
    assert "delete pod -l app.kubernetes.io/instance=todo-app" in (tmp_path / "calls").read_text()
    assert said == ["through the API alone: Playwright is not installed"]
