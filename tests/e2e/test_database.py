"""The release's database: its migrations, and the whole of it as a file, and back."""

import os
import shutil
import subprocess
import time

import pytest

from scripts.release import helm
from scripts.session.settings import ROOT
from tests.reference_app import PLAN_NAMES


def _invoke(*arguments):
    return subprocess.run(["invoke", *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture
def deploy_copy(tmp_path, kube):
    """Deploy a copy of the app after a change of it.

    Afterwards the pods and the tables are brought back.
    """
    app = tmp_path / "phase3-chatbot"
    shutil.copytree(
        ROOT / "phase3-chatbot", app, ignore=shutil.ignore_patterns("node_modules", ".next", "out")
    )

    def deploy_copy(file, text):
        (app / file).write_text(text)
        environment = {**os.environ, **PLAN_NAMES, "INVOKE_PHASE4_APP_PATH": str(app)}
        return subprocess.run(
            ["invoke", "deploy", "--yes"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    yield deploy_copy
    back = "drop table if exists e2e_more; update alembic_version set version_num = '0002'"
    kube("exec", "todo-app-postgres-0", "--", "psql", "-U", "todo", "-d", "todo", "-c", back)
    assert _invoke("deploy", "--yes").returncode == 0


MORE = """
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # the trial of the image has a file
        op.execute("{sql}")
"""
VERSIONS = "app/database/migrations/versions"


def _backend(state):
    (found,) = (
        item
        for item in state()
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "todo-app-backend"
    )
    return found["spec"]["template"]["spec"]


def test_new_pods_migrate_when_there_is_something_to_migrate(kube, state, user, deploy_copy):
    todo = user.post("/todos", {"title": "outlives a migration"})
    result = deploy_copy(
        f"{VERSIONS}/0003_e2e.py", MORE.format(sql="create table e2e_more (id integer)")
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert [one["name"] for one in _backend(state)["initContainers"]] == ["migrate"]
    newest = kube(
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=backend",
        "--sort-by=.metadata.creationTimestamp",
        "-o",
        "name",
    ).split()[-1]
    assert "Running upgrade 0002 -> 0003" in kube("logs", newest, "-c", "migrate")

    change = ("app/unused.py", f"# {os.urandom(8).hex()}\n")
    changed = deploy_copy(*change)  # the tables are up to date now
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert "initContainers" not in _backend(state)
    assert user.get(f"/todos/{todo['id']}") == todo

    assert "unchanged" in deploy_copy(*change).stdout


def test_a_migration_that_fails_is_named_and_the_pods_before_it_go_on(
    run, found, user, deploy_copy
):
    before = helm.history(run, found)[-1]
    result = deploy_copy(
        f"{VERSIONS}/0003_e2e.py", MORE.format(sql="create table todos (id integer)")
    )
    output = result.stdout + result.stderr
    assert result.returncode not in (0, 1), output
    for code in ("MIGRATION-FAILED", "ROLLED-BACK"):
        assert f"{code} in TROUBLESHOOTING.md" in output
    assert "already exists" in output
    assert f"went back to revision {before.number}, which served before" in output
    assert user.get("/todos") == []


def test_dump_and_restore_bring_back_what_was_lost(user, tmp_path):
    todo = user.post("/todos", {"title": "worth a backup", "tags": ["kept"]})
    dump = tmp_path / "todo.dump"
    assert _invoke("db-dump", "--path", str(dump)).returncode == 0
    assert dump.stat().st_mode & 0o077 == 0
    user.delete(f"/todos/{todo['id']}")
    later = user.post("/todos", {"title": "after the backup"})
    assert _invoke("db-restore", str(dump), "--yes").returncode == 0
    end = time.monotonic() + 30
    while user.ask("GET", f"/todos/{todo['id']}").status_code == 503:
        assert time.monotonic() < end
    assert user.get(f"/todos/{todo['id']}") == todo
    user.get(f"/todos/{later['id']}", 404)
    assert user.get("/ready")["status"] == "ready"


def test_a_dump_that_is_cut_off_or_none_changes_nothing(user, tmp_path):
    todo = user.post("/todos", {"title": "not to be lost"})
    dump = tmp_path / "todo.dump"
    assert _invoke("db-dump", "--path", str(dump)).returncode == 0
    (tmp_path / "cut.dump").write_bytes(dump.read_bytes()[:-2000])
    (tmp_path / "text.dump").write_text("not a dump")
    for name, words in (("cut.dump", "the database is as it was"), ("text.dump", "is no dump of")):
        result = _invoke("db-restore", str(tmp_path / name), "--yes")
        assert result.returncode == 18, result.stdout + result.stderr
        assert words in result.stdout + result.stderr
    assert user.get(f"/todos/{todo['id']}") == todo
