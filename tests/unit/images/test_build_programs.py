"""The programs that build a frontend, run with Node on a folder of their own.

`next` is a stand-in.
"""

import json
import os
import shutil
import subprocess

import pytest

from scripts.images import frontend
from scripts.session.settings import ROOT

BUILD = ROOT / frontend.WEB / "build"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

#: Stands in for `next build`: it fails as Next does, until what it names has been done.
NEXT = """#!/bin/sh
echo "$*" >> asked
{condition} && {{ echo built; exit 0; }}
cat words
exit 1
"""


@pytest.fixture
def build(tmp_path):
    """Run next-build.mjs; what it tells the person, and whether it ended well."""

    def run(words, condition, files=None, served="server"):
        program = tmp_path / "node_modules" / ".bin" / "next"
        program.parent.mkdir(parents=True)
        program.write_text(NEXT.format(condition=condition))
        program.chmod(0o755)
        usual = {
            "package.json": "{}",
            "node_modules/next/package.json": '{"version": "16.1.1"}',
            "words": words,
        }
        for name, text in {**usual, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
            if "/.bin/" in name:
                (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            ["node", BUILD / "next-build.mjs"],
            cwd=tmp_path,
            env={**os.environ, "SERVED": served},
            capture_output=True,
            text=True,
            check=False,
        )
        told = [
            line.removeprefix("phase4: ")
            for line in done.stdout.splitlines()
            if line.startswith("phase4: ")
        ]
        return told, done.returncode

    return run


def _config(folder, name="next.config.mjs"):
    """What Next would read: the configuration, as JSON."""
    script = f"""import("./{name}").then(async (module) =>
        console.log(JSON.stringify(await module.default("phase-production-build", {{}}))))"""
    done = subprocess.run(
        ["node", "-e", script], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


TYPES = """Failed to compile.

./src/app/page.tsx:12:7
Type error: Type 'string' is not assignable to type 'number'.
"""
LINT = """Failed to compile.

./src/app/page.tsx
3:1  Warning: Something small.  some/rule
4:10  Error: 'a' is assigned a value but never used.  @typescript-eslint/no-unused-vars
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("next.config.mjs", "export default { reactStrictMode: true, typescript: { a: 1 } };"),
        ("next.config.js", "module.exports = { reactStrictMode: true };"),
        ("next.config.js", "module.exports = async () => ({ reactStrictMode: true });"),
        ("next.config.mjs", "export default (phase) => ({ reactStrictMode: phase.length > 3 });"),
    ],
)
def test_types_that_do_not_fit_are_told_and_the_build_goes_on(build, tmp_path, name, text):
    told, status = build(TYPES, "grep -q ignoreBuildErrors next.config.mjs", {name: text})
    assert status == 0
    assert told == [
        "types do not fit, built without that check: src/app/page.tsx:12:"
        " Type 'string' is not assignable to type 'number'."
    ]
    found = _config(tmp_path)
    assert found["reactStrictMode"] is True
    assert found["typescript"] == {"ignoreBuildErrors": True}


def test_an_app_without_a_configuration(build, tmp_path):
    told, status = build(TYPES, "test -f next.config.mjs")
    assert (status, len(told)) == (0, 1)
    assert _config(tmp_path) == {"typescript": {"ignoreBuildErrors": True}}


def test_a_configuration_in_typescript_stays_one(build, tmp_path):
    own = "import type { NextConfig } from 'next';\nconst c: NextConfig = {};\nexport default c;\n"
    told, status = build(TYPES, "grep -q ignoreBuildErrors next.config.ts", {"next.config.ts": own})
    assert (status, len(told)) == (0, 1)
    assert (tmp_path / "phase4-own.config.ts").read_text() == own
    assert './phase4-own.config"' in (tmp_path / "next.config.ts").read_text()


@pytest.mark.parametrize(
    ("version", "settings"), [("15.5.7", {"typescript", "eslint"}), ("16.1.1", {"typescript"})]
)
def test_eslints_objections_are_told_and_both_checks_go(build, tmp_path, version, settings):
    files = {"node_modules/next/package.json": json.dumps({"version": version})}
    told, status = build(LINT, "test -f next.config.mjs", files)
    assert status == 0
    assert told == [
        "ESLint objects, built without it: src/app/page.tsx:4:"
        " 'a' is assigned a value but never used.  @typescript-eslint/no-unused-vars"
    ]
    assert set(_config(tmp_path)) == settings


def test_checks_that_were_left_out_are_not_left_out_again(build, tmp_path):
    """Types and then ESLint: the second is the same remedy."""
    (tmp_path / "lint").write_text(LINT)
    told, status = build(TYPES, "{ [ ! -f next.config.mjs ] || cp lint words; }; false")
    assert (status, len(told)) == (1, 1)


def test_checks_of_the_apps_own_script_are_left_out(build, tmp_path):
    scripts = {"build": "tsc --noEmit && npx eslint . && next build && echo after"}
    told, status = build(
        "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n",
        "true",
        {
            "package.json": json.dumps({"scripts": scripts}),
            "node_modules/.bin/tsc": "#!/bin/sh\ncat words\nexit 2\n",
        },
    )
    assert status == 0
    assert told == [
        "types do not fit, built without that check: src/a.ts:3:"
        " Type 'string' is not assignable to type 'number'."
    ]
    kept = json.loads((tmp_path / "package.json").read_text())["scripts"]["build"]
    assert kept == "next build && echo after"


@pytest.mark.parametrize(
    ("version", "script", "asked"),
    [
        ("16.1.1", "next build", "build --webpack"),
        ("16.1.1", "next build --turbopack", "build --webpack"),
        ("15.5.7", "next build --turbopack", "build"),
        ("15.5.7", "next build --turbo", "build"),
        ("14.2.35", "next build", "build"),
        ("16.1.1", "next build --webpack", "build --webpack"),
    ],
)
def test_answers_for_google_fonts_need_webpack(build, tmp_path, version, script, asked):
    files = {
        "phase4-fonts.cjs": "",
        "package.json": json.dumps({"scripts": {"build": script}}),
        "node_modules/next/package.json": json.dumps({"version": version}),
    }
    told, status = build("", "true", files)
    assert (told, status) == ([], 0)
    assert (tmp_path / "asked").read_text().splitlines() == [asked]


def test_webpack_settings_without_turbopacks(build, tmp_path):
    words = (
        "ERROR: This build is using Turbopack, with a `webpack` config and no `turbopack` config.\n"
    )
    files = {"node_modules/next/package.json": json.dumps({"version": "16.1.1"})}
    told, status = build(words, 'test "$2" = --webpack', files)
    assert (status, len(told)) == (0, 1)
    assert (tmp_path / "asked").read_text().splitlines() == ["build", "build --webpack"]


PRERENDER = """ ⨯ useSearchParams() should be wrapped in a suspense boundary\
 at page "/login". Read more: x
Error occurred prerendering page "/login". Read more: https://nextjs.org/docs/messages
"""
LAYOUT = "export default function Layout({ children }) { return children; }\n"


def test_a_page_that_cannot_be_made_in_advance_is_made_when_asked_for(build, tmp_path):
    told, status = build(
        PRERENDER, "grep -q force-dynamic src/app/layout.tsx", {"src/app/layout.tsx": LAYOUT}
    )
    assert status == 0
    assert told[0].startswith("the page /login cannot be made in advance")
    assert "useSearchParams() should be wrapped" in told[0]
    assert (tmp_path / "src/app/layout.tsx").read_text().startswith(LAYOUT)


def test_a_static_export_has_nobody_to_ask(build):
    told, status = build(PRERENDER, "false", {"app/layout.tsx": LAYOUT}, served="export")
    assert (told, status) == ([], 1)


@pytest.mark.parametrize(
    "words",
    [
        "Failed to compile.\n\n./src/app/page.tsx\nModule not found: Can't resolve './x'\n",
        "./src/app/page.tsx:1:1\nParsing ecmascript source code failed\n",
        "Error: something else\n",
    ],
)
def test_what_is_really_broken_fails_at_once(build, tmp_path, words):
    told, status = build(words, "false")
    assert (told, status) == ([], 1)
    assert (tmp_path / "asked").read_text().splitlines() == ["build"]


def test_a_remedy_that_does_not_help_is_not_tried_again(build, tmp_path):
    told, status = build(TYPES, "false")
    assert (status, len(told)) == (1, 1)
    assert len((tmp_path / "asked").read_text().splitlines()) == 2


def test_packages_of_this_system_that_a_lock_file_leaves_out(tmp_path):
    """npm/cli#4828: what is missing is found by the names of optional packages, nested ones too."""
    there = tmp_path / "node_modules/@img/sharp-linux-x64/package.json"
    there.parent.mkdir(parents=True)
    there.write_text("{}")
    packages = {
        "": {"optionalDependencies": {"fsevents": "1"}},
        "node_modules/next": {
            "optionalDependencies": {
                "@next/swc-linux-x64-gnu": "16.1.1",
                "@next/swc-linux-x64-musl": "16.1.1",
                "@next/swc-win32-x64-msvc": "16.1.1",
            }
        },
        "node_modules/sharp": {"optionalDependencies": {"@img/sharp-linux-x64": "0.34.0"}},
        "node_modules/a/node_modules/esbuild": {
            "optionalDependencies": {"@esbuild/linux-x64": "1"}
        },
    }
    script = (
        f"Object.defineProperty(process, 'arch', {{ value: 'x64' }});"
        f"import('{(BUILD / 'platform-packages.mjs').as_uri()}').then((module) =>"
        f" console.log(JSON.stringify(module.missing({json.dumps(packages)}))))"
    )
    done = subprocess.run(
        ["node", "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [(one["folder"], one["name"]) for one in json.loads(done.stdout)] == [
        ("node_modules/next", "@next/swc-linux-x64-gnu"),
        ("node_modules/a/node_modules/esbuild", "@esbuild/linux-x64"),
    ]


#: Stands in for pg: answers by the text of a query, and writes down what it was asked.
PG = """
import fs from "node:fs";
const answers = JSON.parse(fs.readFileSync("answers.json"));
class Client {
  constructor({ connectionString }) { fs.appendFileSync("asked", `to ${connectionString}\\n`); }
  async connect() {
    const code = answers.connect.shift();
    if (code) throw Object.assign(new Error(code), { code });
  }
  async query(text) {
    fs.appendFileSync("asked", `${text}\\n`);
    const code = answers[text];
    if (code) throw Object.assign(new Error(`no: ${text}`), { code });
    return { rowCount: answers.first === false ? 0 : 1 };
  }
  async end() {}
}
export default { Client };
"""
SQL = """-- CreateTable
CREATE TABLE "user" (
  "id" text
);
--> statement-breakpoint
CREATE TYPE "kind" AS ENUM ('a');
DO $$ BEGIN
  PERFORM 1;
END $$;
;
ALTER TABLE "user" ADD COLUMN "x" text"""


@pytest.fixture
def make_tables(tmp_path):
    """Run make-tables.mjs with these answers of the database: status, words, queries."""

    def run(connect=(), environment=None, **answers):
        (tmp_path / "node_modules/pg").mkdir(parents=True)
        (tmp_path / "node_modules/pg/package.json").write_text(
            '{"type": "module", "main": "index.js"}'
        )
        (tmp_path / "node_modules/pg/index.js").write_text(PG)
        program = (BUILD / "make-tables.mjs").read_text().replace("done, 1000", "done, 1")
        (tmp_path / "make-tables.mjs").write_text(program)
        (tmp_path / "answers.json").write_text(json.dumps({"connect": list(connect), **answers}))
        (tmp_path / "tables.sql").write_text(SQL)
        done = subprocess.run(
            ["node", "make-tables.mjs", "tables.sql"],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                **(environment or {"DATABASE_URL": "postgresql://a/b"}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        asked = tmp_path / "asked"
        return (
            done.returncode,
            done.stdout + done.stderr,
            asked.read_text() if asked.exists() else "",
        )

    return run


def test_the_tables_of_an_orm_are_made_statement_by_statement(make_tables):
    status, said, asked = make_tables()
    assert (status, said) == (0, "tables: 4 statements run\n")
    assert asked.startswith("to postgresql://a/b\nbegin\nselect pg_advisory_xact_lock")
    assert 'CREATE TABLE "user" (\n  "id" text\n);\n' in asked
    assert "DO $$ BEGIN\n  PERFORM 1;\nEND $$;\n" in asked
    assert asked.endswith('ALTER TABLE "user" ADD COLUMN "x" text\ncommit\n')


def test_what_exists_already_is_left(make_tables):
    status, said, asked = make_tables(**{"CREATE TYPE \"kind\" AS ENUM ('a');": "42710"})
    assert (status, said) == (0, "tables: 3 statements run\n")
    assert "rollback to savepoint one" in asked


def test_the_same_script_runs_once(make_tables):
    status, said, asked = make_tables(first=False)
    assert (status, said) == (0, "tables: 0 statements run\n")
    assert "CREATE" not in asked


def test_another_error_is_told_and_the_pages_are_served(make_tables):
    status, said, _ = make_tables(**{"CREATE TYPE \"kind\" AS ENUM ('a');": "42501"})
    assert status == 0
    assert said.startswith("tables could not be made: no: CREATE TYPE")


def test_a_database_that_listens_later(make_tables):
    assert make_tables(connect=["ECONNREFUSED", "57P03", ""])[:2] == (
        0,
        "tables: 4 statements run\ntables: ECONNREFUSED\n",
    )


def test_a_database_that_lets_nobody_in_ends_the_start(make_tables):
    status, said, _ = make_tables(connect=["28P01"])
    assert status == 1
    assert "tables could not be made: 28P01" in said


def test_the_address_under_another_name(make_tables):
    environment = {"NODE_ENV": "production", "NEON_URL": "postgres://n/m"}
    assert make_tables(environment=environment)[2].startswith("to postgres://n/m\n")


def _tables_sql(folder):
    return subprocess.run(
        ["sh", BUILD / "tables-sql"], cwd=folder, capture_output=True, text=True, check=True
    )


def test_an_app_without_an_orm_has_no_sql(tmp_path):
    assert _tables_sql(tmp_path).stdout == ""


def test_prismas_migrations_in_their_order(tmp_path):
    for name, text in {
        "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n}\n',
        "prisma/migrations/2_b/migration.sql": "ALTER TABLE a ADD b int;\n",
        "prisma/migrations/1_a/migration.sql": "CREATE TABLE a ();\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _tables_sql(tmp_path).stdout == "CREATE TABLE a ();\n;\nALTER TABLE a ADD b int;\n;\n"


def test_drizzles_own_tool_writes_its_tables(tmp_path):
    tool = tmp_path / "node_modules/.bin/drizzle-kit"
    tool.parent.mkdir(parents=True)
    tool.write_text(
        '#!/bin/sh\necho "$*" > asked\ncp "$3" config\nmkdir -p phase4-tables/meta\n'
        'echo \'{"dialect": "postgresql"}\' > phase4-tables/meta/_journal.json\n'
        'echo "CREATE TABLE a ();" > phase4-tables/0000_a.sql\n'
    )
    tool.chmod(0o755)
    (tmp_path / "drizzle.config.ts").write_text("export default {}")
    done = _tables_sql(tmp_path)
    assert (done.stdout, done.stderr) == ("CREATE TABLE a ();\n", "")
    assert (tmp_path / "asked").read_text().startswith("generate --config phase4-drizzle.config.ts")
    assert (tmp_path / "config").read_text().splitlines()[
        0
    ] == 'import own from "./drizzle.config";'
    assert not (tmp_path / "phase4-tables").exists()
    tool.write_text("#!/bin/sh\necho no such schema\nexit 1\n")
    done = _tables_sql(tmp_path)
    assert (done.stdout, done.stderr) == (
        "",
        "phase4: Drizzle's tables are not made: no such schema\n",
    )
