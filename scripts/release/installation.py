"""Install and upgrade the Helm release, and wait until it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.cluster.kubectl import kubectl
from scripts.images.transport import Loaded
from scripts.release import apps, changes, chart, dev, pods, rollout
from scripts.release.chart import Rendered
from scripts.release.helm import CHART_NAME, Deployed, helm, recover, values_of
from scripts.release.rollback import going_back
from scripts.release.secret import Secrets, put_secrets
from scripts.session import answers
from scripts.session.findings import Failure, Finding, failure
from scripts.session.run import Run
from scripts.session.shell import Planned, Result
from scripts.supply.tools import Found

MOST_CHANGES = 20  # lines; more than a screen is not read


@dataclass(frozen=True)
class Release:
    """A deployed release.

    changed: this run installed or upgraded it. good: the revision that served before that; 0 when
    there is none.

    state: the objects as they were seen well, when nothing had to be done. settle: seconds until
    the pods that were replaced get no request any more.
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
    loaded: Loaded,
    secrets: Secrets,
) -> Release:
    """Install or upgrade the release, unless chart, values and secrets are the deployed ones.

    before: what is deployed. loaded: the images on the nodes; a pod that runs something else under
    such a name is started anew. Secrets reach the cluster through kubectl's standard input, and the
    chart by the name of their Secret: they are in no argument, no value of the release and no log.
    Raises RELEASE-NOT-OURS, DATABASE-PASSWORD-LOST or RELEASE-FAILED.
    """
    entry = _deployed_entry(run, tools, before)
    unchanged = () if rendered.objects else before.manifest
    state, version = _look(run, tools, entry, unchanged, secrets)
    _start_again(run, tools, rollout.starved(state, loaded.images))
    drifted = changes.drift(unchanged, state)
    for line in drifted[:MOST_CHANGES]:
        run.say(f"somebody changed this by hand, and it is changed back now: {line}")
    description = f"{rendered.digest}-{version}"
    if (
        entry
        and not drifted
        and (entry["status"], entry["description"]) == ("deployed", description)
    ):
        kept = _keep(run, tools, entry, state, loaded, rendered, bool(unchanged))
        if kept:
            return kept
    if entry and rendered.objects:
        apps.check_same(run, tools, values_of(run, tools, int(entry["revision"])))
    return _upgrade(run, tools, entry, before, rendered, version)


def _deployed_entry(
    run: Run, tools: Mapping[str, Found], before: Deployed
) -> Mapping[str, Any] | None:
    """Helm's entry of the newest revision, freed if it was stuck.

    Without one, the namespace is made.
    """
    entry = before.entry
    _check_ours(run, entry)
    if entry and entry["status"].startswith("pending"):
        entry = recover(run, tools, entry)
    if not entry:
        chart.ensure_namespace(run, tools)
        apps.mark(run, tools)
    return entry


def _look(
    run: Run,
    tools: Mapping[str, Found],
    entry: Mapping[str, Any] | None,
    unchanged: Sequence[Mapping[str, Any]],
    wanted: Secrets,
) -> tuple[list[dict[str, Any]], str]:
    """The release's objects, and the version of its Secret, which is written meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        kinds = {item["kind"] for item in unchanged}
        looking = pool.submit(rollout.look, run, tools, kinds) if entry else None
        version = put_secrets(run, tools, wanted)
    state = looking.result() if looking else []
    if dev.is_left(state):
        run.say("a dev loop did not end well: going back to the deployed pods")
        dev.stop(run, tools)
        state = []
    return state, version


def _start_again(run: Run, tools: Mapping[str, Found], starved: Sequence[str]) -> None:
    """Have pods made anew that wait for an image which the nodes have by now.

    The kubelet looks for it again only when its pause is over, which grows to five minutes.
    """
    if not starved:
        return
    run.say(f"{', '.join(starved)} waited for an image that is there now: starting anew")
    scope = ("-n", run.settings.release.namespace)
    kubectl(run, tools, *scope, "delete", "--wait=false", "--ignore-not-found", *starved)


def _keep(
    run: Run,
    tools: Mapping[str, Found],
    entry: Mapping[str, Any],
    state: list[dict[str, Any]],
    loaded: Loaded,
    rendered: Rendered,
    compared: bool,
) -> Release | None:
    """The deployed revision, if nothing has to be installed.

    compared: objects were looked at for drift.

    A pod whose image has other contents under its name is started anew.
    """
    release, revision = run.settings.release, int(entry["revision"])
    stale = rollout.stale(state, loaded.images)
    if stale:
        run.say(f"{', '.join(stale)} runs other contents under its image's name: starting it anew")
        kubectl(run, tools, "-n", release.namespace, "rollout", "restart", *stale)
        settle = _settle(rendered)
        return Release(release.name, release.namespace, revision, False, settle=settle)
    waiting = bool(rollout.unready(state))
    if state and (compared or not waiting):
        # After a reboot, say, the objects are right and not all pods are ready: they are waited
        # for.
        run.say(f"revision {revision} has this chart, these values and these secrets already")
        seen = () if waiting else tuple(state)
        return Release(release.name, release.namespace, revision, False, state=seen)
    return None


def _upgrade(
    run: Run,
    tools: Mapping[str, Found],
    entry: Mapping[str, Any] | None,
    before: Deployed,
    rendered: Rendered,
    version: str,
) -> Release:
    """Run `helm upgrade --install`. version: of the Secret, so that pods follow its changes."""
    release, good = run.settings.release, _good(entry)
    run.say("upgrading the release" if entry else "installing the release")
    if entry and rendered.objects:
        _say_changes(run, before, rendered)
    files = [part for name in release.values for part in ("-f", str(Path(name).expanduser()))]
    # Helm 4 applies on the server: a field that somebody patched by hand would conflict for good.
    force = ["--force-conflicts"] if tools["helm"].version.startswith("v4") else []
    result = helm(
        run, tools, "upgrade", release.name, str(chart.CHART), "--install", "-o", "json",
        "--description", f"{rendered.digest}-{version}",
        # The dry run had the API server check every field. Helm would fetch and read its whole
        # schema for that, which takes a quarter of a second more.
        "--disable-openapi-validation", *force, *files, "-f", "-",
        stdin=yaml.safe_dump({**rendered.values, "existingSecretVersion": version}),
    )  # fmt: skip
    if run.shell.dry:
        raise Planned
    if not result.ok:
        raise going_back(run, tools, good, _failed(run, tools, result))
    with answers.understood("helm"):
        revision = int(answers.read(result.stdout, "helm")["version"])
    return Release(release.name, release.namespace, revision, True, good, settle=_settle(rendered))


def _failed(run: Run, tools: Mapping[str, Found], result: Result) -> Failure:
    """Why helm failed. Helm says that it waited in vain; the pods say why."""
    release = run.settings.release
    state = rollout.look(run, tools, rollout.EVENTS)
    causes = rollout.explain(run, tools, state, pods.PATIENCE)
    failed = Finding(
        "RELEASE-FAILED",
        f"release {release.namespace}/{release.name}",
        "helm could not install the release",
        result.tail(8),
        "mend what helm names and run `invoke install` again",
    )
    return Failure(*causes, failed)


def _check_ours(run: Run, deployed: Mapping[str, Any] | None) -> None:
    release = run.settings.release
    if deployed and not deployed["chart"].startswith(f"{CHART_NAME}-"):
        raise failure(
            "RELEASE-NOT-OURS",
            f"release {release.namespace}/{release.name}",
            f"the release {release.name} in namespace {release.namespace} is of another chart",
            deployed["chart"],
            "choose another name or namespace: INVOKE_PHASE4_RELEASE_NAME, "
            "INVOKE_PHASE4_RELEASE_NAMESPACE",
        )


def _settle(rendered: Rendered) -> float:
    """Seconds until the pods that were replaced get no request any more.

    The ingress controller follows the endpoints within 0.2 s. Next's server asks by the Service,
    and kube-proxy follows once a second.
    """
    return 1.2 if rendered.values.get("frontend", {}).get("server") else 0.3


def _good(deployed: Mapping[str, Any] | None) -> int:
    return int(deployed["revision"]) if deployed and deployed["status"] == "deployed" else 0


def monitor(run: Run, tools: Mapping[str, Found], installed: Release) -> rollout.Rollout:
    """Wait until the release serves.

    When it does not come up, go back to the revision that did, and raise the reason.
    """
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
        run.say("the objects stay the same; their secrets or their health do not")
