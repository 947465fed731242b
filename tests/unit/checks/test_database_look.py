"""What a PostgreSQL says of itself, and what of it keeps an app from working."""

import json
from dataclasses import replace

import pytest

from scripts.checks.database import Database, check, judge, kept, parse
from scripts.session.findings import Failure
from scripts.supply.tools import Found

ANSWER = {
    "identity": "7", "read_only": False, "recovery": False, "settings": [],
    "tables": ["alembic_version", "todos", "users"], "extensions": ["plpgsql"],
    "clients": [["10.1.0.5", "todo"]], "denied": [],
}  # fmt: skip
DISK = "/dev/vda1 with a space 8000000 2000000 6000000 25% /var/lib/postgresql"
WELL = parse("\n".join([DISK, json.dumps(ANSWER), "0004"]))


def _codes(seen, before=WELL):
    return [one.code for one in judge(seen, before, "todo-app", "todo-app")]


def test_an_answer_is_read_and_nothing_is_wrong_with_it():
    assert (WELL.size, WELL.free) == (8_000_000, 6_000_000)
    assert WELL.tables == {"alembic_version", "todos", "users"}
    assert WELL.versions == {"0004"}
    assert WELL.clients == {"10.1.0.5": "todo"}
    assert _codes(WELL) == []
    assert _codes(WELL, before=None) == []


@pytest.mark.parametrize("said", ["", "df: no such file\n", f"{DISK}\npsql: error: starting up"])
def test_a_database_that_does_not_answer_is_not_judged(said):
    assert parse(said) is None


@pytest.mark.parametrize(
    ("settings", "statement"),
    [
        ((("", "todo"),), "ALTER DATABASE todo"),
        ((("todo", ""),), "ALTER ROLE todo"),
        ((("todo", "todo"),), "ALTER ROLE todo IN DATABASE todo"),
    ],
)
def test_a_read_only_database_is_told_with_the_statement_that_undoes_it(settings, statement):
    (found,) = judge(replace(WELL, read_only=True, settings=settings), WELL, "r", "n")
    assert found.code == "DATABASE-READ-ONLY"
    assert f"{statement} SET default_transaction_read_only = on" in found.evidence
    # For the session: each -c is a transaction of its own.
    assert "-c 'SET default_transaction_read_only = off'" in found.remedy
    assert f"{statement} RESET default_transaction_read_only" in found.remedy


def test_a_standby_takes_no_writes_either():
    (found,) = judge(replace(WELL, recovery=True, read_only=True), WELL, "r", "n")
    assert "pg_is_in_recovery() is true" in found.evidence
    assert "promote" in found.remedy


def test_a_table_is_missed_only_in_the_same_database_at_the_same_version():
    less = replace(WELL, tables=WELL.tables - {"todos"})
    (found,) = judge(less, WELL, "todo-app", "todo-app")
    assert (found.code, found.subject) == ("TABLE-MISSING", "statefulset/todo-app-postgres")
    assert "lacks the table todos" in found.summary
    assert "Alembic's version is still 0004" in found.evidence
    assert _codes(less, replace(WELL, identity="8")) == []  # a new volume
    assert _codes(less, replace(WELL, versions=frozenset({"0003"}))) == []  # a migration dropped it


def test_an_extension_that_is_gone():
    assert _codes(WELL, replace(WELL, extensions=frozenset({"plpgsql", "vector"}))) == [
        "EXTENSION-MISSING"
    ]


def test_a_role_without_rights_is_told_with_its_tables():
    seen = replace(WELL, denied=(("guest", "todos"), ("guest", "users")))
    (found,) = judge(seen, WELL, "r", "n")
    assert found.code == "DATABASE-RIGHTS"
    assert "as guest, which may not write to todos and 1 more tables" in found.summary
    assert "todos, users" in found.evidence


@pytest.mark.parametrize(("free", "codes"), [(0, ["VOLUME-FULL"]), (500_000, [])])
def test_a_volume_that_is_full(free, codes):
    assert _codes(replace(WELL, free=free)) == codes


def test_what_a_database_had_is_kept_and_read_again(make_run, stub, tmp_path):
    """The ConfigMap goes in through standard input, and comes back as the same record."""
    said = tmp_path / "said"
    said.write_text("\n".join([DISK, json.dumps(ANSWER), "0004"]))
    stub(
        "kubectl",
        f'case "$*" in *exec*) cat {said};; *apply*) cat > {tmp_path}/kept;; esac',
    )
    tools = {"kubectl": Found("kubectl", tmp_path / "kubectl", "v1", "PATH")}
    run = make_run()
    tools = {"kubectl": Found("kubectl", run.shell.which("kubectl"), "v1", "PATH")}

    class App:
        database = "postgres"

    assert str(check(run, tools, App)) == "3 tables"
    manifest = json.loads((tmp_path / "kept").read_text())
    again = kept([manifest], run.settings.release.name)
    assert (again.tables, again.versions) == (WELL.tables, WELL.versions)

    ANSWER_LESS = {**ANSWER, "tables": ["alembic_version", "users"]}
    said.write_text("\n".join([DISK, json.dumps(ANSWER_LESS), "0004"]))
    stub(
        "kubectl",
        f'case "$*" in *exec*) cat {said};; *configmap*) cat {tmp_path}/kept;;'
        " *) echo unexpected >&2; exit 1;; esac",
    )
    with pytest.raises(Failure) as caught:
        check(run, tools, App)
    assert caught.value.findings[0].code == "TABLE-MISSING"


def test_an_app_without_our_postgres_is_not_asked(make_run):
    class App:
        database = "file"

    assert check(make_run(), {}, App) == Database("")
