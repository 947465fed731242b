"""What an app is given, and by whom; what is asked is kept."""

import json
from dataclasses import replace

import pytest
import yaml

from scripts.app import environment, resolve
from scripts.app.survey import read
from scripts.release import secret
from scripts.session.findings import Failure
from scripts.session.settings import ROOT, Settings, remember
from scripts.session.shell import Result


@pytest.fixture
def root(tmp_path):
    source = (
        "import os\napp = FastAPI()\nTEAM = os.environ['TEAM']\n"
        "KEY = os.getenv('OPENAI_API_KEY')\nSIGN = os.getenv('JWT_SECRET')\nX = 'sqlite:///x.db'\n"
    )
    for name, content in {
        "app/main.py": source,
        "app/requirements.txt": "fastapi\npsycopg2==2.9\npywin32==300\n",
        "package.json": json.dumps({"dependencies": {"next": "14.2.35"}}),
        "pages/index.tsx": "",
    }.items():
        path = tmp_path / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "theirs"


def test_what_the_app_must_have_is_named(make_run, root, monkeypatch):
    monkeypatch.delenv("TEAM", raising=False)
    with pytest.raises(Failure) as caught:
        environment.gather(make_run(), read(root))
    finding = caught.value.findings[0]
    assert (finding.code, finding.subject) == ("VARIABLES-MISSING", "TEAM")
    assert "app/main.py:3" in finding.evidence


def test_values_come_from_the_environment_then_the_env_file_and_secrets_stay_apart(
    make_run, root, monkeypatch, said
):
    for name in ("TEAM", "OPENAI_API_KEY", "JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (root / ".env").write_text(
        "TEAM=red\nexport OPENAI_API_KEY='sk-from-file'  # mine\n"
        "DATABASE_URL=postgresql://theirs.example/x\nUNREAD=1\n"
    )
    run = make_run()
    given = environment.gather(run, read(root))
    assert given.environment.plain["TEAM"] == "red"
    assert given.secrets == {"OPENAI_API_KEY": "sk-from-file"}
    assert given.environment.secrets == {"JWT_SECRET": "generate", "OPENAI_API_KEY": ""}
    assert run.shell.mask("sk-from-file") == "********"
    monkeypatch.setenv("TEAM", "blue")
    assert environment.gather(make_run(), read(root)).environment.plain["TEAM"] == "blue"


def test_a_database_elsewhere_is_found_under_the_charts_key(make_run, root, monkeypatch):
    (root / "app/main.py").write_text(
        "import os\napp = FastAPI()\nURL = os.environ['NEON_DB_URL']\n"
    )
    monkeypatch.setenv("NEON_DB_URL", "postgresql://theirs.example/x")
    app = read(root, "external")
    wanted = secret.wanted(None, app, environment.gather(make_run(), app))
    assert wanted.given == {
        "NEON_DB_URL": "postgresql://theirs.example/x",
        "DATABASE_URL": "postgresql://theirs.example/x",
    }
    assert wanted.scheme == ""


def test_leave_to_read_an_env_file_is_asked_once(make_run, root, monkeypatch):
    asked, kept = [], []
    monkeypatch.setattr(environment, "remember", lambda app, answers: kept.append(answers))
    (root / ".env").write_text("TEAM=red\n")
    (root / ".env.local").write_text("OPENAI_API_KEY=sk-from-file\n")

    def gather(attended, **app):
        run = replace(
            make_run(app=app), attended=attended, confirm=lambda what: not asked.append(what)
        )
        return environment.gather(run, read(root)).environment.plain["TEAM"]

    assert gather(attended=False) == "red"
    assert kept == []  # nobody was there to be asked
    assert gather(attended=True) == "red"
    assert kept == [{"env_file": f"{root}/.env,{root}/.env.local"}]
    asked.clear()
    assert gather(attended=True, **kept[0]) == "red"
    assert (asked, len(kept)) == ([], 1)


def test_an_env_file_that_is_not_there_is_told(make_run, root, tmp_path):
    with pytest.raises(Failure) as caught:
        environment.gather(make_run(app={"env_file": str(tmp_path / "nowhere.env")}), read(root))
    assert caught.value.findings[0].code == "SETTINGS-INVALID"


def test_an_answer_is_kept_and_is_not_asked_for_again(tmp_path):
    file = tmp_path / "invoke.yaml"
    file.write_text((ROOT / "invoke.yaml").read_text())
    remember(tmp_path / "theirs", {"environment": {"TEAM": "red"}}, file)
    remember(tmp_path / "theirs", {"database": "file"}, file)
    remember(tmp_path / "others", {"database": "postgres"}, file)
    text = file.read_text()
    assert text.startswith((ROOT / "invoke.yaml").read_text().rstrip())
    values = yaml.safe_load(text)["phase4"]
    theirs = Settings.load(values, str(tmp_path / "theirs")).app
    assert (theirs.environment, theirs.database) == ({"TEAM": "red"}, "file")
    assert (
        Settings.load(
            {**values, "app": {**values["app"], "database": "external"}}, str(tmp_path / "theirs")
        ).app.database
        == "external"
    )
    assert Settings.load(values).app.environment == {}


def _compiled(monkeypatch, answers):
    """uv's answers, in turn; what it was asked."""
    asked = []

    def compile_(run, wanted, constraints, python, wheels, until, overrides=()):
        asked.append((list(wanted), overrides, python, wheels, until))
        words = answers[len(asked) - 1]
        works = words.endswith("\n")  # uv's answers are files, its refusals sentences
        return Result(("uv",), 0 if works else 1, words if works else "", words, 0.0)

    monkeypatch.setattr(resolve, "_compile", compile_)
    return asked


def test_another_python_where_a_package_has_no_wheel(make_run, root, monkeypatch, said):
    asked = _compiled(
        monkeypatch,
        [
            "Because a==1 has no usable wheels and you require a==1, we can conclude",
            "fastapi==0.115.0\nuvicorn==0.34.0\n",
        ],
    )
    found = resolve.resolve(make_run(), read(root), ("3.13", "3.11"))
    assert (found.python, found.compiles) == ("3.11", False)
    assert asked[0][0] == ["fastapi", "psycopg2-binary==2.9", "uvicorn"]
    assert any("Python 3.11 instead of 3.13: a==1 has no usable wheels" in line for line in said)
    assert any("pywin32 is not for this image: left out" in line for line in said)


def test_wheels_on_a_python_outside_of_the_apps_bound_come_before_a_compiler(
    make_run, root, monkeypatch
):
    (root / "app/pyproject.toml").write_text('[project]\nrequires-python = ">=3.13"\n')
    asked = _compiled(
        monkeypatch,
        [
            "Because a==1 has no usable wheels and you require a==1, we can conclude",
            "fastapi==0.115.0\nuvicorn==0.34.0\n",
        ],
    )
    found = resolve.resolve(make_run(), read(root), ("3.13", "3.11"))
    assert (found.python, found.compiles) == ("3.11", False)
    assert [(one[2], one[3]) for one in asked] == [("3.13", True), ("3.11", True)]


def test_what_is_used_and_not_listed_is_added_and_what_breaks_it_kept_out(
    make_run, root, monkeypatch
):
    (root / "app/main.py").write_text(
        "from openai import OpenAI\nfrom jose import jwt\napp = FastAPI()\nX = 'sqlite:///x.db'\n"
    )
    pins = "fastapi==0.115.0\nopenai==1.40.0\nhttpx==0.28.1\n"
    asked = _compiled(monkeypatch, [pins, f"{pins}python-jose==3.3.0\n"])
    found = resolve.resolve(make_run(), read(root), ("3.13",))
    assert asked[1][0][-1] == "python-jose[cryptography]"
    assert asked[1][1] == ["httpx<0.28"]
    assert "python-jose==3.3.0" in found.requirements


@pytest.mark.parametrize(
    ("requires", "python"), [(">=3.14", "3.13"), ("<3.12,>=3.10", "3.11"), ("<3.10", "3.13")]
)
def test_a_python_that_is_not_to_be_had_is_replaced_by_the_nearest(
    make_run, root, monkeypatch, requires, python
):
    (root / "app/pyproject.toml").write_text(f'[project]\nrequires-python = "{requires}"\n')
    _compiled(monkeypatch, ["fastapi==0.115.0\n"])
    found = resolve.resolve(make_run(), read(root), ("3.13", "3.11"))
    assert found.python == python
    said = f"Python {requires} is wanted: {python} is what there is"
    assert (said in found.notes) is (python == "3.13")


def test_packages_that_do_not_go_together(make_run, root, monkeypatch):
    _compiled(monkeypatch, ["error: a needs b<2, and c needs b>2"] * 3)
    with pytest.raises(Failure) as caught:
        resolve.resolve(make_run(), read(root), ("3.13", "3.11"))
    assert caught.value.findings[0].code == "PACKAGES-UNRESOLVABLE"
    assert "a needs b<2, and c needs b>2" in caught.value.findings[0].summary


def test_an_earlier_answer_serves_where_git_tells_no_date_and_with_a_bundle(
    make_run, root, monkeypatch
):
    """A copy of the app has no commits, a shallow clone only one; uv needs a network."""
    pins = "fastapi==0.115.0\nuvicorn==0.34.0\n"
    asked = _compiled(monkeypatch, [pins, pins])
    committed = ["2026-11-01T00:00:00Z"]
    monkeypatch.setattr(resolve, "_last_commit", lambda run, app: committed[0])
    first = resolve.resolve(make_run(), read(root), ("3.13",))
    assert first.kept and first.kept.is_file() and first.date == committed[0]

    committed[0] = ""
    assert resolve.resolve(make_run(), read(root), ("3.13",)) == first
    committed[0] = "2026-11-29T00:00:00Z"
    bundled = make_run(supply={"bundle": "some.bundle"})
    assert resolve.resolve(bundled, read(root), ("3.13",)) == first
    assert len(asked) == 1

    later = resolve.resolve(make_run(), read(root), ("3.13",))
    assert later.date == committed[0] and len(asked) == 2, "without a bundle the commit counts"
