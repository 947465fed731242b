import pytest
import requests

from scripts.release import access
from scripts.release.access import remove_entry, write_entry
from scripts.session.findings import Failure

OTHERS = "127.0.0.1 localhost\n# a comment\n10.0.0.9 elsewhere.example # theirs\n"


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(OTHERS)
    return path


def test_an_entry_is_added_and_all_else_stays(hosts):
    write_entry(hosts, "192.0.2.1", "todo.local")
    assert hosts.read_text() == OTHERS + "192.0.2.1 todo.local # phase4\n"


def test_a_new_address_takes_the_place_of_our_old_line(hosts):
    write_entry(hosts, "192.0.2.1", "todo.local")
    write_entry(hosts, "192.0.2.2", "todo.local")
    assert hosts.read_text() == OTHERS + "192.0.2.2 todo.local # phase4\n"


def test_a_hosts_file_is_never_empty_on_the_way_and_stays_the_same_file(hosts):
    """In a container it is a mount; and a run may be killed at any moment."""
    number, held = hosts.stat().st_ino, hosts.open()
    write_entry(hosts, "192.0.2.1", "todo.local")
    assert hosts.stat().st_ino == number
    assert held.read() == hosts.read_text()
    assert remove_entry(hosts, "todo.local")
    assert hosts.read_text() == OTHERS


def test_removing_gives_the_file_back_as_it_was(hosts):
    write_entry(hosts, "192.0.2.1", "todo.local")
    assert remove_entry(hosts, "todo.local") is True
    assert hosts.read_text() == OTHERS
    assert remove_entry(hosts, "todo.local") is False


def test_somebody_elses_line_for_the_name_is_reported_and_left(hosts):
    with pytest.raises(Failure) as caught:
        write_entry(hosts, "192.0.2.1", "elsewhere.example")
    assert "10.0.0.9 elsewhere.example" in caught.value.findings[0].evidence
    assert hosts.read_text() == OTHERS


@pytest.mark.parametrize(
    ("settings", "left"),
    [({}, False), ({"hosts_file": "skip"}, True), ({"cluster": {"context": "theirs"}}, True)],
)
def test_the_entry_of_our_own_cluster_goes_with_it_alone(
    make_run, hosts, monkeypatch, settings, left
):
    monkeypatch.setattr(access, "HOSTS", hosts)
    write_entry(hosts, "192.0.2.1", "todo.local")
    access.forget(make_run(**settings))
    assert ("todo.local" in hosts.read_text()) == left


@pytest.mark.parametrize(
    ("path", "status", "kind", "works"),
    [
        ("/api/health", 200, "application/json", True),
        ("/api/health", 404, "application/json", False),
        # A backend without a health route, whose schema is at /api/v1/openapi.json or nowhere.
        ("/_api/openapi.json", 404, "application/json", True),
        # The ingress controller's own words: no route leads there.
        ("/_api/openapi.json", 404, "text/plain; charset=utf-8", False),
        ("/_api/openapi.json", 502, "application/json", False),
    ],
)
def test_what_a_working_app_answers(path, status, kind, works):
    answer = requests.Response()
    answer.url, answer.status_code = f"http://127.0.0.1:8080{path}?", status
    answer.headers["content-type"] = kind
    assert access.works(answer) is works
