"""The journey on a release: its address, its account, its log, and its pods when they are to go."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path

import requests

from scripts.app import fit
from scripts.app.survey import Survey
from scripts.checks.journey import account, api, browser, judgement
from scripts.checks.journey.account import Account
from scripts.checks.journey.client import Target
from scripts.checks.journey.hints import Hints, hints
from scripts.checks.journey.steps import Journey
from scripts.cluster.kubectl import kubectl
from scripts.release import chart
from scripts.release.installation import Release
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply.tools import Found

PICTURES = ROOT / "artifacts" / "journey"
RECENT = "20s"  # of the log, looked at when a step has just failed
RESTART_TIMEOUT = 240.0
SECRET_KEY = "BETTER_AUTH_SECRET"  # every release has one


def run_journey(
    run: Run,
    tools: Mapping[str, Found],
    app: Survey,
    restart: bool = False,
    pictures: Path = PICTURES,
) -> Journey:
    """Walk the whole way in a browser, or through the API where there is none.

    restart: delete every pod of the release in between. pictures: the folder for screenshots.
    """
    known, target = hints(app), target_of(run, fit.api_path(app))
    log = _log(run, tools)
    again = (lambda: _restart(run, tools, target)) if restart else None
    person = account.fresh()
    run.shell.hide(person.password)
    try:
        folder = pictures / run.settings.release.name
        found = browser.journey(target, person, known, folder, log, again)
        api.forget(target, person, known)
        return found
    except browser.NoBrowser as error:
        run.say(f"through the API alone: {error}")
    return api.journey(target, person, known, log, again, chat=True)


def short_form(run: Run, tools: Mapping[str, Found], api_path: str, known: Hints) -> Journey:
    """Walk the way through the API, with the one account that the release has for this."""
    person = _account(run, tools)
    return api.journey(target_of(run, api_path), person, known, _log(run, tools))


def check(run: Run, tools: Mapping[str, Found], app: Survey, installed: Release) -> Journey | None:
    """The short form at the end of a deployment that changed something. Raises APP-DEGRADED."""
    if not installed.changed:
        return None
    known = hints(app)
    return judged(short_form(run, tools, fit.api_path(app), known), known)


def judged(found: Journey, known: Hints) -> Journey:
    """The same journey. Raises APP-DEGRADED when a step of it failed."""
    wrong = judgement.findings(found, known)
    if wrong:
        raise Failure(*wrong)
    return found


def diagnosis(
    run: Run, tools: Mapping[str, Found], api_path: str, app: Survey | None = None
) -> tuple[Finding, ...]:
    """What the short form finds wrong with a release.

    app: what its folder tells, where that is there.
    """
    known = hints(app) if app else Hints()
    return judgement.findings(short_form(run, tools, api_path, known), known)


def target_of(run: Run, api_path: str) -> Target:
    """The release's address, as its page uses it; connected to without asking a resolver."""
    connect = f"http://127.0.0.1:{run.settings.cluster.ingress_port}"
    return Target(run.settings.local_url, api_path, connect)


def _account(run: Run, tools: Mapping[str, Found]) -> Account:
    """The release's own account, derived from its Secret; a new one where that cannot be read."""
    path = f"jsonpath={{.data.{SECRET_KEY}}}"
    arguments = ("get", "secret", chart.secret_name(run), "--ignore-not-found", "-o", path)
    told = kubectl(run, tools, "-n", run.settings.release.namespace, *arguments, check=False)
    try:
        secret = base64.b64decode(told.stdout.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        secret = ""
    release = f"{run.settings.release.namespace}/{run.settings.release.name}"
    person = account.fixed(secret, release) if told.ok and secret else account.fresh()
    run.shell.hide(secret, person.password)
    return person


def _log(run: Run, tools: Mapping[str, Found]) -> Callable[[], str]:
    """Reads the line of the app's log about what has just happened."""
    release = run.settings.release
    selector = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component!=postgres"
    arguments = ("logs", "-l", selector, "--all-containers", f"--since={RECENT}", "--tail=400")

    def read() -> str:
        said = kubectl(run, tools, "-n", release.namespace, *arguments, check=False)
        return run.shell.mask(judgement.cause_in(said.stdout))

    return read


def _restart(run: Run, tools: Mapping[str, Found], target: Target) -> str:
    """Delete every pod of the release, and wait until the page answers again.

    Why it does not, empty when it does.
    """
    release = run.settings.release
    scope = ("-n", release.namespace)
    selector = f"app.kubernetes.io/instance={release.name}"
    kubectl(
        run, tools, *scope, "delete", "pod", "-l", selector, "--wait=true", timeout=RESTART_TIMEOUT
    )
    wait = ("wait", "pod", "-l", selector, "--for=condition=Ready", "--timeout=180s")
    kubectl(run, tools, *scope, *wait, timeout=RESTART_TIMEOUT, check=False, reads=True)
    if run.shell.until(lambda: _answers(target), RESTART_TIMEOUT):
        return ""
    return f"the app does not answer {RESTART_TIMEOUT:.0f} s after its pods were deleted"


def _answers(target: Target) -> bool:
    """The page, and something behind the API's path, by whatever status."""
    session = requests.Session()
    session.trust_env = False
    host = {"Host": target.site.partition("://")[2]}
    try:
        found = [
            session.get(url, headers=host, timeout=5, allow_redirects=False).status_code
            for url in (f"{target.site_url}/", f"{target.api_url}/openapi.json")
        ]
    except requests.RequestException:
        return False
    return all(status not in (502, 503, 504) for status in found)
