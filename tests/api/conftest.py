"""The API, wherever it runs: a process on file storage, or with --app the one behind an ingress.

The same tests for both.
"""

import pytest

from tests.api_client import Api, register


def pytest_addoption(parser):
    parser.addoption(
        "--app",
        default="",
        help=(
            "address of a running API, for example http://127.0.0.1:8080/api; default: start one "
            "on file storage"
        ),
    )
    parser.addoption(
        "--app-host", default="", help="Host header to send, for an ingress on loopback"
    )


@pytest.fixture(scope="session")
def anybody(request, start_app):
    """Nobody in particular: no token."""
    address = request.config.getoption("--app")
    return Api(address or start_app()[0], request.config.getoption("--app-host"))


@pytest.fixture
def make_user(anybody):
    return lambda: register(anybody)


@pytest.fixture
def user(make_user):
    return make_user()
