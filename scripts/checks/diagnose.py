"""What is wrong with a deployed app, the cause before its consequences.

Everything is looked at once (`observe`) and judged without touching anything (`judge`). Layers stand on each other: node,
volume, pod, service, ingress, address. What a lower layer explains is told as its consequence, not as a finding of its own.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import requests

from scripts.cluster.kubectl import get_items, kubectl
from scripts.images import transport
from scripts.machine import engine as docker
from scripts.machine import preflight
from scripts.machine.engine import Engine
from scripts.release import access, dev, helm, rollout
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.supply.tools import Found

NAMESPACED = "pods,deployments,statefulsets,replicasets,services,endpointslices,ingresses,events,persistentvolumeclaims,configmaps"
#: The keys of Secrets: their values are never asked for.
KEYS = (
    '{{range .items}}{{.metadata.name}}{{range $key, $_ := .data}} {{$key}}{{end}}{{"\\n"}}{{end}}'
)
#: What every pod leans on, by the label of its pods.
SYSTEM = {"kube-dns": "names inside the cluster", "kube-proxy": "the way from Services to pods"}
CLUSTER_WIDE = "nodes,storageclasses,ingressclasses"
COMPONENTS = ("postgres", "backend", "frontend")  # in the order in which they need each other
VAGUE = ("PROBE-FAILING", "CRASH-LOOP", "DATABASE-UNREACHABLE")
#: Prints the body of an answer, whatever its status.
ASK = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=8).read().decode()[:500])
except urllib.error.HTTPError as error:
    print(error.read().decode()[:500])
"""
SKEW = 30.0  # seconds; tokens and certificates mind more than that
TIMEOUT = 8.0
ANSWERS = {
    404: "the ingress controller knows no route for this host and path",
    502: "the ingress controller cannot connect to the pod",
    503: "the service has no ready pod",
    504: "the pod does not answer in time",
}
Objects = list[dict[str, Any]]


@dataclass(frozen=True)
class Observed:
    """What was seen. state: objects of the release's namespace. cluster: those of the whole cluster. controllers: pods of ingress controllers.

    release: helm's newest revision. answers: path -> status through the ingress (0: no connection). name: what the host name resolves to.
    system: pods of the cluster's own namespace. secrets: name -> keys. skew: seconds between this machine's clock and the engine's. stale: workloads that run other contents than their image's name says.
    """

    app: str
    host: str
    address: str
    state: Objects
    cluster: Objects = field(default_factory=list)
    controllers: Objects = field(default_factory=list)
    system: Objects | None = None
    secrets: Mapping[str, set[str]] | None = None
    release: Mapping[str, Any] | None = None
    logs: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    expected: tuple[str, ...] = ("127.0.0.1",)
    skew: float = 0.0
    stale: tuple[str, ...] = ()
    proxy: str = ""


def diagnose(run: Run, tools: Mapping[str, Found]) -> tuple[Finding, ...]:
    """Look at everything from this machine up to the page; what is wrong, the cause first. Empty when nothing is."""
    try:
        preflight.check(run)
        found = docker.present(run)
    except Failure as error:
        return error.findings
    down = _cluster_down(run, found, tools)
    return (down,) if down else judge(observe(run, found, tools))


def _cluster_down(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Finding | None:
    """Why the cluster's API does not answer; None when it does."""
    ready = kubectl(
        run, tools, "get", "--raw", "/readyz", "--request-timeout=5s", timeout=20, check=False
    )
    if ready.ok:
        return None
    profile, words = run.settings.cluster.profile, ready.tail(3)
    if "certificate has expired" in words or "not yet valid" in words:
        remedy = f"if the clock of this machine is right: minikube -p {profile} start renews them"
        return Finding(
            "CERTIFICATE-EXPIRED",
            run.settings.context,
            "the cluster's certificates are not valid now",
            words,
            remedy,
        )
    if "context was not found" in words or ("does not exist" in words and "context" in words):
        told = (
            f"the kubeconfig has no context {run.settings.context}, so nothing can ask the cluster"
        )
        return Finding(
            "CONTEXT-MISSING",
            run.settings.context,
            told,
            words,
            "`invoke deploy` writes it again; or: minikube update-context -p " + profile,
        )
    state = run.shell.run(
        engine.client,
        "container",
        "inspect",
        "--format",
        "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}",
        profile,
        check=False,
    )
    if not state.ok:
        return Finding(
            "CLUSTER-NOT-RUNNING",
            profile,
            f"there is no cluster {profile} on this engine",
            words,
            "invoke deploy",
        )
    if not state.stdout.startswith("running"):
        return Finding(
            "CLUSTER-NOT-RUNNING",
            profile,
            f"the cluster's node is {state.stdout.split()[0]}",
            state.stdout.strip(),
            "invoke deploy",
        )
    kubelet = run.shell.run(
        engine.client,
        "exec",
        profile,
        "sh",
        "-c",
        "crictl ps -a -o json; df -P /var | tail -1",
        check=False,
        reads=True,
    )
    summary = "the cluster's node runs, but its API does not answer"
    return Finding(
        "CLUSTER-NOT-RUNNING",
        profile,
        summary,
        f"{words}\n{_control_plane(kubelet.stdout)}",
        "invoke deploy",
    )


def _control_plane(text: str) -> str:
    """The containers of the control plane that do not run, from `crictl ps -a -o json`."""
    try:
        listed, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return "the container runtime does not answer"
    states = {one["metadata"]["name"]: one["state"] for one in reversed(listed["containers"])}
    down = [
        f"{name} {state.removeprefix('CONTAINER_').lower()}"
        for name, state in states.items()
        if state != "CONTAINER_RUNNING" and name.startswith(("kube-", "etcd"))
    ]
    return "\n".join(down)


def observe(run: Run, engine: Engine, tools: Mapping[str, Found]) -> Observed:
    """Look at the cluster, the release and the way to it. Changes nothing."""
    settings = run.settings
    with ThreadPoolExecutor(6) as pool:
        state = pool.submit(get_items, run, tools, NAMESPACED, "-n", settings.release.namespace)
        cluster = pool.submit(get_items, run, tools, CLUSTER_WIDE)
        pods = pool.submit(get_items, run, tools, "pods", "-A")
        latest = pool.submit(helm.latest, run, tools)
        keys = pool.submit(
            kubectl,
            run,
            tools,
            "-n",
            settings.release.namespace,
            "get",
            "secrets",
            "-o",
            f"go-template={KEYS}",
            check=False,
        )
        clock = pool.submit(
            run.shell.run, engine.client, "info", "--format", "{{.SystemTime}}", check=False
        )
        page = pool.submit(_status, run, "/")
        objects = state.result()
        health = rollout.api_path(objects) + rollout.health_path(objects)
        answers = {"/": page.result(), health: _status(run, health)}
    address = run.shell.run(
        engine.client,
        "container",
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
        settings.cluster.profile,
        check=False,
    )
    controllers = [
        pod
        for pod in pods.result()
        if any(
            re.search("traefik|nginx-ingress|ingress-nginx|haproxy", one["image"])
            for one in pod["spec"]["containers"]
        )
    ]
    observed = Observed(
        settings.release.name,
        settings.release.host,
        f"http://127.0.0.1:{settings.cluster.ingress_port}",
        objects,
        cluster.result(),
        controllers,
        release=latest.result(),
        system=[pod for pod in pods.result() if pod["metadata"]["namespace"] == "kube-system"],
        secrets={
            words[0]: set(words[1:])
            for words in map(str.split, keys.result().stdout.splitlines())
            if words
        }
        if keys.result().ok
        else None,
        answers=answers,
        name=access.resolve(settings.release.host),
        expected=("127.0.0.1", *address.stdout.split()),
        skew=_skew(clock.result().stdout),
        proxy=os.environ.get("http_proxy") or os.environ.get("HTTP_PROXY") or "",
    )
    return replace(
        observed, logs=_logs(run, tools, objects), stale=_stale_workloads(run, engine, objects)
    )


def _stale_workloads(run: Run, engine: Engine, state: Objects) -> tuple[str, ...]:
    """The workloads whose pods run other contents than the node has under their images' names."""
    names = {
        container["image"] for pod in _of(state, "Pod") for container in pod["spec"]["containers"]
    }
    held = transport.holdings(
        run, engine, transport.nodes(run.settings.cluster.profile)[0], names
    ).images
    return tuple(
        rollout.stale(
            state,
            {
                name: held[transport.normalized(name)]
                for name in names
                if transport.normalized(name) in held
            },
        )
    )


def _status(run: Run, path: str) -> int:
    """The ingress' answer to a path; 0 when nothing answers."""
    url = f"http://127.0.0.1:{run.settings.cluster.ingress_port}{path}"
    try:
        return requests.get(
            url, headers={"Host": run.settings.release.host}, timeout=TIMEOUT, proxies={"http": ""}
        ).status_code
    except requests.RequestException:
        return 0


def _skew(text: str) -> float:
    """Seconds between this clock and an RFC 3339 time; 0 when it cannot be read."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    return (
        abs(
            time.time()
            - datetime.fromisoformat(
                match.group(1) + match.group(2).replace("Z", "+00:00")
            ).timestamp()
        )
        if match
        else 0.0
    )


def _logs(run: Run, tools: Mapping[str, Found], state: Objects) -> dict[str, str]:
    """The last lines of the pods that are not ready, and what a backend answers to its readiness probe."""
    unready = [pod for pod in _of(state, "Pod") if not _is_ready(pod)]
    return {
        pod["metadata"][
            "name"
        ]: f"{rollout.last_lines(run, tools, pod)}\n{_readiness(run, tools, pod)}".strip()
        for pod in unready
    }


def _readiness(run: Run, tools: Mapping[str, Found], pod: Mapping[str, Any]) -> str:
    """The body of a refused readiness probe, asked for inside the container: the kubelet keeps the status only."""
    container = pod["spec"]["containers"][0]
    probe = container.get("readinessProbe", {}).get("httpGet")
    running = any(
        "running" in one.get("state", {}) for one in pod["status"].get("containerStatuses", [])
    )
    if not probe or not running or _component_of(pod) != "backend":
        return ""
    ports = {one.get("name"): one["containerPort"] for one in container.get("ports", [])}
    url = f"http://127.0.0.1:{ports.get(probe['port'], probe['port'])}{probe['path']}"
    scope = (
        "-n",
        run.settings.release.namespace,
        "exec",
        pod["metadata"]["name"],
        "-c",
        container["name"],
        "--",
        "python3",
        "-c",
        ASK,
        url,
    )
    return kubectl(run, tools, *scope, check=False, timeout=20, reads=True).stdout.strip()


def judge(seen: Observed) -> tuple[Finding, ...]:
    """What is wrong, from what was seen: causes, each with its consequences, in the order of the layers."""
    causes = [
        *_nodes(seen),
        *_system(seen),
        *_clock(seen),
        *_release(seen),
        *_refused(seen),
        *_claims(seen),
        *_pods(seen),
        *_scaled(seen),
        *_references(seen),
        *_stale(seen),
    ]
    causes += _services(seen)
    causes += _routes(seen)
    consequences = _consequences(seen)
    if causes:
        first = causes[0]
        chain = "\n".join(f"so: {line}" for line in consequences)
        return (replace(first, evidence=f"{first.evidence}\n{chain}".strip()), *causes[1:])
    return tuple([*_unexplained(seen), *_name(seen)])


def _nodes(seen: Observed) -> list[Finding]:
    found = []
    for node in _of(seen.cluster, "Node"):
        name = node["metadata"]["name"]
        conditions = {one["type"]: one for one in node["status"].get("conditions", [])}
        for pressure in ("DiskPressure", "MemoryPressure", "PIDPressure"):
            if conditions.get(pressure, {}).get("status") == "True":
                what = {
                    "DiskPressure": "disk space",
                    "MemoryPressure": "memory",
                    "PIDPressure": "process numbers",
                }[pressure]
                remedy = "free some on this machine (docker system prune), or give the cluster more (phase4.cluster)"
                found.append(
                    Finding(
                        "NODE-PRESSURE",
                        f"node/{name}",
                        f"the node {name} runs out of {what}",
                        conditions[pressure].get("message", ""),
                        remedy,
                    )
                )
        ready = conditions.get("Ready", {})
        if ready.get("status") != "True":
            found.append(
                Finding(
                    "NODE-NOT-READY",
                    f"node/{name}",
                    f"the node {name} is not ready",
                    ready.get("message", ""),
                    "`invoke cluster-down`, then `invoke deploy`",
                )
            )
        elif node["spec"].get("unschedulable"):
            found.append(
                Finding(
                    "NODE-NOT-READY",
                    f"node/{name}",
                    f"the node {name} takes no new pods: it is cordoned",
                    remedy=f"kubectl uncordon {name}",
                )
            )
    return found


def _system(seen: Observed) -> list[Finding]:
    """The parts of the cluster that every pod leans on."""
    found = []
    for label, what in SYSTEM.items() if seen.system is not None else ():
        pods = [
            pod
            for pod in seen.system or []
            if pod["metadata"].get("labels", {}).get("k8s-app") == label
        ]
        if not any(_is_ready(pod) for pod in pods):
            states = (
                "\n".join(f"{pod['metadata']['name']} {pod['status']['phase']}" for pod in pods)
                or f"no pod of {label}"
            )
            remedy = f"kubectl -n kube-system get pods -l k8s-app={label}; `invoke cluster-down`, then `invoke deploy` starts it anew"
            found.append(
                Finding(
                    "CLUSTER-SYSTEM-DOWN",
                    f"kube-system/{label}",
                    f"{label} does not run: {what} does not work",
                    states,
                    remedy,
                )
            )
    return found


def _references(seen: Observed) -> list[Finding]:
    """Secrets and ConfigMaps that workloads name and that are not there: pods that run go on, the next one will not start."""
    if seen.secrets is None:
        return []
    have: dict[str, Mapping[str, set[str]]] = {
        "secret": seen.secrets, "configMap": {one["metadata"]["name"]: set(one.get("data", {})) for one in _of(seen.state, "ConfigMap")},
    }  # fmt: skip
    found = []
    for item in [*_of(seen.state, "StatefulSet"), *_of(seen.state, "Deployment")]:
        pod = item["spec"].get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            for kind, name, key in _named_in(container):
                missing = name not in have[kind] or (key and key not in have[kind][name])
                if missing:
                    what = f"{kind[0].upper()}{kind[1:]} {name}" + (
                        f" (key {key})" if key and name in have[kind] else ""
                    )
                    told = f"{item['metadata']['name']} needs the {what}, which is not there: its next pod will not start"
                    found.append(
                        Finding(
                            "CONFIG-MISSING",
                            f"{item['kind'].lower()}/{item['metadata']['name']}",
                            told,
                            f"container {container['name']}",
                            "invoke install",
                        )
                    )
    return _once(found)


def _named_in(container: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(secret or configMap, name, key) that a container cannot start without."""
    named = []
    for variable in container.get("env", []):
        for kind in ("secret", "configMap"):
            reference = variable.get("valueFrom", {}).get(f"{kind}KeyRef")
            if reference and not reference.get("optional"):
                named.append((kind, reference["name"], reference["key"]))
    for source in container.get("envFrom", []):
        for kind in ("secret", "configMap"):
            if f"{kind}Ref" in source and not source[f"{kind}Ref"].get("optional"):
                named.append((kind, source[f"{kind}Ref"]["name"], ""))
    return named


def _clock(seen: Observed) -> list[Finding]:
    if seen.skew <= SKEW:
        return []
    remedy = "set the clock; with Docker Desktop, restart it after the machine slept"
    return [
        Finding(
            "CLOCK-SKEW",
            "clock",
            f"the engine's clock differs from this machine's by {seen.skew:.0f} s",
            remedy=remedy,
        )
    ]


def _release(seen: Observed) -> list[Finding]:
    if dev.is_left(seen.state):
        return [
            Finding(
                "DEV-LOOP-OPEN",
                seen.app,
                "the Services lead to pods of the dev loop",
                remedy="end `invoke dev`, or clear what it left: invoke deploy",
            )
        ]
    if not seen.release:
        if any(
            item["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == seen.app
            for item in _of(seen.state, "Deployment")
        ):
            return []  # installed by other means
        return [
            Finding(
                "RELEASE-MISSING",
                f"release {seen.app}",
                f"the app is not installed: there is no release {seen.app}",
                remedy="invoke deploy",
            )
        ]
    status, words = seen.release["status"], seen.release.get("description", "")
    if status.startswith("pending"):
        return [
            Finding(
                "RELEASE-STUCK",
                f"release {seen.app}",
                f"revision {seen.release['revision']} is {status}: an interrupted helm left it",
                words,
                "invoke deploy",
            )
        ]
    if status == "failed":
        return [
            Finding(
                "RELEASE-FAILED",
                f"release {seen.app}",
                f"revision {seen.release['revision']} failed",
                words,
                "mend what helm names, then invoke deploy",
            )
        ]
    return []


def _refused(seen: Observed) -> list[Finding]:
    """Pods that the API server refuses to create."""
    found = []
    for event in _of(seen.state, "Event"):
        words, owner = event.get("message", ""), event["involvedObject"]
        if event.get("reason") != "FailedCreate" or not _is_current(seen.state, owner):
            continue
        subject = f"{owner['kind'].lower()}/{owner['name']}"
        if "exceeded quota" in words:
            found.append(
                Finding(
                    "QUOTA-EXCEEDED",
                    subject,
                    f"a quota of the namespace allows no more pods of {owner['name']}",
                    words,
                    "kubectl describe resourcequota",
                )
            )
        elif "violates PodSecurity" in words:
            found.append(
                Finding(
                    "POD-REFUSED",
                    subject,
                    f"the namespace's security standard refuses pods of {owner['name']}",
                    words,
                    "mend the securityContext that is named",
                )
            )
        elif "forbidden" in words or "denied" in words:
            found.append(
                Finding(
                    "POD-REFUSED",
                    subject,
                    f"the cluster refuses pods of {owner['name']}",
                    words,
                    "mend what is named, or ask who set the policy",
                )
            )
    return _once(found)


def _is_current(state: Objects, owner: Mapping[str, Any]) -> bool:
    """An event's object is one that still wants more pods than it has."""
    for item in state:
        if item["kind"] == owner["kind"] and item["metadata"]["name"] == owner["name"]:
            return bool(item["spec"].get("replicas", 1) > item.get("status", {}).get("replicas", 0))
    return False


def _claims(seen: Observed) -> list[Finding]:
    classes = {one["metadata"]["name"]: one for one in _of(seen.cluster, "StorageClass")}
    found = []
    for claim in _of(seen.state, "PersistentVolumeClaim"):
        name, wanted = claim["metadata"]["name"], claim["spec"].get("storageClassName")
        if claim["status"].get("phase") != "Pending":
            continue
        events = [
            event.get("message", "")
            for event in _of(seen.state, "Event")
            if event["involvedObject"].get("name") == name
        ]
        if wanted and wanted not in classes:
            told, remedy = (
                f"its storage class {wanted} does not exist",
                f"there are: {', '.join(classes) or 'none'}; name one of them, or leave it out",
            )
        elif not wanted:
            told, remedy = (
                "it names no storage class, and the cluster has no default",
                "`invoke cluster-up` adds one to a cluster of ours",
            )
        elif any("waiting for first consumer" in words for words in events[-1:]):
            continue  # its pod is what is not there
        else:
            told, remedy = (
                f"the provisioner of {wanted} makes no volume",
                f"is it running? kubectl get pods -A; its name is {classes[wanted].get('provisioner', '?')}",
            )
        found.append(
            Finding(
                "CLAIM-PENDING",
                f"persistentvolumeclaim/{name}",
                f"the claim {name} gets no volume: {told}",
                "\n".join(events[-1:]),
                remedy,
            )
        )
    return found


def _pods(seen: Observed) -> list[Finding]:
    pending = {name for claim in _claims(seen) for name in [claim.subject.partition("/")[2]]}
    found = []
    for finding in rollout.findings(seen.state, rollout.PATIENCE, seen.logs):
        pod = next(
            one
            for one in _of(seen.state, "Pod")
            if f"pod/{one['metadata']['name']}" == finding.subject
        )
        claims = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["spec"].get("volumes", [])
            if volume.get("persistentVolumeClaim")
        }
        if not (finding.code == "POD-PENDING" and claims & pending):  # the claim is the cause
            found.append(finding)
    # Of one component's pods the one that says why comes first: others only show that something is wrong.
    found.sort(key=lambda one: (_rank(seen.state, one.subject), one.code in VAGUE))
    troubled = {_component(seen.state, one.subject) for one in found} | _components_down(seen.state)
    # A backend that waits for its database is a consequence of what the database lacks.
    waits = ("DATABASE-UNREACHABLE", "MIGRATION-FAILED", "PROBE-FAILING", "CRASH-LOOP", "NOT-READY")
    return [
        one
        for one in found
        if not (
            _component(seen.state, one.subject) == "backend"
            and "postgres" in troubled
            and one.code in waits
        )
    ]


def _components_down(state: Objects) -> set[str]:
    """Components without a pod that is ready."""
    ready = {_component_of(pod) for pod in _of(state, "Pod") if _is_ready(pod)}
    wanted = {
        _component_of(item) for kind in ("Deployment", "StatefulSet") for item in _of(state, kind)
    }
    return wanted - ready


def _scaled(seen: Observed) -> list[Finding]:
    found = []
    for kind in ("StatefulSet", "Deployment"):
        for item in _of(seen.state, kind):
            if item["spec"].get(
                "paused"
            ) and f"deployment/{item['metadata']['name']}" in rollout.unready(seen.state):
                name = item["metadata"]["name"]
                found.append(
                    Finding(
                        "ROLLOUT-PAUSED",
                        f"deployment/{name}",
                        f"the rollout of {name} is paused",
                        "spec.paused: true",
                        f"kubectl rollout resume deployment/{name}",
                    )
                )
            if item["spec"].get("replicas") == 0 and _component_of(item) in COMPONENTS:
                subject = f"{kind.lower()}/{item['metadata']['name']}"
                found.append(
                    Finding(
                        "SCALED-TO-ZERO",
                        subject,
                        f"{item['metadata']['name']} is scaled to 0 pods",
                        "spec.replicas: 0",
                        f"kubectl scale {subject} --replicas=1, or invoke install",
                    )
                )
    return found


def _stale(seen: Observed) -> list[Finding]:
    words = "starts anew what runs other contents under its image's name"
    return [
        Finding(
            "IMAGE-STALE",
            name,
            f"{name} runs other contents than its image's name says",
            remedy=f"`invoke deploy` {words}",
        )
        for name in seen.stale
    ]


def _services(seen: Observed) -> list[Finding]:
    """Services without an endpoint though their component has ready pods."""
    found = []
    counts = rollout.endpoints(seen.state)
    for service in _of(seen.state, "Service"):
        name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
        component = _component_of(service)
        pods = [
            pod
            for pod in _of(seen.state, "Pod")
            if _component_of(pod) == component and _is_ready(pod)
        ]
        if counts.get(name) or not pods or not selector:
            continue
        labels = pods[0]["metadata"]["labels"]
        wrong = [
            f"{key}={value}, the pod has {labels.get(key, 'none')}"
            for key, value in selector.items()
            if labels.get(key) != value
        ]
        if wrong:
            found.append(
                Finding(
                    "SERVICE-SELECTOR",
                    f"service/{name}",
                    f"the service {name} selects no pod: its selector does not match their labels",
                    "\n".join(wrong),
                    "invoke install",
                )
            )
    for service in _of(seen.state, "Service"):
        found += _service_port(seen, service) if not found else []
    return found


def _service_port(seen: Observed, service: Mapping[str, Any]) -> list[Finding]:
    """A service whose target port no container has."""
    pods = [pod for pod in _of(seen.state, "Pod") if _component_of(pod) == _component_of(service)]
    ports = [
        port
        for pod in pods[:1]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]
    if not ports:
        return []
    for port in service["spec"].get("ports", []):
        target = port.get("targetPort", port["port"])
        if target not in [
            one for known in ports for one in (known["containerPort"], known.get("name"))
        ]:
            name = service["metadata"]["name"]
            listens = ", ".join(
                f"{one.get('name', '')} {one['containerPort']}".strip() for one in ports
            )
            return [
                Finding(
                    "PORT-MISMATCH",
                    f"service/{name}",
                    f"the service {name} sends to port {target}, and its pod listens on {listens}",
                    remedy="invoke install",
                )
            ]
    return []


def _routes(seen: Observed) -> list[Finding]:
    """The ingress: a class that is there, a controller that runs, rules that lead to services that are there."""
    found: list[Finding] = []
    ingresses, classes = (
        _of(seen.state, "Ingress"),
        [one["metadata"]["name"] for one in _of(seen.cluster, "IngressClass")],
    )
    services = {one["metadata"]["name"]: one for one in _of(seen.state, "Service")}
    if not classes:
        found.append(
            Finding(
                "INGRESS-CLASS-MISSING",
                "ingressclass",
                "the cluster has no ingress class, so nothing serves the Ingress",
                remedy="invoke cluster-up",
            )
        )
    elif not any(_is_ready(pod) for pod in seen.controllers):
        states = (
            "\n".join(
                f"{pod['metadata']['namespace']}/{pod['metadata']['name']} {pod['status']['phase']}"
                for pod in seen.controllers
            )
            or "no pod of a controller"
        )
        found.append(
            Finding(
                "INGRESS-CONTROLLER-DOWN",
                "ingress controller",
                "the ingress controller does not run",
                states,
                "invoke cluster-up",
            )
        )
    if not ingresses and services:
        found.append(
            Finding(
                "INGRESS-MISSING",
                f"release {seen.app}",
                "the release has no Ingress, so nothing leads to it from outside",
                remedy="invoke install",
            )
        )
    for ingress in ingresses:
        name = ingress["metadata"]["name"]
        chosen = ingress["spec"].get("ingressClassName")
        if chosen and classes and chosen not in classes:
            found.append(
                Finding(
                    "INGRESS-CLASS-MISSING",
                    f"ingress/{name}",
                    f"the ingress {name} is of class {chosen}, which does not exist",
                    f"there are: {', '.join(classes)}",
                    "invoke install",
                )
            )
        for rule in ingress["spec"].get("rules", []):
            for path in rule.get("http", {}).get("paths", []):
                backend = path["backend"]["service"]
                service = services.get(backend["name"])
                ports = [
                    one
                    for port in (service or {}).get("spec", {}).get("ports", [])
                    for one in (port["port"], port.get("name"))
                ]
                wanted = backend["port"].get("name") or backend["port"].get("number")
                if not service or wanted not in ports:
                    told = "does not exist" if not service else f"has no port {wanted}"
                    found.append(
                        Finding(
                            "INGRESS-BACKEND",
                            f"ingress/{name}",
                            f"the ingress {name} leads to the service {backend['name']}, which {told}",
                            f"path {path['path']}",
                            "invoke install",
                        )
                    )
        if not any(rule.get("host") == seen.host for rule in ingress["spec"].get("rules", [])):
            hosts = ", ".join(str(rule.get("host")) for rule in ingress["spec"].get("rules", []))
            found.append(
                Finding(
                    "INGRESS-BACKEND",
                    f"ingress/{name}",
                    f"the ingress {name} does not serve {seen.host}",
                    f"it serves: {hosts}",
                    "invoke install",
                )
            )
    return _once(found)


def _consequences(seen: Observed) -> list[str]:
    """What else is wrong because of the causes: waiting workloads, empty services, pages that do not answer."""
    lines = [
        f"{name.partition('/')[0]} {name.partition('/')[2]} {'has no ready endpoint' if name.startswith('service/') else 'is not rolled out'}"
        for name in rollout.unready(seen.state)
    ]
    for path, status in seen.answers.items():
        if status != 200:
            lines.append(
                f"{seen.address}{path} "
                + (
                    f"answers {status}: {ANSWERS.get(status, 'not what a working app says')}"
                    if status
                    else "does not answer"
                )
            )
    return lines


def _unexplained(seen: Observed) -> list[Finding]:
    """Nothing in the cluster is wrong, and still a page does not come."""
    found = []
    for path, status in seen.answers.items():
        url = f"{seen.address}{path}"
        if status == 0:
            found.append(
                Finding(
                    "INGRESS-UNREACHABLE",
                    url,
                    f"nothing answers at {url}, though the cluster is well",
                    "no TCP connection or no answer",
                    "does another program or a firewall hold the port? invoke check",
                )
            )
        elif status != 200:
            found.append(
                Finding(
                    "SMOKE-FAILED",
                    url,
                    f"{url} answers {status}: {ANSWERS.get(status, 'not what a working app says')}",
                    remedy="`invoke logs` shows what the pods say",
                )
            )
    waiting = rollout.unready(seen.state)
    if waiting and not found:
        found.append(
            Finding(
                "ROLLOUT-TIMEOUT",
                waiting[0],
                f"not everything is rolled out: {', '.join(waiting)}",
                remedy="look again in a minute",
            )
        )
    return found


def _name(seen: Observed) -> list[Finding]:
    """The host name: somebody else's entry, or a proxy that would get the request. Only told when all else is well."""
    found = []
    if seen.name and seen.name not in seen.expected:
        words = f"{seen.host} resolves to {seen.name}; the app is at {' or '.join(seen.expected)}"
        found.append(
            Finding(
                "HOSTS-ENTRY",
                seen.host,
                f"{seen.host} leads to another machine",
                words,
                "another entry in the hosts file, a VPN or a resolver: remove its entry; `invoke dns` writes ours",
            )
        )
    exempt = os.environ.get("no_proxy", "") + os.environ.get("NO_PROXY", "")
    if (
        seen.proxy
        and seen.name
        and seen.host not in exempt
        and f".{seen.host.partition('.')[2]}" not in exempt
        and "*" not in exempt
    ):
        found.append(
            Finding(
                "PROXY-IN-THE-WAY",
                seen.host,
                f"programs that heed http_proxy ask the proxy for {seen.host}",
                "http_proxy is set, and no_proxy does not name it",
                f"export no_proxy=$no_proxy,{seen.host},localhost,127.0.0.1",
            )
        )
    return found


def _of(state: Objects, kind: str) -> Objects:
    return [item for item in state if item["kind"] == kind]


def _component_of(item: Mapping[str, Any]) -> str:
    return str((item["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))


def _component(state: Objects, subject: str) -> str:
    kind, _, name = subject.partition("/")
    return next(
        (
            _component_of(item)
            for item in state
            if item["kind"].lower() == kind and item["metadata"]["name"] == name
        ),
        "",
    )


def _rank(state: Objects, subject: str) -> int:
    component = _component(state, subject)
    return COMPONENTS.index(component) if component in COMPONENTS else len(COMPONENTS)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in pod["status"].get("conditions", [])
    )


def _once(found: list[Finding]) -> list[Finding]:
    """Without repetitions of a code for a subject."""
    return list({(one.code, one.subject): one for one in found}.values())
