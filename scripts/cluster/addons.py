"""Add what a new cluster lacks: storage, metrics, an ingress controller, network policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.cluster.facts import SEEN
from scripts.cluster.kubectl import get_items, kubectl
from scripts.cluster.minikube import environment
from scripts.images import transport
from scripts.machine.engine import Engine
from scripts.session import answers, settings
from scripts.session.cache import digest
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply import node
from scripts.supply.node import AddonImages
from scripts.supply.tools import Found

TRAEFIK_OFFICIAL = "docker.io/library/traefik:v3.6.12"
MANIFESTS = Path(__file__).parent / "manifests"


READY_TIMEOUT = 240.0


@dataclass(frozen=True)
class _Deployed:
    """A deployment or daemon set on the cluster.

    manifest: the digest of this project's manifest that it was made from. available: its condition.
    """

    manifest: str
    available: bool


def furnish(
    run: Run, engine: Engine, tools: Mapping[str, Found], minikube: Found, images: AddonImages
) -> list[dict[str, Any]]:
    """Add what a new cluster lacks: a storage class, metrics, an ingress controller.

    Returns the objects that were read (SEEN), or none if something was added, because they have
    changed then. Raises ADDON-NOT-READY.
    """
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(get_items, run, tools, SEEN, "-A")
        transport.load_archives(run, engine, images.archives)
    from_registries = bool(images.archives)
    seen = looking.result()
    present = _deployed(seen)
    enabled = _enabled_addons(run)
    wanted = {"metrics-server", *(["storage-provisioner-rancher"] if from_registries else [])}
    enabled -= _gone(seen, present)
    if "storage-provisioner-rancher" in wanted - enabled:
        _enable(
            run,
            minikube,
            "storage-provisioner-rancher",
            LocalPathProvisioner=node.ADDONS["local-path-provisioner"],
            Helper=node.BUSYBOX,
        )
    if "metrics-server" in wanted - enabled:
        own = {"MetricsServer": node.ADDONS["metrics-server"]} if from_registries else {}
        _enable(run, minikube, "metrics-server", **own)
    added = False
    if from_registries:
        # Nothing waits until this runs. On a kernel that it cannot use, the app is deployed all the
        # same, and the cluster's facts say that nothing enforces the policies.
        added |= _apply(
            run,
            tools,
            "network-policies",
            node.NETWORK_POLICIES,
            present.get("kube-system/network-policies"),
        )
    if "ingress/traefik" in present or not any(item["kind"] == "IngressClass" for item in seen):
        there = present.get("ingress/traefik")
        applied = _apply(
            run,
            tools,
            "traefik",
            node.ADDONS["traefik"] if from_registries else TRAEFIK_OFFICIAL,
            there,
        )
        if applied or not (there and there.available):
            _wait_available(run, tools, ["ingress/traefik"])
            added = True
    return [] if added or not wanted <= enabled else seen


def _apply(
    run: Run, tools: Mapping[str, Found], name: str, image: str, there: _Deployed | None
) -> bool:
    """Apply this manifest with this image unless the cluster has it. Return whether it did."""
    manifest = (
        (MANIFESTS / f"{name}.yaml")
        .read_text(encoding="utf-8")
        .replace("image: IMAGE", f"image: {image}")
    )
    key = digest(manifest)
    if there and there.manifest == key:
        return False
    run.say(f"installing {name}")
    kubectl(
        run,
        tools,
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        stdin=manifest.replace("MANIFEST_DIGEST", key),
    )
    return True


def _gone(seen: Iterable[Mapping[str, Any]], present: Mapping[str, _Deployed]) -> set[str]:
    """Addons that the cluster has not, whatever minikube's list says.

    Somebody may have deleted them, and a cluster that minikube has reset has none.
    """
    gone = set()
    if not any(item["kind"] == "StorageClass" for item in seen):
        gone.add("storage-provisioner-rancher")
    if "kube-system/metrics-server" not in present:
        gone.add("metrics-server")
    return gone


def _enable(run: Run, minikube: Found, addon: str, **images: str) -> None:
    run.say(f"enabling the addon {addon}")
    own = {name: reference.split("/", 1) for name, reference in images.items()}
    choices = []
    if own:
        choices = [
            "--images=" + ",".join(f"{name}={path}" for name, (_, path) in own.items()),
            "--registries=" + ",".join(f"{name}={registry}" for name, (registry, _) in own.items()),
        ]
    run.shell.run(
        minikube.path,
        "addons",
        "enable",
        addon,
        "-p",
        run.settings.cluster.profile,
        *choices,
        timeout=180,
        env=environment(),
    )


@answers.understood("minikube")
def _enabled_addons(run: Run) -> set[str]:
    """Return the addons on minikube's list.

    They are not always those that run: a start with --install-addons=false empties the list.
    """
    # `minikube addons list` reads the same file, but takes a second.
    profile = json.loads(
        (
            settings.minikube_home() / "profiles" / run.settings.cluster.profile / "config.json"
        ).read_text(encoding="utf-8")
    )
    return {name for name, enabled in (profile.get("Addons") or {}).items() if enabled}


def _deployed(seen: Iterable[Mapping[str, Any]]) -> dict[str, _Deployed]:
    """Return every deployment and daemon set among these objects, by namespace/name."""
    found = {}
    for item in (item for item in seen if item["kind"] in ("Deployment", "DaemonSet")):
        metadata, status = item["metadata"], item.get("status", {})
        available = any(
            one["type"] == "Available" and one["status"] == "True"
            for one in status.get("conditions", [])
        )
        found[f"{metadata['namespace']}/{metadata['name']}"] = _Deployed(
            (metadata.get("annotations") or {}).get("phase4/manifest", ""), available
        )
    return found


def _wait_available(run: Run, tools: Mapping[str, Found], deployments: list[str]) -> None:
    for name in deployments:
        namespace, deployment = name.split("/")
        waited = kubectl(
            run, tools, "-n", namespace, "wait", "--for=condition=Available",
            f"deployment/{deployment}", f"--timeout={READY_TIMEOUT:.0f}s",
            timeout=READY_TIMEOUT + 30, check=False,
        )  # fmt: skip
        if not waited.ok:
            pods = kubectl(
                run, tools, "-n", namespace, "get", "pods", "-o", "wide", check=False
            ).stdout
            raise failure(
                "ADDON-NOT-READY",
                f"deployment/{deployment}",
                f"{name} did not become available",
                waited.tail(2) + "\n" + pods,
                f"kubectl --context {run.settings.context} -n {namespace} describe pods",
            )
