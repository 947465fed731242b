"""The plan's phase 3: the chart and the objects that it renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from scripts.checks.acceptance.look import Look, NotApplicable
from scripts.cluster import kubectl
from scripts.release import chart, chart_readme, rollout

#: The plan's resources of each part: requests and limits of CPU and memory.
RESOURCES = {
    "frontend": {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "200m", "memory": "256Mi"},
    },
    "backend": {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    },
    "postgres": {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    },
}
SECRET_NAMES = re.compile("PASSWORD|SECRET|API_KEY|TOKEN$|DATABASE_URL")
NO_POSTGRES = "the app keeps files, or has a database elsewhere"
DRY_RUN = (
    "apply",
    "--server-side",
    "--dry-run=server",
    "--force-conflicts",
    "--field-manager=phase4-verify",
    "-f",
    "-",
    "-o",
    "name",
)


def resources(component: str, kind: str = "Deployment") -> Callable[[Look], str]:
    """The component's requests and limits are those of the plan."""

    def fit(look: Look) -> str:
        if kind == "StatefulSet" and not look.of(kind, component):
            raise NotApplicable(NO_POSTGRES)
        container = look.container(component, kind)
        if any(one["name"] == "BACKEND_ADDRESS" for one in container.get("env", [])):
            raise NotApplicable("Next's own server runs here, and needs more than the plan's nginx")
        plan, found = RESOURCES[component], container["resources"]
        for part, wanted in plan.items():
            told = f"{part}: {found[part]}, the plan says {wanted}"
            assert wanted.items() <= found[part].items(), told
        return f"requests {plan['requests']}, limits {plan['limits']}"

    return fit


def variable(component: str, name: str, source: str) -> Callable[[Look], str]:
    """A variable of the component comes from a Secret or a ConfigMap."""

    def comes(look: Look) -> str:
        container = look.container(component)
        found = {one["name"]: one.get("valueFrom", {}) for one in container.get("env", [])}
        origin = "secret" if source == "Secret" else "configMap"
        whole = any(one.get(f"{origin}Ref") for one in container.get("envFrom", []))
        if name not in found and whole:
            return f"{name} by envFrom of a {source}"
        if name == "DATABASE_URL" and name not in found:
            raise NotApplicable("the app keeps files")
        reference = found.get(name, {}).get(f"{origin}KeyRef")
        assert reference, f"{name} does not come from a {source}"
        return f"{name} from {source} {reference['name']}"

    return comes


def isolated(look: Look) -> str:
    """No ConfigMap has a key that names a secret."""
    listed = {one["metadata"]["name"]: one.get("data", {}) for one in look.of("ConfigMap")}
    listed.pop("kube-root-ca.crt", None)
    keys = [key for data in listed.values() for key in data]
    suspicious = [key for key in keys if SECRET_NAMES.search(key)]
    assert listed, "no ConfigMap"
    assert not suspicious, f"in a ConfigMap: {suspicious}"
    return f"{len(keys)} settings in {', '.join(listed)}, none secret"


def stateful(look: Look) -> str:
    """PostgreSQL has a StatefulSet, and a Service on 5432."""
    if not look.of("StatefulSet", "postgres"):
        raise NotApplicable(NO_POSTGRES)
    image = look.container("postgres", "StatefulSet")["image"]
    ports = [one["port"] for one in look.one("Service", "postgres")["spec"]["ports"]]
    assert ports == [5432], f"the Service's ports: {ports}"
    return f"{image}, Service on 5432"


def claim(look: Look) -> str:
    """Every volume claim is bound."""
    claims = look.of("PersistentVolumeClaim")
    if not claims:
        raise NotApplicable("a database elsewhere")
    assert all(one["status"]["phase"] == "Bound" for one in claims), "a claim is not bound"
    sizes = {one["metadata"]["name"]: one["spec"]["resources"]["requests"] for one in claims}
    return ", ".join(f"{name} {size['storage']} Bound" for name, size in sizes.items())


def routes(look: Look) -> str:
    """The Ingress leads / to the frontend, and the API's path to the backend."""
    if look.facts.no_ingress:
        raise NotApplicable(f"the app has no Ingress here: {look.facts.no_ingress}")
    rules = [rule for one in look.of("Ingress") for rule in one["spec"]["rules"]]
    listed = [path for rule in rules for path in rule["http"]["paths"]]
    paths = {
        (path["path"], path["backend"]["service"]["name"].rpartition("-")[2]) for path in listed
    }
    leads = {component: path for path, component in sorted(paths, reverse=True)}
    assert leads.get("frontend") == "/", f"/ does not lead to the frontend: {paths}"
    assert leads.get("backend"), f"no path leads to the backend: {paths}"
    target = look.one("Service", "backend")["spec"]["ports"][0]
    return f"/ to frontend, {leads['backend']} to backend port {target['port']}"


def rewrite(look: Look) -> str:
    """The backend's health path answers below the API's path."""
    prefix, path = rollout.api_path(look.state), rollout.health_path(look.state)
    body = str(look.get(prefix + path).json())[:160]
    return f"{prefix}{path} reaches the backend's {path}: {body}"


def commented(look: Look) -> str:
    """Every value of values.yaml has a comment."""
    del look
    text = (chart.CHART / "values.yaml").read_text(encoding="utf-8")
    described = {path for path, _, _ in chart_readme.rows(text)}
    bare = [path for path in _leaves(yaml.safe_load(text)) if not _is_below(path, described)]
    assert not bare, f"without a comment: {', '.join(bare)}"
    return f"{len(described)} values described"


def _is_below(path: str, described: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in described)


def _leaves(value: Any, path: str = "") -> list[str]:
    if not isinstance(value, Mapping) or not value:
        return [path]
    below = {f"{path}.{key}" if path else str(key): inner for key, inner in value.items()}
    return [leaf for name, inner in below.items() for leaf in _leaves(inner, name)]


def lint(look: Look) -> str:
    """`helm lint` has nothing to say, by the plan's words and with the deployment's values."""
    _by_the_plans_words(look)
    if not look.latest:
        raise NotApplicable("installed by other means than helm: its values are not known")
    helm, run = look.tools["helm"].path, look.run
    scope = ("--namespace", look.release.namespace, "--kube-context", run.settings.context)
    values = run.shell.run(helm, "get", "values", look.release.name, "-o", "yaml", *scope).stdout
    command = ("lint", "--strict", chart.CHART, "-f", "-")
    linted = run.shell.run(helm, *command, stdin=values, check=False)
    assert linted.ok, linted.tail(3)
    return linted.tail(1)


def _by_the_plans_words(look: Look) -> None:
    """The chart lints without a message, and renders, with its own defaults."""
    helm, run = look.tools["helm"].path, look.run
    told = run.shell.run(helm, "lint", chart.CHART, check=False)
    messages = [line for line in told.stdout.splitlines() if line.startswith("[")]
    assert told.ok and not messages, f"helm lint ./helm-chart: {messages or told.tail(3)}"
    rendered = run.shell.run(helm, "template", look.release.name, chart.CHART, check=False)
    assert rendered.ok, f"helm template {look.release.name} ./helm-chart: {rendered.tail(3)}"


def accepted(look: Look) -> str:
    """The API server accepts every object in a dry run."""
    objects = yaml.safe_dump_all(look.rendered)
    scope = ("-n", look.release.namespace)
    answer = kubectl.kubectl(look.run, look.tools, *scope, *DRY_RUN, stdin=objects)
    return f"{len(answer.stdout.split())} objects accepted by the API server's dry run"
