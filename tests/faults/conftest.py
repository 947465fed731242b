"""The fixtures of the live cluster, and faults that undo themselves."""

import pytest

from scripts.checks.diagnosis import diagnose
from tests.e2e.conftest import (  # noqa: F401 - fixtures
    as_json,
    base,
    docker,
    found,
    kube,
    run,
    state,
)
from tests.faults.opinions import Opinions

OPINIONS = pytest.StashKey[Opinions]()


def pytest_addoption(parser):
    parser.addoption("--model", action="store_true", help="also ask a model on this machine")


def pytest_terminal_summary(terminalreporter, config):
    if opinions := config.stash.get(OPINIONS, None):
        opinions.process.kill()
        for line in opinions.summary():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def opinions(request):
    """The model that is asked about each fault, or None."""
    if request.config.getoption("--model"):
        request.config.stash[OPINIONS] = Opinions()
    return request.config.stash.get(OPINIONS, None)


@pytest.fixture
def diagnosed(run, found, opinions):  # noqa: F811
    """Diagnose until the fault shows; the findings.

    The cluster may need a while to notice.
    """

    def diagnosed(code, timeout=100):
        kept = []

        def shows():
            kept[:] = diagnose(run, found)
            return bool(kept) and kept[0].code == code

        assert run.shell.until(shows, timeout, 1), (
            "\n".join(f"{one.code} {one.subject}: {one.summary}\n  {one.evidence}" for one in kept)
            or "nothing found"
        )
        if opinions:
            opinions.ask(run, found, kept)
        return kept

    return diagnosed


@pytest.fixture
def diagnosed_now(run, found):  # noqa: F811
    """Diagnose once."""
    return lambda: diagnose(run, found)


@pytest.fixture
def healthy(run, found):  # noqa: F811
    """Wait until nothing is wrong."""
    return lambda: run.shell.until(lambda: diagnose(run, found) == (), 150, 1)


@pytest.fixture(autouse=True)
def _afterwards(healthy):
    yield
    assert healthy(), "the fault was not undone"
