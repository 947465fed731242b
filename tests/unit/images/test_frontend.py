"""What a frontend's build gets, and what its web server is told when it starts."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.app.reach import Reach
from scripts.images import frontend
from scripts.images.context import File, content_tag, stage
from scripts.session.settings import ROOT

WRITE_CONFIG = ROOT / frontend.WEB / "serve" / "write-config"
APP = (
    File("app/page.tsx", False, b"page"),
    File("package-lock.json", False, b"{}"),
    File("package.json", False, b"{}"),
)
ALONE = Reach(Path())
bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def test_the_build_gets_the_app_what_its_packages_come_from_and_the_programs():
    laid_out = {
        file.name: file
        for file in frontend.lay_out(APP, {"phase4.env": b"A=1", "package.json": b"[]"}, ALONE)
    }
    assert laid_out["source/app/page.tsx"].content == b"page"
    assert laid_out["source/package.json"].content == b"[]"
    assert laid_out["source/phase4.env"].content == b"A=1"
    assert {name for name in laid_out if name.startswith("manifests/")} == {
        "manifests/package.json",
        "manifests/package-lock.json",
    }
    assert laid_out["scripts/images/web/serve/serve"].executable
    assert not laid_out["scripts/images/web/serve/nginx.conf"].executable


def test_every_program_and_configuration_is_part_of_the_tag(make_run):
    dockerfile, files = ROOT / "frontend.Dockerfile", frontend.lay_out(APP, {}, ALONE)
    before = content_tag(make_run(), None, dockerfile, files, {})
    ours = [file for file in files if file.name.startswith("scripts/")]
    assert len(ours) >= 8
    for one in ours:
        edited = [replace(file, content=b"other") if file is one else file for file in files]
        assert content_tag(make_run(), None, dockerfile, edited, {}) != before


def test_the_context_has_everything_that_the_dockerfile_copies(tmp_path):
    """In the context that is laid out, and in the repository for a build by hand."""
    staged = stage(frontend.lay_out(APP, {}, ALONE), tmp_path / "context")
    lines = (ROOT / "frontend.Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [
        word for line in lines if line.startswith("COPY scripts") for word in line.split()[1:-1]
    ]
    assert len(copied) >= 6
    for root in (staged, ROOT):
        assert [name for name in copied if not (root / name).exists()] == []


def _write_config(folder, addresses, **environment):
    (folder / "list").write_text("".join(f"{one}\n" for one in addresses))
    command = ["bash", WRITE_CONFIG.as_posix(), folder.as_posix(), f"{folder.as_posix()}/list"]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, check=True)
    return [(folder / name).read_text() for name in ("config.js", "addresses.conf", "forward.conf")]


@bash
def test_a_frontend_without_addresses_gets_the_apis_address_alone(tmp_path):
    config, addresses, forward = _write_config(tmp_path, [], NEXT_PUBLIC_API_URL="/_api")
    assert config == 'window.__CONFIG__ = { NEXT_PUBLIC_API_URL: "/_api" };\n'
    assert (addresses, forward) == ("", "")


@bash
def test_nothing_but_an_address_gets_into_a_script(tmp_path):
    evil = '/api"};alert(1)//</script>\n$(touch x)'
    config = _write_config(tmp_path, [], NEXT_PUBLIC_API_URL=evil)[0]
    value = config.split(": ", 1)[1].removesuffix(" };\n")
    assert json.loads(value) == "/apialert1///scripttouchx"


@bash
def test_addresses_on_this_machine_lead_to_the_pages_origin_and_the_api(tmp_path):
    names = ["http://localhost:3000", "http://localhost:8000", "ws://127.0.0.1:8000"]
    addresses = _write_config(tmp_path, names, NEXT_PUBLIC_API_URL="/api")[1].splitlines()
    assert addresses == [
        "sub_filter 'http://localhost:3000' '$scheme_outside://$http_host';",
        "sub_filter 'http://localhost:8000' '$scheme_outside://$http_host/api';",
        "proxy_redirect '~^https?://localhost:8000(?<rest>/.*|)$'"
        " '$scheme_outside://$http_host/api$rest';",
        "sub_filter 'ws://127.0.0.1:8000' '$socket_outside://$http_host/api';",
        "sub_filter_once off;",
        "sub_filter_types text/css text/plain text/x-component text/javascript"
        " application/javascript application/json;",
    ]


@bash
def test_an_api_elsewhere_is_named_as_it_is(tmp_path):
    names = ["http://localhost:8000"]
    addresses = _write_config(tmp_path, names, NEXT_PUBLIC_API_URL="http://api.local:81")[1]
    assert "sub_filter 'http://localhost:8000' 'http://api.local:81';" in addresses


@bash
def test_in_the_container_the_apis_addresses_lead_to_the_backend_once_a_port(tmp_path):
    names = ["http://localhost:3000", "http://localhost:8000", "ws://127.0.0.1:8000"]
    forward = _write_config(tmp_path, names, BACKEND_ADDRESS="todo-backend:8001")[2]
    assert forward.count("listen ") == 1
    assert "listen 127.0.0.1:8000;" in forward
    assert "proxy_pass http://todo-backend:8001;" in forward


@bash
def test_nginxs_errors_become_json():
    line = '2026/11/27 10:00:00 [error] 7#7: *1 open() "/x\\y" failed\n2026/11/27 [warn] slow\n'
    script = ROOT / frontend.WEB / "serve" / "json-errors.sed"
    done = subprocess.run(
        ["sed", "-f", script], input=line, capture_output=True, text=True, check=True
    )
    first, second = (json.loads(one) for one in done.stdout.splitlines())
    assert (first["level"], second["level"]) == ("error", "warning")
    assert first["message"].endswith('open() "/x\\y" failed')


def test_what_is_compiled_brings_its_compiler_and_nothing_else_does():
    named = b'{"dependencies": {"better-sqlite3": "^11.0.0"}}'
    other = b'{"dependencies": {"better-sqlite3-multiple": "1", "drizzle-orm": "1"}}'
    peers = b'{"node_modules/pg": {"peerDependencies": {"pg-native": ">=3.0.1"}}}'
    locked = b'{"packages": {"node_modules/bcrypt": {"version": "5.1.1"}}}'
    assert frontend.build_packages([File("source/package.json", False, other)]) == ""
    assert frontend.build_packages([File("source/notes.md", False, b'"bcrypt": use it')]) == ""
    assert frontend.build_packages([File("package-lock.json", False, peers)]) == ""
    for file in (("source/package.json", named), ("source/package-lock.json", locked)):
        assert frontend.build_packages([File(file[0], False, file[1])]) == frontend.COMPILERS
    pnpm = File("pnpm-lock.yaml", False, b"  canvas@2.11.2:\n")
    assert "libcairo2-dev" in frontend.build_packages([pnpm])


def test_an_installation_that_runs_the_apps_programs_gets_all_of_it():
    scripts = File("package.json", False, b'{"scripts": {"postinstall": "node tools/make.js"}}')
    files = [scripts, File("tools/make.js", False, b"1")]
    names = {file.name for file in frontend.lay_out(files, {}, ALONE)}
    assert "manifests/tools/make.js" in names


def test_what_lies_beside_the_frontend_comes_with_it(tmp_path):
    for name, text in {
        "frontend/package.json": "{}",
        "shared/types/todo.ts": "export type Todo = {};",
        "shared/.env": "SECRET=1",
        "shared/node_modules/x/index.js": "1",
        "shared/tool.py": "1",
        "theme.css": "a {}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    reach = Reach(tmp_path, "frontend", ("shared", "theme.css"))
    names = {file.name for file in frontend.lay_out(APP, {"phase4.env": b""}, reach)}
    assert {name for name in names if name.startswith("source/")} == {
        "source/frontend/app/page.tsx",
        "source/frontend/package.json",
        "source/frontend/package-lock.json",
        "source/frontend/phase4.env",
        "source/shared/types/todo.ts",
        "source/theme.css",
    }
    assert "manifests/frontend/package.json" in names
