"""How other people's backends are started.

It depends on their roots, their database, what they need and what they write.
"""

import json

import pytest

from scripts.app import fit, undeclared
from scripts.app.survey import read
from scripts.app.tracebacks import cause
from scripts.session.findings import Failure
from scripts.session.settings import Settings

MAIN = (
    "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef h(): ...\n"
)
FRONTEND = {
    "frontend/package.json": json.dumps({"dependencies": {"next": "14.2.35"}}),
    "frontend/next.config.mjs": "export default { output: 'export' }",
    "frontend/package-lock.json": "{}",
    "frontend/app/page.tsx": "export default () => null",
}


@pytest.fixture
def app(tmp_path):
    """An app: the files of its backend's folder, by name."""

    def make(files):
        below = {f"backend/{name}": content for name, content in files.items()}
        for name, content in {**FRONTEND, **below}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return make


def _database(text, requirements="fastapi\nsqlalchemy\n"):
    return {"requirements.txt": requirements, "main.py": MAIN + "import db\n", "db.py": text}


def test_an_address_that_is_required_is_postgresql_and_its_lines_come_first(app):
    found = read(
        app(
            _database(
                "import os\nfrom sqlalchemy import create_engine\n"
                'URL = os.getenv("DATABASE_URL")\nif not URL:\n    raise ValueError("unset")\n'
                "engine = create_engine(URL, pool_size=5)\n"
            )
        )
    )
    assert found.database == "postgres"
    assert [one.place for one in found.evidence[:2]] == ["backend/db.py:3", "backend/db.py:6"]
    assert undeclared.undeclared(found, "fastapi==1\nsqlalchemy==2\n") == [
        ("psycopg2-binary", "backend/db.py:6")
    ]


ASYNC = "import os\nfrom sqlalchemy.ext.asyncio import create_async_engine\n"


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        (ASYNC + 'e = create_async_engine(os.environ["DATABASE_URL"])\n', "postgresql+asyncpg"),
        (
            f'"""postgresql+asyncpg://user@host/db"""\n{ASYNC}'
            'e = create_async_engine(os.environ["DATABASE_URL"])\n',
            "postgresql+asyncpg",
        ),
        (
            ASYNC
            + 'u = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")\n'
            "e = create_async_engine(u)\n",
            "postgresql",
        ),
        (
            "import os\nfrom sqlalchemy import create_engine\n"
            'e = create_engine(os.getenv("DATABASE_URL", "postgresql+psycopg://localhost/x"))\n',
            "postgresql+psycopg",
        ),
        (
            ASYNC + "u = os.environ['DATABASE_URL']\n"
            'prefixes = ("postgresql+asyncpg://", "sqlite+aiosqlite://")\n'
            "assert u.startswith(prefixes)\ne = create_async_engine(u)\n",
            "postgresql+asyncpg",
        ),
        (
            "import os\nfrom sqlalchemy import create_engine\nu = os.environ['DATABASE_URL']\n"
            'e = create_engine(u.replace("postgresql+asyncpg://", "postgresql+psycopg2://"))\n',
            "postgresql+asyncpg",
        ),
        (
            "import os, asyncpg\nasync def f():\n"
            '    await asyncpg.connect(os.environ["DATABASE_URL"])\n',
            "postgresql",
        ),
    ],
)
def test_the_address_has_the_form_that_the_code_takes(app, text, scheme):
    found = read(app(_database(text)))
    assert (found.database, found.decision.scheme) == ("postgres", scheme)


@pytest.mark.parametrize(
    "line",
    [
        'args = {"ssl": ssl.create_default_context()}',
        'e = create_async_engine(u, connect_args={"ssl": True})',
        'args = {"sslmode": "require"}',
        'u = "postgresql://h/d?sslmode=verify-full"',
    ],
)
def test_code_that_asks_for_tls_in_whatever_words(app, line):
    found = read(app(_database(f'import os\nu = os.environ["DATABASE_URL"]\n{line}\n# asyncpg\n')),
                 "postgres")  # fmt: skip
    assert [one.place for one in found.decision.tls] == ["backend/db.py:3"]


def test_two_import_roots_are_both_on_the_path(app):
    found = read(
        app(
            {
                "requirements.txt": "fastapi\nopenai-agents\nmcp\n",
                "src/main.py": MAIN + "from src.api import todos\nfrom models import Todo\n",
                "src/api/todos.py": "from ..services import store\nfrom agents import Agent\n",
                "src/services/store.py": "x = 1\n",
                "src/models.py": "class Todo: ...\n",
                "src/agents/todo.py": "import mcp\n",
            }
        ),
        "file",
    )
    back = found.backend
    assert (back.folder, back.module, back.paths) == ("backend", "src.main:app", ("src",))
    assert back.unresolved == ()


def test_a_folder_named_like_a_listed_package_does_not_take_its_place(app):
    found = read(
        app(
            {
                "requirements.txt": "fastapi\nopenai-agents==0.3\n",
                "src/main.py": MAIN + "from .chat import reply\n",
                "src/chat.py": "from agents import Agent\ndef reply(): ...\n",
                "src/agents/todo.py": "x = 1\n",
            }
        ),
        "file",
    )
    assert (found.backend.module, found.backend.paths) == ("src.main:app", ())


def test_logs_end_with_the_pod_and_data_is_kept(app):
    found = read(
        app(
            {
                "requirements.txt": "fastapi\n",
                "main.py": MAIN + "import logging\nos.makedirs('logs')\nos.makedirs('uploads')\n"
                "h = logging.FileHandler('logs/security.log')\n",
            }
        ),
        "postgres",
    )
    assert fit.data_paths(found) == ("uploads/",)
    lost = [one.summary for one in found.warnings if "lost with the pod" in one.summary]
    assert lost == ["the app writes logs, logs/security.log in its own folder: lost with the pod"]


def test_an_image_is_tried_with_the_address_that_its_pods_will_have(app):
    found = read(
        app(
            _database(
                'import os\nURL = os.getenv("DATABASE_URL", "sqlite+aiosqlite:///./todo.db")\n'
                'KEY = os.environ["OPENAI_API_KEY"]\n',
                "fastapi\nasyncpg\n",
            )
        )
    )
    given = fit.trial_of_backend(found, Settings())
    assert found.database == "postgres"
    assert given["DATABASE_URL"].endswith("://trial:trial@127.0.0.1:5432/trial")
    assert given["OPENAI_API_KEY"].startswith("sk-")
    assert len(given["OPENAI_API_KEY"]) > 20


def test_a_key_that_a_client_reads_by_itself(app):
    found = read(
        app({"requirements.txt": "fastapi\ncohere\n",
             "main.py": MAIN + "import cohere\nco = cohere.AsyncClientV2()\n"}),
        "file",
    )  # fmt: skip
    assert {one.name: one.kind for one in found.backend.variables} == {"CO_API_KEY": "provider"}


def test_packages_that_are_used_and_not_listed(app):
    found = read(
        app(
            {
                "requirements.txt": "fastapi\n",
                "main.py": MAIN + "from google import genai\nfrom pythonjsonlogger import json\n"
                "from passlib.context import CryptContext\n"
                "c = CryptContext(schemes=['bcrypt'])\n",
            }
        ),
        "file",
    )
    assert {one for one, _ in undeclared.undeclared(found, "fastapi==1\n")} == {
        "google.genai",
        "python-json-logger",
        "passlib[bcrypt]",
        "bcrypt",
    }


def test_what_does_not_work_together_is_kept_apart():
    assert undeclared.needed("passlib==1.7.4\nbcrypt==5.0.0\n") == ["bcrypt<4.1"]
    assert undeclared.needed("passlib==1.7.4\nbcrypt==4.0.1\n") == []
    assert undeclared.needed("openai==1.40.0\nhttpx==0.28.1\n") == ["httpx<0.28"]


def test_sqlalchemy_stays_before_the_release_that_takes_another_driver_for_the_same_address():
    resolved = "psycopg2-binary==2.9.11\nsqlalchemy==2.1.0\nsqlmodel==0.0.40\n"
    assert undeclared.needed(resolved) == ["sqlalchemy<2.1"]
    assert undeclared.needed(resolved.replace("2.1.0", "2.0.51")) == []
    assert undeclared.needed("sqlalchemy==2.1.0\n") == []
    assert undeclared.needed("sqlalchemy==2.1.0\n", ["psycopg2-binary"]) == ["sqlalchemy<2.1"]


def test_a_column_that_an_engine_prints_is_no_cause():
    log = "failed to connect to the model\n\terror_message VARCHAR, \n\t"
    assert cause(log) == "failed to connect to the model"


def test_the_cause_of_an_error_that_node_prints_is_its_first_line():
    log = (
        '2026-02-09 ERROR [Better Auth]: error: null value in column "id"\n'
        'error: null value in column "id" of relation "user"\n'
        "    at /app/server.js:1:2 {\n  length: 112,\n  severity: 'ERROR',\n  code: '23502',\n}"
    )
    assert cause(log) == 'error: null value in column "id" of relation "user"'


def test_the_cause_is_read_from_a_log_of_json_lines():
    trace = 'Traceback:\n  File "/srv/app/main.py", line 7, in x\nValueError: no such thing'
    line = json.dumps({"level": "error", "message": trace})
    assert cause(f"starting\n{line}\n") == "ValueError: no such thing (app/main.py:7)"


def test_a_variable_that_the_code_sets_itself_is_told(app):
    text = 'import os\nos.environ["DATABASE_URL"] = "postgresql://elsewhere/x"\n'
    found = read(app(_database(text + 'URL = os.environ["DATABASE_URL"]\n')))
    told = [one for one in found.warnings if "sets DATABASE_URL itself" in one.summary]
    assert [one.subject for one in told] == ["backend/db.py:2"]


def test_clients_of_hosted_services_are_named_with_their_lines(app):
    root = app(
        {
            "requirements.txt": "fastapi\nsupabase\n",
            "main.py": MAIN + "from supabase import create_client\n",
        }
    )
    with pytest.raises(Failure, match="Supabase") as caught:
        read(root)
    finding = caught.value.findings[0]
    assert (finding.code, finding.evidence.split(": ")[0]) == (
        "APP-NEEDS-SERVICE",
        "backend/main.py:6",
    )
    packages = {"dependencies": {"next": "15.0.0", "@neondatabase/serverless": "1.0.0"}}
    (root / "frontend/package.json").write_text(json.dumps(packages))
    (root / "frontend/next.config.mjs").write_text("export default {}\n")
    line = 'import { Pool } from "@neondatabase/serverless"\n'
    for name in ("migrate.js", "lib/db.ts", "scripts/a.ts"):
        (root / "frontend" / name).parent.mkdir(exist_ok=True)
        (root / "frontend" / name).write_text(line)
    told = [one for one in read(root, "postgres").warnings if one.code == "APP-NEEDS-SERVICE"]
    assert [one.subject for one in told] == ["frontend/lib/db.ts:1"]


def test_the_cause_is_what_alembic_says(app):
    assert cause("INFO: x\nFAILED: Can't locate revision identified by '12'\n").startswith("FAILED")


def test_an_address_whose_query_the_code_looks_at_has_one(app):
    text = 'u = os.environ["DATABASE_URL"]\nssl = "sslmode=require" in u\n# asyncpg\n'
    found = read(app(_database(f"import os, asyncpg\n{text}")))
    assert fit.trial_of_backend(found, Settings())["DATABASE_URL"].endswith("?sslmode=require")


def test_one_root_from_which_all_imports_lead_somewhere_beats_two(app):
    """Two roots would import one module under two names, and its tables twice."""
    found = read(
        app(
            {
                "requirements.txt": "fastapi\n",
                "src/__init__.py": "",
                "src/app/__init__.py": "",
                "src/app/main.py": MAIN + "from .db import models\nfrom .api import chat\n",
                "src/app/api/__init__.py": "",
                "src/app/api/chat.py": "from app.db.models import User\n",
                "src/app/db/__init__.py": "",
                "src/app/db/models.py": "User = 1\n",
            }
        ),
        "file",
    )
    assert (found.backend.folder, found.backend.module) == ("backend/src", "app.main:app")
    assert found.backend.paths == ()


def test_the_backend_that_the_page_asks_beats_the_one_with_more_routes(app):
    def routes(*paths):
        lines = [
            f"@app.post('{path}')\ndef f{number}(): ...\n" for number, path in enumerate(paths)
        ]
        return MAIN + "".join(lines)

    root = app(
        {
            "requirements.txt": "fastapi\nsqlalchemy\npsycopg2-binary\n",
            "app.py": routes(*(f"/events/{number}" for number in range(12))),
            "main.py": routes("/auth/register", "/auth/login", "/tasks/{task_id}"),
        }
    )
    (root / "frontend/lib").mkdir()
    (root / "frontend/lib/api.ts").write_text(
        "fetch(`${API}/auth/register`, { method: 'POST' });\nfetch(`${API}/tasks/${id}?x=1`);\n"
    )
    found = read(root, "postgres")
    assert found.backend.module == "main:app"
    assert found.frontend.asks == (
        ("/auth/register", "frontend/lib/api.ts:1"),
        ("/tasks/{}", "frontend/lib/api.ts:2"),
    )


TABLE = "from sqlmodel import Field, SQLModel\nclass Todo(SQLModel, table=True): ...\n"
MAKER = "def make_tables():\n    SQLModel.metadata.create_all(engine)\n"


@pytest.mark.parametrize(
    ("db", "main", "before"),
    [
        (TABLE, "", "phase4.tables"),
        (TABLE + MAKER, "", "phase4.tables"),
        (TABLE + MAKER, "from db import make_tables\n", "phase4.tables"),
        (TABLE + MAKER + "if __name__ == '__main__':\n    make_tables()\n", "", "phase4.tables"),
        (TABLE + MAKER, "from db import make_tables\nmake_tables()\n", ""),
        (TABLE + MAKER, "import db\nasync def lifespan(app):\n    db.make_tables()\n", ""),
        (TABLE + "@app.on_event('startup')\n" + MAKER, "", ""),
        (TABLE + "SQLModel.metadata.create_all(engine)\n", "", ""),
        ("import asyncpg\n", "", ""),
    ],
)
def test_tables_that_the_app_makes_at_no_start_are_made_before_it(app, db, main, before):
    files = {"requirements.txt": "fastapi\n", "main.py": MAIN + "import db\n" + main, "db.py": db}
    found = read(app(files), "postgres")
    assert " ".join(found.backend.migrations).removeprefix("python3 -m ") == before
    told = [one.summary for one in found.warnings if "makes none when it starts" in one.summary]
    assert bool(told) is bool(before)


def test_alembic_goes_first_where_the_app_only_could_make_its_tables(app):
    files = {
        "requirements.txt": "fastapi\nalembic\n",
        "main.py": MAIN + "import db\n",
        "db.py": TABLE + MAKER,
        "alembic.ini": "script_location = alembic\n",
        "alembic/env.py": "import os\nos.environ['DATABASE_URL']\n",
        "alembic/versions/1.py": "revision = '1'\ndown_revision = None\n",
    }
    assert read(app(files), "postgres").backend.migrations == ("alembic", "upgrade", "head")


def test_migrations_wait_for_the_tables_of_nexts_accounts(app):
    root = app(
        {
            "requirements.txt": "fastapi\n",
            "main.py": MAIN + "import db\n",
            "db.py": TABLE,
        }
    )
    alone = " ".join(fit.before_start(read(root, "postgres")))
    assert "phase4.tables" in alone and "phase4.again" not in alone
    package = {"dependencies": {"next": "15.0.0", "better-auth": "1.2.0", "pg": "8"}}
    (root / "frontend/package.json").write_text(json.dumps(package))
    (root / "frontend/next.config.mjs").write_text("export default {}")
    (root / "frontend/auth.ts").write_text("export const auth = betterAuth({})\n")
    both = " ".join(fit.before_start(read(root, "postgres")))
    assert "python3 -m phase4.again python3 -m phase4.tables" in both
