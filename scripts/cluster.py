"""The minikube cluster: started, brought back, furnished with storage, metrics and an ingress controller, described."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts import transport
from scripts.findings import Failure, failure
from scripts.run import Run
from scripts.shell import Result
from scripts.supply import capability_runtime, node
from scripts.supply.cache import digest
from scripts.supply.engine import Engine
from scripts.supply.node import AddonImages, NodeParts
from scripts.supply.tools import Found

TRAEFIK_OFFICIAL = "docker.io/library/traefik:v3.6.12"
MANIFESTS = Path(__file__).parent / "supply" / "addons"
SEEN = "deployments,daemonsets,nodes,storageclasses,ingressclasses,pods"  # what addons and facts are read from
READY_TIMEOUT = 240.0
#: What enforces NetworkPolicies, by the daemon that runs on every node: minikube's default network, ours, and those of `minikube start --cni`.
ENFORCERS = ("kindnet", "network-policies", "calico-node", "cilium")
BRING_BACK_TIMEOUT = 150  # seconds for an API server whose parts are all there; 10 to 15 are usual


@dataclass(frozen=True)
class Cluster:
    """A cluster whose API server answers. address: the node's IP. created: this run made it."""

    profile: str
    context: str
    address: str
    ingress_port: int
    created: bool


@dataclass(frozen=True)
class Facts:
    """What the plan's tasks 1.4 and 4.0 ask of a cluster. policies: the daemon that enforces NetworkPolicies, if one does.

    capacity: of the node, in Kubernetes quantities.
    """

    kubernetes: str
    runtime: str
    default_storage_class: str
    storage_classes: tuple[str, ...]
    ingress_class: str
    ingress_controller: str
    controller_pods: tuple[str, ...]
    policies: str
    capacity: Mapping[str, str]


@dataclass(frozen=True)
class _Marker:
    """What a cluster of ours was made with; kept in our cache while it exists. complete: it has run once."""

    ingress_port: int
    kubernetes_version: str
    complete: bool


@dataclass(frozen=True)
class _Deployed:
    """A deployment or daemon set on the cluster. manifest: the digest of ours that it was made from. available: as a deployment says it."""

    manifest: str
    available: bool


def up(run: Run, engine: Engine, tools: Mapping[str, Found], parts: NodeParts | None) -> Cluster:
    """Return a running cluster: the one that runs, the stopped one brought back, or a new one.

    parts: what a cluster from package registries is made of; None for upstream's own. Raises CLUSTER-NOT-OURS,
    CLUSTER-DIFFERENT, PORT-TAKEN or CLUSTER-START-FAILED.
    """
    wanted = run.settings.cluster
    exists = (node.minikube_home() / "profiles" / wanted.profile).exists()
    _check_ownership(run, exists)
    running = exists and _answers(run, engine, tools["kubectl"])
    if not running:
        if exists and not _marker(run).complete:
            run.say("the last start was cut off: starting afresh")
            delete(run, tools["minikube"])
            exists = False
        _check_port(run, engine)
        _check_memory(run, engine)
        _write_marker(run, complete=exists)
        run.say("starting the cluster" if not exists else "bringing the cluster back")
        try:
            _start(run, engine, tools["minikube"], parts, exists)
        except Failure:
            if not exists:
                raise
            # Seen once after a kill: a kubelet that started no API server. Twice the same is no accident.
            run.say("it did not come back: once more, from a stopped node")
            run.shell.run(engine.client, "stop", "--time", "30", wanted.profile, timeout=90, check=False)
            _start(run, engine, tools["minikube"], parts, exists)
        _write_marker(run, complete=True)
    address = _address(run, engine)
    return Cluster(wanted.profile, run.settings.context, address, wanted.ingress_port, created=not exists)


def _check_ownership(run: Run, exists: bool) -> None:
    """Refuse a profile that this project did not make, and one made with other settings."""
    wanted, path = run.settings.cluster, _marker_path(run)
    if not exists:
        return
    if not path.exists():
        raise failure(
            "CLUSTER-NOT-OURS",
            f"minikube profile {wanted.profile}",
            f"there is a minikube profile named {wanted.profile} that this project did not make",
            str(node.minikube_home() / "profiles" / wanted.profile),
            "choose another name (phase4.cluster.profile), or delete it yourself: minikube delete -p " + wanted.profile,
        )
    made = _marker(run)
    differing = [
        f"{name}: made with {getattr(made, name)}, settings say {getattr(wanted, name)}"
        for name in ("ingress_port", "kubernetes_version")
        if getattr(made, name) != getattr(wanted, name)
    ]
    if differing:
        raise failure(
            "CLUSTER-DIFFERENT",
            f"minikube profile {wanted.profile}",
            "the cluster was made with other settings, and these cannot be changed while it lives",
            "\n".join(differing),
            "set them back, or `invoke destroy` (its data goes with it) and `invoke deploy`",
        )


def _answers(run: Run, engine: Engine, kubectl: Found) -> bool:
    """The node runs and its API server says that it is ready."""
    state = run.shell.run(engine.client, "container", "inspect", "--format", "{{.State.Running}}", run.settings.cluster.profile, check=False)
    if state.stdout.strip() != "true":
        return False
    ready = run.shell.run(kubectl.path, "--context", run.settings.context, "get", "--raw", "/readyz", "--request-timeout=5s", timeout=15, check=False)
    return ready.ok and ready.stdout.strip() == "ok"


def _check_port(run: Run, engine: Engine) -> None:
    """The loopback port of the ingress must be free, unless our own node holds it."""
    port, profile = run.settings.cluster.ingress_port, run.settings.cluster.profile
    state = run.shell.run(engine.client, "container", "inspect", "--format", "{{.State.Running}}", profile, check=False)
    if state.stdout.strip() == "true":
        return
    check_port_free(run, port)


def _check_memory(run: Run, engine: Engine) -> None:
    """The engine may have less than the machine: Docker Desktop and WSL2 give it a share."""
    wanted, given = run.settings.cluster.memory, engine.memory >> 20
    if given < wanted:
        raise failure(
            "MEMORY-TOO-SMALL",
            "docker",
            f"the docker engine has {given} MiB of memory, and the cluster alone takes {wanted}",
            "Docker Desktop: Settings, Resources; WSL2: memory= in .wslconfig",
            f"give the engine more, or the cluster less: INVOKE_PHASE4_CLUSTER_MEMORY={max(2048, given - 512)} (2048 at least)",
        )


def check_port_free(run: Run, port: int) -> None:
    """Raise PORT-TAKEN when something listens on 127.0.0.1:port, with its name where that can be known."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # a port that only the engine may open
            raise failure(
                "PORT-TAKEN",
                f"127.0.0.1:{port}",
                f"port {port} on this machine is taken, and the app's address needs it",
                _holder(run, port) or str(error),
                f"end that program, or choose another port: INVOKE_PHASE4_CLUSTER_INGRESS_PORT={port + 1} invoke deploy",
            ) from error


def _holder(run: Run, port: int) -> str:
    """Who listens on a port, by ss or lsof, as far as this user may know."""
    for argv in (["ss", "-Hltnp", f"sport = :{port}"], ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN"]):
        if run.shell.which(argv[0]):
            return run.shell.run(*argv, check=False).stdout.strip()
    return ""


def _start(run: Run, engine: Engine, minikube: Found, parts: NodeParts | None, exists: bool) -> None:
    wanted = run.settings.cluster
    argv: list[str | Path] = [
        minikube.path, "start", "-p", wanted.profile, "--driver=docker", "--container-runtime=containerd",
        f"--kubernetes-version={wanted.kubernetes_version}", f"--memory={wanted.memory}", f"--cpus={wanted.cpus}",
        f"--ports=127.0.0.1:{wanted.ingress_port}:80", "--keep-context", "--interactive=false", "--output=json",
        *(["--force"] if os.geteuid() == 0 else []), *([f"--wait-timeout={BRING_BACK_TIMEOUT}s"] if exists else []),
    ]  # fmt: skip
    if parts:
        # A volume that is there has its images, and must not have others unpacked over them.
        filled = run.shell.run(engine.client, "volume", "inspect", wanted.profile, check=False).ok
        argv += [f"--base-image={parts.base_image}", f"--preload={'false' if filled else 'true'}", "--cni=bridge", "--install-addons=false"]
    if "CAP_SYS_RESOURCE" in capability_runtime.missing_here():
        argv.append("--extra-config=kubelet.feature-gates=KubeletInUserNamespace=true")
    result = run.shell.run(*argv, timeout=wanted.start_timeout, env=_minikube_env(), on_line=lambda line: _say_step(run, line), check=False)
    if not result.ok:
        raise _start_failure(run, engine, result)


def _minikube_env() -> dict[str, str]:
    return {"MINIKUBE_WANTUPDATENOTIFICATION": "false", "MINIKUBE_WANTREPORTERRORPROMPT": "false", "MINIKUBE_IN_STYLE": "false"}


def _say_step(run: Run, line: str) -> None:
    event = _event(line)
    if event.get("type") == "io.k8s.sigs.minikube.step":
        run.say(event["data"]["message"].strip())


def _event(line: str) -> dict[str, Any]:
    """One line of `minikube --output=json` (CloudEvents); an empty event for anything else."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("data"), dict) else {}


def _start_failure(run: Run, engine: Engine, result: Result) -> Exception:
    errors = [event["data"] for event in map(_event, result.stdout.splitlines()) if event.get("type") == "io.k8s.sigs.minikube.error"]
    words = "\n".join(error.get("message", "").strip() for error in errors) or result.tail(10)
    advice = next((error["advice"] for error in errors if error.get("advice")), "")
    name = next((error["name"] for error in errors if error.get("name")), "")
    node_log = _node_words(run, engine)
    return failure(
        "CLUSTER-START-FAILED",
        f"minikube profile {run.settings.cluster.profile}",
        f"minikube could not start the cluster{f' ({name})' if name else ''}",
        "\n".join(words.splitlines()[-15:]) + (f"\nthe node's own words:\n{node_log}" if node_log else ""),
        advice or "run the command again; `invoke destroy` and `invoke deploy` start afresh",
    )


def _node_words(run: Run, engine: Engine) -> str:
    """What kubelet and containerd last called an error, or how the node's own start ended."""
    profile = run.settings.cluster.profile
    journal = ("exec", profile, "journalctl", "--no-pager", "--output=cat", "--lines=300", "-u", "kubelet", "-u", "containerd")
    said = run.shell.run(engine.client, *journal, check=False).stdout.splitlines()
    errors = [line for line in said if re.match(r"[EF]\d{4} ", line) or re.search(r"level=(error|fatal)|Failed to start", line)]
    words = list(dict.fromkeys(re.sub(r"^[EF]\d{4} \S+\s+\d+ ", "", line)[:300] for line in errors))[-6:]
    return "\n".join(words) or run.shell.run(engine.client, "logs", "--tail", "5", profile, check=False).tail(5)


def _address(run: Run, engine: Engine) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return run.shell.run(engine.client, "container", "inspect", "--format", template, run.settings.cluster.profile).stdout.split()[0]


def _marker_path(run: Run) -> Path:
    return run.settings.cache / "clusters" / f"{run.settings.cluster.profile}.json"


def _marker(run: Run) -> _Marker:
    read = json.loads(_marker_path(run).read_text(encoding="utf-8"))
    return _Marker(read["ingress_port"], read["kubernetes_version"], read.get("complete", True))


def _write_marker(run: Run, complete: bool) -> None:
    wanted = run.settings.cluster
    if run.shell.dry:
        return
    path = _marker_path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(_Marker(wanted.ingress_port, wanted.kubernetes_version, complete))), encoding="utf-8")


def down(run: Run, minikube: Found) -> None:
    """Stop the cluster; its data stays."""
    _check_ownership(run, (node.minikube_home() / "profiles" / run.settings.cluster.profile).exists())
    run.shell.run(minikube.path, "stop", "-p", run.settings.cluster.profile, timeout=180, env=_minikube_env())


def delete(run: Run, minikube: Found) -> None:
    """Delete the cluster with everything in it. Raises CLUSTER-NOT-OURS for one that this project did not make."""
    profile = run.settings.cluster.profile
    exists = (node.minikube_home() / "profiles" / profile).exists()
    if exists and not _marker_path(run).exists():
        _check_ownership(run, exists)
    if exists:
        run.shell.run(minikube.path, "delete", "-p", profile, timeout=300, env=_minikube_env())
    if not run.shell.dry:
        _marker_path(run).unlink(missing_ok=True)


def kubectl(run: Run, tools: Mapping[str, Found], *arguments: str, **options: Any) -> Result:
    """kubectl against this project's own context, never the current one."""
    return run.shell.run(tools["kubectl"].path, "--context", run.settings.context, *arguments, **options)


def furnish(run: Run, engine: Engine, tools: Mapping[str, Found], images: AddonImages) -> list[dict[str, Any]]:
    """Add what a bare cluster lacks: a storage class, metrics, an ingress controller. Raises ADDON-NOT-READY.

    Returns the objects that were seen (SEEN); none when something was added, for then they are others.
    """
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(get_items, run, tools, SEEN, "-A")
        transport.load_archives(run, engine, images.archives)
    from_registries = bool(images.archives)
    seen = looking.result()
    present = _deployed(seen)
    enabled = _enabled_addons(run)
    wanted = {"metrics-server", *(["storage-provisioner-rancher"] if from_registries else [])}
    if "storage-provisioner-rancher" in wanted - enabled:
        _enable(run, tools, "storage-provisioner-rancher", LocalPathProvisioner=node.ADDONS["local-path-provisioner"], Helper=node.BUSYBOX)
    if "metrics-server" in wanted - enabled:
        own = {"MetricsServer": node.ADDONS["metrics-server"]} if from_registries else {}
        _enable(run, tools, "metrics-server", **own)
    added = False
    if from_registries:  # nobody waits for it: a kernel that it cannot use is a fact about the cluster, no reason to deploy nothing
        added |= _apply(run, tools, "network-policies", node.NETWORK_POLICIES, present.get("kube-system/network-policies"))
    if "ingress/traefik" in present or not any(item["kind"] == "IngressClass" for item in seen):
        there = present.get("ingress/traefik")
        applied = _apply(run, tools, "traefik", node.ADDONS["traefik"] if from_registries else TRAEFIK_OFFICIAL, there)
        if applied or not (there and there.available):
            _wait_available(run, tools, ["ingress/traefik"])
            added = True
    return [] if added or not wanted <= enabled else seen


def _apply(run: Run, tools: Mapping[str, Found], name: str, image: str, there: _Deployed | None) -> bool:
    """Apply our manifest of this name, with this image, unless the cluster has this very one. Whether there was something to do."""
    manifest = (MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8").replace("image: IMAGE", f"image: {image}")
    key = digest(manifest)
    if there and there.manifest == key:
        return False
    run.say(f"installing {name}")
    kubectl(run, tools, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest.replace("MANIFEST_DIGEST", key))
    return True


def _enable(run: Run, tools: Mapping[str, Found], addon: str, **images: str) -> None:
    run.say(f"enabling the addon {addon}")
    own = {name: reference.split("/", 1) for name, reference in images.items()}
    choices = []
    if own:
        choices = [
            "--images=" + ",".join(f"{name}={path}" for name, (_, path) in own.items()),
            "--registries=" + ",".join(f"{name}={registry}" for name, (registry, _) in own.items()),
        ]
    run.shell.run(tools["minikube"].path, "addons", "enable", addon, "-p", run.settings.cluster.profile, *choices, timeout=180, env=_minikube_env())


def _enabled_addons(run: Run) -> set[str]:
    """What minikube has on its list. Not the same as what runs: a start with --install-addons=false empties the list."""
    # The file that `minikube addons list` reads, and needs a second for.
    profile = json.loads((node.minikube_home() / "profiles" / run.settings.cluster.profile / "config.json").read_text(encoding="utf-8"))
    return {name for name, enabled in (profile.get("Addons") or {}).items() if enabled}


def _deployed(seen: Iterable[Mapping[str, Any]]) -> dict[str, _Deployed]:
    """Every deployment and daemon set among these objects, as namespace/name."""
    found = {}
    for item in (item for item in seen if item["kind"] in ("Deployment", "DaemonSet")):
        metadata, status = item["metadata"], item.get("status", {})
        available = any(one["type"] == "Available" and one["status"] == "True" for one in status.get("conditions", []))
        found[f"{metadata['namespace']}/{metadata['name']}"] = _Deployed((metadata.get("annotations") or {}).get("phase4/manifest", ""), available)
    return found


def _on_every_node(item: Mapping[str, Any]) -> bool:
    """A daemon set has a ready pod wherever it wants one."""
    status = item.get("status", {})
    return bool(status.get("numberReady", 0) == status.get("desiredNumberScheduled", 0) > 0)


def get_items(run: Run, tools: Mapping[str, Found], *arguments: str) -> list[dict[str, Any]]:
    """The items of `kubectl get ... -o json`."""
    items: list[dict[str, Any]] = json.loads(kubectl(run, tools, "get", *arguments, "-o", "json").stdout)["items"]
    return items


def _wait_available(run: Run, tools: Mapping[str, Found], deployments: list[str]) -> None:
    for name in deployments:
        namespace, deployment = name.split("/")
        waited = kubectl(
            run, tools, "-n", namespace, "wait", "--for=condition=Available", f"deployment/{deployment}",
            f"--timeout={READY_TIMEOUT:.0f}s", timeout=READY_TIMEOUT + 30, check=False,
        )  # fmt: skip
        if not waited.ok:
            pods = kubectl(run, tools, "-n", namespace, "get", "pods", "-o", "wide", check=False).stdout
            raise failure(
                "ADDON-NOT-READY",
                f"deployment/{deployment}",
                f"{name} did not become available",
                waited.tail(2) + "\n" + pods,
                f"kubectl --context {run.settings.context} -n {namespace} describe pods",
            )


def facts(run: Run, tools: Mapping[str, Found], seen: Sequence[Mapping[str, Any]] = ()) -> Facts:
    """Read the cluster, or what was seen of it just now (SEEN). Raises STORAGE-CLASS-MISSING or INGRESS-CLASS-MISSING."""
    items = seen or get_items(run, tools, SEEN, "-A")
    reads = {
        name: {"items": [item for item in items if item["kind"] == kind]}
        for name, kind in (("nodes", "Node"), ("storage", "StorageClass"), ("classes", "IngressClass"), ("pods", "Pod"), ("daemons", "DaemonSet"))
    }
    return parse_facts(**reads)


def parse_facts(nodes: Any, storage: Any, classes: Any, pods: Any, daemons: Any) -> Facts:
    """Facts from `kubectl get ... -o json` of nodes, storageclasses, ingressclasses, pods and daemonsets."""
    default = [one["metadata"]["name"] for one in storage["items"] if _is_default(one, "storageclass.kubernetes.io/is-default-class")]
    if not default:
        raise failure(
            "STORAGE-CLASS-MISSING",
            "storageclass",
            "the cluster has no default storage class, so no volume would be made for the database",
            "storage classes: " + (", ".join(one["metadata"]["name"] for one in storage["items"]) or "none"),
            "`invoke cluster-up` adds one to a cluster of ours",
        )
    if not classes["items"]:
        raise failure(
            "INGRESS-CLASS-MISSING",
            "ingressclass",
            "the cluster has no ingress class, so nothing would serve the Ingress",
            remedy="`invoke cluster-up` adds a controller",
        )
    chosen = next((one for one in classes["items"] if _is_default(one, "ingressclass.kubernetes.io/is-default-class")), classes["items"][0])
    controller = chosen["spec"]["controller"]
    word = next((kind for kind in ("traefik", "nginx", "haproxy") if kind in controller), controller)
    serving = [pod for pod in pods["items"] if any(word in container["image"] for container in pod["spec"]["containers"])]
    first = nodes["items"][0]["status"]
    return Facts(
        first["nodeInfo"]["kubeletVersion"],
        first["nodeInfo"]["containerRuntimeVersion"],
        default[0],
        tuple(one["metadata"]["name"] for one in storage["items"]),
        chosen["metadata"]["name"],
        controller,
        tuple(f"{pod['metadata']['namespace']}/{pod['metadata']['name']} {pod['status']['phase']}" for pod in serving),
        next((one["metadata"]["name"] for one in daemons["items"] if one["metadata"]["name"] in ENFORCERS and _on_every_node(one)), ""),
        {name: first["allocatable"][name] for name in ("cpu", "memory", "pods", "ephemeral-storage") if name in first["allocatable"]},
    )


def _is_default(item: Any, annotation: str) -> bool:
    return (item["metadata"].get("annotations") or {}).get(annotation) == "true"
