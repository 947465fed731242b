"""Start, restart, stop and delete the minikube cluster of this project."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.cluster import workers
from scripts.machine import capability_runtime
from scripts.machine.engine import Engine
from scripts.machine.ports import check_port_free
from scripts.session import settings
from scripts.session.cache import write_whole
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.node import NodeParts
from scripts.supply.tools import Found

#: With the programs and the key that minikube puts on the node.
ASK_ON_NODE = (
    "set -- /var/lib/minikube/binaries/*/kubectl; "
    '"$1" --kubeconfig=/var/lib/minikube/kubeconfig get --raw /readyz --request-timeout=5s'
)
RESET = "will reset cluster"  # minikube's words for the end of all data of a cluster
NODE_READY = "new-node"  # the milestone that a node of a new cluster passes
BRING_BACK_TIMEOUT = (
    150  # seconds until the API server of an old cluster answers; 10 to 15 are usual
)


@dataclass(frozen=True)
class Cluster:
    """A cluster whose API server answers. address: the node's IP. created: this run created it."""

    profile: str
    context: str
    address: str
    ingress_port: int
    created: bool


@dataclass(frozen=True)
class _Marker:
    """What a cluster of this project was created with. It is in the cache while the cluster exists.

    complete: the cluster has run once, with all its nodes.
    """

    ingress_port: int
    kubernetes_version: str
    complete: bool
    nodes: int = 1


def up(
    run: Run,
    engine: Engine,
    tools: Mapping[str, Found],
    minikube: Found,
    parts: NodeParts | None,
) -> Cluster:
    """Return a running cluster: the one that runs, else the stopped one, started, else a new one.

    parts: what a cluster from package registries is made of; None if upstream's are used. Raises
    CLUSTER-NOT-OURS, CLUSTER-DIFFERENT, CONTEXT-MISSING, PORT-TAKEN, MEMORY-TOO-SMALL or
    CLUSTER-START-FAILED.
    """
    wanted = run.settings.cluster
    exists = (settings.minikube_home() / "profiles" / wanted.profile).exists()
    _check_ownership(run, exists)
    running = exists and _answers(run, engine, tools["kubectl"])
    if not running:
        _check_kubeconfig(run, tools["kubectl"])
        running = exists and _found_again(run, engine, tools["kubectl"], minikube)
    if running and wanted.nodes > 1:
        running = workers.are_well(run, engine, tools)
    if not running:
        if exists and not _marker(run).complete:
            run.say("the last start was interrupted: creating the cluster anew")
            delete(run, minikube)
            exists = False
        _check_port(run, engine)
        _check_memory(run, engine)
        _write_marker(run, complete=exists)
        run.say("starting the cluster" if not exists else "bringing the cluster back")
        if exists:
            _write_entry(run, tools["kubectl"])
        try:
            reset = _start(run, engine, minikube, parts, exists)
        except Failure:
            if not exists:
                raise
            # Seen once after a kill: the kubelet started no API server. A second start helps; if it
            # fails too, the cause is another one.
            run.say("it did not come back: stopping the node and trying once more")
            run.shell.run(
                engine.client, "stop", "--time", "30", wanted.profile, timeout=90, check=False
            )
            reset = _start(run, engine, minikube, parts, exists)
        if not exists and wanted.nodes > 1:
            workers.join(run, engine, tools, minikube, environment(), parts is not None)
        _write_marker(run, complete=True)
        if reset:
            raise _lost(run)
    address = _address(run, engine)
    return Cluster(
        wanted.profile, run.settings.context, address, wanted.ingress_port, created=not exists
    )


def _check_ownership(run: Run, exists: bool) -> None:
    """Refuse a profile that this project did not create, and one with other settings."""
    wanted, path = run.settings.cluster, _marker_path(run)
    if not exists:
        return
    if not path.exists():
        raise failure(
            "CLUSTER-NOT-OURS",
            f"minikube profile {wanted.profile}",
            f"a minikube profile named {wanted.profile} exists, and this project did not create it",
            str(settings.minikube_home() / "profiles" / wanted.profile),
            "choose another name (phase4.cluster.profile), "
            f"or delete it yourself: minikube delete -p {wanted.profile}",
        )
    made = _marker(run)
    differing = [
        f"{name}: created with {getattr(made, name)}, settings say {getattr(wanted, name)}"
        for name in ("ingress_port", "kubernetes_version", "nodes")
        if getattr(made, name) != getattr(wanted, name)
    ]
    if differing:
        raise failure(
            "CLUSTER-DIFFERENT",
            f"minikube profile {wanted.profile}",
            "the cluster was created with other settings, and a cluster cannot change these",
            "\n".join(differing),
            "set them back, or run `invoke destroy` (this deletes its data) and `invoke deploy`",
        )


def _answers(run: Run, engine: Engine, kubectl: Found) -> bool:
    """Return whether the first node runs and its API server says that it is ready."""
    state = run.shell.run(
        engine.client,
        "container",
        "inspect",
        "--format",
        "{{.State.Running}}",
        run.settings.cluster.profile,
        check=False,
    )
    if state.stdout.strip() != "true":
        return False
    ready = run.shell.run(
        kubectl.path,
        "--context",
        run.settings.context,
        "get",
        "--raw",
        "/readyz",
        "--request-timeout=5s",
        timeout=15,
        check=False,
    )
    return ready.ok and ready.stdout.strip() == "ok"


def answers_on_node(run: Run, engine: Engine) -> bool:
    """Whether the API answers on the node itself, asked by the programs that minikube puts there.

    Then nothing is wrong with the cluster, but with what this machine knows of it.
    """
    node = run.settings.cluster.profile
    return run.shell.run(
        engine.client, "exec", node, "sh", "-c", ASK_ON_NODE, check=False, reads=True
    ).ok


def _check_kubeconfig(run: Run, kubectl: Found) -> None:
    """Refuse a kubeconfig that cannot be read.

    minikube cannot write its entry into such a file, takes a cluster that runs for one that cannot
    be restarted, and resets it: its data would be lost.
    """
    read = run.shell.run(kubectl.path, "config", "view", check=False)
    file = kubeconfig()
    if read.ok and not _can_write(file):
        raise failure(
            "CONTEXT-MISSING",
            "kubeconfig",
            f"the kubeconfig {file} cannot be written, so no cluster can be written into it",
            remedy="make it yours, or name another one in KUBECONFIG",
        )
    if read.ok:
        return
    raise failure(
        "CONTEXT-MISSING",
        "kubeconfig",
        "the kubeconfig cannot be read, so no cluster can be written into it",
        read.tail(3),
        "mend the file that is named or move it away, then run the command again",
    )


def kubeconfig() -> Path:
    """The file that minikube writes to: the first of KUBECONFIG that is there, or the first."""
    named = [Path(one) for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    usual = Path.home() / ".kube" / "config"
    return next((one for one in named if one.exists()), named[0] if named else usual)


def _can_write(file: Path) -> bool:
    """Whether this user may write a file, or make it."""
    there = next(one for one in (file, *file.parents) if one.exists())
    return os.access(there, os.W_OK)


def _found_again(run: Run, engine: Engine, kubectl: Found, minikube: Found) -> bool:
    """Whether a cluster that runs answers once its entry in the kubeconfig is written anew.

    That takes a second. A start would take a minute, and stop what runs. Raises CONTEXT-MISSING for
    a cluster that answers on its node and not from here.
    """
    if run.shell.dry or not answers_on_node(run, engine):
        return False
    run.say("the cluster runs, and the kubeconfig does not lead to it: writing its entry anew")
    profile = run.settings.cluster.profile
    _write_entry(run, kubectl)
    update = (minikube.path, "update-context", "-p", profile)
    said = run.shell.run(*update, timeout=60, env=environment(), check=False)
    if _answers(run, engine, kubectl):
        return True
    raise failure(
        "CONTEXT-MISSING",
        run.settings.context,
        "the cluster answers on its node, and cannot be reached from here",
        said.tail(3),
        "`invoke cluster-down`, then `invoke deploy`",
    )


def _write_entry(run: Run, kubectl: Found) -> None:
    """Write this cluster's entry into the kubeconfig; minikube puts the address in.

    minikube asks the cluster by this entry while it starts it. Without one, or with one that is
    spoilt, it says that the cluster cannot be restarted, and resets it: all data would be lost.
    """
    name, home = run.settings.context, settings.minikube_home()
    own = home / "profiles" / run.settings.cluster.profile
    config: tuple[str | Path, ...] = (kubectl.path, "config")
    for kind in ("delete-user", "delete-cluster", "delete-context"):
        run.shell.run(*config, kind, name, check=False)  # with whatever else is in them
    cluster = (f"--certificate-authority={home / 'ca.crt'}", "--server=https://127.0.0.1:8443")
    user = (f"--client-certificate={own / 'client.crt'}", f"--client-key={own / 'client.key'}")
    run.shell.run(*config, "set-cluster", name, *cluster)
    run.shell.run(*config, "set-credentials", name, *user)
    run.shell.run(*config, "set-context", name, f"--cluster={name}", f"--user={name}")


def _check_port(run: Run, engine: Engine) -> None:
    """Check that the ingress's port on loopback is free, or that this project's node has it."""
    port, profile = run.settings.cluster.ingress_port, run.settings.cluster.profile
    state = run.shell.run(
        engine.client,
        "container",
        "inspect",
        "--format",
        "{{.State.Running}}",
        profile,
        check=False,
    )
    if state.stdout.strip() == "true":
        return
    check_port_free(run, port)


def _check_memory(run: Run, engine: Engine) -> None:
    """Check the engine's memory: Docker Desktop and WSL2 give it only a part of the machine's."""
    cluster, given = run.settings.cluster, engine.memory >> 20
    wanted = cluster.memory * cluster.nodes
    if given < wanted:
        raise failure(
            "MEMORY-TOO-SMALL",
            "docker",
            f"the docker engine has {given} MiB of memory, and the cluster alone takes {wanted}",
            "Docker Desktop: Settings, Resources; WSL2: memory= in .wslconfig",
            "give the engine more, or the cluster less: "
            f"INVOKE_PHASE4_CLUSTER_MEMORY={max(2048, given // cluster.nodes - 512)} "
            "for each node (2048 at least)",
        )


def _start(
    run: Run, engine: Engine, minikube: Found, parts: NodeParts | None, exists: bool
) -> bool:
    """Start it. Whether minikube reset an old cluster because it could not restart it."""
    wanted = run.settings.cluster
    argv: list[str | Path] = [
        minikube.path, "start", "-p", wanted.profile, "--driver=docker",
        "--container-runtime=containerd", f"--kubernetes-version={wanted.kubernetes_version}",
        f"--memory={wanted.memory}", f"--cpus={wanted.cpus}",
        "--keep-context", "--interactive=false", "--output=json",
        *([] if exists else [f"--ports=127.0.0.1:{wanted.ingress_port}:80"]),
        *(["--force"] if os.geteuid() == 0 else []),
        *([f"--wait-timeout={BRING_BACK_TIMEOUT}s"] if exists else []),
    ]  # fmt: skip
    if parts:
        # An existing volume has its images; no others must be unpacked over them.
        filled = run.shell.run(engine.client, "volume", "inspect", wanted.profile, check=False).ok
        argv += [
            f"--base-image={parts.base_image}",
            f"--preload={'false' if filled else 'true'}",
            # Of several nodes, each needs a range of its own: see workers.
            "--cni=bridge" if wanted.nodes == 1 else "--cni=false",
            "--install-addons=false",
        ]
    if "CAP_SYS_RESOURCE" in capability_runtime.missing_here():
        argv.append("--extra-config=kubelet.feature-gates=KubeletInUserNamespace=true")
    result = run.shell.run(
        *argv,
        timeout=wanted.start_timeout,
        env=environment(),
        on_line=_follow(run, new=not exists),
        check=False,
    )
    if not result.ok:
        raise _start_failure(run, engine, result)
    return exists and RESET in result.stdout + result.stderr


def _lost(run: Run) -> Failure:
    return failure(
        "CLUSTER-START-FAILED",
        f"minikube profile {run.settings.cluster.profile}",
        "minikube could not restart the cluster and has reset it: what was on it is gone",
        f"minikube's words: {RESET}",
        "`invoke deploy` puts the app on it again, and `invoke db-restore` a dump of its data",
    )


def environment() -> dict[str, str]:
    """Return variables that stop minikube's questions, update checks and decorated output."""
    return {
        "MINIKUBE_WANTUPDATENOTIFICATION": "false",
        "MINIKUBE_WANTREPORTERRORPROMPT": "false",
        "MINIKUBE_IN_STYLE": "false",
    }


def _follow(run: Run, new: bool) -> Callable[[str], None]:
    """Return a function that shows minikube's steps, and reports when the node can take images.

    That is the step after "Preparing Kubernetes": minikube has then configured the node's runtime
    and started it for the last time.
    """
    before: list[str] = []

    def on_line(line: str) -> None:
        event = _event(line)
        if event.get("type") == "io.k8s.sigs.minikube.step":
            run.say(str(event["data"].get("message", "")).strip())
            if new and before[-1:] == ["Preparing Kubernetes"]:
                run.reached(NODE_READY)
            before.append(str(event["data"].get("name", "")))

    return on_line


def _event(line: str) -> dict[str, Any]:
    """Return one line of `minikube --output=json` (a CloudEvent); empty for anything else."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("data"), dict) else {}


def _start_failure(run: Run, engine: Engine, result: Result) -> Exception:
    errors = [
        event["data"]
        for event in map(_event, result.stdout.splitlines())
        if event.get("type") == "io.k8s.sigs.minikube.error"
    ]
    words = "\n".join(str(one.get("message", "")).strip() for one in errors) or result.tail(10)
    advice = next((str(error["advice"]) for error in errors if error.get("advice")), "")
    name = next((error["name"] for error in errors if error.get("name")), "")
    subject = f"minikube profile {run.settings.cluster.profile}"
    if "Unknown runtime specified" in words:
        return failure(
            "CLUSTER-START-FAILED",
            subject,
            "the cluster was made by a docker engine that this project had started, and the one "
            "that runs now was started in another way",
            words,
            "end that engine and run the command again: it starts the engine as before. To keep "
            "that engine: `invoke destroy` (this deletes the cluster's data), then `invoke deploy`",
        )
    node_log = _node_words(run, engine)
    return failure(
        "CLUSTER-START-FAILED",
        subject,
        f"minikube could not start the cluster{f' ({name})' if name else ''}",
        "\n".join(words.splitlines()[-15:])
        + (f"\nthe node's own words:\n{node_log}" if node_log else ""),
        advice
        or "run the command again; to start from nothing: `invoke destroy`, then `invoke deploy`",
    )


def _node_words(run: Run, engine: Engine) -> str:
    """Return the last errors of kubelet and containerd, else the node's last log lines."""
    profile = run.settings.cluster.profile
    journal = (
        "exec",
        profile,
        "journalctl",
        "--no-pager",
        "--output=cat",
        "--lines=300",
        "-u",
        "kubelet",
        "-u",
        "containerd",
    )
    said = run.shell.run(engine.client, *journal, check=False).stdout.splitlines()
    errors = [
        line
        for line in said
        if re.match(r"[EF]\d{4} ", line) or re.search(r"level=(error|fatal)|Failed to start", line)
    ]
    words = list(
        dict.fromkeys(re.sub(r"^[EF]\d{4} \S+\s+\d+ ", "", line)[:300] for line in errors)
    )[-6:]
    return "\n".join(words) or run.shell.run(
        engine.client, "logs", "--tail", "5", profile, check=False
    ).tail(5)


def _address(run: Run, engine: Engine) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return run.shell.run(
        engine.client, "container", "inspect", "--format", template, run.settings.cluster.profile
    ).stdout.split()[0]


def _marker_path(run: Run) -> Path:
    return run.settings.cache / "clusters" / f"{run.settings.cluster.profile}.json"


def _marker(run: Run) -> _Marker:
    """The cluster's record. One that is damaged says still whose the cluster is."""
    wanted = run.settings.cluster
    try:
        read = json.loads(_marker_path(run).read_text(encoding="utf-8"))
        return _Marker(
            read["ingress_port"],
            read["kubernetes_version"],
            read.get("complete", True),
            read.get("nodes", 1),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        run.say("the cluster's record is damaged: taking the settings for what it was made with")
        _write_marker(run, complete=True)
        return _Marker(wanted.ingress_port, wanted.kubernetes_version, True, wanted.nodes)


def _write_marker(run: Run, complete: bool) -> None:
    wanted = run.settings.cluster
    if run.shell.dry:
        return
    marker = _Marker(wanted.ingress_port, wanted.kubernetes_version, complete, wanted.nodes)
    # Whole or not at all: a cluster whose record is empty could not be used any more.
    write_whole(_marker_path(run), json.dumps(asdict(marker)))


def down(run: Run, minikube: Found) -> None:
    """Stop the cluster; its data stays."""
    _check_ownership(
        run, (settings.minikube_home() / "profiles" / run.settings.cluster.profile).exists()
    )
    run.shell.run(
        minikube.path, "stop", "-p", run.settings.cluster.profile, timeout=180, env=environment()
    )


def delete(run: Run, minikube: Found) -> None:
    """Delete the cluster with everything in it.

    The marker of a cluster of ours goes last, so that it is known as ours however this ends.
    Raises CLUSTER-NOT-OURS for one that this project did not create.
    """
    profile = run.settings.cluster.profile
    folder = settings.minikube_home() / "profiles" / profile
    if folder.exists():
        if not _marker_path(run).exists():
            _check_ownership(run, exists=True)
        run.shell.run(minikube.path, "delete", "-p", profile, timeout=300, env=environment())
    if not run.shell.dry and not folder.exists():
        _marker_path(run).unlink(missing_ok=True)
