"""A cluster whose API does not answer: what its node says about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from scripts.cluster import minikube, there
from scripts.cluster.kubectl import kubectl
from scripts.machine.engine import Engine
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

STATE = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}"
CONTAINERS = "crictl ps -a -o json; df -P /var | tail -1"


def cluster_down(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Finding | None:
    """Say why the cluster's API does not answer; None when it does."""
    asked = ("get", "--raw", "/readyz", "--request-timeout=5s")
    ready = kubectl(run, tools, *asked, timeout=20, check=False)
    if ready.ok:
        return None
    words = ready.tail(3)
    if run.settings.is_there:
        return _gone(run, tools)
    return _refused(run, words) or _node_down(run, engine, words) or _api_down(run, engine, words)


def _gone(run: Run, tools: Mapping[str, Found]) -> Finding | None:
    """What a cluster that is there says, which nobody here can look into."""
    try:
        there.reach(run, tools)
    except Failure as error:
        return error.findings[0]
    return None


def _refused(run: Run, words: str) -> Finding | None:
    """A client that cannot ask: certificates or the kubeconfig."""
    profile, context = run.settings.cluster.profile, run.settings.context
    if "certificate has expired" in words or "not yet valid" in words:
        return Finding(
            "CERTIFICATE-EXPIRED",
            context,
            "the cluster's certificates are not valid now",
            words,
            f"if the clock of this machine is right: minikube -p {profile} start renews them",
        )
    if "context was not found" in words or ("does not exist" in words and "context" in words):
        return Finding(
            "CONTEXT-MISSING",
            context,
            f"the kubeconfig has no context {context}, so nothing can ask the cluster",
            words,
            f"`invoke deploy` writes it again; or: minikube update-context -p {profile}",
        )
    if re.search(r"unable to read (client|certificate)|error loading config|Unauthorized", words):
        told = f"the kubeconfig's entry for {context} cannot be used"
        return Finding("CONTEXT-MISSING", context, told, words, "invoke deploy")
    return None


def _node_down(run: Run, engine: Engine, words: str) -> Finding | None:
    """A node's container that is missing or stopped."""
    profile = run.settings.cluster.profile
    inspect = ("container", "inspect", "--format", STATE, profile)
    state = run.shell.run(engine.client, *inspect, check=False)
    if not state.ok:
        told, evidence = f"there is no cluster {profile} on this engine", words
    elif not state.stdout.startswith("running"):
        told = f"the cluster's node is {state.stdout.split()[0]}"
        evidence = state.stdout.strip()
    else:
        return None
    return Finding("CLUSTER-NOT-RUNNING", profile, told, evidence, "invoke deploy")


def _api_down(run: Run, engine: Engine, words: str) -> Finding:
    """A node that runs without a control plane that answers."""
    profile = run.settings.cluster.profile
    if minikube.answers_on_node(run, engine):
        context = run.settings.context
        told = f"the cluster answers on its node, but not at the kubeconfig's address of {context}"
        return Finding("CONTEXT-MISSING", context, told, words, "invoke deploy")
    inside = ("exec", profile, "sh", "-c", CONTAINERS)
    listed = run.shell.run(engine.client, *inside, check=False, reads=True)
    return Finding(
        "CLUSTER-NOT-RUNNING",
        profile,
        "the cluster's node runs, but its API does not answer",
        f"{words}\n{control_plane(listed.stdout)}",
        "invoke deploy",
    )


def control_plane(text: str) -> str:
    """The containers of the control plane that do not run, from `crictl ps -a -o json`."""
    try:
        listed, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return "the container runtime does not answer"
    # The newest container of a name comes first in the list, so it is kept last here.
    states = {one["metadata"]["name"]: one["state"] for one in reversed(listed["containers"])}
    down = [
        f"{name} {state.removeprefix('CONTAINER_').lower()}"
        for name, state in states.items()
        if state != "CONTAINER_RUNNING" and name.startswith(("kube-", "etcd"))
    ]
    return "\n".join(down)
