import socket

import pytest

from scripts.machine import preflight
from scripts.machine.ports import check_port_free
from scripts.machine.preflight import Machine, judge
from scripts.session.findings import Failure

FINE = Machine("Linux x86_64", "3.12.1", 50.0, 16000, 4)


def test_a_fit_machine_gives_no_finding():
    assert judge(FINE, 20, 4096) == ()


@pytest.mark.parametrize(
    ("machine", "code"),
    [
        (Machine("Linux", "3.9.2", 50.0, 16000, 4), "PYTHON-TOO-OLD"),
        (Machine("Linux", "3.12.1", 1.0, 16000, 4), "DISK-TOO-SMALL"),
        (Machine("Linux", "3.12.1", 50.0, 4000, 4), "MEMORY-TOO-SMALL"),
    ],
)
def test_what_is_too_small_is_named(machine, code):
    (finding,) = judge(machine, 20, 4096)
    assert finding.code == code
    assert finding.exit_code == 10
    assert finding.remedy


def test_all_that_is_wrong_is_told_at_once():
    assert len(judge(Machine("Linux", "3.9.2", 1.0, 1000, 1), 20, 4096)) == 3


def test_a_taken_port_is_told_and_a_free_one_is_not(make_run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Failure) as caught:
            check_port_free(make_run(), port)
        assert caught.value.findings[0].code == "PORT-TAKEN"
        assert str(port) in caught.value.findings[0].summary
    check_port_free(make_run(), port)


@pytest.mark.parametrize(("bundle", "fits"), [("", False), ("todo.bundle", True)])
def test_a_bundle_needs_less_room_than_a_compiler(make_run, monkeypatch, tmp_path, bundle, fits):
    monkeypatch.setenv("MINIKUBE_HOME", f"{tmp_path}")
    (tmp_path / ".minikube" / "profiles" / "todo-chatbot").mkdir(
        parents=True
    )  # its port is its own
    small = Machine("Linux", "3.12.1", 10.0, 16000, 4)
    monkeypatch.setattr(preflight, "measure", lambda run: small)
    run = make_run(supply={"bundle": bundle})
    if fits:
        assert preflight.check(run) == small
    else:
        with pytest.raises(Failure) as caught:
            preflight.check(run)
        assert caught.value.findings[0].code == "DISK-TOO-SMALL"
