"""The Helm release: its secrets, its installation and upgrade, and the way out of one that is stuck."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from scripts import changes, chart, dev, fit, rollout
from scripts.chart import Rendered
from scripts.cluster import kubectl
from scripts.environment import Given
from scripts.findings import Failure, Finding, failure
from scripts.run import Run
from scripts.shell import Planned, Result
from scripts.supply.tools import Found
from scripts.survey import Survey

INSTALL_TIMEOUT = 180.0
CHART_NAME = "todo-chatbot"
MOST_CHANGES = 20  # lines; more than a screen is not read
USER = "todo"  # of the database, and its name
DEFAULT_APP = "phase3-chatbot"


@dataclass(frozen=True)
class Release:
    """A deployed release. changed: this run installed or upgraded it. good: the revision that served before that; 0 when there is none.

    state: the objects as they were seen well, when nothing had to be done. settle: seconds until the pods that were replaced get no request any more.
    """

    name: str
    namespace: str
    revision: int
    changed: bool
    good: int = 0
    state: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    settle: float = 0.0


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
class Secrets:
    """What the release's Secret must hold. given: by a person. generated, placeholders: names, made where nothing is there.

    scheme: of our own database's address, empty without one. frontend_database: Next's server has it too.
    """

    given: Mapping[str, str] = field(repr=False)
    generated: tuple[str, ...]
    placeholders: tuple[str, ...]
    scheme: str
    frontend_database: bool


@dataclass(frozen=True)
class Deployed:
    """What is deployed. entry: helm's, of the newest revision, None without one. manifest: what that rendered, when it is deployed."""

    entry: Mapping[str, Any] | None
    manifest: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def deployed(run: Run, tools: Mapping[str, Found]) -> Deployed:
    """Read the newest revision."""
    entry = latest(run, tools)
    return Deployed(entry, manifest(run, tools) if entry and entry["status"] == "deployed" else ())


def install(run: Run, tools: Mapping[str, Found], before: Deployed, rendered: Rendered, images: Mapping[str, str], secrets: Secrets) -> Release:
    """Install or upgrade the release; do nothing when chart, values and secrets are those of the deployed one, and it is well.

    before: what is deployed. images: what the nodes have, reference -> ID; a pod that runs something else under such a name is started anew.
    Secrets reach the cluster through kubectl's standard input, and the chart by the name of their Secret: they are in no
    argument, no value of the release and no log. Raises RELEASE-NOT-OURS, DATABASE-PASSWORD-LOST or RELEASE-FAILED.
    """
    release = run.settings.release
    deployed = before.entry
    _check_ours(run, deployed)
    if deployed and deployed["status"].startswith("pending"):
        deployed = _recover(run, tools, deployed)
    if not deployed:
        chart.ensure_namespace(run, tools)
    unchanged = () if rendered.objects else before.manifest
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(rollout.look, run, tools, {item["kind"] for item in unchanged}) if deployed else None
        reading = pool.submit(_values, run, tools, int(deployed["revision"])) if deployed and rendered.objects else None
        version = put_secrets(run, tools, secrets)
    state = looking.result() if looking else []
    drifted = changes.drift(unchanged, state)
    if dev.is_left(state):
        run.say("a dev loop did not end well: going back to the deployed pods")
        dev.stop(run, tools)
        state = []
    description = f"{rendered.digest}-{version}"
    same = deployed and deployed["status"] == "deployed" and deployed["description"] == description
    stale = rollout.stale(state, images) if same and not drifted else []
    for line in drifted[:MOST_CHANGES]:
        run.say(f"changed by hand, and put back now: {line}")
    if deployed and stale:
        run.say(f"{', '.join(stale)} runs other contents under its image's name: starting it anew")
        kubectl(run, tools, "-n", release.namespace, "rollout", "restart", *stale)
        return Release(release.name, release.namespace, int(deployed["revision"]), False, settle=_settle(rendered))
    waiting = bool(rollout.unready(state))
    if deployed and same and state and not drifted and (unchanged or not waiting):
        # Where the objects were compared and not all is ready (after a reboot, say), helm has nothing to change: the pods are waited for.
        run.say(f"revision {deployed['revision']} has this chart, these values and these secrets already")
        return Release(release.name, release.namespace, int(deployed["revision"]), False, state=() if waiting else tuple(state))
    if reading:
        _make_room(run, tools, reading.result(), rendered)
    run.say("upgrading the release" if deployed else "installing the release")
    if deployed and rendered.objects:
        _say_changes(run, before, rendered)
    files = [part for name in release.values for part in ("-f", str(Path(name).expanduser()))]
    # Helm 4 applies on the server, where a field that somebody patched by hand would otherwise be a conflict for good.
    force = ["--force-conflicts"] if tools["helm"].version.startswith("v4") else []
    values = yaml.safe_dump({**rendered.values, "existingSecretVersion": version})
    result = _helm(
        run, tools, "upgrade", release.name, str(chart.CHART), "--install", "--description", description, "-o", "json",
        # The dry run had the API server check every field; to fetch and read its whole schema for that takes helm a quarter of a second more.
        "--disable-openapi-validation", *force, *files, "-f", "-", stdin=values,
    )  # fmt: skip
    if run.shell.dry:
        raise Planned
    if not result.ok:
        # Helm says that it waited in vain; the pods say why.
        causes = rollout.explain(run, tools, rollout.look(run, tools, rollout.EVENTS), rollout.PATIENCE)
        failed = Finding(
            "RELEASE-FAILED",
            f"release {release.namespace}/{release.name}",
            "helm could not install the release",
            result.tail(8),
            "mend what helm names and run `invoke install` again",
        )
        raise _going_back(run, tools, _good(deployed), Failure(*causes, failed))
    return Release(release.name, release.namespace, int(json.loads(result.stdout)["version"]), True, _good(deployed), settle=_settle(rendered))


def _check_ours(run: Run, deployed: Mapping[str, Any] | None) -> None:
    release = run.settings.release
    if deployed and not deployed["chart"].startswith(f"{CHART_NAME}-"):
        raise failure(
            "RELEASE-NOT-OURS",
            f"release {release.namespace}/{release.name}",
            f"the release {release.name} in namespace {release.namespace} is of another chart",
            deployed["chart"],
            "choose another name or namespace: INVOKE_PHASE4_RELEASE_NAME, INVOKE_PHASE4_RELEASE_NAMESPACE",
        )


def _settle(rendered: Rendered) -> float:
    """The ingress controller follows the endpoints within 0.2 s; Next's server asks by the Service, and kube-proxy follows once a second."""
    return 1.2 if rendered.values.get("frontend", {}).get("server") else 0.3


def _make_room(run: Run, tools: Mapping[str, Found], values: Mapping[str, Any], rendered: Rendered) -> None:
    """When another app takes the place of the release with these values: ask, and end the old one's database first, or the new app's pods would make
    their tables in it."""
    before = values.get("storage", {})
    old, new = before.get("folder", "") or DEFAULT_APP, rendered.values.get("storage", {}).get("folder", "") or DEFAULT_APP
    if not before or old == new:
        return
    name = f"release {run.settings.release.namespace}/{run.settings.release.name}"
    if not run.confirm(f"put the app {new} in the place of {old}, which the {name} runs now; the data of {old} stays"):
        raise failure(
            "RELEASE-NOT-OURS",
            name,
            f"the release runs another app, {old}",
            f"wanted: {new}",
            "name the app (--app), or another release (INVOKE_PHASE4_RELEASE_NAME)",
        )
    database = f"statefulset/{run.settings.release.name}-postgres"
    scope = ("-n", run.settings.release.namespace)
    if kubectl(run, tools, *scope, "scale", database, "--replicas=0", check=False).ok:
        kubectl(run, tools, *scope, "wait", "--for=delete", f"pod/{run.settings.release.name}-postgres-0", "--timeout=90s", check=False)


def _good(deployed: Mapping[str, Any] | None) -> int:
    return int(deployed["revision"]) if deployed and deployed["status"] == "deployed" else 0


def monitor(run: Run, tools: Mapping[str, Found], installed: Release) -> rollout.Rollout:
    """Wait until the release serves. When it does not come up, go back to the revision that did, and raise the reason."""
    if installed.state:
        return rollout.seen(list(installed.state), 0.0)
    try:
        found = rollout.monitor(run, tools)
    except Failure as error:
        raise _going_back(run, tools, installed.good if installed.changed else 0, error) from error
    run.shell.wait(installed.settle)
    return found


def _going_back(run: Run, tools: Mapping[str, Found], good: int, reason: Failure) -> Failure:
    """Roll back to a revision that served, if there is one; the reason, and what was done about it."""
    if not good:
        return reason
    run.say(f"this does not come up: going back to revision {good}")
    result = _rollback(run, tools, good)
    summary = f"went back to revision {good}, which served before" if result.ok else f"and going back to revision {good} failed too"
    return Failure(
        *reason.findings,
        Finding("ROLLED-BACK", f"release {run.settings.release.namespace}/{run.settings.release.name}", summary, "" if result.ok else result.tail(4)),
    )


def rollback(run: Run, tools: Mapping[str, Found], wanted: int) -> int:
    """Go back to a revision; 0: to the one that the present one came after. Its number. Raises ROLLBACK-FAILED."""
    revisions = history(run, tools)
    name = f"release {run.settings.release.namespace}/{run.settings.release.name}"
    earlier = [one.number for one in revisions[:-1] if one.status in GOOD]
    target = wanted or before_present(revisions)
    if target not in earlier:
        there = ", ".join(map(str, earlier)) or "none"
        raise failure(
            "ROLLBACK-FAILED", name, f"there is no revision {target or 'before this one'} to go back to", f"good ones: {there}", "see `invoke history`"
        )
    run.say(f"going back to revision {target}")
    result = _rollback(run, tools, target)
    if not result.ok:
        raise failure("ROLLBACK-FAILED", name, f"helm could not go back to revision {target}", result.tail(6), "mend what helm names and try again")
    rollout.monitor(run, tools)
    return target


def before_present(revisions: Sequence[Revision]) -> int:
    """The revision that the present one came after, 0 if none: whatever was gone back from, by a person or by a deploy, is not on the way."""
    way: list[list[int]] = []  # the same state may have several numbers: each way back gets a new one
    for one in revisions:
        back = re.fullmatch(r"Rollback to (\d+)", one.description)
        at = next((index for index, numbers in enumerate(way) if back and int(back[1]) in numbers), None)
        if at is not None:
            del way[at + 1 :]
            way[at].append(one.number)
        elif one.status in GOOD or one is revisions[-1]:
            way.append([one.number])
    return way[-2][-1] if len(way) > 1 else 0


def _rollback(run: Run, tools: Mapping[str, Found], revision: int) -> Result:
    force = ["--force-conflicts"] if tools["helm"].version.startswith("v4") else []
    return _helm(run, tools, "rollback", run.settings.release.name, str(revision), *force)


def history(run: Run, tools: Mapping[str, Found]) -> list[Revision]:
    """The release's revisions, oldest first, with the images that each ran. Empty when there is no release."""
    result = _helm(run, tools, "history", run.settings.release.name, "-o", "json")
    listed = json.loads(result.stdout) if result.ok else []
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda one: _values(run, tools, one["revision"]), listed))
    return [
        Revision(one["revision"], one["updated"], one["status"], one["description"], _image_names(given)) for one, given in zip(listed, values, strict=True)
    ]


def _values(run: Run, tools: Mapping[str, Found], revision: int) -> dict[str, Any]:
    result = _helm(run, tools, "get", "values", run.settings.release.name, "--revision", str(revision), "-o", "json")
    return (json.loads(result.stdout) or {}) if result.ok else {}


def _image_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    images = [values.get(component, {}).get("image", {}) for component in ("frontend", "backend")]
    return tuple(f"{image['repository']}:{image['tag']}" for image in images if image.get("tag"))


def _say_changes(run: Run, before: Deployed, rendered: Rendered) -> None:
    """Tell what the upgrade will change, against what the deployed revision rendered."""
    lines = changes.between(before.manifest, (item for item in rendered.objects if item["kind"] != "Pod"))
    # The version of the Secret is known only now, so what was rendered before holds none.
    lines = [line for line in lines if "checksum/secret" not in line]
    for line in lines[:MOST_CHANGES]:
        run.say(run.shell.mask(line))
    if len(lines) > MOST_CHANGES:
        run.say(f"and {len(lines) - MOST_CHANGES} more")
    if not lines:
        run.say("no object changes but by its secrets or its health")


def manifest(run: Run, tools: Mapping[str, Found]) -> tuple[Mapping[str, Any], ...]:
    """What the deployed revision rendered, but for the pods of `helm test`, which come and go."""
    text = _helm(run, tools, "get", "manifest", run.settings.release.name).stdout
    return tuple(item for item in yaml.load_all(text, Loader=chart.LOADER) if item and item["kind"] != "Pod")


def _helm(run: Run, tools: Mapping[str, Found], *arguments: str, stdin: str | None = None) -> Result:
    scope = ("--namespace", run.settings.release.namespace, "--kube-context", run.settings.context)
    return run.shell.run(tools["helm"].path, *arguments, *scope, stdin=stdin, timeout=INSTALL_TIMEOUT, check=False)


def latest(run: Run, tools: Mapping[str, Found]) -> dict[str, Any] | None:
    """The newest revision, whatever its state."""
    result = _helm(run, tools, "history", run.settings.release.name, "--max", "1", "-o", "json")
    return json.loads(result.stdout)[-1] if result.ok else None


def _recover(run: Run, tools: Mapping[str, Found], stuck: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Free a release that an interrupted helm left pending: forget that one revision, keep the history before it."""
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


def secrets_of(app: Survey, given: Given) -> Secrets:
    """What the Secret must hold for this app."""
    how = {**given.environment.frontend_secrets, **given.environment.secrets}
    own = app.database == "postgres"
    values = dict(given.secrets)
    if app.database == "external":  # the chart has the address under one key, whatever the app's variable for it is called
        values.update(("DATABASE_URL", values[name]) for name in given.environment.database if name in given.secrets)
    return Secrets(
        values,
        tuple(name for name, way in how.items() if way == "generate"),
        tuple(name for name, way in how.items() if way == "placeholder"),
        app.decision.scheme if own else "",
        own and bool(given.environment.frontend_database),
    )


def put_secrets(run: Run, tools: Mapping[str, Found], wanted: Secrets) -> str:
    """Write the release's Secret: what exists is kept, what is given replaces it, what is missing is generated.

    Returns the Secret's resourceVersion. Raises DATABASE-PASSWORD-LOST.
    """
    name = chart.secret_name(run)
    read = kubectl(run, tools, "-n", run.settings.release.namespace, "get", "secret", name, "--ignore-not-found", "-o", "json")
    existing = json.loads(read.stdout) if read.stdout.strip() else {}
    kept = {key: base64.b64decode(value).decode() for key, value in existing.get("data", {}).items()}
    if wanted.scheme:
        _check_database_password(run, tools, kept)
    data = complete_secrets(kept, run.settings.release.name, wanted)
    run.shell.hide(*data.values())
    if data == kept:
        return str(existing["metadata"]["resourceVersion"])
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/instance": run.settings.release.name, "app.kubernetes.io/managed-by": "phase4"}},
        "type": "Opaque",
        "stringData": data,
    }
    # Server-side apply: the client-side one would write the values a second time, into an annotation.
    arguments = ("apply", "--server-side", "--force-conflicts", "--field-manager=phase4", "-f", "-", "-o", "jsonpath={.metadata.resourceVersion}")
    return kubectl(run, tools, "-n", run.settings.release.namespace, *arguments, stdin=json.dumps(manifest)).stdout.strip()


def complete_secrets(kept: Mapping[str, str], release: str, wanted: Secrets) -> dict[str, str]:
    """What is kept, with what is given put in and what is missing generated. The database's address holds its password, so it is a secret too."""
    full = {"BETTER_AUTH_SECRET": secrets.token_urlsafe(48), **kept, **wanted.given}
    for name in wanted.generated:
        full.setdefault(name, secrets.token_urlsafe(48))
    for name in wanted.placeholders:
        full.setdefault(name, fit.PLACEHOLDER)
    if wanted.scheme:
        full.setdefault("POSTGRES_PASSWORD", secrets.token_urlsafe(32))
        address = f"{USER}:{quote(full['POSTGRES_PASSWORD'], safe='')}@{release}-postgres:5432/{USER}"
        full["DATABASE_URL"] = f"{wanted.scheme}://{address}"
        if wanted.frontend_database:
            full[fit.FRONTEND_DATABASE_URL] = f"postgresql://{address}"
    return full


def _check_database_password(run: Run, tools: Mapping[str, Found], data: Mapping[str, str]) -> None:
    """A volume opens only with the password it was made with: never make a new one for an old volume."""
    if "POSTGRES_PASSWORD" in data:
        return
    claim = f"data-{run.settings.release.name}-postgres-0"
    found = kubectl(run, tools, "-n", run.settings.release.namespace, "get", "pvc", claim, "--ignore-not-found", "-o", "name").stdout.strip()
    if found:
        raise failure(
            "DATABASE-PASSWORD-LOST",
            found,
            "the database's volume is there, but the Secret with its password is gone",
            f"{found} exists; Secret {chart.secret_name(run)} has no POSTGRES_PASSWORD",
            f"put the password back into the Secret, or give up the data: kubectl --context {run.settings.context} -n {run.settings.release.namespace} delete {found}",
        )
