"""The chart, rendered by the helm that a deployment uses, without a cluster."""

import subprocess

import kubernetes_validate
import pytest
import yaml

from scripts.run import Run
from scripts.settings import ROOT, Settings
from scripts.shell import Shell
from scripts.supply import bases, tools

CHART = ROOT / "helm-chart"
TAGS = {"frontend": {"image": {"tag": "a1"}}, "backend": {"image": {"tag": "b2"}}}
SCHEMAS = ("1.28", "1.37")


@pytest.fixture(scope="session")
def helm():
    run = Run(Settings(), Shell(), lambda text: None, lambda what: True)
    return tools.ensure(run, "helm", bases.from_upstream(run)).path


@pytest.fixture(scope="session")
def render(helm):
    def render(*overlays, fails=False):
        values = {}
        for overlay in ({**TAGS}, *overlays):
            values = _merged(values, overlay)
        result = subprocess.run([helm, "template", "todo-app", CHART, "-n", "spot", "-f", "-"], input=yaml.safe_dump(values), capture_output=True, text=True)
        assert (result.returncode != 0) == fails, result.stderr
        return result.stderr if fails else [item for item in yaml.safe_load_all(result.stdout) if item]

    return render


def _merged(one, other):
    return {**one, **{key: _merged(one[key], value) if isinstance(value, dict) and isinstance(one.get(key), dict) else value for key, value in other.items()}}


def _one(objects, kind, name=None):
    (found,) = [item for item in objects if item["kind"] == kind and (name is None or item["metadata"]["name"] == name)]
    return found


def _container(objects, kind, name):
    return _one(objects, kind, name)["spec"]["template"]["spec"]["containers"][0]


VARIANTS = {
    "default": {},
    "file": {"database": {"kind": "file"}},
    "nginx": {"ingress": {"controller": "nginx", "className": "nginx"}},
    "haproxy": {"ingress": {"controller": "haproxy", "className": "haproxy"}},
    "no-ingress": {"ingress": {"enabled": False}},
    "existing-secret": {"existingSecret": "mine", "existingSecretVersion": "7"},
    "replicas": {"backend": {"replicas": 2}, "frontend": {"replicas": 2}},
    "storage-class": {"storage": {"className": "fast", "size": "5Gi"}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", SCHEMAS)
def test_every_object_fits_the_schema_of_kubernetes(render, variant, version):
    for item in render(VARIANTS[variant]):
        if item["apiVersion"] != "traefik.io/v1alpha1":
            kubernetes_validate.validate(item, version, strict=True)


def test_helm_lint_is_strict_and_silent(helm):
    result = subprocess.run([helm, "lint", "--strict", "--quiet", CHART, "-f", "-"], input=yaml.safe_dump(TAGS), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("kind", "name", "port", "requests", "limits"),
    [
        ("Deployment", "todo-app-frontend", 80, {"cpu": "100m", "memory": "128Mi"}, {"cpu": "200m", "memory": "256Mi"}),
        ("Deployment", "todo-app-backend", 8001, {"cpu": "100m", "memory": "256Mi"}, {"cpu": "500m", "memory": "512Mi"}),
        ("StatefulSet", "todo-app-postgres", 5432, {"cpu": "100m", "memory": "256Mi"}, {"cpu": "500m", "memory": "512Mi"}),
    ],
)
def test_ports_and_resources_are_the_plans(render, kind, name, port, requests, limits):
    objects = render()
    container = _container(objects, kind, name)
    assert container["ports"][0]["containerPort"] == port
    assert container["resources"] == {"requests": requests, "limits": limits}
    assert _one(objects, "Service", name)["spec"]["ports"][0]["port"] == port
    assert _one(objects, "Service", name)["spec"]["type"] == "ClusterIP"


def test_probes(render):
    objects = render({"backend": {"readyPath": "/ready"}})
    backend = _container(objects, "Deployment", "todo-app-backend")
    assert backend["livenessProbe"]["httpGet"]["path"] == "/health"
    assert backend["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert _container(render(), "Deployment", "todo-app-backend")["readinessProbe"]["httpGet"]["path"] == "/health"
    assert _container(objects, "Deployment", "todo-app-frontend")["livenessProbe"]["httpGet"]["path"] == "/"


def test_secrets_come_from_the_secret_and_the_address_from_the_configmap(render):
    objects = render()
    environment = {one["name"]: one["valueFrom"] for one in _container(objects, "Deployment", "todo-app-backend")["env"]}
    for name in ("DATABASE_URL", "OPENAI_API_KEY", "BETTER_AUTH_SECRET"):
        assert environment[name]["secretKeyRef"]["name"] == "todo-app-secret"
    (address,) = _container(objects, "Deployment", "todo-app-frontend")["env"]
    assert address["valueFrom"]["configMapKeyRef"] == {"name": "todo-app-config", "key": "NEXT_PUBLIC_API_URL"}


def test_nothing_secret_is_in_the_configmap(render):
    objects = render({"backend": {"secret": {"OPENAI_API_KEY": "sk-visible", "BETTER_AUTH_SECRET": "b" * 40}}, "postgres": {"password": "pw-visible"}})
    secret = _one(objects, "Secret")["stringData"]
    assert secret["OPENAI_API_KEY"] == "sk-visible"
    assert "pw-visible" in secret["DATABASE_URL"]
    others = yaml.safe_dump_all(item for item in objects if item["kind"] != "Secret")
    for value in ("sk-visible", "pw-visible", "b" * 40):
        assert value not in others


def test_an_existing_secret_takes_the_place_of_the_charts(render):
    objects = render(VARIANTS["existing-secret"])
    assert not [item for item in objects if item["kind"] == "Secret"]
    names = {one["valueFrom"]["secretKeyRef"]["name"] for one in _container(objects, "Deployment", "todo-app-backend")["env"]}
    assert names == {"mine"}


def test_a_change_of_configuration_or_secret_rolls_the_backend(render):
    def annotations(*overlays):
        return _one(render(*overlays), "Deployment", "todo-app-backend")["spec"]["template"]["metadata"]["annotations"]

    assert annotations() != annotations({"backend": {"config": {"LOG_LEVEL": "DEBUG"}}})
    assert annotations({"existingSecret": "mine"}) != annotations(VARIANTS["existing-secret"])


def test_file_storage_has_a_claim_and_no_postgres(render):
    objects = render(VARIANTS["file"])
    assert not [item for item in objects if "postgres" in item["metadata"]["name"]]
    assert _one(objects, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == "1Gi"
    deployment = _one(objects, "Deployment", "todo-app-backend")
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    assert {"name": "DATA_DIR", "value": "/data"} in _container(objects, "Deployment", "todo-app-backend")["env"]


def test_postgres_keeps_its_data_on_a_claim_of_its_own(render):
    (claim,) = _one(render(), "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    environment = {one["name"]: one.get("value") for one in _container(render(), "StatefulSet", "todo-app-postgres")["env"]}
    assert environment["PGDATA"].startswith("/var/lib/postgresql/data/")


@pytest.mark.parametrize(
    ("controller", "path", "annotation"),
    [
        ("traefik", "/api/", ("traefik.ingress.kubernetes.io/router.middlewares", "spot-todo-app-strip-api@kubernetescrd")),
        ("nginx", "/api(/|$)(.*)", ("nginx.ingress.kubernetes.io/rewrite-target", "/$2")),
        ("haproxy", "/api/", ("haproxy.org/path-rewrite", r"/api/(.*) /\1")),
    ],
)
def test_each_controller_takes_api_off_the_path(render, controller, path, annotation):
    objects = render({"ingress": {"controller": controller, "className": "c"}})
    api = _one(objects, "Ingress", "todo-app-api")
    assert api["metadata"]["annotations"][annotation[0]] == annotation[1]
    assert {rule["http"]["paths"][0]["path"] for rule in api["spec"]["rules"]} == {path}
    assert {rule["host"] for rule in api["spec"]["rules"]} == {"todo.local", "todo.localhost"}
    assert bool([item for item in objects if item["kind"] == "Middleware"]) is (controller == "traefik")


def test_every_pod_is_hardened(render):
    for objects in (render(), render(VARIANTS["file"])):
        for item in objects:
            if item["kind"] in ("Deployment", "StatefulSet"):
                pod = item["spec"]["template"]["spec"]
                assert pod["automountServiceAccountToken"] is False
                assert pod["securityContext"]["runAsNonRoot"] is True
                assert pod["securityContext"]["runAsUser"] > 0
                assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
                for container in pod["containers"]:
                    assert container["securityContext"] == {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    }


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"backend": {"image": {"tag": ""}}}, "backend.image.tag must be set"),
        ({"frontend": {"image": {"tag": "latest"}}}, "must name contents"),
        ({"database": {"kind": "file"}, "backend": {"replicas": 2}}, "backend.replicas must be 1"),
        ({"backend": {"replicsa": 2}}, "replicsa"),
        ({"database": {"kind": "mysql"}}, "database"),
        ({"backend": {"service": {"port": "no"}}}, "port"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(render, overlay, words):
    assert words in render(overlay, fails=True)


def _leaves(value, path=""):
    if isinstance(value, dict) and value and path not in ("backend.config", "ingress.annotations") and not path.endswith((".requests", ".limits")):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def test_every_value_is_described_used_and_in_the_readme():
    text = (CHART / "values.yaml").read_text()
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    readme = (CHART / "README.md").read_text()
    lines = text.splitlines()
    for leaf in _leaves(yaml.safe_load(text)):
        key = leaf.split(".")[-1]
        position = [number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:") and lines[number - 1].strip().startswith("# --")]
        assert position, f"{leaf} has no `# --` comment"
        parts = leaf.split(".")
        # Resources are rendered whole; an image is handed to the helper that puts it together.
        names = {f".Values.{leaf}", f".Values.{leaf.removesuffix('.requests').removesuffix('.limits')}"}
        through = {f".image.{parts[-1]}"} if "image" in parts else set()
        assert any(name in templates for name in names | through), f"{leaf} is used by no template"
        assert f"`{leaf}`" in readme, f"{leaf} is missing from helm-chart/README.md"
