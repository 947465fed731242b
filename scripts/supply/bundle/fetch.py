"""Bring a bundle here: a file as it lies there, or a download that goes on where it was cut."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import requests

from scripts.session.cache import digest, locked
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.settings import without_secrets
from scripts.session.shell import Interrupted

TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds without a byte
ATTEMPTS = 8  # in a row without a byte of progress
PAUSE = 1.0  # seconds before the next attempt
CHUNK = 1 << 16  # bytes; of a chunk that is cut nothing is kept
CUT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def is_url(source: str) -> bool:
    """Whether it is an address, and not a file."""
    return source.startswith(("http://", "https://"))


def download_place(run: Run, source: str) -> Path:
    """Where the download of an address is kept until everything is taken out of it."""
    return run.settings.cache / "bundle" / f"{digest(source)}.tar"


def fetched(run: Run, source: str) -> Path:
    """Return the file. Raises BUNDLE-UNREACHABLE."""
    if not is_url(source):
        path = Path(source).expanduser()
        if not path.is_file():
            raise _unreachable(source, f"the bundle {path} is not there", "", "correct the path")
        return path.resolve()
    target = download_place(run, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            _download(run, source, target)
    return target


def _download(run: Run, source: str, target: Path) -> None:
    """Download, again and again, until nothing is missing. What is there stays for the next run."""
    partial = target.with_suffix(".part")
    failed, before = 0, -1
    while True:
        here = partial.stat().st_size if partial.exists() else 0
        failed = failed + 1 if here == before else 0
        before = here
        try:
            if _rest(run, source, partial, here):
                partial.replace(target)
                return
            reason = "the server ended the transfer early"
        except CUT as error:
            reason = str(error)[:300]
        there = partial.stat().st_size if partial.exists() else 0
        if failed + 1 >= ATTEMPTS:
            raise _unreachable(
                source,
                f"{without_secrets(source)} gave nothing in {ATTEMPTS} attempts"
                + (f" after its first {there >> 20} MiB" if there else ""),
                reason,
                "check the address and the network, and run the command again: "
                "it goes on from where it is",
            )
        run.say(f"the download was cut at {there >> 20} MiB: going on")
        run.shell.wait(PAUSE * failed)


def _rest(run: Run, source: str, partial: Path, here: int) -> bool:
    """Fetch what is missing after `here` bytes. Returns whether the file is complete.

    If-Range makes the server begin anew when the file behind the address has changed.
    """
    version = partial.with_suffix(".version")
    headers = {"Accept-Encoding": "identity"}
    if here:
        known = version.read_text(encoding="utf-8") if version.exists() else ""
        headers |= {"Range": f"bytes={here}-", **({"If-Range": known} if known else {})}
    with requests.get(source, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416 and answer.headers.get("Content-Range") == f"bytes */{here}":
            return True
        if answer.status_code == 416:
            partial.unlink()
            return False
        if answer.status_code not in (200, 206):
            raise _unreachable(
                source,
                f"{without_secrets(source)} answers {answer.status_code}",
                answer.text[:200],
                "check phase4.supply.bundle",
            )
        goes_on = answer.status_code == 206
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            partial.unlink()  # not what was asked for
            return False
        whole = int(answer.headers.get("Content-Length", -1)) + (here if goes_on else 0)
        version.write_text(_version(answer), encoding="utf-8")
        run.say(f"fetching the bundle, {max(whole, 0) >> 20} MiB")
        with partial.open("ab" if goes_on else "wb") as out:
            for chunk in answer.iter_content(CHUNK):
                out.write(chunk)
                if run.shell.cancelled:
                    raise Interrupted
    return partial.stat().st_size >= whole


def _version(answer: requests.Response) -> str:
    """What names this state of the file. A weak ETag does not promise equal bytes."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _unreachable(source: str, summary: str, evidence: str, remedy: str) -> Failure:
    """The Failure. What a server or requests says may hold parts of the address."""
    parts = urlsplit(source)
    for secret in filter(None, (parts.password, parts.query)):
        evidence = evidence.replace(secret, "********")
    return failure("BUNDLE-UNREACHABLE", without_secrets(source), summary, evidence, remedy)
