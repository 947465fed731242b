"""The apps on the cluster: each has a release, a namespace and an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.cluster.kubectl import kubectl
from scripts.cluster.rights import EVERYWHERE, get_allowed, may
from scripts.images.plans import PREFIX
from scripts.release import access, chart
from scripts.release.helm import CHART_NAME
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

FOLDER = "phase4/app"  # annotation of a namespace: the folder of the app that lives in it


GONE = 120.0  # seconds for pods to end and their volumes to go
#: Releases of every state. `--all`, as Helm 3 has it, is gone from Helm 4.
EVERY = ("--deployed", "--failed", "--pending")


@dataclass(frozen=True)
class App:
    """A release of this project's chart. folder: where the app was deployed from, empty if unknown.

    hosts: the names that its Ingress answers to. updated, status: as helm has them.
    """

    name: str
    namespace: str
    folder: str
    revision: int
    updated: str
    status: str
    hosts: tuple[str, ...]


@answers.understood("helm")
def deployed(run: Run, tools: Mapping[str, Found]) -> list[App]:
    """Every app on the cluster, by name."""
    scope = ("--kube-context", run.settings.context)
    everywhere = may(run, tools, "list", "secrets", EVERYWHERE)
    where = ("-A",) if everywhere else ("-n", run.settings.release.namespace)
    listed = run.shell.run(tools["helm"].path, "list", *where, *EVERY, "-o", "json", *scope)
    seen = get_allowed(run, tools, "namespaces,ingresses")
    return [
        _app(one, seen)
        for one in sorted(
            answers.read(listed.stdout or "[]", "helm"), key=lambda one: str(one["name"])
        )
        if one["chart"].startswith(f"{CHART_NAME}-")
    ]


def _app(one: Mapping[str, Any], seen: list[dict[str, Any]]) -> App:
    namespace = one["namespace"]
    own = [item["metadata"] for item in seen if item["metadata"]["name"] == namespace]
    folder = next(((item.get("annotations") or {}).get(FOLDER, "") for item in own), "")
    hosts = {
        rule["host"]
        for item in seen
        if item["kind"] == "Ingress"
        and item["metadata"]["namespace"] == namespace
        and item["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == one["name"]
        for rule in item["spec"].get("rules", [])
        if "host" in rule
    }
    updated = one["updated"][:19]
    revision = int(one["revision"])
    return App(
        one["name"], namespace, folder, revision, updated, one["status"], tuple(sorted(hosts))
    )


def mark(run: Run, tools: Mapping[str, Found]) -> None:
    """Write down which app lives in the release's namespace; the plan's names are for any app.

    A namespace that somebody else made is left as it is.
    """
    name, folder = run.settings.release.namespace, run.settings.app_path
    if run.settings.has_plan_names or not chart.made_namespace(run, tools):
        return
    kubectl(run, tools, "annotate", "--overwrite", "namespace", name, f"{FOLDER}={folder}")


def check_same(run: Run, tools: Mapping[str, Found], values: Mapping[str, Any]) -> None:
    """Refuse to put another app in the place of the one that the release runs.

    values: those of the deployed revision. Raises RELEASE-NOT-OURS.
    """
    _check_shared(run, values)
    release, wanted = run.settings.release, str(run.settings.app_path)
    key = FOLDER.replace(".", r"\.")
    path = f"jsonpath={{.metadata.annotations.{key}}}"
    folder = ""
    if may(run, tools, "get", "namespaces"):
        asked = ("get", "namespace", release.namespace, "-o", path)
        folder = kubectl(run, tools, *asked, check=False).stdout.strip()
    if folder in ("", wanted) or run.settings.has_plan_names:
        return
    if not Path(folder).is_dir():  # the app's folder was moved
        mark(run, tools)
        return
    raise failure(
        "RELEASE-NOT-OURS",
        f"release {release.namespace}/{release.name}",
        f"the release {release.name} runs the app in {folder}, not this one",
        f"this app: {wanted}",
        "choose another name for this one: INVOKE_PHASE4_RELEASE_NAME=other-name invoke deploy;"
        " `invoke apps` lists what is deployed",
    )


def _check_shared(run: Run, deployed: Mapping[str, Any]) -> None:
    """Earlier versions put apps into one release, each in a folder of its volume."""
    folder, release = deployed.get("storage", {}).get("folder", ""), run.settings.release
    if folder:
        raise failure(
            "RELEASE-NOT-OURS",
            f"release {release.namespace}/{release.name}",
            f"an earlier version put the app {folder} into the release {release.name}",
            "each app has a release of its own now, and its data would not be found here",
            "keep its data with `invoke db-dump`, run `invoke undeploy`, then"
            f" `invoke deploy --app .../{folder}` and `invoke db-restore --app .../{folder}`",
        )


def remove(run: Run, tools: Mapping[str, Found], with_data: bool = True) -> frozenset[str]:
    """Uninstall the release. with_data: also delete its volumes, its Secret and its namespace.

    A namespace that somebody else made, or that another release lives in, stays. Returns the app's
    images that no other release uses. Raises RELEASE-MISSING.
    """
    release = run.settings.release
    found = [one for one in deployed(run, tools) if one.namespace == release.namespace]
    if release.name not in [one.name for one in found]:
        there = ", ".join(one.name for one in deployed(run, tools)) or "none"
        raise failure(
            "RELEASE-MISSING",
            f"release {release.namespace}/{release.name}",
            f"there is no app named {release.name} on the cluster",
            f"deployed: {there}",
            "`invoke apps` lists them with their folders",
        )
    own, others = _images(run, tools)
    scope = ("--namespace", release.namespace, "--kube-context", run.settings.context)
    run.say(f"uninstalling {release.name}")
    run.shell.run(tools["helm"].path, "uninstall", release.name, *scope, timeout=180)
    if with_data and len(found) == 1 and chart.made_namespace(run, tools):
        delete = ("delete", "namespace", release.namespace, "--timeout=150s")
        kubectl(run, tools, *delete, timeout=180)
    elif with_data and run.settings.is_there:
        _remove_data(run, tools)
    access.forget(run)
    return own - others


def _remove_data(run: Run, tools: Mapping[str, Found]) -> None:
    """Delete what helm leaves of a release in a namespace that stays.

    Its volumes, its Secret, and the ConfigMap that keeps what its database had.

    A claim goes when no pod has it any more; that is waited for, and said if it takes too long.
    """
    scope = ("-n", run.settings.release.namespace)
    label = ("-l", f"app.kubernetes.io/instance={run.settings.release.name}")
    left = "persistentvolumeclaims,secrets,configmaps"
    kubectl(run, tools, *scope, "delete", left, *label, "--wait=false")
    gone = ("wait", "persistentvolumeclaims", *label, "--for=delete", f"--timeout={GONE:.0f}s")
    if not kubectl(run, tools, *scope, *gone, timeout=GONE + 30, check=False).ok:
        run.say("the cluster still deletes the volumes")


def _images(run: Run, tools: Mapping[str, Found]) -> tuple[frozenset[str], frozenset[str]]:
    """The app's images that the release's revisions name, and those that other releases name."""
    here, elsewhere = set[str](), set[str]()
    for item in get_allowed(run, tools, "replicasets,statefulsets"):
        own = item["metadata"]["namespace"] == run.settings.release.namespace
        pod = item["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            if container["image"].startswith(f"{PREFIX}-"):
                (here if own else elsewhere).add(container["image"])
    return frozenset(here), frozenset(elsewhere)
