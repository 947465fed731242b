"""Take everything from a bundle: its files into the cache, its images into the engine.

The other stages then find everything made. Nothing is used before its digest is verified. What is
there already stays as it is, so all of it can be interrupted, and done twice.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from scripts.machine import buildkit
from scripts.machine.architecture import architecture
from scripts.machine.engine import Engine
from scripts.session.cache import digest
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.settings import without_secrets
from scripts.session.shell import Interrupted
from scripts.supply import stock
from scripts.supply.bundle import about, fetch, form, signing
from scripts.supply.bundle.about import FILES, FORMAT, IMAGES, Entry, Manifest
from scripts.supply.bundle.form import DamagedError, NoBundleError, Part

LOAD_TIMEOUT = 900.0
ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle whose parts were verified, or one from which all was taken before.

    parts: empty in the second case.
    """

    path: Path
    manifest: Manifest
    parts: Mapping[str, Part]

    def __str__(self) -> str:
        made = f"{self.path.name}, made {self.manifest.made[:10]}"
        return f"{made}, with the app {self.manifest.app}" if self.manifest.app else made


def find(run: Run) -> Bundle | None:
    """Return the bundle that the settings name, verified. None if they name none.

    Raises BUNDLE-UNREACHABLE, BUNDLE-FOREIGN, BUNDLE-OUTDATED, BUNDLE-DAMAGED or BUNDLE-UNSIGNED.
    """
    source = run.settings.supply.bundle
    if not source:
        return None
    known = _taken_before(run, source)
    if known:
        return known
    run.shell.plan(f"take everything from the bundle {without_secrets(source)}")
    try:
        importlib.import_module(ZSTD)
    except ImportError as error:
        raise failure(
            "EXTRA-MISSING",
            ZSTD,
            f"the package {ZSTD} is not installed, and a bundle is compressed with it",
            remedy="pip install -r requirements.txt",
        ) from error
    return _verified(run, fetch.fetched(run, source))


def unpack(run: Run, bundle: Bundle | None) -> int:
    """Put the bundle's files into the cache, and return their number.

    They lie in a folder beside it until all are compared with the manifest.
    """
    if not bundle or not bundle.parts:
        return 0
    from scripts.supply.bundle import part  # only here: who takes no bundle does not need zstd

    cache, wanted = run.settings.cache, bundle.manifest.files
    cache.mkdir(parents=True, exist_ok=True)
    with (
        _refusing(run, bundle.path),
        bundle.path.open("rb") as file,
        tempfile.TemporaryDirectory(prefix=".bundle-", dir=cache) as folder,
    ):
        scratch, stretch = Path(folder), bundle.parts[FILES]
        try:
            with (
                part.unpacking(file, stretch.offset, stretch.size) as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                found = set(_unpacked(run, archive, scratch, wanted))
        except (tarfile.TarError, *part.BadStream) as error:
            raise DamagedError(f"{FILES}: {error}") from error
        if found != set(wanted):
            raise DamagedError(f"{FILES}: it lacks {min(set(wanted) - found)}")
        for name in wanted:
            target = cache / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(scratch / name, target)
    return len(wanted)


def load(run: Run, engine: Engine, bundle: Bundle | None) -> int:
    """Load the bundle's images unless the engine has them, and return how many it brought."""
    if not bundle:
        return 0
    manifest = bundle.manifest
    lacking = [name for name in manifest.images if not buildkit.image_id(run, engine, name)]
    if lacking:
        run.shell.plan("load the bundle's images")
        if not bundle.parts:
            bundle = _verified(run, fetch.fetched(run, run.settings.supply.bundle))
        stretch = bundle.parts[IMAGES]
        run.say(f"loading {len(lacking)} images from the bundle")
        place = (f"{bundle.path}", f"{stretch.offset}", f"{stretch.size}")
        unpacking = [sys.executable, "-I", f"{Path(__file__).with_name('part.py')}", "unpack"]
        loading = [engine.client, "load", "--quiet"]
        run.shell.pipe([*unpacking, *place], loading, timeout=LOAD_TIMEOUT)
        _compare(run, engine, bundle)
    _remember(run, bundle)
    return len(lacking)


def _compare(run: Run, engine: Engine, bundle: Bundle) -> None:
    """Compare what the engine has now with the manifest."""
    ids = {name: buildkit.image_id(run, engine, name) for name in bundle.manifest.images}
    with _refusing(run, bundle.path):
        for name, identity in ids.items():
            if not identity:
                raise DamagedError(f"{IMAGES}: it lacks {name}")
    other = [one for one, identity in ids.items() if identity != bundle.manifest.images[one].id]
    if other and bundle.manifest.app:
        run.say(
            f"this engine counts images otherwise than the one that made the bundle "
            f"({other[0]}): the app's images are built again"
        )


def _verified(run: Run, path: Path) -> Bundle:
    """Read the manifest, refuse what does not fit, and compare every byte of the file."""
    with _refusing(run, path), path.open("rb") as file:
        head = form.read_head(file)
        key = run.settings.supply.bundle_key
        untrusted = key and signing.refusal(run, head.manifest, head.signature, key)
        if untrusted:
            raise failure(
                "BUNDLE-UNSIGNED",
                str(path),
                f"the bundle is not from whom phase4.supply.bundle_key names: {untrusted}",
                remedy="ask who made it, or correct phase4.supply.bundle_key",
            )
        _check_fits(run, path, head.manifest)
        manifest = about.parse(head.manifest)
        stored = {name: (one.size, one.sha256) for name, one in manifest.parts.items()}
        parts = form.find_parts(file, head, stored)
        run.say(f"verifying the bundle, {path.stat().st_size >> 20} MiB")
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda one: _check(path, *one), parts.items()))
    return Bundle(path, manifest, parts)


def _check(path: Path, name: str, part: Part) -> None:
    with path.open("rb") as file:
        form.check_part(file, name, part)


def _check_fits(run: Run, path: Path, text: bytes) -> None:
    """Refuse a bundle for another machine, of another format, or with other parts than wanted."""
    read = about.head(text)
    theirs, ours = (f"{read['system']} {read['architecture']}", _machine())
    if theirs != ours:
        raise failure(
            "BUNDLE-FOREIGN",
            str(path),
            f"the bundle was made for {theirs}, and this machine is {ours}",
            remedy="take one that was made on a machine like this one: `invoke supply-export`",
        )
    if read["format"] != FORMAT:
        age = "an older" if read["format"] < FORMAT else "a later"
        raise _outdated(
            path,
            f"the bundle was written by {age} version of this project "
            f"(format {read['format']}, here {FORMAT})",
        )
    manifest, wanted = about.parse(text), stock.wanted(run)
    for name, version in stock.versions().items():
        if manifest.versions.get(name) != version:
            raise _outdated(
                path,
                f"the bundle has {name} {manifest.versions.get(name, 'of no version')}, "
                f"and this checkout wants {version}",
            )
    names = [one.relative_to(run.settings.cache).as_posix() for one in wanted.files]
    lacking = [one for one in names if one not in manifest.files]
    lacking += [one for one in wanted.images if one not in manifest.images]
    if lacking:
        raise _outdated(
            path,
            f"the bundle was made from another state of scripts/supply: it lacks {lacking[0]}",
            "\n".join(lacking[:8]),
        )


def _outdated(path: Path, summary: str, evidence: str = "") -> Failure:
    return failure(
        "BUNDLE-OUTDATED",
        str(path),
        summary,
        evidence,
        "take a bundle that was exported from this checkout, or the checkout that it was made of",
    )


def _machine() -> str:
    return f"{platform.system()} {architecture()}"


@contextmanager
def _refusing(run: Run, path: Path) -> Iterator[None]:
    """Turn what is wrong with the file into a Failure. A download that is refused is deleted."""
    try:
        try:
            yield
        except NoBundleError as error:
            raise failure(
                "BUNDLE-FOREIGN",
                str(path),
                f"{path} is no bundle of this project",
                remedy="name a file that `invoke supply-export` wrote",
            ) from error
        except DamagedError as error:
            raise failure(
                "BUNDLE-DAMAGED",
                str(path),
                f"the bundle is damaged: {error} is not as it was written",
                remedy="copy or download it again; nothing of it was used",
            ) from error
    except Failure:
        if path.parent == run.settings.cache / "bundle":
            path.unlink(missing_ok=True)
        raise


def _unpacked(
    run: Run, archive: tarfile.TarFile, scratch: Path, wanted: Mapping[str, Entry]
) -> Iterator[str]:
    """Unpack each member below `scratch`, and yield its name.

    Raises DamagedError, and Interrupted when the run was cancelled.
    """
    for member in archive:
        if run.shell.cancelled:
            raise Interrupted
        entry = wanted.get(member.name)
        if not entry or not member.isreg() or member.size != entry.size:
            raise DamagedError(f"{FILES}: {member.name} is not what the manifest says")
        target = scratch / _inside(member, scratch)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        assert content  # it is a regular file
        with target.open("wb") as out:
            if _copied(content, out) != entry.sha256:
                raise DamagedError(f"{FILES}: {member.name}")
        target.chmod(0o755 if entry.program else 0o644)
        yield member.name


def _inside(member: tarfile.TarInfo, scratch: Path) -> str:
    """The member's name, which does not lead out of `scratch`. Raises DamagedError.

    The manifest's own paths were checked. This is Python's opinion, which 3.11.0 to 3.11.3 lack.
    """
    if not hasattr(tarfile, "data_filter"):
        return member.name
    try:
        return tarfile.data_filter(member, f"{scratch}").name
    except tarfile.FilterError as error:
        raise DamagedError(f"{FILES}: {error}") from error


def _copied(source: IO[bytes], target: BinaryIO) -> str:
    """Copy all of it, and return its SHA-256 in hex digits."""
    hashed = hashlib.sha256()
    while chunk := source.read(CHUNK):
        hashed.update(chunk)
        target.write(chunk)
    return hashed.hexdigest()


def _taken_place(run: Run) -> Path:
    return run.settings.cache / "bundle" / "taken.json"


def _stamp(source: str) -> str:
    """What tells whether a file is still the one that was taken; empty if it is not there.

    An address is taken once.
    """
    if fetch.is_url(source):
        return "an address"
    try:
        known = Path(source).expanduser().stat()
    except OSError:
        return ""
    return f"{known.st_size} bytes at {known.st_mtime_ns}"


def _name(source: str) -> str:
    """A name for the source that is no secret, as an address may be."""
    return digest(source if fetch.is_url(source) else f"{Path(source).expanduser().resolve()}")


def _remember(run: Run, bundle: Bundle) -> None:
    """Note that everything was taken."""
    if not bundle.parts:
        return
    source, place = run.settings.supply.bundle, _taken_place(run)
    place.parent.mkdir(parents=True, exist_ok=True)
    noted = {
        "source": _name(source),
        "stamp": _stamp(source),
        "manifest": bundle.manifest.to_json().decode(),
    }
    scratch = place.with_suffix(".new")
    scratch.write_text(json.dumps(noted), encoding="utf-8")
    os.replace(scratch, place)


def _taken_before(run: Run, source: str) -> Bundle | None:
    """The bundle as noted, if it is the same one and its files are all in the cache.

    Then it need not be there any more, and its download is deleted.
    """
    try:
        noted = json.loads(_taken_place(run).read_text(encoding="utf-8"))
        text = noted["manifest"].encode()
        manifest = about.parse(text)
    except (OSError, ValueError, KeyError, TypeError, DamagedError):
        return None
    same = noted.get("source") == _name(source) and _stamp(source) in ("", noted.get("stamp"))
    if not same or not all((run.settings.cache / name).exists() for name in manifest.files):
        return None
    _check_fits(run, Path(without_secrets(source)), text)
    if fetch.is_url(source):
        fetch.download_place(run, source).unlink(missing_ok=True)
    return Bundle(Path(without_secrets(source)), manifest, {})
