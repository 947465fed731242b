import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scripts import commands
from scripts.checks import diagnosis
from scripts.session.findings import Failure, Finding, failure
from scripts.session.settings import ROOT

DEAD = failure("APP-DEGRADED", "POST /signup", "the app runs, but nobody can sign up")


@pytest.fixture
def failed(make_run, stub):
    """A session whose deployment ended in DEAD, which cancels what its shell runs."""
    stub("kubectl", "echo '{}'")
    run = make_run()

    def stages(*_):
        run.shell.cancel()
        raise DEAD

    return SimpleNamespace(context=run, run=stages)


def tools_by_shell(run, name, upstream):
    run.shell.run("kubectl", "version")
    return name


def test_the_cause_of_a_failed_deployment_is_looked_for_by_a_shell_that_is_not_cancelled(
    failed, monkeypatch
):
    cause = Finding("DATABASE-READ-ONLY", "todo-app", "the database takes no writes", "", "")
    monkeypatch.setattr(commands.tools, "ensure", tools_by_shell)
    monkeypatch.setattr(diagnosis, "diagnose", lambda run, tools: (cause,))
    with pytest.raises(Failure) as raised:
        commands.deploy(failed)
    assert raised.value.findings == (cause, *DEAD.findings)


def test_a_cluster_that_cannot_be_asked_any_more_hides_no_failure(failed, monkeypatch):
    def gone(run, tools):
        raise failure("CLUSTER-NOT-RUNNING", "todo-app", "the cluster does not answer")

    monkeypatch.setattr(commands.tools, "ensure", tools_by_shell)
    monkeypatch.setattr(diagnosis, "diagnose", gone)
    with pytest.raises(Failure) as raised:
        commands.deploy(failed)
    assert raised.value.findings == DEAD.findings


def test_a_folder_with_other_letters_is_given_on_under_a_locale_without_them(tmp_path):
    (tmp_path / "häuser").mkdir()
    program = "import sys, tasks\nprint(tasks.console.Shell().run('ls', sys.argv[1]).stdout)"
    plain = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C"}
    command = [sys.executable, "-c", program, tmp_path / "häuser" / ".."]
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, timeout=50)
    assert done.stdout.decode().strip() == "häuser", done.stderr
