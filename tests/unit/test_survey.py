import json

import pytest

from scripts.findings import Failure
from scripts.settings import ROOT
from scripts.survey import read


@pytest.fixture
def app(tmp_path):
    """An app of the usual shape; keyword arguments replace files."""

    def make(**files):
        contents = {
            "frontend/package.json": json.dumps({"dependencies": {"next": "14.2.35"}}),
            "frontend/next.config.mjs": "export default { output: 'export' }",
            "frontend/package-lock.json": "{}",
            "requirements.txt": "fastapi\n",
            "app/main.py": "app = FastAPI()\n@app.get('/health')\ndef h(): ...\n",
            **files,
        }
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return make


def test_the_reference_app_is_read_with_its_lines():
    found = read(ROOT / "phase3-chatbot")
    assert (found.module, found.next_version, found.output, found.database) == ("app.main:app", "14.2.35", "export", "postgres")
    assert (found.health_path, found.ready_path) == ("/health", "/ready")
    assert found.migrations == ("alembic", "upgrade", "head")
    assert {"DATABASE_URL", "OPENAI_API_KEY", "BETTER_AUTH_SECRET"} <= set(found.environment)
    for evidence in found.evidence:
        name, number = evidence.place.rsplit(":", 1)
        assert evidence.line[:100] in (ROOT / "phase3-chatbot" / name).read_text().splitlines()[int(number) - 1]


def test_postgres_is_decided_from_url_and_driver(app):
    root = app(**{"app/db.py": "url = os.environ['DATABASE_URL']\nimport asyncpg\n"})
    assert read(root).database == "postgres"


def test_files_are_decided_from_sqlite(app):
    assert read(app(**{"app/db.py": 'engine = create_engine("sqlite:///./todos.db")\n'})).database == "file"


def test_when_nothing_tells_the_person_is_asked(app):
    root = app()
    with pytest.raises(Failure) as caught:
        read(root)
    assert caught.value.findings[0].code == "DATABASE-UNCLEAR"
    assert read(root, "file").database == "file"


def test_an_empty_requirements_file_is_not_taken_for_the_backend(app):
    root = app(**{"requirements.txt": "", "backend/requirements.txt": "fastapi\n", "backend/main.py": "api = FastAPI()\n# sqlite:///x\n"})
    found = read(root, "file")
    assert (found.backend.name, found.module) == ("backend", "main:api")


def test_a_wrong_port_and_a_missing_health_route_are_warnings(app):
    found = read(app(**{"app/main.py": "app = FastAPI()\nuvicorn.run(app, port=8000)\n"}), "file")
    words = " ".join(finding.summary for finding in found.warnings)
    assert "port 8000" in words
    assert "/health" in words


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
