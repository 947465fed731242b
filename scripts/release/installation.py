"""Install and upgrade the Helm release, and wait until it serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.cluster.kubectl import kubectl
from scripts.release import changes, chart, dev, pods, rollout
from scripts.release.chart import Rendered
from scripts.release.helm import Deployed, helm, recover, values_of
from scripts.release.rollback import going_back
from scripts.release.secret import Secrets, put_secrets
from scripts.session.findings import Failure, Finding, failure
from scripts.session.run import Run
from scripts.session.shell import Planned
from scripts.supply.tools import Found

CHART_NAME = "todo-chatbot"
MOST_CHANGES = 20  # lines; more than a screen is not read
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


def install(
    run: Run,
    tools: Mapping[str, Found],
    before: Deployed,
    rendered: Rendered,
    images: Mapping[str, str],
    secrets: Secrets,
) -> Release:
    """Install or upgrade the release; do nothing when chart, values and secrets are those of the deployed one, and it is well.

    before: what is deployed. images: what the nodes have, reference -> ID; a pod that runs something else under such a name is started anew.
    Secrets reach the cluster through kubectl's standard input, and the chart by the name of their Secret: they are in no
    argument, no value of the release and no log. Raises RELEASE-NOT-OURS, DATABASE-PASSWORD-LOST or RELEASE-FAILED.
    """
    release = run.settings.release
    deployed = before.entry
    _check_ours(run, deployed)
    if deployed and deployed["status"].startswith("pending"):
        deployed = recover(run, tools, deployed)
    if not deployed:
        chart.ensure_namespace(run, tools)
    unchanged = () if rendered.objects else before.manifest
    with ThreadPoolExecutor(2) as pool:
        looking = (
            pool.submit(rollout.look, run, tools, {item["kind"] for item in unchanged})
            if deployed
            else None
        )
        reading = (
            pool.submit(values_of, run, tools, int(deployed["revision"]))
            if deployed and rendered.objects
            else None
        )
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
        return Release(
            release.name,
            release.namespace,
            int(deployed["revision"]),
            False,
            settle=_settle(rendered),
        )
    waiting = bool(rollout.unready(state))
    if deployed and same and state and not drifted and (unchanged or not waiting):
        # Where the objects were compared and not all is ready (after a reboot, say), helm has nothing to change: the pods are waited for.
        run.say(
            f"revision {deployed['revision']} has this chart, these values and these secrets already"
        )
        return Release(
            release.name,
            release.namespace,
            int(deployed["revision"]),
            False,
            state=() if waiting else tuple(state),
        )
    if reading:
        _make_room(run, tools, reading.result(), rendered)
    run.say("upgrading the release" if deployed else "installing the release")
    if deployed and rendered.objects:
        _say_changes(run, before, rendered)
    files = [part for name in release.values for part in ("-f", str(Path(name).expanduser()))]
    # Helm 4 applies on the server, where a field that somebody patched by hand would otherwise be a conflict for good.
    force = ["--force-conflicts"] if tools["helm"].version.startswith("v4") else []
    values = yaml.safe_dump({**rendered.values, "existingSecretVersion": version})
    result = helm(
        run, tools, "upgrade", release.name, str(chart.CHART), "--install", "--description", description, "-o", "json",
        # The dry run had the API server check every field; to fetch and read its whole schema for that takes helm a quarter of a second more.
        "--disable-openapi-validation", *force, *files, "-f", "-", stdin=values,
    )  # fmt: skip
    if run.shell.dry:
        raise Planned
    if not result.ok:
        # Helm says that it waited in vain; the pods say why.
        state = rollout.look(run, tools, rollout.EVENTS)
        causes = rollout.explain(run, tools, state, pods.PATIENCE)
        failed = Finding(
            "RELEASE-FAILED",
            f"release {release.namespace}/{release.name}",
            "helm could not install the release",
            result.tail(8),
            "mend what helm names and run `invoke install` again",
        )
        raise going_back(run, tools, _good(deployed), Failure(*causes, failed))
    return Release(
        release.name,
        release.namespace,
        int(json.loads(result.stdout)["version"]),
        True,
        _good(deployed),
        settle=_settle(rendered),
    )


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


def _make_room(
    run: Run, tools: Mapping[str, Found], values: Mapping[str, Any], rendered: Rendered
) -> None:
    """When another app takes the place of the release with these values: ask, and end the old one's database first, or the new app's pods would make
    their tables in it."""
    before = values.get("storage", {})
    old, new = (
        before.get("folder", "") or DEFAULT_APP,
        rendered.values.get("storage", {}).get("folder", "") or DEFAULT_APP,
    )
    if not before or old == new:
        return
    name = f"release {run.settings.release.namespace}/{run.settings.release.name}"
    if not run.confirm(
        f"put the app {new} in the place of {old}, which the {name} runs now; the data of {old} stays"
    ):
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
        kubectl(
            run,
            tools,
            *scope,
            "wait",
            "--for=delete",
            f"pod/{run.settings.release.name}-postgres-0",
            "--timeout=90s",
            check=False,
        )


def _good(deployed: Mapping[str, Any] | None) -> int:
    return int(deployed["revision"]) if deployed and deployed["status"] == "deployed" else 0


def monitor(run: Run, tools: Mapping[str, Found], installed: Release) -> rollout.Rollout:
    """Wait until the release serves. When it does not come up, go back to the revision that did, and raise the reason."""
    if installed.state:
        return rollout.seen(list(installed.state), 0.0)
    try:
        found = rollout.monitor(run, tools)
    except Failure as error:
        raise going_back(run, tools, installed.good if installed.changed else 0, error) from error
    run.shell.wait(installed.settle)
    return found


def _say_changes(run: Run, before: Deployed, rendered: Rendered) -> None:
    """Tell what the upgrade will change, against what the deployed revision rendered."""
    lines = changes.between(
        before.manifest, (item for item in rendered.objects if item["kind"] != "Pod")
    )
    # The version of the Secret is known only now, so what was rendered before holds none.
    lines = [line for line in lines if "checksum/secret" not in line]
    for line in lines[:MOST_CHANGES]:
        run.say(run.shell.mask(line))
    if len(lines) > MOST_CHANGES:
        run.say(f"and {len(lines) - MOST_CHANGES} more")
    if not lines:
        run.say("no object changes but by its secrets or its health")
