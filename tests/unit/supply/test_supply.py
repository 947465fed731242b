import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.machine import capability_runtime
from scripts.machine.buildkit import _pass_on, failing_lines, image_id
from scripts.machine.engine import Engine
from scripts.session.settings import ROOT
from scripts.supply import bases, golang, node, stock, tools
from scripts.supply.archive import pack


def test_capabilities_absent_from_the_bounding_set_are_named():
    assert capability_runtime.missing("Name:\tx\nCapBnd:\t000001fffeffffff\n") == {
        "CAP_SYS_RESOURCE"
    }
    assert capability_runtime.missing("CapBnd:\t000001ffffffffff\n") == set()


def test_absent_capabilities_are_taken_from_every_set_of_a_bundle():
    process = {
        "args": ["sh"],
        "capabilities": {
            "bounding": ["CAP_KILL", "CAP_SYS_RESOURCE"],
            "effective": ["CAP_SYS_RESOURCE"],
        },
    }
    assert capability_runtime.strip(process, {"CAP_SYS_RESOURCE"}) == {
        "args": ["sh"],
        "capabilities": {"bounding": ["CAP_KILL"], "effective": []},
    }
    assert capability_runtime.strip({"args": []}, {"CAP_KILL"}) == {"args": []}


def test_the_runtime_rewrites_the_bundle_and_becomes_runc(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(
        json.dumps({"process": {"capabilities": {"bounding": ["CAP_SYS_RESOURCE", "CAP_KILL"]}}})
    )
    monkeypatch.setattr(capability_runtime, "missing_here", lambda: {"CAP_SYS_RESOURCE"})
    became = []
    monkeypatch.setattr(capability_runtime.os, "execvp", lambda *command: became.append(command))
    capability_runtime.main(["--root", "/r", "create", "--bundle", str(tmp_path), "id"])
    assert became == [("runc", ["runc", "--root", "/r", "create", "--bundle", str(tmp_path), "id"])]
    assert json.loads((tmp_path / "config.json").read_text())["process"]["capabilities"][
        "bounding"
    ] == ["CAP_KILL"]


def test_the_same_program_gives_the_same_image(tmp_path):
    (tmp_path / "program").write_bytes(b"binary")
    for name in ("one", "two"):
        pack(
            tmp_path / name,
            "example/image:1",
            {"/usr/local/bin/program": tmp_path / "program"},
            ["/usr/local/bin/program"],
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())[0]
        config = json.loads(archive.extractfile(manifest["Config"]).read())
        content = io.BytesIO(archive.extractfile(manifest["Layers"][0]).read())
    with tarfile.open(fileobj=content) as layer:
        assert layer.getmember("usr/local/bin/program").mode == 0o755
    assert manifest["RepoTags"] == ["example/image:1"]
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/program"]


@pytest.mark.parametrize(
    ("status", "headers", "is_registry"),
    [
        (401, {"Docker-Distribution-Api-Version": "registry/2.0"}, True),
        (200, {}, False),
        (404, {}, False),
    ],
)
def test_only_a_registry_counts_as_upstream(make_run, status, headers, is_registry):
    """Some networks accept every connection and answer something."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert (
            bases.from_upstream(
                make_run(supply={"image_registry": f"127.0.0.1:{server.server_port}"})
            )
            is is_registry
        )
    finally:
        server.shutdown()


def test_nobody_at_the_registry_is_no_upstream(make_run):
    assert bases.from_upstream(make_run(supply={"image_registry": "127.0.0.1:9"})) is False


def test_a_failed_build_shows_the_failing_step_only():
    """Recorded from `docker build --progress=plain`, shortened."""
    output = "\n".join(
        [
            "#7 [build 3/6] COPY . .",
            *(f"#7 {second}.0 noise" for second in range(300)),
            "#9 [build 4/6] RUN npm ci",
            "#9 sha256:2e8f41",
            "#9 1.234 npm error code EUSAGE",
            "#9 1.240 npm error missing: react",
            "#9 ERROR: executor failed running [/bin/sh -c npm ci]: exit code: 1",
            "------",
            " > [build 4/6] RUN npm ci:",
            "------",
            "executor failed running [/bin/sh -c npm ci]: exit code: 1",
        ]
    )
    assert failing_lines(output).splitlines() == [
        "[build 4/6] RUN npm ci",
        "npm error code EUSAGE",
        "npm error missing: react",
        "exit code: 1",
    ]


def test_what_a_step_tells_the_person_is_passed_on_and_its_command_is_not(make_run, said):
    for line in (
        "#8 [source 3/4] RUN echo phase4: x",
        "#8 12.40 phase4: package-lock.json does not fit package.json",
        "#8 12.41 noise",
    ):
        _pass_on(make_run(), line)
    assert said == ["package-lock.json does not fit package.json"]


def test_a_build_that_fails_before_any_step_shows_the_last_words():
    assert (
        failing_lines("#1 load\n\nfailed to solve: file not found")
        == "#1 load\nfailed to solve: file not found"
    )


def test_every_go_program_is_pinned():
    required = (golang.MODULE / "go.mod").read_text()
    for program in golang.PROGRAMS.values():
        assert program.package.startswith("./") or any(
            line.split()[0] in program.package
            for line in required.splitlines()
            if line.startswith("\t") and "=>" not in line
        )


def test_every_stand_in_has_its_dockerfile_and_every_base_a_pinned_tag():
    for name, base in bases.BASES.items():
        assert (
            name in bases.SUITES or (bases.IMAGES / name.partition("-")[0] / "Dockerfile").is_file()
        )
        assert any(character.isdigit() for character in base.official.split(":")[1])
    for dockerfile in ("frontend.Dockerfile", "backend.Dockerfile"):
        for line in (ROOT / dockerfile).read_text().splitlines():
            if line.startswith("ARG ") and "_IMAGE=" in line:
                assert line.split("=")[1] in {base.official for base in bases.BASES.values()}, (
                    f"{dockerfile} and scripts/supply/bases.py differ"
                )


def test_an_image_that_the_engine_had_is_not_asked_for_again(make_run, stub):
    engine = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34, {"old:1": "sha256:1"})
    stub("docker", """[ "$3" = new:1 ] && echo '[{"Id": "sha256:2"}]'""")
    assert [image_id(make_run(), engine, name) for name in ("old:1", "new:1", "none:1")] == [
        "sha256:1",
        "sha256:2",
        "",
    ]


def test_names_of_what_is_made_do_not_depend_on_the_machine(make_run, tmp_path):
    """So a bundle of another machine has what is looked for here."""
    here, there = make_run(), make_run(supply={"cache": f"{tmp_path / 'elsewhere'}"})
    named = [
        [place.relative_to(run.settings.cache) for place in stock.wanted(run).files]
        for run in (here, there)
    ]
    assert named[0] == named[1]
    assert len(set(named[0])) == len(named[0])


def test_an_image_that_the_engine_has_needs_no_program_and_no_parent(make_run, stub):
    client = stub("docker", """test "$2" = inspect && echo '[{"Id": "sha256:1"}]'""")
    docker = Engine(f"{client}", "29.0.0", "/var/lib/docker", "overlay2", 2, 8 << 30)
    run = make_run()
    found = node.node_image(run, docker, upstream=False)
    assert found and found.base_image == node.node_reference()
    assert bases.stand_in(run, docker, "postgres") == bases.stand_in_reference("postgres")
    assert not (run.settings.cache / "go").exists()


def test_an_archive_that_is_there_needs_no_program(make_run, stub):
    run = make_run()
    for place in node.places(run):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"made before")
    docker = Engine("docker", "29.0.0", "/var/lib/docker", "overlay2", 2, 8 << 30)
    archives = node.addon_images(run, docker, upstream=False).archives
    assert set(archives.values()) < set(node.places(run))
    assert not any(golang.place(run, name).exists() for name in node.IN_IMAGES)


def test_a_tool_of_a_bundle_is_found_whatever_the_source(make_run, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    run = make_run(supply={"source": "upstream", "bundle": "some.bundle"})
    place = golang.place(run, "minikube")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"made before")
    assert tools.minikube(run, bases.from_upstream(run)).path == place


def test_a_node_whose_files_are_all_there_is_not_made_again(make_run, stub, monkeypatch, tmp_path):
    """The names that a bundle is compared with are those under which the stages look."""
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))
    run = make_run()
    for place in node.places(run):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(place.name.encode())
    client = stub("docker", """test "$2" = inspect && echo '[{"Id": "sha256:1"}]'""")
    docker = Engine(f"{client}", "29.0.0", "/var/lib/docker", "overlay2", 2, 8 << 30)
    parts = node.cluster_parts(run, docker, upstream=False)
    image = node.node_image(run, docker, upstream=False)
    assert node.preload(run, docker, image, parts) == image
    kept = {path.read_bytes() for path in (tmp_path / ".minikube").rglob("*") if path.is_file()}
    addons = node.addon_images(run, docker, upstream=False).archives.values()
    assert kept == {place.name.encode() for place in node.places(run) if place not in addons}
