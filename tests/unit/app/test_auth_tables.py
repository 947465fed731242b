"""The program that makes better-auth's tables, run with Node.

The app and better-auth are stand-ins.
"""

import shutil
import subprocess

import pytest

from scripts.app import fit

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture
def make_tables(tmp_path):
    """Run it with a module of the app, and what the n-th try of better-auth does."""

    def run(database, tries):
        program = (fit.ASSETS / "auth.mjs").read_text().replace("AUTH_MODULE", "./auth.mjs")
        package = tmp_path / "node_modules" / "better-auth"
        (package / "db").mkdir(parents=True)
        (package / "package.json").write_text('{"name": "better-auth", "type": "module"}')
        (package / "db" / "package.json").write_text('{"type": "module", "main": "index.js"}')
        (package / "db" / "index.js").write_text(
            f"let calls = 0; const tries = [{', '.join(tries)}];"
            " export const getMigrations = async () =>"
            " ({ toBeCreated: [1, 2], runMigrations: async () => tries[calls++]() });"
        )
        (tmp_path / "auth.mjs").write_text(
            f"export const auth = {{ options: {{ database: {database} }} }};"
        )
        program = program.replace('"better-auth/db"', '"./node_modules/better-auth/db/index.js"')
        program = program.replace("setTimeout(done, 1000)", "setTimeout(done, 1)")
        (tmp_path / "main.mjs").write_text(program)
        done = subprocess.run(
            ["node", "main.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr.splitlines()

    return run


def fails(code, message):
    return f"() => {{ throw Object.assign(new Error('{message}'), {{ code: '{code}' }}); }}"


WORKS = "() => {}"
REFUSED = fails("ECONNREFUSED", "connect ECONNREFUSED 10.0.0.1:5432")


def test_the_tables_are_made(make_tables):
    assert make_tables("{}", [WORKS]) == (0, "auth tables: 2 made\n", [])


def test_a_database_that_is_not_up_yet_is_told_once_and_waited_for(make_tables):
    status, said, told = make_tables("{}", [REFUSED, REFUSED, REFUSED, WORKS])
    assert (status, said) == (0, "auth tables: 2 made\n")
    assert told == ["auth tables: ECONNREFUSED connect ECONNREFUSED 10.0.0.1:5432"]


def test_a_database_that_never_comes_ends_the_start(make_tables):
    status, _, told = make_tables("{}", [REFUSED] * 60)
    assert status == 1
    assert told[-1].startswith("auth tables could not be made: ECONNREFUSED")


def test_what_cannot_succeed_is_tried_once_and_told(make_tables):
    wrong = fails("28P01", 'password authentication failed for user "todo"')
    status, _, told = make_tables("{}", [wrong, WORKS])
    assert status == 1
    assert "password authentication failed" in told[0]


def test_tables_that_do_not_go_together_do_not_keep_the_app_from_its_pages(make_tables):
    status, _, told = make_tables("{}", [fails("42703", "column userId does not exist"), WORKS])
    assert status == 0
    assert told[-1] == "auth tables could not be made: 42703 column userId does not exist"


@pytest.mark.parametrize("database", ["() => ({})", "undefined"])
def test_accounts_that_an_adapter_keeps_are_left_to_it(make_tables, database):
    status, said, told = make_tables(database, [])
    assert (status, told) == (0, [])
    assert "not made here" in said
