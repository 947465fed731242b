import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts import commands
from scripts import deployment as stages
from scripts.app.resolve import Resolved
from scripts.checks import diagnosis
from scripts.images.builds import Images
from scripts.machine.engine import Engine
from scripts.session.console import Session
from scripts.session.findings import Failure, Finding, failure
from scripts.session.settings import ROOT
from scripts.supply.stock import Stock

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


def _session(run):
    """A session, and what it shows."""
    told = []
    progress = SimpleNamespace(
        note=told.append, table=lambda title, columns, rows: told.extend(map(str, rows))
    )
    return Session(run, progress), told


def test_pruning_asks_and_says_what_it_takes_away(make_run):
    run = make_run()
    old = run.settings.cache / "images" / "etcd-0123456789abcdef.tar"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 9999)
    asked = []
    session, told = _session(replace(run, confirm=lambda what: bool(asked.append(what))))
    commands.prune_supply(session)
    assert old.exists() and told[-1] == "Nothing was deleted."
    assert "delete these 0.00 GiB from" in asked[0]
    assert any("programs and images of earlier versions" in line for line in told)
    assert any("The compiler's caches stay: " in line for line in told)

    session, told = _session(run)
    commands.prune_supply(session)
    assert not old.exists() and told[-1] == "Deleted 0.00 GiB."
    commands.prune_supply(session)
    assert told[-1] == "There is nothing to take away."


def test_the_bundle_that_a_command_names_wins_over_the_settings(make_run):
    session, _ = _session(make_run(supply={"bundle": "one"}))
    assert commands.with_bundle(session, "").context.settings.supply.bundle == "one"
    assert commands.with_bundle(session, "two").context.settings.supply.bundle == "two"


def test_an_export_has_the_apps_images_and_the_list_of_its_packages(make_run, stub, tmp_path):
    client = stub(
        "docker",
        """case "$1" in save) echo "$@" ;; image) echo '[{"Id": "sha256:1"}]' ;; esac""",
    )
    run = make_run()
    tool = run.settings.cache / "tools" / "helm-v4.2.3" / "helm"
    pins = run.settings.cache / "requirements" / "0123456789abcdef-undated.json"
    for place in (tool, pins):
        place.parent.mkdir(parents=True)
        place.write_bytes(b"content")
    ran = []

    class Made(Session):
        def run(self, *targets):
            ran.append((self.context.settings.supply.source, targets))
            return {
                stages.STOCK: Stock((tool,), ("phase4/debian:1",)),
                stages.ENGINE: Engine(f"{client}", "29.0.0", "/", "overlay2", 2, 8 << 30),
                stages.SURVEY: SimpleNamespace(root=tmp_path / "my-app"),
                stages.BASE_IMAGES: {"python": "phase4/python:1"},
                stages.BUILD_IMAGES: Images({"todo-chatbot-backend:1": "sha256:1"}, ()),
                stages.REQUIREMENTS: Resolved("", "3.13", False, (), "", kept=pins),
            }

    _, told = _session(run)
    session = Made(run, SimpleNamespace(note=told.append))
    commands.export_supply(session, f"{tmp_path / 'a.bundle'}", with_app=True, key="")
    assert ran == [("registries", (stages.STOCK, stages.TRY_IMAGES))]
    assert "2 files and 3 images with the app my-app" in told[-1]
    with tarfile.open(tmp_path / "a.bundle") as bundle:
        manifest = json.load(bundle.extractfile(bundle.getmembers()[0]))
    assert set(manifest["files"]) == {
        "tools/helm-v4.2.3/helm",
        "requirements/0123456789abcdef-undated.json",
    }
    assert set(manifest["images"]) == {
        "phase4/debian:1",
        "phase4/python:1",
        "todo-chatbot-backend:1",
    }

    commands.export_supply(session, f"{tmp_path / 'b.bundle'}", with_app=False, key="")
    assert ran[-1] == ("registries", (stages.STOCK,))
    assert "1 files and 1 images, in" in told[-1]


@pytest.mark.parametrize(
    "work",
    [
        commands.stop_cluster,
        lambda session: commands.destroy(session, False),
        lambda session: commands.roll_back(session, 0),
        lambda session: commands.restore_database(session, "todo.dump"),
        commands.undeploy,
    ],
)
def test_what_changes_the_cluster_is_refused_beside_another_run(make_run, monkeypatch, work):
    """Nothing of it is begun: whatever it needs would have to be asked first."""
    run = make_run()
    monkeypatch.setattr(commands, "_present", lambda *_: {})
    monkeypatch.setattr(commands, "_kubectl", lambda *_: {})
    session = Session(run, SimpleNamespace(note=lambda text: None))
    with session.alone(), pytest.raises(Failure) as caught:
        work(session)
    assert caught.value.findings[0].code == "DEPLOY-RUNNING"
