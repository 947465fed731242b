"""The chart's values for this deployment, and the proof that the cluster would take what they render."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.app import fit
from scripts.app.fit import Environment
from scripts.app.survey import Survey
from scripts.cluster.facts import Facts
from scripts.cluster.kubectl import kubectl
from scripts.images.plans import Plans
from scripts.release import changes
from scripts.session.cache import digest, tree_digest
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply.tools import Found

CHART = ROOT / "helm-chart"
LOADER = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml, where the wheel has it: ten times as fast
CONTROLLERS = ("traefik", "nginx", "haproxy")
NODE_RESOURCES = {  # Next's server: the plan's figures are those of nginx alone
    "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "16Mi"},
    "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "512Mi"},
}


@dataclass(frozen=True)
class Rendered:
    """values: what helm gets, free of secrets. objects: all that is rendered, none when the deployed revision has it already. digest: of chart and values."""

    values: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]
    digest: str


def secret_name(run: Run) -> str:
    """Name of the Secret that `install` makes and the chart is given."""
    return f"{run.settings.release.name}-credentials"


def values(
    run: Run,
    app: Survey,
    given: Environment,
    images: Plans,
    facts: Facts,
    postgres: str,
    deployed: Sequence[Mapping[str, Any]] = (),
    behind: bool = True,
) -> dict[str, Any]:
    """The values that this app on this cluster needs.

    postgres: reference of PostgreSQL's image. deployed: the objects of the deployed revision. behind: the tables are not known to be up to date.
    """
    controller = next(
        (name for name in CONTROLLERS if name in facts.ingress_controller), CONTROLLERS[0]
    )
    secret, folder = secret_name(run), fit.name(app)
    mine, default = _of_the_person(run), _defaults()
    server = app.frontend.served == "server"
    database = {name: "DATABASE_URL" for name in given.database if name != "DATABASE_URL"}
    front = [
        *({"name": name, "value": value} for name, value in sorted(given.frontend_plain.items())),
        *_from_secret(
            secret,
            {
                **dict.fromkeys(given.frontend_database, fit.FRONTEND_DATABASE_URL),
                **{name: name for name in given.frontend_secrets},
            },
        ),
    ]
    back = _from_secret(
        secret, {**database, **{name: name for name in given.secrets if name not in fit.CHARTS_OWN}}
    )
    config = _config(run, app, given, deployed, default["backend"]["config"])
    written = mine("backend").get("config") or {}
    addresses = {
        **{name: config.get(name) for name in fit.PROVIDER},
        **written,
    }  # all else is given, or leads to the release itself
    allowed = default["networkPolicy"]["egressPorts"]
    outside = sorted(
        {
            *allowed,
            *given.ports,
            *fit.ports({name: str(value) for name, value in addresses.items()}),
        }
    )
    made: dict[str, Any] = {
        "frontend": {
            "image": _image(images.frontend.reference),
            "server": server,
            **(
                {"resources": NODE_RESOURCES}
                if server and "resources" not in mine("frontend")
                else {}
            ),
            **_more_variables(mine("frontend"), front),
        },
        "backend": {
            "image": _image(images.backend.reference),
            "healthPath": app.backend.health_path,
            "readyPath": app.backend.ready_path,
            "config": {name: value for name, value in config.items() if name not in written},
            **_more_variables(mine("backend"), back),
        },
        "migrations": {"command": fit.before_start(app, behind)},
        "database": {"kind": app.database},
        "postgres": {
            "image": _image(postgres),
            "folder": folder or "pgdata",
            "tls": bool(app.decision.tls),
        },
        "storage": {"files": app.keeps_files, "folder": folder},
        "existingSecret": secret,
        "ingress": {
            "className": facts.ingress_class,
            "controller": controller,
            "host": run.settings.release.host,
            "extraHosts": [run.settings.local_host],
            "apiPath": fit.api_path(app),
            "backendPaths": list(fit.backend_paths(app)),
        },
        **(
            {"networkPolicy": {"egressPorts": outside}}
            if outside != allowed and "egressPorts" not in mine("networkPolicy")
            else {}
        ),
    }
    return made


def _config(
    run: Run,
    app: Survey,
    given: Environment,
    deployed: Sequence[Mapping[str, Any]],
    default: Mapping[str, str],
) -> dict[str, str | None]:
    """The backend's variables that are not as the chart has them; None for those of the chart's that this app does not read.

    A provider's key stays in the Secret until another is given: its address must stay beside it, or the key goes to somebody else.
    """
    own, name = {one.name for one in app.backend.variables}, f"{run.settings.release.name}-config"
    there = next(
        (
            one.get("data") or {}
            for one in deployed
            if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name
        ),
        {},
    )
    kept = {name: value for name, value in there.items() if name in own.intersection(fit.PROVIDER)}
    unread = {name: None for name in default if name not in own and name != "NEXT_PUBLIC_API_URL"}
    wanted = {**unread, **kept, **given.plain, "NEXT_PUBLIC_API_URL": fit.api_path(app)}
    return {name: value for name, value in wanted.items() if value != default.get(name)}


def migrates(objects: Sequence[Mapping[str, Any]], image: str) -> bool:
    """Whether one of these deployments runs something of this image before it serves."""
    pods = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]
    return any(
        container["image"] == image for pod in pods for container in pod.get("initContainers", [])
    )


def _of_the_person(run: Run) -> Callable[[str], Mapping[str, Any]]:
    """A section of the person's own values files, the last file first: what they say goes before what is found out here."""
    read = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in _files(run)]

    def section(name: str) -> Mapping[str, Any]:
        return {key: value for one in read for key, value in (one.get(name) or {}).items()}

    return section


def _more_variables(mine: Mapping[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """extraEnv: the person's own and those that the app needs. A list of values replaces the one before it, so both are in it."""
    own = mine.get("extraEnv") or []
    names = {one["name"] for one in own}
    whole = [*own, *(one for one in found if one["name"] not in names)]
    return {"extraEnv": whole} if whole else {}


def _defaults() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return read


def _from_secret(secret: str, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """Environment variables that have their values from keys of the Secret, where it has them."""
    return [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": True}},
        }
        for name, key in sorted(keys.items())
    ]


def _image(reference: str) -> dict[str, str]:
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def _files(run: Run) -> list[Path]:
    return [Path(name).expanduser() for name in run.settings.release.values]


def key(run: Run, chosen: Mapping[str, Any]) -> str:
    """A digest of the chart and of all its values."""
    return digest(
        tree_digest(CHART),
        yaml.safe_dump(dict(chosen)),
        *(path.read_bytes() for path in _files(run)),
    )


def validate(
    run: Run,
    tools: Mapping[str, Found],
    chosen: Mapping[str, Any],
    deployed: Sequence[Mapping[str, Any]] = (),
) -> Rendered:
    """Render and lint, and have the cluster try the objects without keeping them. Raises CHART-INVALID.

    deployed: the objects of the deployed revision. Where only images differ from those, the cluster has taken all the rest already.
    """
    files = [part for path in _files(run) for part in ("-f", str(path))]
    text = yaml.safe_dump(dict(chosen))
    helm, release = tools["helm"].path, run.settings.release
    scope = ("--namespace", release.namespace, "--kube-context", run.settings.context)
    run.say("rendering the chart")
    rendered = run.shell.run(
        helm, "template", release.name, CHART, *scope, *files, "-f", "-", stdin=text, check=False
    )
    objects = (
        [item for item in yaml.load_all(rendered.stdout, Loader=LOADER) if item]
        if rendered.ok
        else []
    )
    if rendered.ok and deployed and changes.only_images(deployed, objects):
        run.say("only images change: the cluster has accepted the rest already")
        return Rendered(chosen, tuple(objects), key(run, chosen))
    with ThreadPoolExecutor(1) as pool:
        # A bare pod (of `helm test`) is admitted only when its service account is there already, which a dry run does not leave behind.
        trying = pool.submit(
            _try_on_cluster,
            run,
            tools,
            [item for item in objects if item["kind"] != "Pod"] if rendered.ok else [],
        )
        linted = run.shell.run(
            helm, "lint", "--strict", "--quiet", CHART, *files, "-f", "-", stdin=text, check=False
        )
    if not linted.ok:
        raise failure(
            "CHART-INVALID",
            "helm-chart",
            "the chart does not pass `helm lint --strict`",
            linted.tail(12),
            "mend what helm names; values come from helm-chart/values.yaml and phase4.release.values",
        )
    if not rendered.ok:
        raise failure(
            "CHART-INVALID",
            "helm-chart",
            "the chart cannot be rendered with these values",
            rendered.tail(8),
            "mend what helm names",
        )
    refused = trying.result()
    if refused:
        raise failure(
            "CHART-INVALID",
            "helm-chart",
            "the cluster would refuse what the chart renders",
            refused,
            "mend the object that is named",
        )
    return Rendered(chosen, tuple(objects), key(run, chosen))


def _try_on_cluster(
    run: Run, tools: Mapping[str, Found], objects: Sequence[Mapping[str, Any]]
) -> str:
    """A server-side dry run: schema, admission and quota, as an install would meet them; as helm, whose fields it may take away. The cluster's words, if it
    refuses."""
    if not objects:
        return ""
    run.say("trying the objects on the cluster (dry run)")
    ensure_namespace(run, tools)
    tried = kubectl(
        run, tools, "-n", run.settings.release.namespace, "apply", "--server-side", "--dry-run=server", "--force-conflicts",
        "--field-manager=helm", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, default=str), check=False,
    )  # fmt: skip
    return "" if tried.ok else "\n".join(tried.stderr.splitlines()[-8:])


def ensure_namespace(run: Run, tools: Mapping[str, Found]) -> None:
    """Make the release's namespace if it is missing, for pods of the `restricted` security standard only; one that is there stays as it is."""
    name = run.settings.release.namespace
    if kubectl(
        run, tools, "get", "namespace", name, "--ignore-not-found", "-o", "name"
    ).stdout.strip():
        return
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    kubectl(
        run,
        tools,
        "apply",
        "--server-side",
        "--field-manager=phase4",
        "-f",
        "-",
        stdin=json.dumps(namespace),
    )
