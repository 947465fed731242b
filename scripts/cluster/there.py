"""A cluster that is there: a context of the person's kubeconfig.

It is somebody else's. It is looked at, and nothing in it is started, stopped or changed but the
release and its namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from scripts.cluster.kubectl import get_items, kubectl
from scripts.cluster.minikube import Cluster
from scripts.cluster.rights import NEEDED, OPTIONAL, Right, may, missing
from scripts.images import containers, transport
from scripts.images.transport import RUNTIMES, Way
from scripts.machine.engine import Engine
from scripts.session import answers
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.supply.node import NodeParts
from scripts.supply.tools import Found

#: Where a cluster advertises its registry (KEP-1755): namespace, ConfigMap, key.
ADVERTISED = ("kube-public", "local-registry-hosting", "localRegistryHosting.v1")


@dataclass(frozen=True)
class Target:
    """The cluster that the tasks work on, as this user sees it.

    server: address of its API; empty for this project's own minikube, which is not asked. version:
    of Kubernetes. is_local: it is on this machine. without: rights that this user lacks, and what
    is left out for that.
    """

    context: str
    server: str = ""
    version: str = ""
    is_local: bool = True
    without: tuple[Right, ...] = ()

    def __str__(self) -> str:
        if not self.server:
            return f"minikube {self.context}, this project's own"
        where = "on this machine" if self.is_local else "not on this machine"
        return f"context {self.context}: {self.server}, Kubernetes {self.version}, {where}"


def own(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Target:
    """This project's own minikube."""
    del engine, tools
    return Target(run.settings.context)


def look(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Target:
    """Name the cluster, and ask what this user may do there. Nothing is changed.

    Raises CONTEXT-UNKNOWN, CLUSTER-NOT-RUNNING or RIGHTS-MISSING.
    """
    context, namespace = run.settings.context, run.settings.release.namespace
    server, version = reach(run, tools)
    without = missing(run, tools, (*NEEDED, *OPTIONAL))
    lacking = [one for one in without if not one.without]
    if lacking:
        raise _not_allowed(run, tools, "\n".join(map(str, lacking)))
    refused = {str(one) for one in without}
    if "create namespaces" in refused and "get namespaces" not in refused:
        _check_namespace(run, tools)
    for one in without:
        run.say(f"this user may not {one}: {one.without}")
    if not without:
        run.say(f"this user may do all that a deployment to the namespace {namespace} needs")
    return Target(context, server, version, _is_local(run, engine, server), without)


def reach(run: Run, tools: Mapping[str, Found]) -> tuple[str, str]:
    """The address of the cluster's API, and its version.

    Raises CONTEXT-UNKNOWN, CLUSTER-NOT-RUNNING or RIGHTS-MISSING.
    """
    server = _server(run, tools)
    return server, _version(run, tools, server)


def _not_allowed(run: Run, tools: Mapping[str, Found], evidence: str) -> Failure:
    context, namespace = run.settings.context, run.settings.release.namespace
    own = _context(_view(run, tools), context).get("namespace", namespace)
    hint = "choose a namespace that is yours (phase4.release.namespace)"
    if own != namespace:
        hint = f"take the context's own namespace: INVOKE_PHASE4_RELEASE_NAMESPACE={own}"
    grant = "kubectl create rolebinding todo-app --clusterrole=edit --user=YOU"
    return failure(
        "RIGHTS-MISSING",
        f"context {context}",
        f"this user may not deploy to the namespace {namespace} of the cluster {context}",
        evidence,
        f"{hint}; or have somebody who may run: {grant} -n {namespace}",
    )


def _check_namespace(run: Run, tools: Mapping[str, Found]) -> None:
    name = run.settings.release.namespace
    asked = ("get", "namespace", name, "--ignore-not-found", "-o", "name")
    if not kubectl(run, tools, *asked).stdout.strip():
        words = f"the namespace {name} does not exist, and this user may make none"
        raise _not_allowed(run, tools, words)


def _view(run: Run, tools: Mapping[str, Found]) -> Any:
    """The kubeconfig. kubectl leaves out every secret of it."""
    shown = run.shell.run(tools["kubectl"].path, "config", "view", "-o", "json").stdout
    return answers.read(shown, "kubectl")


def _server(run: Run, tools: Mapping[str, Found]) -> str:
    """The address of the context's API server."""
    return parse_server(_view(run, tools), run.settings.context)


def _context(view: Mapping[str, Any], name: str) -> Mapping[str, str]:
    """A context of `kubectl config view -o json`. Raises CONTEXT-UNKNOWN."""
    contexts = {one["name"]: one.get("context") or {} for one in view.get("contexts") or ()}
    if name not in contexts:
        raise failure(
            "CONTEXT-UNKNOWN",
            f"context {name}",
            f"the kubeconfig has no context {name}; it has {', '.join(contexts) or 'none'}",
            remedy="name one of them: phase4.cluster.context, or --context; "
            "KUBECONFIG says which file is read",
        )
    return contexts[name]


def parse_server(view: Mapping[str, Any], context: str) -> str:
    """Read `kubectl config view -o json`: the server's address. Raises CONTEXT-UNKNOWN."""
    named = _context(view, context).get("cluster", "")
    clusters = {one["name"]: one.get("cluster") or {} for one in view.get("clusters") or ()}
    return str(clusters.get(named, {}).get("server", ""))


def _version(run: Run, tools: Mapping[str, Found], server: str) -> str:
    """The server's version, which everybody may ask who is known to it."""
    asked = ("get", "--raw", "/version", "--request-timeout=10s")
    said = kubectl(run, tools, *asked, timeout=40, check=False)
    if said.ok:
        return str(answers.read(said.stdout, "kubectl")["gitVersion"])
    context, words = run.settings.context, said.tail(3)
    refused = any(word in words for word in ("Unauthorized", "provide credentials", "Forbidden"))
    raise failure(
        "RIGHTS-MISSING" if refused else "CLUSTER-NOT-RUNNING",
        f"context {context}",
        f"the cluster {context} does not know this user"
        if refused
        else f"the cluster {context} does not answer at {server}",
        words,
        "log in to it again, as its provider says"
        if refused
        else "start it, or choose another context; this project starts only its own cluster",
    )


def _is_local(run: Run, engine: Engine, server: str) -> bool:
    """Whether the API server is on this machine: on loopback, or a container of this engine."""
    host = urlsplit(server).hostname or ""
    return (
        containers.is_loopback(host)
        or host == "kubernetes.docker.internal"  # Docker Desktop's own name for this machine
        or bool(containers.names_of(run, engine, server))
    )


def up(
    run: Run,
    engine: Engine,
    tools: Mapping[str, Found],
    minikube: Found,
    parts: NodeParts | None,
) -> Cluster:
    """Return the cluster as it is, after asking once where it is not on this machine.

    The counterpart of `minikube.up`. Raises CONTEXT-DECLINED.
    """
    del minikube, parts
    server, context = _server(run, tools), run.settings.context
    if not _is_local(run, engine, server) and not _agreed(run, server).exists():
        namespace = run.settings.release.namespace
        if not run.confirm(f"deploy to the namespace {namespace} of {context} at {server}"):
            raise failure(
                "CONTEXT-DECLINED",
                f"context {context}",
                f"deploying to {context} was declined, and nothing was changed there",
                server,
                "choose another context, or leave it empty for a minikube of your own",
            )
        if run.attended:
            _agreed(run, server).parent.mkdir(parents=True, exist_ok=True)
            _agreed(run, server).write_text(server + "\n", encoding="utf-8")
    host = urlsplit(server).hostname or ""
    return Cluster(context, context, host, run.settings.cluster.ingress_port, created=False)


def _agreed(run: Run, server: str) -> Path:
    """A file that is there once the person has agreed to this context at this address."""
    host = urlsplit(server).netloc.replace(":", "-")
    return run.settings.cache / "clusters" / f"agreed-{run.settings.cluster_key}-{host}"


def own_way(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Way:
    """How images reach this project's own minikube."""
    del engine, tools
    return Way("layers into the node", transport.nodes(run.settings.cluster.profile))


def way(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Way:
    """How images reach a cluster that is there. Raises IMAGE-ARCHITECTURE or IMAGES-NO-WAY."""
    nodes = get_items(run, tools, "nodes") if may(run, tools, "list", "nodes") else []
    processor = common_processor(nodes, engine.architecture)
    return replace(_way(run, engine, tools, nodes), processor=processor)


def _way(run: Run, engine: Engine, tools: Mapping[str, Found], nodes: list[dict[str, Any]]) -> Way:
    """The first way that the cluster has. nodes: as far as this user may see them."""
    given = run.settings.images.registry
    if given:
        return Way(f"by the registry {given}, as phase4.images.registry says", (), given, given)
    found = containers.nodes_of(run, engine, _server(run, tools))
    if found and all(one.runtime in RUNTIMES for one in found):
        names = ", ".join(one.name for one in found)
        return Way(f"layers into {names}, which are containers of this engine", found)
    if is_shared(nodes, engine.name):
        return Way("none has to travel: the nodes run from this engine's own images")
    if may(run, tools, "get", "configmaps", ADVERTISED[0]):
        asked = ("-n", ADVERTISED[0], "get", "configmap", ADVERTISED[1], "--ignore-not-found")
        read = kubectl(run, tools, *asked, "-o", "json").stdout
        push, pull = advertised(answers.read(read or "{}", "kubectl"))
        if push:
            return Way(f"by the registry {push}, which the cluster advertises", (), push, pull)
    raise failure(
        "IMAGES-NO-WAY",
        f"context {run.settings.context}",
        "no way is known by which images get to this cluster's nodes",
        "its nodes are no containers of this docker engine that run containerd or docker, and it "
        "advertises no registry",
        "name a registry that you may push to and the nodes can pull from: phase4.images.registry",
    )


def common_processor(nodes: list[dict[str, Any]], here: str) -> str:
    """Refuse a cluster whose nodes cannot run this engine's images. Raises IMAGE-ARCHITECTURE.

    here: the engine's processor. Returns it if only some nodes have it, so that pods are kept to
    those; empty otherwise. Nodes that take no pods do not count.
    """
    open_ = [one for one in nodes if not one.get("spec", {}).get("unschedulable")]
    told = {
        one["metadata"]["name"]: one["status"]["nodeInfo"].get("architecture", "") for one in open_
    }
    other = {name: made for name, made in told.items() if here and made and made != here}
    if not other:
        return ""
    if len(other) < len(told):
        return here
    name, made = next(iter(other.items()))
    raise failure(
        "IMAGE-ARCHITECTURE",
        f"node/{name}",
        f"the cluster's nodes are {made}, and this engine builds images for {here}",
        "\n".join(f"{node}: {processor}" for node, processor in told.items()),
        f"run this on a machine whose processor is {made}, or choose a cluster of {here}",
    )


def is_shared(nodes: list[dict[str, Any]], engine: str) -> bool:
    """Whether the nodes take their images from this engine: Docker Desktop, for example.

    engine: name of the machine where the engine runs. The node has the same name then.
    """
    return bool(nodes) and all(
        one["metadata"]["name"] == engine
        and one["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("docker://")
        for one in nodes
    )


def advertised(config: Mapping[str, Any]) -> tuple[str, str]:
    """Read the ConfigMap of KEP-1755: the registry as this machine and as the nodes name it."""
    try:
        told = yaml.safe_load((config.get("data") or {}).get(ADVERTISED[2], "")) or {}
    except yaml.YAMLError:
        return "", ""
    if not isinstance(told, dict) or not told.get("host"):
        return "", ""
    host = str(told["host"])
    return host, str(told.get("hostFromContainerRuntime") or host)


def way_of(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Way:
    """How images reach the cluster, for those who only look; nothing is refused."""
    if not run.settings.is_there:
        return own_way(run, engine, tools)
    try:
        return way(run, engine, tools)
    except Failure as error:
        return Way(error.findings[0].summary)


def no_minikube(run: Run, upstream: bool) -> Found:
    """Stand for minikube, which a cluster that is there does not need."""
    del run, upstream
    return Found("minikube", Path("minikube"), "", "not needed")


def not_ours(run: Run, what: str) -> Failure:
    """Refuse to do something to the cluster itself."""
    context = run.settings.context
    return failure(
        "CLUSTER-NOT-OURS",
        f"context {context}",
        f"{context} is not a cluster of this project, so it is never {what}",
        remedy="leave phase4.cluster.context empty for a minikube of your own",
    )
