"""The ladder, its download rung against a real server with right and wrong checksums."""

import hashlib
import io
import platform
import tarfile

import pytest

from scripts.machine.architecture import architecture
from scripts.session.findings import Failure
from scripts.supply import tools

SYSTEM = platform.system().lower()
PROGRAM = b"#!/bin/sh\necho v1.36.3\n"


def _serve(folder, name, content, checksum=None):
    tool = tools.TOOLS[name]
    path = folder / tool.url.format(
        version=tool.version, system=SYSTEM, architecture=architecture()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_name(path.name + tool.checksum_suffix).write_text(
        (checksum or hashlib.sha256(content).hexdigest()) + f"  {path.name}\n"
    )


@pytest.fixture
def nothing_on_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_a_download_with_the_published_checksum_is_kept(make_run, file_server, nothing_on_path):
    folder, address = file_server
    _serve(folder, "kubectl", PROGRAM)
    run = make_run(supply={"source": "upstream", "download_base": address})
    found = tools.ensure(run, "kubectl", upstream=True)
    assert found.source == "download"
    assert found.path.read_bytes() == PROGRAM
    assert found.path.stat().st_mode & 0o111
    assert tools.ensure(run, "kubectl", upstream=True).source == "cache"


def test_an_archive_is_unpacked(make_run, file_server, nothing_on_path):
    folder, address = file_server
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"{SYSTEM}-{architecture()}/helm")
        entry.size = len(PROGRAM)
        archive.addfile(entry, io.BytesIO(PROGRAM))
    _serve(folder, "helm", packed.getvalue())
    found = tools.ensure(
        make_run(supply={"source": "upstream", "download_base": address}), "helm", upstream=True
    )
    assert found.path.read_bytes() == PROGRAM


def test_a_wrong_checksum_stops_everything_and_leaves_nothing(
    make_run, file_server, nothing_on_path
):
    folder, address = file_server
    _serve(folder, "minikube", PROGRAM, checksum="0" * 64)
    run = make_run(supply={"download_base": address})
    with pytest.raises(Failure) as caught:
        tools.ensure(run, "minikube", upstream=True)
    assert caught.value.findings[0].code == "CHECKSUM-MISMATCH"
    assert not list(run.settings.cache.rglob("minikube"))
    _serve(folder, "minikube", PROGRAM)
    assert tools.ensure(run, "minikube", upstream=True).path.read_bytes() == PROGRAM


def test_when_no_rung_holds_each_is_told(make_run, file_server, nothing_on_path):
    _, address = file_server
    with pytest.raises(Failure) as caught:
        tools.ensure(
            make_run(supply={"source": "upstream", "download_base": address}), "helm", upstream=True
        )
    finding = caught.value.findings[0]
    assert finding.code == "TOOL-UNAVAILABLE"
    assert "PATH: not found" in finding.evidence
    assert "answers 404" in finding.evidence


def test_a_tool_on_path_is_used_when_it_is_new_enough(make_run, stub):
    stub("helm", "echo v3.19.2+g123")
    found = tools.ensure(make_run(), "helm", upstream=False)
    assert (found.source, found.version) == ("PATH", "v3.19.2")


@pytest.mark.parametrize(
    ("prints", "why"), [("v3.1.0", "older than"), ("nonsense", "cannot be read")]
)
def test_a_tool_that_is_too_old_or_unreadable_gives_way_to_the_next_rung(
    make_run, stub, file_server, prints, why
):
    _, address = file_server
    stub("helm", f"echo {prints}")
    with pytest.raises(Failure) as caught:
        tools.ensure(
            make_run(supply={"source": "upstream", "download_base": address}), "helm", upstream=True
        )
    assert why in caught.value.findings[0].evidence


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.38.1\n", "v1.38.1"),
        ('{"clientVersion": {"gitVersion": "v1.36.3"}}', "v1.36.3"),
        ("version.BuildInfo v4.2.3+g1", "v4.2.3"),
        ("", ""),
        ("[]", ""),
    ],
)
def test_versions_as_the_tools_print_them(text, version):
    assert tools.parse_version(text) == version
