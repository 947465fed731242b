"""What Helm knows of the release: its revisions, values and manifests."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from scripts.cluster.kubectl import kubectl
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found

INSTALL_TIMEOUT = 180.0
CHART_NAME = "todo-chatbot"
GOOD = ("superseded", "deployed")  # helm's words for what it installed to the end


@dataclass(frozen=True)
class Revision:
    """One line of the release's history. updated: as helm has it."""

    number: int
    updated: str
    status: str
    description: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class Deployed:
    """What is deployed.

    entry: helm's, of the newest revision, None without one. manifest: what that revision rendered,
    when it is deployed.
    """

    entry: Mapping[str, Any] | None
    manifest: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def description(self) -> str:
        """What the deployed revision was made from.

        It names the digest of chart and values, and the Secret's version.
        """
        return str(self.entry["description"]) if self.entry else ""

    def __str__(self) -> str:
        return (
            f"revision {self.entry['revision']}, {self.entry['status']}" if self.entry else "none"
        )


@answers.understood("helm")
def deployed(run: Run, tools: Mapping[str, Found]) -> Deployed:
    """Read the newest revision."""
    entry = latest(run, tools)
    return Deployed(entry, manifest(run, tools) if entry and entry["status"] == "deployed" else ())


@answers.understood("helm")
def history(run: Run, tools: Mapping[str, Found]) -> list[Revision]:
    """The release's revisions, oldest first, with the images that each ran.

    Empty when there is no release.
    """
    result = helm(run, tools, "history", run.settings.release.name, "-o", "json")
    listed = answers.read(result.stdout, "helm") if result.ok else []
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda one: values_of(run, tools, one["revision"]), listed))
    return [
        Revision(
            one["revision"], one["updated"], one["status"], one["description"], _image_names(given)
        )
        for one, given in zip(listed, values, strict=True)
    ]


@answers.understood("helm")
def values_of(run: Run, tools: Mapping[str, Found], revision: int) -> dict[str, Any]:
    """The values that a person or this project gave to a revision; empty when there is none."""
    result = helm(
        run,
        tools,
        "get",
        "values",
        run.settings.release.name,
        "--revision",
        str(revision),
        "-o",
        "json",
    )
    given = answers.read(result.stdout, "helm") if result.ok else None
    return dict(given or {})


def values_now(run: Run, tools: Mapping[str, Found]) -> dict[str, Any]:
    """The values that were given to the newest revision; empty when there is none."""
    result = helm(run, tools, "get", "values", run.settings.release.name, "-o", "json")
    return (answers.read(result.stdout, "helm") or {}) if result.ok else {}


def _image_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    images = [values.get(component, {}).get("image", {}) for component in ("frontend", "backend")]
    return tuple(f"{image['repository']}:{image['tag']}" for image in images if image.get("tag"))


@answers.understood("helm")
def manifest(run: Run, tools: Mapping[str, Found]) -> tuple[Mapping[str, Any], ...]:
    """What the deployed revision rendered, but for the pods of `helm test`, which come and go."""
    text = helm(run, tools, "get", "manifest", run.settings.release.name).stdout
    return tuple(item for item in answers.documents(text) if item and item["kind"] != "Pod")


def helm(run: Run, tools: Mapping[str, Found], *arguments: str, stdin: str | None = None) -> Result:
    """Run helm in the release's namespace and context."""
    scope = ("--namespace", run.settings.release.namespace, "--kube-context", run.settings.context)
    return run.shell.run(
        tools["helm"].path, *arguments, *scope, stdin=stdin, timeout=INSTALL_TIMEOUT, check=False
    )


@answers.understood("helm")
def latest(run: Run, tools: Mapping[str, Found]) -> dict[str, Any] | None:
    """The newest revision, whatever its state."""
    result = helm(run, tools, "history", run.settings.release.name, "--max", "1", "-o", "json")
    listed = answers.read(result.stdout, "helm") if result.ok else None
    if not listed:
        return None
    newest = dict(listed[-1])
    newest["status"].lower(), newest["description"].lower(), newest["chart"].lower()
    return {**newest, "revision": int(newest["revision"])}


def recover(
    run: Run, tools: Mapping[str, Found], stuck: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Free a release that an interrupted helm left pending.

    Only that revision is forgotten; the history before it stays.
    """
    name, namespace = run.settings.release.name, run.settings.release.namespace
    run.say(f"revision {stuck['revision']} was interrupted ({stuck['status']}): taking it back")
    record = f"sh.helm.release.v1.{name}.v{stuck['revision']}"
    removed = kubectl(run, tools, "-n", namespace, "delete", "secret", record, check=False)
    if not removed.ok:
        raise failure(
            "RELEASE-STUCK",
            f"release {namespace}/{name}",
            f"an interrupted helm left revision {stuck['revision']} {stuck['status']}",
            removed.tail(3),
            f"kubectl --context {run.settings.context} -n {namespace} delete secret {record}",
        )
    return latest(run, tools)
