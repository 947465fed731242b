"""A bundle is written and taken with real files and streams; only docker is a script."""

import dataclasses
import gzip
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import tarfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.machine.engine import Engine
from scripts.session.findings import Failure
from scripts.session.run import Run
from scripts.session.settings import Settings
from scripts.session.shell import Interrupted, Planned, Shell
from scripts.supply import bases, stock
from scripts.supply.bundle import about, export, fetch, form, part, take

LAYERS = random.Random(0).randbytes(50000)
IDENTITY = "sha256:" + "1" * 64
DOCKER = """
here={here}
case "$1" in
    save) cat "$here/layers" ;;
    load) cat > "$here/loaded" ;;
    image) test -e "$here/loaded" || exit 1; echo '[{{"Id": "{identity}"}}]' ;;
esac
"""


def content_of(number):
    """The content of one of the files: bytes that no compression makes fewer."""
    return random.Random(number).randbytes(6000 + 7 * number)


def engine_in(folder):
    """An engine that is a script in `folder`: it has no images, and takes any."""
    (folder / "layers").write_bytes(LAYERS)
    client = folder / "docker-here"
    client.write_text("#!/bin/sh\n" + DOCKER.format(here=folder, identity=IDENTITY))
    client.chmod(0o755)
    return Engine(f"{client}", "29.0.0", "/var/lib/docker", "overlay2", 2, 8 << 30)


@pytest.fixture
def engine(tmp_path):
    """The engine of the machine that takes."""
    return engine_in(tmp_path)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """A machine that has everything that this checkout wants: its run, engine and stock."""
    folder = tmp_path_factory.mktemp("maker")
    settings = Settings.load({"supply": {"cache": f"{folder / 'cache'}"}})
    run = Run(settings, Shell(), lambda text: None, lambda what: True)
    wanted = stock.wanted(run)
    for number, place in enumerate(wanted.files):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content_of(number))
        place.chmod(0o644 if place.suffix else 0o755)
    docker = engine_in(folder)
    (folder / "loaded").touch()
    return run, docker, wanted


@pytest.fixture(scope="module")
def written(maker, tmp_path_factory):
    """A bundle, once for all tests."""
    return export.write(*maker, tmp_path_factory.mktemp("there") / "bundle.tar")


@pytest.fixture
def exported(written, tmp_path):
    """A bundle of one's own, to do with as one likes."""
    folder = tmp_path / "there"
    folder.mkdir()
    return dataclasses.replace(written, path=shutil.copy2(written.path, folder / "bundle.tar"))


@pytest.fixture
def taker(make_run, tmp_path):
    """A run on a machine with an empty cache, with this bundle in its settings."""

    def make(bundle, **supply):
        return make_run(supply={"cache": f"{tmp_path / 'new'}", "bundle": f"{bundle}", **supply})

    return make


def refused(run):
    """The finding with which a bundle is refused; nothing of it came into the cache then."""
    with pytest.raises(Failure) as caught:
        take.unpack(run, take.find(run))
    left = [path for path in run.settings.cache.rglob("*") if path.is_file()]
    assert {path.suffix for path in left} <= {".lock", ".part", ".version"}
    (finding,) = caught.value.findings
    assert finding.summary and "\n" not in finding.summary and finding.remedy
    return finding


def refused_address(run):
    """The finding with which an address is refused."""
    with pytest.raises(Failure) as caught:
        take.find(run)
    assert caught.value.findings[0].code == "BUNDLE-UNREACHABLE"
    return caught.value.findings[0]


def forged(exported, target, change, files=None):
    """A bundle whose manifest was changed, with digests that agree with it."""
    content = exported.path.read_bytes()
    read = dataclasses.asdict(exported.manifest)
    folder = target.parent / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    with exported.path.open("rb") as source:
        head = form.read_head(source)
        stored = {name: (one["size"], one["sha256"]) for name, one in read["parts"].items()}
        for name, found in form.find_parts(source, head, stored).items():
            (folder / name).write_bytes(content[found.offset : found.offset + found.size])
    if files is not None:
        (folder / about.FILES).write_bytes(files)
        read["parts"][about.FILES] = {
            "size": len(files),
            "sha256": hashlib.sha256(files).hexdigest(),
        }
    change(read)
    with target.open("wb") as out:
        parts = [folder / about.FILES, folder / about.IMAGES]
        form.write(out, json.dumps(read).encode(), b"", parts)
    return target


def packed(*members):
    """A compressed archive of (TarInfo, content)."""
    out = io.BytesIO()
    with part.packing(out) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for entry, content in members:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_everything_comes_over_and_is_taken_once(exported, taker, engine, tmp_path, said):
    run = taker(exported.path)
    bundle = take.find(run)
    assert f"{bundle}".startswith("bundle.tar, made 20")
    wanted = stock.wanted(run)
    assert take.unpack(run, bundle) == len(wanted.files)
    assert take.load(run, engine, bundle) == len(wanted.images)
    assert (tmp_path / "loaded").read_bytes() == LAYERS
    for number, place in enumerate(wanted.files):
        assert place.read_bytes() == content_of(number)
        assert bool(place.stat().st_mode & 0o100) is not bool(place.suffix)
    assert bases.from_upstream(run) is False, "a bundle was made of packages"

    exported.path.unlink()  # it is not needed any more
    again = take.find(run)
    assert again and not again.parts
    assert take.unpack(run, again) == 0 and take.load(run, engine, again) == 0


def test_images_that_the_engine_lost_are_loaded_again(exported, taker, engine, tmp_path):
    run = taker(exported.path)
    bundle = take.find(run)
    take.unpack(run, bundle), take.load(run, engine, bundle)
    (tmp_path / "loaded").unlink()
    assert take.load(run, engine, take.find(run)) == len(exported.manifest.images)
    assert (tmp_path / "loaded").read_bytes() == LAYERS


def test_what_is_in_the_cache_already_stays(exported, taker):
    run = taker(exported.path)
    place = stock.wanted(run).files[0]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"made here")
    take.unpack(run, take.find(run))
    assert place.read_bytes() == b"made here"
    assert not list(run.settings.cache.glob(".bundle-*"))


def test_the_manifest_says_what_is_in_it(exported):
    read = exported.manifest
    assert read.format == about.FORMAT and read.versions == stock.versions()
    assert all(re.fullmatch(r"[0-9a-f]{64}", one.sha256) for one in read.files.values())
    assert all(one.licence for one in (*read.files.values(), *read.images.values()))
    with tarfile.open(exported.path) as archive:  # plain tar can list it
        names = archive.getnames()
    assert names == [f"phase4-bundle-{exported.sha256}.json", about.FILES, about.IMAGES]
    assert about.licence_of("images/traefik-0123456789abcdef.tar").startswith("MIT")
    assert about.licence_of("go/etcd-0123456789abcdef/etcd").startswith("Apache-2.0")
    assert about.licence_of("tools/helm-v4.2.3/helm").startswith("Apache-2.0")
    assert about.licence_of("phase4/node-20:0123").startswith("MIT")
    assert about.licence_of("todo-chatbot-backend:0123").startswith("the app's own")


def test_the_same_files_give_the_same_bytes(maker, tmp_path):
    run = maker[0]
    for name in ("one", "two"):
        export.pack(run.settings.cache, stock.wanted(run).files, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def places(exported):
    """Twelve bytes of the file, by where they lie."""
    size = exported.path.stat().st_size
    with exported.path.open("rb") as source:
        head = form.read_head(source)
        stored = {name: (one.size, one.sha256) for name, one in exported.manifest.parts.items()}
        found = form.find_parts(source, head, stored)
    files, images = found[about.FILES], found[about.IMAGES]
    return {
        "the first byte": 0,
        "the digest in the manifest's name": 30,
        "the owner in the manifest's header": 110,
        "the manifest's first line": 513,
        "the manifest's middle": 512 + len(head.manifest) // 2,
        "the manifest's end": 512 + len(head.manifest) - 1,
        "the zeros after the manifest": 512 + len(head.manifest),
        "the header of the files": files.offset - 300,
        "the first byte of the files": files.offset,
        "the middle of the files": files.offset + files.size // 2,
        "the last byte of the files": files.offset + files.size - 1,
        "the header of the images": images.offset - 512,
        "the middle of the images": images.offset + images.size // 2,
        "the zeros at the end": size - 1,
    }


def test_one_wrong_byte_anywhere_is_found(exported, taker, tmp_path):
    whole = exported.path.read_bytes()
    damaged = tmp_path / "damaged.tar"
    codes = {}
    for where, offset in places(exported).items():
        damaged.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x20]) + whole[offset + 1 :])
        codes[where] = refused(taker(damaged)).code
    assert codes.pop("the first byte") == "BUNDLE-FOREIGN", "it is not known as a bundle any more"
    assert set(codes.values()) == {"BUNDLE-DAMAGED"}
    assert len(codes) > 10


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999, 1.0001])
def test_a_file_that_is_too_short_or_too_long_is_found(exported, taker, tmp_path, share):
    whole = exported.path.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes((whole + b"more" * 100)[: int(len(whole) * share)])
    assert refused(taker(cut)).code == ("BUNDLE-FOREIGN" if share == 0 else "BUNDLE-DAMAGED")


NO_BUNDLES = {
    "empty": lambda: b"",
    "text": lambda: b"hello\n" * 1000,
    "gzip": lambda: gzip.compress(b"x" * 9999),
    "zstd": lambda: packed((tarfile.TarInfo("a"), b"b")),
}


@pytest.mark.parametrize("kind", NO_BUNDLES)
def test_what_is_no_bundle_is_refused(taker, tmp_path, kind):
    other = tmp_path / "other.tar"
    other.write_bytes(NO_BUNDLES[kind]())
    finding = refused(taker(other))
    assert finding.code == "BUNDLE-FOREIGN" and "is no bundle" in finding.summary


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("architecture", "s390x", r"made for \w+ s390x, and this machine is"),
        ("system", "Plan9", "made for Plan9"),
    ],
)
def test_a_bundle_for_another_machine_is_refused(exported, taker, tmp_path, field, value, words):
    target = forged(exported, tmp_path / "x.tar", lambda read: read.update({field: value}))
    finding = refused(taker(target))
    assert finding.code == "BUNDLE-FOREIGN" and re.search(words, finding.summary)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda read: read.update(format=0), "an older version of this project (format 0"),
        (lambda read: read.update(format=2, news="?"), "a later version of this project"),
        (lambda read: read["versions"].update(Kubernetes="v1.34.0"), "has Kubernetes v1.34.0, and"),
        (lambda read: read["versions"].pop("helm"), "has helm of no version"),
        (lambda read: read["files"].pop(min(read["files"])), "lacks go/"),
        (lambda read: read["images"].pop(min(read["images"])), "lacks phase4/"),
    ],
)
def test_a_bundle_of_another_checkout_is_refused(exported, taker, tmp_path, change, words):
    finding = refused(taker(forged(exported, tmp_path / "x.tar", change)))
    assert finding.code == "BUNDLE-OUTDATED" and words in finding.summary


def test_a_bundle_that_was_taken_is_refused_after_the_checkout_has_changed(
    exported, taker, engine, monkeypatch
):
    run = taker(exported.path)
    bundle = take.find(run)
    take.unpack(run, bundle), take.load(run, engine, bundle)
    monkeypatch.setattr(stock, "versions", lambda: {"Kubernetes": "v9.0.0"})
    with pytest.raises(Failure) as caught:
        take.find(run)
    assert caught.value.findings[0].code == "BUNDLE-OUTDATED"


@pytest.mark.parametrize(
    "name", ["../out", "/etc/out", "go/../../out", "logs/x", "go", "go/.hidden/x", "go//x", "go\\x"]
)
def test_no_path_leads_out_of_the_cache(exported, taker, tmp_path, name):
    entry = {"size": 1, "sha256": "0" * 64, "program": False, "licence": ""}
    target = forged(exported, tmp_path / "x.tar", lambda read: read["files"].update({name: entry}))
    finding = refused(taker(target))
    assert finding.code == "BUNDLE-DAMAGED" and name in finding.summary


def link(name, to, kind):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


@pytest.mark.parametrize(
    "member",
    [
        (tarfile.TarInfo("../../out"), b"x"),
        (tarfile.TarInfo("/tmp/out"), b"x"),
        (tarfile.TarInfo("tools/other"), b"x"),
        (link("tools/kubectl-v1.36.3/kubectl", "/etc/passwd", tarfile.SYMTYPE), b""),
        (link("tools/kubectl-v1.36.3/kubectl", "/etc/passwd", tarfile.LNKTYPE), b""),
    ],
)
def test_only_the_manifests_files_come_out_of_the_archive(exported, taker, tmp_path, member):
    target = forged(exported, tmp_path / "x.tar", lambda read: None, files=packed(member))
    assert refused(taker(target)).code == "BUNDLE-DAMAGED"
    assert not (tmp_path / "out").exists()


def test_each_file_is_compared_with_its_own_digest(exported, taker, tmp_path):
    def change(read):
        read["files"][max(read["files"])]["sha256"] = "0" * 64

    finding = refused(taker(forged(exported, tmp_path / "x.tar", change)))
    assert finding.code == "BUNDLE-DAMAGED" and max(exported.manifest.files) in finding.summary


def test_an_archive_that_lacks_a_file_or_is_none_is_found(exported, taker, tmp_path):
    for files in (packed(), b"not compressed" * 100):
        target = forged(exported, tmp_path / "x.tar", lambda read: None, files=files)
        assert refused(taker(target)).code == "BUNDLE-DAMAGED"


def test_images_that_do_not_arrive_are_found(exported, taker, engine, tmp_path):
    run = taker(exported.path)
    silent = dataclasses.replace(engine, client=f"{tmp_path / 'silent'}")
    (tmp_path / "silent").write_text('#!/bin/sh\ntest "$1" = load && cat > /dev/null\n')
    (tmp_path / "silent").chmod(0o755)
    with pytest.raises(Failure) as caught:
        take.load(run, silent, take.find(run))
    assert caught.value.findings[0].code == "BUNDLE-DAMAGED"


def test_a_rehearsal_takes_nothing(exported, taker):
    run = taker(exported.path)
    dry = dataclasses.replace(run, shell=Shell(dry=True))
    with pytest.raises(Planned):
        take.find(dry)
    assert not run.settings.cache.exists()


def test_without_a_bundle_nothing_is_done(make_run, engine):
    run = make_run()
    assert take.find(run) is None
    assert take.unpack(run, None) == 0 and take.load(run, engine, None) == 0


def test_without_the_package_that_unpacks_the_command_to_install_it_is_told(
    exported, taker, monkeypatch
):
    monkeypatch.setattr(take, "ZSTD", "nothing.zstd")
    assert refused(taker(exported.path)).code == "EXTRA-MISSING"


# Signatures


@pytest.fixture
def keys(tmp_path):
    """Two pairs of keys: paths of the private ones."""
    paths = [tmp_path / "ours", tmp_path / "theirs"]
    for path in paths:
        command = ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path]
        subprocess.run(command, check=True)
    return paths


def test_a_signed_bundle_is_taken_from_whom_the_settings_name(
    maker, exported, taker, keys, tmp_path
):
    signed = tmp_path / "signed.tar"
    export.write(*maker, signed, key=keys[0])
    ours, theirs = (path.with_name(f"{path.name}.pub") for path in keys)
    assert take.find(taker(signed, bundle_key=f"{ours}"))
    assert take.find(taker(signed, bundle_key=ours.read_text().strip()))
    assert take.find(taker(signed)), "without a key, a signature is of no interest"
    for run, words in (
        (taker(signed, bundle_key=f"{theirs}"), "its signature is not that of"),
        (taker(exported.path, bundle_key=f"{ours}"), "it is not signed"),
        (taker(signed, bundle_key=f"{tmp_path / 'none'}"), "is not there"),
    ):
        finding = refused(run)
        assert finding.code == "BUNDLE-UNSIGNED" and words in finding.summary


# Downloads


class Cutting(BaseHTTPRequestHandler):
    """Serves one file, and ends each transfer after some bytes."""

    def __init__(self, state, *arguments):
        self.state = state
        super().__init__(*arguments)

    def do_GET(self):
        state = self.state
        given, tag = self.headers.get("Range"), state["tag"]
        state["asked"].append(given)
        if state.get("status"):
            self.send_error(state["status"])
            return
        content = state["content"]
        start = 0
        if given and state["ranges"] and self.headers.get("If-Range", tag) == tag:
            start = int(given.removeprefix("bytes=").removesuffix("-")) + state.get("shift", 0)
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", f"{len(content) - start}")
        self.end_headers()
        most = state["cuts"].pop(0) if state["cuts"] else len(content)
        self.wfile.write(content[start : start + most])

    def log_message(self, *_):
        pass


@pytest.fixture
def served(exported, monkeypatch):
    """The bundle on a server of its own: its address, and what the server does and was asked."""
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setattr(fetch, "CHUNK", 500)  # what came of a chunk that is cut is lost
    content = exported.path.read_bytes()
    state = {"content": content, "cuts": [], "asked": [], "ranges": True, "tag": '"1"'}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Cutting, state))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/bundle.tar", state
    server.shutdown()


def test_a_download_that_is_cut_goes_on(served, taker, engine, said):
    address, state = served
    state["cuts"] = [1000, 500, 5250]
    run = taker(address)
    bundle = take.find(run)
    take.unpack(run, bundle), take.load(run, engine, bundle)
    assert state["asked"] == [None, "bytes=1000-", "bytes=1500-", "bytes=6500-"]
    assert sum("was cut" in line for line in said) == 3
    assert all(place.exists() for place in stock.wanted(run).files)

    again = take.find(run)  # taken: nobody asks the server, and the download is gone
    assert again and len(state["asked"]) == 4
    assert not list(run.settings.cache.glob("bundle/*.tar"))


def test_a_download_ends_when_the_run_is_cancelled(served, taker):
    address, _ = served
    run = taker(address)
    run.shell.cancel()
    with pytest.raises(Interrupted):
        take.find(run)
    assert list(run.settings.cache.glob("bundle/*.part")), "the next run goes on from there"


def test_unpacking_ends_when_the_run_is_cancelled(exported, taker):
    run = taker(exported.path)
    bundle = take.find(run)
    run.shell.cancel()
    with pytest.raises(Interrupted):
        take.unpack(run, bundle)
    assert not list(run.settings.cache.iterdir())


def test_a_server_that_answers_with_another_range_is_asked_from_the_beginning(served, taker):
    address, state = served
    state.update(cuts=[5000], shift=7)
    assert take.find(taker(address))
    assert state["asked"] == [None, "bytes=5000-", None]


def test_a_download_goes_on_in_the_next_run(served, taker):
    address, state = served
    state["cuts"] = [70000] + [0] * fetch.ATTEMPTS
    run = taker(address)
    with pytest.raises(Failure) as caught:
        take.find(run)
    assert caught.value.findings[0].code == "BUNDLE-UNREACHABLE"
    state["cuts"] = []
    assert take.find(run)
    assert state["asked"][-1] == "bytes=70000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(served, taker):
    address, state = served
    whole, state["content"] = state["content"], b"an older bundle" * 9999
    state["cuts"] = [5000] + [0] * fetch.ATTEMPTS
    run = taker(address)
    with pytest.raises(Failure):
        take.find(run)
    state.update(content=whole, tag='"2"', cuts=[])
    assert take.find(run)


@pytest.mark.parametrize("cuts", [[4000, 3000], []])
def test_a_server_without_ranges_serves_too(served, taker, cuts):
    address, state = served
    state.update(ranges=False, cuts=cuts)
    assert take.find(taker(address))


def test_a_secret_in_an_address_is_neither_shown_nor_kept(served, taker, engine, said):
    address, state = served
    secret = address.replace("//", "//me:pass-word@") + "?token=pass-word"
    run = taker(secret)
    bundle = take.find(run)
    take.unpack(run, bundle), take.load(run, engine, bundle)
    assert take.find(run)
    kept = [path for path in run.settings.cache.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"pass-word" in path.read_bytes()]
    state["status"] = 500
    finding = refused_address(taker(f"{secret}2"))
    gone = refused_address(taker("http://me:pass-word@127.0.0.1:9/x?token=pass-word"))
    assert "pass-word" not in f"{said}{finding}{gone}{run.settings.model_dump_json()}"


def test_a_damaged_download_is_fetched_anew_the_next_time(served, taker):
    address, state = served
    whole = state["content"]
    state["content"] = whole[:-2000] + bytes([whole[-2000] ^ 1]) + whole[-1999:]
    run = taker(address)
    assert refused(run).code == "BUNDLE-DAMAGED"
    state["content"] = whole
    assert take.find(run)


def test_what_cannot_be_had_is_told(served, taker, tmp_path):
    address, state = served
    state["status"] = 404
    finding = refused(taker(address))
    assert finding.code == "BUNDLE-UNREACHABLE" and "answers 404" in finding.summary
    finding = refused(taker("http://127.0.0.1:9/bundle.tar"))
    assert finding.code == "BUNDLE-UNREACHABLE" and "gave nothing" in finding.summary
    finding = refused(taker(tmp_path / "nothing.tar"))
    assert finding.code == "BUNDLE-UNREACHABLE" and "is not there" in finding.summary
