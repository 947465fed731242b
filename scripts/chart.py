"""The chart's values for this deployment, and the proof that the cluster would take what they render."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.cluster import Facts, kubectl
from scripts.findings import failure
from scripts.images import Plans
from scripts.run import Run
from scripts.settings import ROOT
from scripts.supply.cache import digest, tree_digest
from scripts.supply.tools import Found
from scripts.survey import Survey

CHART = ROOT / "helm-chart"
CONTROLLERS = ("traefik", "nginx", "haproxy")
PUBLIC_SETTINGS = ("OPENAI_BASE_URL", "OPENAI_MODEL")


@dataclass(frozen=True)
class Rendered:
    """values: what helm gets, free of secrets. objects: all that is rendered, none when the deployed revision has it already. digest: of chart and values."""

    values: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]
    digest: str


def secret_name(run: Run) -> str:
    """Name of the Secret that `install` makes and the chart is given."""
    return f"{run.settings.release.name}-credentials"


def values(run: Run, app: Survey, images: Plans, facts: Facts, postgres: str) -> dict[str, Any]:
    """The values that this app on this cluster needs. postgres: reference of PostgreSQL's image."""
    controller = next((name for name in CONTROLLERS if name in facts.ingress_controller), CONTROLLERS[0])
    named = {name: os.environ[name] for name in PUBLIC_SETTINGS if os.environ.get(name)}
    made: dict[str, Any] = {
        "frontend": {"image": _image(images.frontend.reference)},
        "backend": {
            "image": _image(images.backend.reference),
            "healthPath": app.health_path or "/health",
            "readyPath": app.ready_path,
            "config": named,
        },
        "migrations": {"command": list(app.migrations)},
        "database": {"kind": app.database},
        "postgres": {"image": _image(postgres)},
        "existingSecret": secret_name(run),
        "ingress": {
            "className": facts.ingress_class,
            "controller": controller,
            "host": run.settings.release.host,
            "extraHosts": [run.settings.local_host],
        },
    }
    return made


def _image(reference: str) -> dict[str, str]:
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def _files(run: Run) -> list[Path]:
    return [Path(name).expanduser() for name in run.settings.release.values]


def key(run: Run, chosen: Mapping[str, Any]) -> str:
    """A digest of the chart and of all its values."""
    return digest(tree_digest(CHART), yaml.safe_dump(dict(chosen)), *(path.read_bytes() for path in _files(run)))


def validate(run: Run, tools: Mapping[str, Found], chosen: Mapping[str, Any]) -> Rendered:
    """Lint, render, and have the cluster try the objects without keeping them. Raises CHART-INVALID."""
    files = [part for path in _files(run) for part in ("-f", str(path))]
    text = yaml.safe_dump(dict(chosen))
    helm = tools["helm"].path
    run.say("linting and rendering the chart")
    linted = run.shell.run(helm, "lint", "--strict", "--quiet", CHART, *files, "-f", "-", stdin=text, check=False)
    if not linted.ok:
        raise failure(
            "CHART-INVALID",
            "helm-chart",
            "the chart does not pass `helm lint --strict`",
            linted.tail(12),
            "mend what helm names; values come from helm-chart/values.yaml and phase4.release.values",
        )
    release = run.settings.release
    scope = ("--namespace", release.namespace, "--kube-context", run.settings.context)
    rendered = run.shell.run(helm, "template", release.name, CHART, *scope, *files, "-f", "-", stdin=text, check=False)
    if not rendered.ok:
        raise failure("CHART-INVALID", "helm-chart", "the chart cannot be rendered with these values", rendered.tail(8), "mend what helm names")
    objects = [item for item in yaml.safe_load_all(rendered.stdout) if item]
    # A bare pod (of `helm test`) is admitted only when its service account is there already, which a dry run does not leave behind.
    _try_on_cluster(run, tools, yaml.safe_dump_all(item for item in objects if item["kind"] != "Pod"))
    return Rendered(chosen, tuple(objects), key(run, chosen))


def _try_on_cluster(run: Run, tools: Mapping[str, Found], manifest: str) -> None:
    """A server-side dry run: schema, admission and quota, as an install would meet them."""
    run.say("trying the objects on the cluster (dry run)")
    ensure_namespace(run, tools)
    tried = kubectl(
        run, tools, "-n", run.settings.release.namespace, "apply", "--server-side", "--dry-run=server", "--force-conflicts",
        "--field-manager=phase4-dry-run", "-f", "-", stdin=manifest, check=False,
    )  # fmt: skip
    if not tried.ok:
        raise failure(
            "CHART-INVALID",
            "helm-chart",
            "the cluster would refuse what the chart renders",
            "\n".join(tried.stderr.splitlines()[-8:]),
            "mend the object that is named",
        )


def ensure_namespace(run: Run, tools: Mapping[str, Found]) -> None:
    """Make the release's namespace if it is missing, for pods of the `restricted` security standard only; one that is there stays as it is."""
    name = run.settings.release.namespace
    if kubectl(run, tools, "get", "namespace", name, "--ignore-not-found", "-o", "name").stdout.strip():
        return
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    kubectl(run, tools, "apply", "--server-side", "--field-manager=phase4", "-f", "-", stdin=json.dumps(namespace))
