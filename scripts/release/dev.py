"""The dev loop: edited files go straight into running containers.

The release stays as it was deployed.

Beside each Deployment a second one runs the same pod with its source in a volume and a server that
reloads; the Services are turned to it. At the end they are turned back to the pods of the release,
which never stopped.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import watchfiles

from scripts.app.survey.tree import own_bytes
from scripts.cluster.kubectl import get_items, kubectl
from scripts.images.context import MOST_HELD, context_files, is_ignored
from scripts.images.plans import Plan
from scripts.release import rollout
from scripts.session import answers
from scripts.session.run import Run
from scripts.session.shell import Interrupted
from scripts.supply.tools import Found

INSIDE = Path(__file__).parent / "inside"  # programs that run in the containers
RECEIVE = (INSIDE / "receive").read_text(encoding="utf-8")
# the label of what the dev loop makes, and the selector's key of a Service that it has turned
MARK = "phase4/dev"
STEP = 30  # milliseconds without a change that end a group of changes
PACKAGES = (
    "requirements.txt",
    "package.json",
    "package-lock.json",
)  # what the images install from: no sync can do that


@dataclass(frozen=True)
class Workspace:
    """How a component runs while it is developed.

    copy: fills the volume /copy from the image. place: where that is mounted then.
    """

    copy: str
    place: str
    command: str
    memory: str


WORKSPACES = {
    "backend": Workspace(
        (INSIDE / "copy-backend").read_text(encoding="utf-8"),
        "/srv",
        "exec uvicorn phase4.asgi:app --host 0.0.0.0 --port 8001 --no-access-log"
        ' --proxy-headers --forwarded-allow-ips="*"'
        " --timeout-graceful-shutdown 1 --reload --reload-dir /srv",
        "512Mi",
    ),
    "frontend": Workspace(
        (INSIDE / "copy-frontend").read_text(encoding="utf-8"),
        "/app/dev",  # below node_modules' folder, which the image holds
        "exec node_modules/.bin/next dev /app/dev --port 80",
        "1536Mi",
    ),
}


class Stale(Exception):
    """The pods can no longer be brought up to what is in the tree.

    Images must be built anew, and the loop begun again.
    """


def start(run: Run, tools: Mapping[str, Found], images: Mapping[str, str]) -> dict[str, str]:
    """Run these components from a volume, and turn their Services there: component -> pod.

    images: component -> image.

    Raises what keeps them from coming up.
    """
    release = run.settings.release
    run.say("starting " + " and ".join(images) + " with sources that can be changed")
    for component, image in images.items():
        deployed = answers.read(
            kubectl(
                run,
                tools,
                "-n",
                release.namespace,
                "get",
                "deployment",
                f"{release.name}-{component}",
                "-o",
                "json",
            ).stdout,
            "kubectl",
        )
        manifest = json.dumps(workspace(deployed, component, image))
        kubectl(
            run,
            tools,
            "-n",
            release.namespace,
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=phase4-dev",
            "-f",
            "-",
            stdin=manifest,
        )
    rollout.monitor(run, tools)
    for component in images:
        _turn(run, tools, f"{release.name}-{component}", "true")
    pods = get_items(run, tools, "pods", "-n", release.namespace, "-l", MARK)
    alive = [pod["metadata"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return {
        metadata["labels"]["app.kubernetes.io/component"]: metadata["name"] for metadata in alive
    }


@answers.understood("kubectl")
def stop(run: Run, tools: Mapping[str, Found]) -> None:
    """Turn the Services back to the pods of the release, and delete what the dev loop made."""
    release = run.settings.release
    services = get_items(run, tools, "services", "-n", release.namespace)
    for service in services:
        if MARK in (service["spec"].get("selector") or {}):
            _turn(run, tools, service["metadata"]["name"], None)
    kubectl(
        run, tools, "-n", release.namespace, "delete", "deployments", "-l", MARK, "--wait=false"
    )


def is_left(state: Iterable[Mapping[str, Any]]) -> bool:
    """Whether objects show a dev loop that did not end well."""
    return any(
        MARK in (item["metadata"].get("labels") or {})
        or MARK in (item.get("spec", {}).get("selector") or {})
        for item in state
        if item["kind"] != "Pod"
    )


def _turn(run: Run, tools: Mapping[str, Found], service: str, value: str | None) -> None:
    patch = json.dumps({"spec": {"selector": {MARK: value}}})
    kubectl(
        run,
        tools,
        "-n",
        run.settings.release.namespace,
        "patch",
        "service",
        service,
        "--type=merge",
        "-p",
        patch,
    )


@answers.understood("kubectl")
def workspace(deployed: Mapping[str, Any], component: str, image: str) -> dict[str, Any]:
    """The Deployment beside a deployed one.

    It runs the same pod, with its source in a volume and a server that reloads.
    """
    how = WORKSPACES[component]
    pod = json.loads(json.dumps(deployed["spec"]["template"]["spec"]))  # a copy of its own
    container = next(one for one in pod["containers"] if one["name"] == component)
    for name in (
        "livenessProbe",
        "startupProbe",
        "lifecycle",
    ):  # half an edit must not have it restarted
        container.pop(name, None)
    container["image"] = image
    container["command"] = ["sh", "-c", how.command]
    container["resources"] = {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "2", "memory": how.memory},
    }
    container["readinessProbe"] = {
        **container["readinessProbe"],
        "periodSeconds": 1,
        "timeoutSeconds": 30,
        "failureThreshold": 60,
    }
    container.setdefault("env", []).extend(
        [
            {"name": "HOME", "value": "/tmp"},  # noqa: S108
            {"name": "PYTHONDONTWRITEBYTECODE", "value": ""},
        ]
    )
    copy = {
        "name": "copy-source",
        "image": image,
        "command": ["sh", "-c", how.copy],
        "env": container["env"],
        "securityContext": container.get("securityContext", {}),
        "resources": {
            "limits": {"cpu": "2", "memory": "256Mi"},
            "requests": {"cpu": "100m", "memory": "64Mi"},
        },
        "volumeMounts": [{"name": "source", "mountPath": "/copy"}],
    }
    container["volumeMounts"] = [
        *container.get("volumeMounts", []),
        {"name": "source", "mountPath": how.place},
    ]
    pod["initContainers"] = [*pod.get("initContainers", []), copy]
    pod["volumes"] = [*pod.get("volumes", []), {"name": "source", "emptyDir": {}}]
    pod["terminationGracePeriodSeconds"] = 2
    labels = {**deployed["spec"]["template"]["metadata"]["labels"], MARK: "true"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{deployed['metadata']['name']}-dev", "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {
                "matchLabels": {**deployed["spec"]["selector"]["matchLabels"], MARK: "true"}
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def watch(
    run: Run, tools: Mapping[str, Found], plans: Mapping[str, Plan], pods: Mapping[str, str]
) -> None:
    """Bring every change of these components' files into their pods, until Ctrl-C.

    Raises Stale, and KeyboardInterrupt.
    """
    for component, plan in plans.items():  # what was edited since the images were planned
        files = context_files(plan.dockerfile, plan.context, plan.within)
        now = {file.name: file for file in files}
        then = {file.name: file for file in plan.files}
        _sync(
            run,
            tools,
            component,
            plan,
            pods[component],
            sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name)),
        )
    ignored = {component: is_ignored(plan.dockerfile) for component, plan in plans.items()}
    folders = [plan.context for plan in plans.values()]
    for changes in watchfiles.watch(
        *folders, watch_filter=None, step=STEP, debounce=500, raise_interrupt=True
    ):
        for component, plan in plans.items():
            paths = [_relative(plan, path) for _, path in changes]
            _sync(
                run,
                tools,
                component,
                plan,
                pods[component],
                sorted({path for path in paths if path and not ignored[component](path)}),
            )


def _relative(plan: Plan, path: str) -> str:
    root = f"{plan.context.as_posix()}/"
    return path.removeprefix(root) if path.startswith(root) else ""


def _sync(
    run: Run, tools: Mapping[str, Found], component: str, plan: Plan, pod: str, names: list[str]
) -> None:
    """Write these files into the container, and delete those that are gone."""
    if not names:
        return
    if any(name in PACKAGES for name in names):
        raise Stale(f"{', '.join(names)} changed what the image installs")
    started = time.monotonic()
    archive, gone = pack(plan, names)
    # By the pod's own name: one that took its place would hold the image's files, without the edits
    # before this one.
    scope = ("-n", run.settings.release.namespace, "exec", "-i", pod, "-c", component, "--")
    sent = kubectl(
        run,
        tools,
        *scope,
        "sh",
        "-c",
        RECEIVE,
        WORKSPACES[component].place,
        *gone,
        stdin=archive,
        check=False,
    )
    if not sent.ok:
        raise Stale(f"{pod} could not be reached: {sent.tail(1)}")
    run.say(
        f"{component}: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''} in "
        f"{time.monotonic() - started:.1f} s"
    )


def pack(plan: Plan, names: Iterable[str]) -> tuple[bytes, list[str]]:
    """An archive of those of the files that are there, and the names of those that are gone."""
    buffer, gone = io.BytesIO(), []
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            path = plan.context / name
            if path.is_dir():
                continue  # its files are changes of their own
            content = own_bytes(path, plan.within or plan.context, MOST_HELD)
            if content is None:
                gone.append(name)
                continue
            entry, executable = tarfile.TarInfo(name), os.access(path, os.X_OK)
            entry.size, entry.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue(), gone


def follow(
    run: Run, tools: Mapping[str, Found], selector: str, show: Callable[[str, str], None], tail: int
) -> None:
    """Show (container, line) of every pod that matches, until the run is cancelled.

    Pods and restarts that come later are followed too.

    tail: how many old lines of each container that runs already.
    """
    scope = ("-n", run.settings.release.namespace)
    followed: set[str] = set()
    begun = time.monotonic()

    def tell(pod: str, container: str) -> None:
        lines = f"--tail={tail if time.monotonic() - begun < 5 else -1}"
        try:
            whole_day = 24 * 3600
            kubectl(
                run,
                tools,
                *scope,
                "logs",
                "--follow",
                lines,
                pod,
                "-c",
                container,
                timeout=whole_day,
                on_line=lambda line: show(container, line),
                check=False,
            )
        except Interrupted:
            pass  # the end of it all

    def look(text: str) -> None:
        for line in text.splitlines():
            pod, *containers = line.split()
            for one in containers:
                name, _, started = one.partition("=")
                if started and f"{pod} {one}" not in followed:
                    followed.add(f"{pod} {one}")
                    threading.Thread(target=tell, args=(pod, name), daemon=True).start()

    each = "{range .status.containerStatuses[*]} {.name}={.state.running.startedAt}{end}"
    template = f"jsonpath={{.metadata.name}}{each}{{'\\n'}}"
    kubectl(
        run,
        tools,
        *scope,
        "get",
        "pods",
        "-l",
        selector,
        "--watch",
        "-o",
        template,
        timeout=24 * 3600,
        on_line=look,
        check=False,
    )
