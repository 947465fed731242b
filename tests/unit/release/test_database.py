"""What the database says of its tables when a deploy asks."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.app.survey import read
from scripts.release import chart, database
from scripts.session.settings import ROOT
from scripts.supply.tools import Found

APP = read(ROOT / "phase3-chatbot")


@pytest.mark.parametrize(
    ("script", "tables"),
    [
        ("echo 0002", {"0002"}),
        ("echo 0002; echo 0003", {"0002", "0003"}),
        (
            """echo 'ERROR: relation "alembic_version" does not exist' >&2; exit 1""",
            set(),
        ),
        ("echo 'FATAL: the database system is starting up' >&2; exit 2", None),
        (
            "echo 'Error from server (NotFound): pods \"todo-app-postgres-0\" not found' >&2; "
            "exit 1",
            None,
        ),
    ],
)
def test_no_answer_is_another_thing_than_no_tables(make_run, stub, script, tables):
    stub("kubectl", script)
    found = {"kubectl": Found("kubectl", Path("kubectl"), "v1.36.3", "PATH")}
    assert database.tables(make_run(), found, APP) == tables


def test_a_database_elsewhere_and_an_app_without_versions_are_not_asked(make_run):
    assert (
        database.tables(make_run(), {}, replace(APP, backend=replace(APP.backend, migrated=())))
        is None
    )
    assert database.tables(make_run(), {}, replace(APP, database="external")) is None


def test_pods_that_migrate_are_known_by_their_image():
    pod = {"initContainers": [{"image": "back:1"}], "containers": [{"image": "back:1"}]}
    objects = [{"kind": "Service"}, {"kind": "Deployment", "spec": {"template": {"spec": pod}}}]
    assert chart.migrates(objects, "back:1")
    assert not chart.migrates(objects, "back:2")
    assert not chart.migrates(
        [{"kind": "Deployment", "spec": {"template": {"spec": {"containers": pod["containers"]}}}}],
        "back:1",
    )
