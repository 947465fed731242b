"""Apps of many shapes, read without running them.

The folders of tests/apps are also deployed, by `nox -s apps`.
"""

import json

import pytest

from scripts.app import fit
from scripts.app.survey import backend, read
from scripts.app.survey.variables import kind
from scripts.app.tracebacks import cause
from scripts.session.findings import Failure
from scripts.session.settings import ROOT, Settings

APPS = ROOT / "tests" / "apps"


@pytest.fixture
def app(tmp_path):
    """An app of the usual shape; arguments replace files, None leaves one out."""

    def make(files=None):
        contents = {
            "frontend/package.json": json.dumps({"dependencies": {"next": "14.2.35"}}),
            "frontend/next.config.mjs": "export default { output: 'export' }",
            "frontend/package-lock.json": "{}",
            "frontend/app/page.tsx": "",
            "requirements.txt": "fastapi\n",
            "app/main.py": "app = FastAPI()\n@app.get('/health')\ndef h(): ...\n",
            **(files or {}),
        }
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return make


def test_the_reference_app_is_read_with_its_lines():
    found = read(ROOT / "phase3-chatbot")
    back, front = found.backend, found.frontend
    assert (back.module, front.next_version, front.output, found.database) == (
        "app.main:app",
        "14.2.35",
        "export",
        "postgres",
    )
    assert (back.health_path, back.ready_path, back.migrations) == (
        "/health",
        "/ready",
        ("alembic", "upgrade", "head"),
    )
    assert {"DATABASE_URL", "OPENAI_API_KEY", "BETTER_AUTH_SECRET"} <= {
        one.name for one in back.variables
    }
    assert ("post", "/todos/{todo_id}/restore") in {
        (route.method, route.path) for route in back.routes
    }
    for evidence in found.evidence:
        name, number = evidence.place.rsplit(":", 1)
        assert (
            evidence.line[:100]
            in (ROOT / "phase3-chatbot" / name).read_text().splitlines()[int(number) - 1]
        )
    assert (fit.api_path(found), fit.backend_paths(found), fit.data_paths(found)) == (
        "/api",
        (),
        (),
    )


#: folder of tests/apps -> what must be found: backend folder, module, output, database, scheme,
#: health, API path, other paths
SHAPES = {
    "export-sqlite": ("backend", "main:app", "export", "file", "postgresql", "/health", "/api", ()),
    "rewrites-asyncpg": (
        "backend",
        "src.main:app",
        "standalone",
        "postgres",
        "postgresql+asyncpg",
        "/api/health",
        "/_api",
        (),
    ),
    "auth-next16": (
        "backend",
        "main:app",
        "server",
        "postgres",
        "postgresql",
        "/health",
        "/_api",
        ("/api/todos",),
    ),
    "monorepo-uv": (
        "phase3/backend",
        "app.main:app",
        "server",
        "postgres",
        "postgresql+psycopg",
        "/health",
        "/_api",
        ("/api",),
    ),
    "key-at-import": (
        "",
        "app.main:app",
        "server",
        "file",
        "postgresql",
        "",
        "/api",
        ("/todos", "/upload"),
    ),
    "fonts-clash": ("backend", "main:app", "server", "postgres", "postgresql", "", "/api", ()),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_that_is_also_deployed(name):
    found = read(APPS / name)
    back = found.backend
    seen = (
        back.folder,
        back.module,
        found.frontend.output,
        found.database,
        found.decision.scheme,
        back.health_path,
    )
    assert (*seen, fit.api_path(found), fit.backend_paths(found)) == SHAPES[name]


def test_what_else_the_shapes_have():
    assert [one.place for one in read(APPS / "rewrites-asyncpg").decision.tls] == [
        "backend/src/database.py:13"
    ]
    assert read(APPS / "rewrites-asyncpg").decision.hosted == "NEON"
    assert read(APPS / "auth-next16").frontend.auth_module == "frontend/lib/auth.ts"
    monorepo = read(APPS / "monorepo-uv")
    assert {route.path for route in monorepo.backend.routes} == {"/api/v1/todos/", "/health"}
    assert {one.name: (one.required, one.is_list) for one in monorepo.backend.variables}[
        "CORS_ORIGINS"
    ] == (False, True)
    assert monorepo.backend.locks == ("uv.lock",)
    assert any("phase2" in finding.summary for finding in monorepo.warnings)
    assert read(APPS / "key-at-import").backend.client_at_import
    assert fit.data_paths(read(APPS / "key-at-import")) == (
        "app/todos.json",
        "app/uploads/",
        "todos.json",
        "uploads/",
    )
    assert any(
        "/chat is both a page and a route" in finding.summary
        for finding in read(APPS / "fonts-clash").warnings
    )
    assert any(
        "models.todo" not in finding.summary for finding in read(APPS / "missing-model").warnings
    )
    assert [
        route.guarded
        for route in read(APPS / "half-there").backend.routes
        if route.path == "/auth/login"
    ] == ["backend/main.py:9"]


def test_a_factory_without_an_object_and_routes_that_a_function_adds(app):
    found = read(
        app(
            {
                "app/main.py": (
                    "from app.routes import setup\ndef create_app():\n    app = FastAPI()\n"
                    "    setup(app)\n    return app\n"
                ),
                "app/__init__.py": "",
                "app/routes.py": (
                    "from app import things\ndef setup(target):\n"
                    "    target.include_router(things.router, prefix='/v1')\n"
                ),
                "app/things.py": (
                    "PREFIX = '/things'\nrouter = APIRouter(prefix=PREFIX)\n@router.get('/{id}')\n"
                    "def one(id): ...\n# sqlite:///x.db\n"
                ),
                "app/db.py": "URL = 'sqlite:///./x.db'\n",
            }
        )
    )
    assert (found.backend.module, found.backend.factory) == ("app.main:create_app", True)
    assert [route.path for route in found.backend.routes] == ["/v1/things/{id}"]


def test_of_two_backends_the_one_with_the_app_in_it(app):
    stub = {"requirements.txt": "fastapi\n", "app/main.py": "app = FastAPI()\n"}
    routes = "".join(f"@app.get('/{number}')\ndef r{number}(): ...\n" for number in range(12))
    real = {
        "backend/requirements.txt": "fastapi\nasyncpg\n",
        "backend/app/main.py": (
            f"import os\napp = FastAPI()\nURL = os.environ['DATABASE_URL']\n{routes}"
        ),
    }
    root = app({**stub, **real})
    found = read(root)
    assert (found.backend.folder, found.certainty["backend"]) == ("backend", "likely")
    assert any("app.main:app (0 routes)" in finding.summary for finding in found.warnings)
    assert read(root, "file", "app.main:app").certainty["backend"] == "certain"
    with pytest.raises(Failure, match="there is no FastAPI app nowhere:app"):
        read(root, module="nowhere:app")


def test_the_module_of_the_accounts_is_the_apps_own_and_no_script(app):
    package = json.dumps({"dependencies": {"next": "16.0.0", "better-auth": "1.4.0"}})
    sets_up = "export const auth = betterAuth({});"
    words = {"frontend/package.json": package, "frontend/scripts/migrate.mjs": sets_up}
    root = app(
        {**words, "frontend/src/lib/auth.ts": sets_up, "app/db.py": "U = 'sqlite:///x.db'\n"}
    )
    assert read(root).frontend.auth_module == "frontend/src/lib/auth.ts"


def test_a_folder_without_pages_is_no_frontend(app):
    package = json.dumps({"dependencies": {"next": "16.0.0"}})
    words = {"phase3/frontend/package.json": package, "phase3/frontend/lib/app.ts": ""}
    found = read(app({**words, "app/db.py": "URL = 'sqlite:///./x.db'\n"}))
    assert (found.frontend.folder, found.certainty["frontend"]) == ("frontend", "certain")
    assert any(
        "phase3/frontend names next and has no pages" in one.summary for one in found.warnings
    )


def test_when_no_frontend_has_pages_that_is_said(app):
    with pytest.raises(Failure) as caught:
        read(app({"frontend/app/page.tsx": None, "frontend/src/lib/x.ts": ""}))
    assert "there are no pages in frontend" in caught.value.findings[0].evidence


def test_poetry_and_python_versions(app):
    poetry = (
        '[tool.poetry.dependencies]\npython = "^3.11"\nfastapi = "^0.115"\n'
        'asyncpg = {version = "~0.30", extras = ["x"]}\n'
    )
    found = read(
        app(
            {
                "requirements.txt": None,
                "pyproject.toml": poetry,
                "app/main.py": "import os\napp = FastAPI()\nos.environ['DB_URL']\n",
            }
        )
    )
    assert found.backend.declared == ("fastapi>=0.115,<0.116", "asyncpg[x]~0.30")
    assert (found.backend.python, found.decision.variables) == (">=3.11,<4", ("DB_URL",))


def test_powershells_encoding(app):
    root = app(
        {
            "requirements.txt": "fastapi\r\npsycopg2\r\n".encode("utf-16"),
            "app/main.py": "import os\napp = FastAPI()\nos.getenv('DATABASE_URL')\n",
        }
    )
    assert read(root).backend.declared == ("fastapi", "psycopg2")
    assert read(root).database == "postgres"


def test_settings_classes_and_decouple(app):
    settings = (
        "class Settings(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n"
        "    secret_key: str\n"
        "    hosts: list[str] = []\n    other: str = Field(default='x', alias='OTHER_NAME')\n"
        "KEY = config('DECOUPLED')\nsqlite = 'sqlite:///a.db'\n"
    )
    variables = {
        one.name: one
        for one in read(app({"app/main.py": f"app = FastAPI()\n{settings}"})).backend.variables
    }
    assert variables["APP_SECRET_KEY"].required
    assert variables["APP_SECRET_KEY"].kind == "signing"
    assert variables["APP_HOSTS"].is_list
    assert variables["OTHER_NAME"].default == "x"
    assert variables["DECOUPLED"].required


def test_variables_that_a_function_of_the_app_reads(app):
    settings = """
import os
from app.env import required
class Settings:
    def __init__(self):
        self.secret = self._need("BETTER_AUTH_SECRET")
        self.level = self._or("LEVEL", "info")
        self.key = required("GROQ_API_KEY")
        self.other = print("NO_VARIABLE")
        self.header = headers.get("X_TENANT")
    def get(self, key):
        return os.environ[key]
    def _need(self, key):
        value = os.getenv(key)
        if not value:
            raise ValueError(key)
        return value
    def _or(self, key, default):
        return os.environ.get(key, default)
"""
    env = """
import os
def required(name):
    if not (found := os.environ[name]):
        raise KeyError
    return found
"""
    root = app({"app/main.py": f"app = FastAPI()\n{settings}", "app/env.py": env})
    found = read(root, "postgres").backend.variables
    assert {one.name: (one.required, one.default) for one in found} == {
        "BETTER_AUTH_SECRET": (True, ""),
        "LEVEL": (False, "info"),
        "GROQ_API_KEY": (True, ""),
    }


@pytest.mark.parametrize(
    ("base", "issuer"),
    [
        ("process.env.BETTER_AUTH_URL", "http://todo.localhost:8080"),
        ("process.env.NEXT_PUBLIC_APP_URL || 'http://localhost:3000'", "http://localhost:3000"),
        ("address", "http://localhost:3000"),
    ],
)
def test_a_backend_gets_the_keys_and_the_issuer_of_better_auth(app, base, issuer):
    read_by_backend = ("BETTER_AUTH_JWKS_URL", "BETTER_AUTH_ISSUER", "API_AUDIENCE")
    lines = "\n".join(f'{name} = os.getenv("{name}")' for name in read_by_backend)
    own = 'OWN = os.getenv("JWT_ISSUER", "todo-app")\n'
    root = app(
        {
            "app/main.py": f"app = FastAPI()\nimport asyncpg, os\n{own}{lines}\n",
            "frontend/lib/auth.ts": (
                "const address = process.env.NEXT_PUBLIC_APP_URL;\n"
                f"export const auth = betterAuth({{\n  baseURL: {base},\n}});\n"
            ),
            "frontend/package.json": '{"dependencies": {"next": "16.0.0", "better-auth": "1"}}',
            "frontend/next.config.mjs": "export default {}",
        }
    )
    plain = fit.environment(read(root, "postgres"), Settings(), {}).plain
    assert plain["BETTER_AUTH_JWKS_URL"] == "http://todo-app-frontend/api/auth/jwks"
    assert plain["BETTER_AUTH_ISSUER"] == plain["API_AUDIENCE"] == issuer
    assert "JWT_ISSUER" not in plain


def test_merge_markers_and_missing_files_are_findings(app):
    root = app(
        {
            "app/main.py": (
                "from app.models import Todo\nfrom app import broken\napp = FastAPI()\n"
                "X = 'sqlite:///x.db'\n"
            ),
            "app/broken.py": "<<<<<<< HEAD\nx = 1\n",
        }
    )
    words = " ".join(finding.summary for finding in read(root).warnings)
    assert "app.models is imported, and there is no such file" in words
    assert "app/broken.py:1: a merge that was not resolved" in words


def test_a_variable_that_falls_back_to_the_api_is_the_apis_whatever_its_name_says(app):
    root = app(
        {
            "frontend/next.config.mjs": "export default {}",
            "frontend/lib/a.ts": (
                "const a = process.env.NEXT_PUBLIC_BETTER_AUTH_URL || 'http://localhost:8000';\n"
                "const b = process.env.BETTER_AUTH_URL || 'http://localhost:8000/auth';\n"
                "const c = process.env.NEXT_PUBLIC_APP_URL || 'http://localhost:4000';\n"
            ),
        }
    )
    found = read(root, "postgres")
    built = fit.build_environment(found)
    assert built["NEXT_PUBLIC_BETTER_AUTH_URL"] == "http://localhost:8001"
    assert built["NEXT_PUBLIC_APP_URL"] == "http://localhost:3000"
    plain = fit.environment(found, Settings(), {}).frontend_plain
    assert plain["BETTER_AUTH_URL"] == "http://todo-app-backend:8001/auth"


def test_the_address_that_leads_to_the_routes_is_taken(app):
    routes = (
        "@app.get('/api/v1/tasks')\ndef a(): ...\n@app.get('/api/v1/tasks/{id}')\ndef b(): ...\n"
    )
    root = app(
        {
            "app/main.py": f"app = FastAPI()\n{routes}",
            "frontend/.env.example": (
                "NEXT_PUBLIC_API_URL=http://localhost:8000\nNEXT_PUBLIC_TOLD_API_URL=/api/proxy\n"
            ),
            "frontend/next.config.mjs": "export default {}",
            "frontend/app/api/proxy/[...path]/route.ts": "export async function GET() {}\n",
            "frontend/lib/a.ts": (
                'const API = process.env.NEXT_PUBLIC_API_URL || "http://localhost:8000/api/v1";\n'
                "export const list = () => fetch(`${API}/tasks`);\n"
                'const proxy = process.env.NEXT_PUBLIC_PROXY_URL || "/api/proxy";\n'
                'const base = process.env.NEXT_PUBLIC_API_BASE_URL || "/api/proxy";\n'
                'const told = process.env.NEXT_PUBLIC_TOLD_API_URL || "/api/proxy";\n'
                'const plain = process.env.NEXT_PUBLIC_BACKEND_URL || "/api/v1";\n'
            ),
        }
    )
    built = fit.build_environment(read(root, "postgres"))
    assert built["NEXT_PUBLIC_API_URL"] == "http://localhost:8001/api/v1"
    assert built["NEXT_PUBLIC_API_BASE_URL"] == "/api/proxy"
    assert built["NEXT_PUBLIC_TOLD_API_URL"] == "/api/proxy"
    assert built["NEXT_PUBLIC_BACKEND_URL"] == "http://localhost:8001"


def test_a_database_elsewhere_that_is_written_into_the_code(app):
    address = "postgresql+asyncpg://owner:npg_secret@ep-quiet-1.us-east-1.aws.neon.tech/app"
    code = (
        "app = FastAPI()\n"
        f'fallback = os.getenv("DATABASE_URL", "{address}?fallback")\n'
        f'def connect():\n    return "{address}"\n'
        'here = "postgresql://todo:todo@localhost:5432/todo"\n'
        "SQLModel.metadata.create_all(connect())\n"
    )
    found = read(app({"app/main.py": code}), "postgres")
    assert found.backend.addresses == ("app/main.py:4",)
    assert found.backend.migrations == ("python3", "-m", "phase4.tables")
    (warning,) = (one for one in found.warnings if "elsewhere" in one.summary)
    assert "app/main.py:4 does not use the database of this deployment" in warning.summary
    assert "npg_secret" not in str(warning)


@pytest.mark.parametrize(
    ("first", "command"),
    [
        ("op.add_column('tasks', sa.Column('due', sa.Date()))", ("python3", "-m", "phase4.tables")),
        ("op.create_table(\n        'tasks', sa.Column('id'))", ("alembic", "upgrade", "head")),
        ("op.execute('CREATE TABLE tasks (id int)')", ("alembic", "upgrade", "head")),
        ("if sa.inspect(op.get_bind()).has_table('tasks'): pass", ("alembic", "upgrade", "head")),
    ],
)
def test_migrations_that_start_in_the_middle(app, first, command):
    versions = "alembic/versions"
    head = (
        "revision = 'b'\ndown_revision = 'a'\ndef upgrade():\n    op.alter_column('tasks', 'due')\n"
    )
    root = app(
        {
            "requirements.txt": "fastapi\nalembic\nsqlmodel\n",
            "alembic.ini": "[alembic]\nscript_location = alembic\n",
            "alembic/env.py": "import os\nurl = os.environ['DATABASE_URL']\n",
            f"{versions}/a.py": (
                f"revision = 'a'\ndown_revision = None\ndef upgrade():\n    {first}\n"
            ),
            f"{versions}/b.py": head,
            "app/main.py": "from app.models import Task\napp = FastAPI()\n",
            "app/models.py": "class Task(SQLModel, table=True):\n    __tablename__ = 'tasks'\n",
        }
    )
    found = read(root, "postgres")
    assert found.backend.migrations == command
    words = f"{versions}/a.py:4 changes tasks" if command[0] == "python3" else ""
    assert found.backend.middle == words
    assert any(words in one.summary for one in found.warnings if words) is bool(words)


def test_whom_the_page_asks_comes_before_a_service_without_a_phase(app):
    routes = "".join(f"@app.get('/api/tasks/{one}')\ndef h{one}(): ...\n" for one in "ab")
    root = app(
        {
            "app/main.py": None,
            "requirements.txt": None,
            "phase-02/backend/app/main.py": f"app = FastAPI()\n{routes}import asyncpg\n",
            "phase-02/backend/requirements.txt": "fastapi\n",
            "services/audit/app/main.py": "app = FastAPI()\n@app.get('/events')\ndef h(): ...\n",
            "services/audit/requirements.txt": "fastapi\n",
            "frontend/lib/api.ts": "export const list = () => fetch('/api/tasks/a');\n",
        }
    )
    assert read(root, "postgres").backend.folder == "phase-02/backend"


def test_a_backend_in_a_merge_that_was_not_resolved_is_named(app):
    main = "import os\n<<<<<<< HEAD\nfrom fastapi import FastAPI\n=======\napp = FastAPI()\n"
    with pytest.raises(Failure) as caught:
        read(app({"app/main.py": main}))
    assert caught.value.findings[0].summary == (
        "the FastAPI backend cannot be read: app/main.py:2: a merge that was not resolved"
    )


def test_a_database_that_is_not_deployed_here(app):
    with pytest.raises(Failure) as caught:
        read(
            app(
                {
                    "app/main.py": (
                        "from motor.motor_asyncio import AsyncIOMotorClient\napp = FastAPI()\n"
                    )
                }
            )
        )
    assert caught.value.findings[0].code == "APP-NEEDS-SERVICE"
    assert "MongoDB" in caught.value.findings[0].summary


def test_postgres_is_decided_from_url_and_driver(app):
    assert (
        read(app({"app/db.py": "url = os.environ['DATABASE_URL']\nimport asyncpg\n"})).database
        == "postgres"
    )


def test_files_are_decided_from_sqlite(app):
    assert (
        read(app({"app/db.py": 'engine = create_engine("sqlite:///./todos.db")\n'})).database
        == "file"
    )


def test_when_nothing_tells_the_person_is_asked(app):
    root = app()
    with pytest.raises(Failure) as caught:
        read(root)
    assert caught.value.findings[0].code == "DATABASE-UNCLEAR"
    assert read(root, "file").database == "file"


def test_an_empty_requirements_file_is_not_taken_for_the_backend(app):
    root = app(
        {
            "requirements.txt": "",
            "app/main.py": None,
            "backend/requirements.txt": "fastapi\n",
            "backend/main.py": "api = FastAPI()\n",
        }
    )
    found = read(root, "file")
    assert (found.backend.folder, found.backend.module) == ("backend", "main:api")
    assert any("requirements.txt is empty" in finding.summary for finding in found.warnings)


def test_a_wrong_port_and_a_missing_health_route_are_warnings(app):
    found = read(app({"app/main.py": "app = FastAPI()\nuvicorn.run(app, port=8000)\n"}), "file")
    words = " ".join(finding.summary for finding in found.warnings)
    assert "port 8000" in words
    assert "no health route" in words


@pytest.mark.parametrize("missing", ["frontend/package.json", "app/main.py"])
def test_a_missing_part_is_named(app, missing):
    root = app()
    (root / missing).unlink()
    with pytest.raises(Failure) as caught:
        read(root, "file")
    assert caught.value.findings[0].code == "APP-INCOMPLETE"


def test_no_folder_at_all(tmp_path):
    with pytest.raises(Failure, match="there is no app"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABASE_URL", "database"), ("NEON_DB_URL", "database"), ("Neon_db_url", "database"),
        ("POSTGRES_DSN", "database"), ("JWT_SECRET_KEY", "signing"),
        ("SECRET_KEY", "signing"), ("BETTER_AUTH_SECRET", "signing"),
        ("OPENAI_API_KEY", "provider"), ("GOOGLE_CLIENT_SECRET", "provider"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "plain"), ("JWT_ALGORITHM", "plain"),
        ("OPENAI_BASE_URL", "plain"), ("OPENAI_MODEL", "plain"), ("NEXT_PUBLIC_API_URL", "api"),
        ("NEXT_PUBLIC_API_BASE_URL", "api"), ("BACKEND_URL", "api"),
        ("NEXT_PUBLIC_APP_URL", "site"), ("BETTER_AUTH_URL", "site"), ("CORS_ORIGINS", "origins"),
        ("DEBUG", "plain"),
    ],
)  # fmt: skip
def test_a_variable_is_known_by_its_name(name, meant):
    assert kind(name) == meant


def test_values_for_both_sides():
    auth = read(APPS / "auth-next16")
    given = fit.environment(auth, Settings(), {})
    assert given.frontend_plain["BETTER_AUTH_URL"] == "http://todo.localhost:8080"
    assert given.frontend_database == ("DATABASE_URL",)
    assert given.frontend_secrets == {"BETTER_AUTH_SECRET": "generate"}
    assert fit.build_environment(auth)["NEXT_PUBLIC_API_URL"] == "http://localhost:8001/api"
    assert fit.build_environment(auth)["NEXT_PUBLIC_APP_URL"] == "http://localhost:3000"
    assert fit.build_environment(read(APPS / "monorepo-uv")) == {
        "NEXT_PUBLIC_API_BASE_URL": "http://localhost:8001/api/v1"
    }
    assert fit.environment(read(APPS / "key-at-import"), Settings(), {}).secrets == {
        "OPENAI_API_KEY": "placeholder"
    }
    wait = "python3 -m phase4.wait DATABASE_URL"
    assert fit.before_start(read(APPS / "monorepo-uv")) == [
        "sh",
        "-c",
        f"{wait} && exec python3 -m phase4.trust alembic upgrade head",
    ]
    assert fit.before_start(read(APPS / "monorepo-uv"), behind=False) == ["sh", "-c", wait]
    assert fit.before_start(read(ROOT / "phase3-chatbot")) == ["alembic", "upgrade", "head"]
    assert fit.before_start(read(ROOT / "phase3-chatbot"), behind=False) == []


def test_the_newest_versions_of_alembic_are_read_and_not_run():
    first, left, right = (
        'revision = "a"\ndown_revision = None\n',
        'revision: str = "b"\ndown_revision: str | None = "a"\n',
        'revision = "c"\ndown_revision = "a"\n',
    )
    assert backend._newest([first]) == ("a",)
    assert backend._newest([first, left, right]) == ("b", "c")
    assert backend._newest(
        [first, left, right, 'revision = "d"\ndown_revision = ("b", "c")\n']
    ) == ("d",)
    assert backend._newest([first, "revision = make_id()\n"]) == ()


def test_the_cause_in_a_log_has_its_place_in_the_app():
    log = (
        "Traceback (most recent call last):\n"
        '  File "/venv/lib/python3.13/site-packages/uvicorn/x.py", line 1, in y\n'
        '  File "/srv/app/main.py", line 7, in <module>\n'
        '    from app.models import Todo\n  File "/opt/phase4/phase4/asgi.py", line 9, in z\n'
        "ImportError: cannot import name 'Todo'\n"
    )
    assert cause(log) == "ImportError: cannot import name 'Todo' (app/main.py:7)"
    assert cause(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\n"
        "SECRET_KEY\n  Field required [type=missing]\n"
    ).endswith("1 validation error for Settings: SECRET_KEY, Field required [type=missing]")
    assert cause("starting\nFATAL: no space left\n") == "FATAL: no space left"
    assert cause("all is well\n") == ""
