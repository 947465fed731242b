"""The chart's values for this deployment, and the proof that the cluster accepts the result."""

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
from scripts.cluster.facts import CONTROLLERS, Facts
from scripts.cluster.kubectl import kubectl
from scripts.cluster.rights import may
from scripts.images.plans import Plans
from scripts.release import changes
from scripts.session import answers
from scripts.session.cache import digest, tree_digest
from scripts.session.findings import Failure, failure
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply.tools import Found

CHART = ROOT / "helm-chart"
MADE = "phase4/made"  # label of a namespace that this project made, and so may delete
# For Next.js's own server. The plan's figures are for nginx alone.
NODE_RESOURCES = {
    "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "16Mi"},
    "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "512Mi"},
}


@dataclass(frozen=True)
class Rendered:
    """The rendered chart.

    values: what helm gets; no secret is in it. objects: all rendered objects; none when the
    deployed revision has them already. digest: of the chart and all its values.
    """

    values: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]
    digest: str


def secret_name(run: Run) -> str:
    """Name the Secret that `install` makes and the chart is given."""
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
    """Make the values that this app needs on this cluster.

    postgres: reference of PostgreSQL's image. deployed: the objects of the deployed revision.
    behind: whether the tables may be older than the code.
    """
    mine, default = _of_the_person(run), _defaults()
    config = _config(run, app, given, deployed, default["backend"]["config"])
    return {
        "frontend": _frontend(run, app, given, images, mine("frontend")),
        "backend": _backend(run, app, given, images, mine("backend"), config),
        "migrations": {"command": fit.before_start(app, behind)},
        "database": {"kind": app.database},
        "postgres": {"image": _image(postgres), "tls": fit.speaks_tls(app)},
        "storage": {"files": app.keeps_files},
        "existingSecret": secret_name(run),
        "ingress": _ingress(run, app, facts),
        **_pull_secret(run),
        **(
            {"networkPolicy": {"enabled": False}}
            if facts.no_policies
            else _network_policy(given, config, mine, default["networkPolicy"]["egressPorts"])
        ),
    }


def kept_to(processor: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with all pods on nodes that have this processor."""
    selector = {"nodeSelector": {"kubernetes.io/arch": processor}}
    parts = ("frontend", "backend", "postgres", "serviceDefaults")
    return {**chosen, **{part: {**chosen.get(part, {}), **selector} for part in parts}}


def _pull_secret(run: Run) -> dict[str, Any]:
    name = run.settings.images.pull_secret
    return {"image": {"pullSecrets": [{"name": name}]}} if name else {}


def _frontend(
    run: Run, app: Survey, given: Environment, images: Plans, mine: Mapping[str, Any]
) -> dict[str, Any]:
    """The frontend's section. mine: the same section of the person's own values."""
    server = app.frontend.served == "server"
    keys = {
        **dict.fromkeys(given.frontend_database, fit.FRONTEND_DATABASE_URL),
        **{name: name for name in given.frontend_secrets},
    }
    variables = [
        *({"name": name, "value": value} for name, value in sorted(given.frontend_plain.items())),
        *_from_secret(secret_name(run), keys),
    ]
    return {
        "image": _image(images.frontend.reference),
        "server": server,
        **({"resources": NODE_RESOURCES} if server and "resources" not in mine else {}),
        **_more_variables(mine, variables),
    }


def _backend(
    run: Run,
    app: Survey,
    given: Environment,
    images: Plans,
    mine: Mapping[str, Any],
    config: Mapping[str, str | None],
) -> dict[str, Any]:
    """The backend's section. mine: the same section of the person's own values."""
    keys = {name: "DATABASE_URL" for name in given.database if name != "DATABASE_URL"}
    keys |= {name: name for name in given.secrets if name not in fit.CHARTS_OWN}
    written = mine.get("config") or {}
    return {
        "image": _image(images.backend.reference),
        "readOnlyRootFilesystem": fit.is_reference(app),
        "healthPath": app.backend.health_path,
        "readyPath": app.backend.ready_path,
        "config": {name: value for name, value in config.items() if name not in written},
        **_more_variables(mine, _from_secret(secret_name(run), keys)),
    }


def _ingress(run: Run, app: Survey, facts: Facts) -> dict[str, Any]:
    """The ingress' section: the cluster's class and controller, the app's hosts and paths."""
    known = (name for name in CONTROLLERS if name in facts.ingress_controller)
    served = {"className": facts.ingress_class, "controller": next(known, CONTROLLERS[0])}
    return {
        **({"enabled": False} if facts.no_ingress else served),
        "host": run.settings.release.host,
        "extraHosts": [run.settings.local_host],
        "apiPath": fit.api_path(app),
        "backendPaths": list(fit.backend_paths(app)),
    }


def _network_policy(
    given: Environment,
    config: Mapping[str, str | None],
    mine: Callable[[str], Mapping[str, Any]],
    allowed: Sequence[int],
) -> dict[str, Any]:
    """The ports outside the cluster that the pods need, where the chart's own are not enough.

    They are those of addresses in what the app is given, in the person's own configuration, and
    in the provider's address. All other configuration leads to the release itself.
    """
    provider = {name: config.get(name) for name in fit.PROVIDER}
    addresses = {**provider, **(mine("backend").get("config") or {})}
    found = fit.ports({name: str(value) for name, value in addresses.items()})
    needed = sorted({*allowed, *given.ports, *found})
    if needed == allowed or "egressPorts" in mine("networkPolicy"):
        return {}
    return {"networkPolicy": {"egressPorts": needed}}


def _config(
    run: Run,
    app: Survey,
    given: Environment,
    deployed: Sequence[Mapping[str, Any]],
    default: Mapping[str, str],
) -> dict[str, str | None]:
    """The backend's variables that differ from the chart's; None takes away one of the chart's.

    The key of a model's provider stays in the Secret until another is given. So its address must
    stay too, or the key would be sent to somebody else.
    """
    own, name = {one.name for one in app.backend.variables}, f"{run.settings.release.name}-config"
    maps = (one for one in deployed if one["kind"] == "ConfigMap")
    there = next((one.get("data") or {} for one in maps if one["metadata"]["name"] == name), {})
    kept = {name: value for name, value in there.items() if name in own.intersection(fit.PROVIDER)}
    unread = {name: None for name in default if name not in own and name != "NEXT_PUBLIC_API_URL"}
    wanted = {**unread, **kept, **given.plain, "NEXT_PUBLIC_API_URL": fit.api_path(app)}
    return {name: value for name, value in wanted.items() if value != default.get(name)}


def migrates(objects: Sequence[Mapping[str, Any]], image: str) -> bool:
    """Say whether one of these deployments runs a command of this image before it serves."""
    pods = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]
    return any(
        container["image"] == image for pod in pods for container in pod.get("initContainers", [])
    )


def _of_the_person(run: Run) -> Callable[[str], Mapping[str, Any]]:
    """Read the person's own values files: a function from a section's name to its values.

    What a person writes goes before what is found out here. Of two files, the later one wins.
    """
    read = [(path, _read(path)) for path in _files(run)]

    def section(name: str) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for path, one in read:
            given = one.get(name) or {}
            if not isinstance(given, dict):
                raise _bad_values(path, f"{name} must have values below it")
            found.update(given)
        return found

    return section


def _read(path: Path) -> dict[str, Any]:
    """A values file of the person's. Raises SETTINGS-INVALID for what is none."""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _bad_values(path, str(error)[:300]) from error
    if not isinstance(read, dict):
        raise _bad_values(path, "it holds no values by name")
    return read


def _bad_values(path: Path, evidence: str) -> Failure:
    return failure(
        "SETTINGS-INVALID",
        "phase4.release.values",
        f"{path} cannot be used as a values file",
        evidence,
        "correct that file, or phase4.release.values",
    )


def _more_variables(mine: Mapping[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """extraEnv: the person's own variables and those that the app needs.

    Helm replaces one list by another as a whole, so both must be in it.
    """
    own = mine.get("extraEnv") or []
    names = {one["name"] for one in own}
    whole = [*own, *(one for one in found if one["name"] not in names)]
    return {"extraEnv": whole} if whole else {}


def _defaults() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return read


def _from_secret(secret: str, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """Environment variables whose values are keys of the Secret. A key may be missing."""
    return [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": True}},
        }
        for name, key in sorted(keys.items())
    ]


def _image(reference: str) -> dict[str, str]:
    if not reference:  # an app without a database of its own: the chart has a default
        return {}
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def _files(run: Run) -> list[Path]:
    return [Path(name).expanduser() for name in run.settings.release.values]


def key(run: Run, chosen: Mapping[str, Any]) -> str:
    """Make a digest of the chart and of all its values."""
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
    """Render and lint the chart, and let the cluster try the objects without keeping them.

    deployed: the objects of the deployed revision. If only images differ from those, the cluster
    has accepted everything else already. Raises CHART-INVALID.
    """
    files = [part for path in _files(run) for part in ("-f", str(path))]
    text = yaml.safe_dump(dict(chosen))
    helm, release = tools["helm"].path, run.settings.release
    scope = ("--namespace", release.namespace, "--kube-context", run.settings.context)
    with_values = (str(CHART), *files, "-f", "-")
    run.say("rendering the chart")
    rendered = run.shell.run(
        helm, "template", release.name, *scope, *with_values, stdin=text, check=False
    )
    found = answers.documents(rendered.stdout) if rendered.ok else ()
    objects = tuple(item for item in found if item)
    if rendered.ok and deployed and changes.only_images(deployed, objects):
        run.say("only images change: the cluster has accepted the rest already")
        return Rendered(chosen, objects, key(run, chosen))
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(_try_on_cluster, run, tools, objects)
        linted = run.shell.run(
            helm, "lint", "--strict", "--quiet", *with_values, stdin=text, check=False
        )
    if not linted.ok:
        raise _invalid(
            "the chart does not pass `helm lint --strict`",
            linted.tail(12),
            "mend what helm names; values come from helm-chart/values.yaml and "
            "phase4.release.values",
        )
    if not rendered.ok:
        words = "the chart cannot be rendered with these values"
        raise _invalid(words, rendered.tail(8), "mend what helm names")
    refused = trying.result()
    if refused:
        words = "the cluster would refuse what the chart renders"
        raise _invalid(words, refused, "mend the object that is named")
    return Rendered(chosen, objects, key(run, chosen))


def _invalid(summary: str, evidence: str, remedy: str) -> Failure:
    return failure("CHART-INVALID", "helm-chart", summary, evidence, remedy)


def _try_on_cluster(
    run: Run, tools: Mapping[str, Found], objects: Sequence[Mapping[str, Any]]
) -> str:
    """Try the objects on the API server: schema, admission and quota, as an install would.

    It acts as helm, so that it may also remove fields of helm's. Returns the cluster's words if
    it refuses, and nothing otherwise.
    """
    # The pod of `helm test` is left out: it is accepted only if its service account exists, and a
    # dry run creates none.
    items = [item for item in objects if item["kind"] != "Pod"]
    if not items:
        return ""
    run.say("trying the objects on the cluster (dry run)")
    ensure_namespace(run, tools)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, default=str)
    how = ("--server-side", "--dry-run=server", "--force-conflicts", "--field-manager=helm")
    scope = ("-n", run.settings.release.namespace)
    tried = kubectl(run, tools, *scope, "apply", *how, "-f", "-", stdin=text, check=False)
    return "" if tried.ok else "\n".join(tried.stderr.splitlines()[-8:])


def made_namespace(run: Run, tools: Mapping[str, Found]) -> bool:
    """Whether the release's namespace is there for it alone; in this project's cluster, always."""
    if not run.settings.is_there:
        return True
    if not may(run, tools, "get", "namespaces"):
        return False
    asked = ("get", "namespace", run.settings.release.namespace, "--ignore-not-found", "-o", "json")
    found = answers.read(kubectl(run, tools, *asked).stdout or "{}", "kubectl")
    return MADE in (found.get("metadata", {}).get("labels") or {})


def ensure_namespace(run: Run, tools: Mapping[str, Found]) -> None:
    """Create the release's namespace if it is missing. One that exists is not changed.

    The new one admits only pods that meet the `restricted` security standard. A user who may not
    look for it was told at the start that it is taken to be there.
    """
    name = run.settings.release.namespace
    if not may(run, tools, "get", "namespaces"):
        return
    if kubectl(
        run, tools, "get", "namespace", name, "--ignore-not-found", "-o", "name"
    ).stdout.strip():
        return
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted", MADE: "true"},
        },
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
