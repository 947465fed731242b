"""The chart, rendered by the helm that a deployment uses, without a cluster."""

import base64
import json
import ssl
import subprocess

import kubernetes_validate
import pytest
import yaml

from scripts.release import chart_readme
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell
from scripts.supply import bases, golang, tools

CHART = ROOT / "helm-chart"
PREVIOUS = next((ROOT / "tests" / "releases" / "previous").glob("todo-chatbot-*.tgz"))
TAGS = {"frontend": {"image": {"tag": "a1"}}, "backend": {"image": {"tag": "b2"}}}
SCHEMAS = ("1.28", "1.37")
KUBERNETES = "1.35.1"  # what a helm of `go install` would otherwise take for v1.20


OVERLAYS = {
    path.name.removesuffix("-values.yaml"): path
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
RENDERED = ROOT / "artifacts" / "chart"
#: Kinds of Kubernetes' own; the others come with a controller, and have no schema here.
FOREIGN = ("Middleware", "HTTPRoute")
#: Kinds that live in a namespace, so that two releases can be apart.
NAMESPACED = {
    "ConfigMap",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Middleware",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "Secret",
    "Service",
    "StatefulSet",
}


@pytest.fixture(scope="session")
def run():
    return Run(Settings(), Shell(), print, lambda what: True)


@pytest.fixture(scope="session")
def helm(run):
    return tools.ensure(run, "helm", bases.from_upstream(run)).path


@pytest.fixture(scope="session")
def helm3(run):
    return str(golang.install(run, "helm.sh/helm/v3/cmd/helm", "v3.22.0"))


@pytest.fixture(scope="session")
def kube_score(run):
    return str(golang.install(run, "github.com/zegl/kube-score/cmd/kube-score", "v1.20.0"))


def _template(helm, values, fails=False):
    text = values if isinstance(values, str) else yaml.safe_dump(values)
    result = subprocess.run(
        [
            helm,
            "template",
            "todo-app",
            CHART,
            "-n",
            "spot",
            "--kube-version",
            KUBERNETES,
            "-f",
            "-",
        ],
        input=text,
        capture_output=True,
        text=True,
    )
    assert (result.returncode != 0) == fails, result.stderr
    return result.stderr if fails else result.stdout


@pytest.fixture(scope="session")
def render(helm):
    def render(*overlays, fails=False):
        values = {}
        for overlay in ({**TAGS}, *overlays):
            values = _merged(values, overlay)
        text = _template(helm, values, fails)
        return text if fails else [item for item in yaml.safe_load_all(text) if item]

    return render


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request, helm):
    """The name of an overlay of ci/, and the objects that it renders.

    They are kept as a file for checkov.
    """
    text = _template(helm, OVERLAYS[request.param].read_text())
    RENDERED.mkdir(parents=True, exist_ok=True)
    (RENDERED / f"{request.param}.yaml").write_text(text)
    return request.param, [item for item in yaml.safe_load_all(text) if item]


def _merged(one, other):
    return {
        **one,
        **{
            key: _merged(one[key], value)
            if isinstance(value, dict) and isinstance(one.get(key), dict)
            else value
            for key, value in other.items()
        },
    }


def _one(objects, kind, name=None):
    (found,) = [
        item
        for item in objects
        if item["kind"] == kind and (name is None or item["metadata"]["name"] == name)
    ]
    return found


def _service(name, **values):
    return {"services": {name: {"image": {"repository": "one", "tag": "a1"}, **values}}}


def _container(objects, kind, name):
    return _one(objects, kind, name)["spec"]["template"]["spec"]["containers"][0]


VARIANTS = {
    "file": {"database": {"kind": "file"}},
    "existing-secret": {"existingSecret": "mine", "existingSecretVersion": "7"},
}


@pytest.mark.parametrize("version", SCHEMAS)
def test_every_object_of_every_overlay_fits_the_schema_of_kubernetes(overlay, version):
    for item in overlay[1]:
        if item["kind"] not in FOREIGN:
            kubernetes_validate.validate(item, version, strict=True)


def test_no_object_is_there_twice_and_each_says_its_namespace(overlay):
    names = [(item["kind"], item["metadata"]["name"]) for item in overlay[1]]
    assert len(names) == len(set(names))
    assert {item["metadata"]["namespace"] for item in overlay[1]} == {"spot"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_helm_3_and_4_agree(helm, helm3, name):
    """They lint every overlay without a word, and render the same objects.

    Generated secrets and certificates are left out of the comparison.
    """
    for program in (helm, helm3):
        linted = subprocess.run(
            [
                program,
                "lint",
                "--strict",
                "--quiet",
                CHART,
                "--kube-version",
                KUBERNETES,
                "-f",
                OVERLAYS[name],
            ],
            capture_output=True,
            text=True,
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr

    def objects(program):
        found = {}
        for item in yaml.safe_load_all(_template(program, OVERLAYS[name].read_text())):
            if item and item["kind"] != "Secret":
                found[item["kind"], item["metadata"]["name"]] = item
        return found

    assert objects(helm) == objects(helm3)


#: What kube-score would refuse and is right here.
WAIVED = {
    "container-image-pull-policy": (
        "Always would ask a registry for images that are loaded into the node; their tags name "
        "their contents"
    ),
    "container-security-context-user-group-id": (
        "PostgreSQL's official image is user 999 and owns its volume as that; all others are "
        "above 10000"
    ),
    "statefulset-has-servicename": (
        "one pod, reached by a service with an address; serviceName cannot change in an upgrade"
    ),
    "pod-probes-identical": (
        "the plan wants both probes of the frontend on /: nginx has nothing that could be alive "
        "and not ready"
    ),
}


def test_kube_score_finds_nothing_that_is_not_waived(kube_score, overlay):
    ignored = [argument for name in WAIVED for argument in ("--ignore-test", name)]
    result = subprocess.run(
        [kube_score, "score", *ignored, "-o", "ci", "-"],
        input=yaml.safe_dump_all(overlay[1]),
        capture_output=True,
        text=True,
    )
    found = [line for line in result.stdout.splitlines() if line.startswith("[CRITICAL]")]
    assert result.stdout.count("[OK]") > 20, result.stdout + result.stderr
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("kind", "name", "port", "requests", "limits"),
    [
        (
            "Deployment",
            "todo-app-frontend",
            80,
            {"cpu": "100m", "memory": "128Mi"},
            {"cpu": "200m", "memory": "256Mi"},
        ),
        (
            "Deployment",
            "todo-app-backend",
            8001,
            {"cpu": "100m", "memory": "256Mi"},
            {"cpu": "500m", "memory": "512Mi"},
        ),
        (
            "StatefulSet",
            "todo-app-postgres",
            5432,
            {"cpu": "100m", "memory": "256Mi"},
            {"cpu": "500m", "memory": "512Mi"},
        ),
    ],
)
def test_ports_and_resources_are_the_plans(render, kind, name, port, requests, limits):
    objects = render()
    container = _container(objects, kind, name)
    assert container["ports"][0]["containerPort"] == port
    for given, wanted in (("requests", requests), ("limits", limits)):
        assert container["resources"][given] == {
            **wanted,
            "ephemeral-storage": container["resources"][given]["ephemeral-storage"],
        }
    assert _one(objects, "Service", name)["spec"]["ports"][0]["port"] == port
    assert _one(objects, "Service", name)["spec"]["type"] == "ClusterIP"


def test_an_app_of_another_shape(render):
    values = yaml.safe_load((CHART / "ci" / "other-app-values.yaml").read_text())
    objects = render(values)
    named = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    backend, frontend = (
        named["Deployment", f"todo-app-{name}"]["spec"] for name in ("backend", "frontend")
    )
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert backend["template"]["spec"]["containers"][0][probe]["tcpSocket"] == {"port": "http"}
    assert backend["strategy"] == {"type": "Recreate"}
    assert {"name": "BACKEND_ADDRESS", "value": "todo-app-backend:8001"} in frontend["template"][
        "spec"
    ]["containers"][0]["env"]
    paths = [
        path["path"]
        for path in named["Ingress", "todo-app-ingress"]["spec"]["rules"][0]["http"]["paths"]
    ]
    assert paths == ["/api/todos", "/"]
    assert named["Middleware", "todo-app-strip-api"]["spec"] == {
        "stripPrefix": {"prefixes": ["/_api"]}
    }
    postgres = named["StatefulSet", "todo-app-postgres"]["spec"]["template"]["spec"]
    assert {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"} in postgres["containers"][
        0
    ]["env"]
    assert "ssl=on" in postgres["containers"][0]["args"][0]
    assert named["Secret", "todo-app-postgres-certificate"]["type"] == "kubernetes.io/tls"
    assert ("PersistentVolumeClaim", "todo-app-data") in named
    assert ("NetworkPolicy", "todo-app-frontend-out") in named


def test_probes(render):
    objects = render({"backend": {"readyPath": "/ready"}})
    backend = _container(objects, "Deployment", "todo-app-backend")
    assert backend["livenessProbe"]["httpGet"]["path"] == "/health"
    assert backend["readinessProbe"]["httpGet"]["path"] == "/ready"
    without = render({"backend": {"readyPath": ""}})
    assert (
        _container(without, "Deployment", "todo-app-backend")["readinessProbe"]["httpGet"]["path"]
        == "/health"
    )
    assert (
        _container(objects, "Deployment", "todo-app-frontend")["livenessProbe"]["httpGet"]["path"]
        == "/"
    )


def test_secrets_come_from_the_secret_and_the_address_from_the_configmap(render):
    objects = render()
    environment = {
        one["name"]: one["valueFrom"]
        for one in _container(objects, "Deployment", "todo-app-backend")["env"]
    }
    for name in ("DATABASE_URL", "OPENAI_API_KEY", "BETTER_AUTH_SECRET"):
        assert environment[name]["secretKeyRef"]["name"] == "todo-app-secret"
    (address,) = _container(objects, "Deployment", "todo-app-frontend")["env"]
    assert address["valueFrom"]["configMapKeyRef"] == {
        "name": "todo-app-config",
        "key": "NEXT_PUBLIC_API_URL",
    }


def test_nothing_secret_is_in_the_configmap(render):
    objects = render(
        {
            "backend": {"secret": {"OPENAI_API_KEY": "sk-visible", "BETTER_AUTH_SECRET": "b" * 40}},
            "postgres": {"password": "pw-visible"},
        }
    )
    secret = _one(objects, "Secret")["stringData"]
    assert secret["OPENAI_API_KEY"] == "sk-visible"
    assert "pw-visible" in secret["DATABASE_URL"]
    others = yaml.safe_dump_all(item for item in objects if item["kind"] != "Secret")
    for value in ("sk-visible", "pw-visible", "b" * 40):
        assert value not in others


def test_an_existing_secret_takes_the_place_of_the_charts(render):
    objects = render(VARIANTS["existing-secret"])
    assert not [item for item in objects if item["kind"] == "Secret"]
    names = {
        one["valueFrom"]["secretKeyRef"]["name"]
        for one in _container(objects, "Deployment", "todo-app-backend")["env"]
    }
    assert names == {"mine"}


def test_a_change_of_configuration_or_secret_rolls_the_backend(render):
    def annotations(*overlays):
        return _one(render(*overlays), "Deployment", "todo-app-backend")["spec"]["template"][
            "metadata"
        ]["annotations"]

    assert annotations() != annotations({"backend": {"config": {"LOG_LEVEL": "DEBUG"}}})
    assert annotations({"existingSecret": "mine"}) != annotations(VARIANTS["existing-secret"])


def test_file_storage_has_a_claim_and_no_postgres(render):
    objects = render(VARIANTS["file"])
    assert not [item for item in objects if "postgres" in item["metadata"]["name"]]
    assert (
        _one(objects, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == "1Gi"
    )
    deployment = _one(objects, "Deployment", "todo-app-backend")
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    assert {"name": "DATA_DIR", "value": "/data"} in _container(
        objects, "Deployment", "todo-app-backend"
    )["env"]


def test_postgres_keeps_its_data_on_a_claim_of_its_own(render):
    (claim,) = _one(render(), "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    environment = {
        one["name"]: one.get("value")
        for one in _container(render(), "StatefulSet", "todo-app-postgres")["env"]
    }
    assert environment["PGDATA"].startswith("/var/lib/postgresql/data/")


@pytest.mark.parametrize(
    ("controller", "path", "annotation"),
    [
        (
            "traefik",
            "/api/",
            (
                "traefik.ingress.kubernetes.io/router.middlewares",
                "spot-todo-app-strip-api@kubernetescrd",
            ),
        ),
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
    assert bool([item for item in objects if item["kind"] == "Middleware"]) is (
        controller == "traefik"
    )


def _pods(objects):
    for item in objects:
        if item["kind"] == "Pod":
            yield item["metadata"], item["spec"]
        elif item["kind"] in ("Deployment", "StatefulSet"):
            yield item["spec"]["template"]["metadata"], item["spec"]["template"]["spec"]


def test_every_pod_is_hardened(overlay):
    pods = list(_pods(overlay[1]))
    assert len(pods) >= 3
    for _, pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] in ("default", "todo")
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume]
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}


def test_what_a_platform_sets_reaches_every_object(render, helm):
    objects = [
        item
        for item in yaml.safe_load_all(_template(helm, OVERLAYS["all-features"].read_text()))
        if item
    ]
    for item in objects:
        assert item["metadata"]["labels"]["team"] == "todo", item["kind"]
        assert item["metadata"]["annotations"]["contact"] == "todo@example.com", item["kind"]
    for metadata, pod in _pods(objects):
        assert metadata["labels"]["team"] == "todo"
        assert pod["imagePullSecrets"] == [{"name": "mirror"}]
        assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert pod["tolerations"]
        assert pod["topologySpreadConstraints"]
        assert pod["priorityClassName"] == "system-cluster-critical"
        assert list(pod["affinity"]) == ["nodeAffinity"]
        for container in pod["containers"]:
            assert container["image"].startswith("mirror.example.com/todo/")
            assert container["imagePullPolicy"] == "Always"
    for kind, name in (
        ("Deployment", "frontend"),
        ("Deployment", "backend"),
        ("StatefulSet", "postgres"),
    ):
        container = _container(objects, kind, f"todo-app-{name}")
        assert {"name": "extra", "mountPath": "/extra"} in container["volumeMounts"]
        assert container["env"][-1]["value"] in ("1", "--data-checksums")


def test_the_pods_of_a_revision_are_spread_over_the_nodes(render):
    for kind, name in (("Deployment", "frontend"), ("Deployment", "backend")):
        pod = _one(render(), kind, f"todo-app-{name}")["spec"]["template"]["spec"]
        (spread,) = pod["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"  # one node is enough
        assert spread["matchLabelKeys"] == ["pod-template-hash"]
        assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == name
        assert "affinity" not in pod


def test_autoscaling_takes_the_place_of_replicas(helm):
    objects = [
        item
        for item in yaml.safe_load_all(_template(helm, OVERLAYS["all-features"].read_text()))
        if item
    ]
    for name in ("todo-app-frontend", "todo-app-backend"):
        scaler = _one(objects, "HorizontalPodAutoscaler", name)["spec"]
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
        assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
        assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60
        assert "replicas" not in _one(objects, "Deployment", name)["spec"]


def test_traffic_is_denied_except_what_is_needed(render):
    policies = {
        item["metadata"]["name"].removeprefix("todo-app-"): item["spec"]
        for item in render()
        if item["kind"] == "NetworkPolicy"
    }
    assert policies["deny"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policies["deny"])
    (database,) = policies["postgres"]["ingress"]
    assert (
        database["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        == "backend"
    )
    assert [rule["ports"] for rule in policies["backend-out"]["egress"]] == [
        [{"port": "postgres"}],
        [{"port": 443}],
    ]
    assert "from" not in policies["frontend"]["ingress"][0]
    chosen = render({"networkPolicy": {"from": [{"namespaceSelector": {}}]}})
    assert {"namespaceSelector": {}} in _one(chosen, "NetworkPolicy", "todo-app-backend")["spec"][
        "ingress"
    ][0]["from"]
    assert not [
        item
        for item in render({"networkPolicy": {"enabled": False}})
        if item["kind"] == "NetworkPolicy"
    ]


def test_a_drain_takes_one_pod_at_a_time(render):
    budgets = [item for item in render() if item["kind"] == "PodDisruptionBudget"]
    assert {item["metadata"]["name"] for item in budgets} == {
        "todo-app-frontend",
        "todo-app-backend",
        "todo-app-postgres",
    }
    assert {item["spec"]["maxUnavailable"] for item in budgets} == {1}
    assert not [
        item
        for item in render({"podDisruptionBudget": {"enabled": False}})
        if item["kind"] == "PodDisruptionBudget"
    ]


def test_the_data_outlives_the_release_unless_told_otherwise(render):
    assert _one(render(), "StatefulSet")["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    gone = {"storage": {"keep": False}}
    assert (
        _one(render(gone), "StatefulSet")["spec"]["persistentVolumeClaimRetentionPolicy"][
            "whenDeleted"
        ]
        == "Delete"
    )
    kept = _one(render(VARIANTS["file"]), "PersistentVolumeClaim")["metadata"]["annotations"]
    assert kept["helm.sh/resource-policy"] == "keep"
    assert (
        "annotations"
        not in _one(render(VARIANTS["file"], gone), "PersistentVolumeClaim")["metadata"]
    )


@pytest.mark.parametrize("controller", ["traefik", "nginx", "haproxy"])
def test_tls_with_a_certificate_of_its_own_or_a_given_one(render, controller):
    objects = render({"ingress": {"className": controller, "tls": {"enabled": True}}})
    certificate = _one(objects, "Secret", "todo-app-tls")
    assert certificate["type"] == "kubernetes.io/tls"
    assert base64.b64decode(certificate["data"]["tls.crt"]).startswith(b"-----BEGIN CERTIFICATE")
    for name in ("todo-app-ingress", "todo-app-api"):
        assert _one(objects, "Ingress", name)["spec"]["tls"] == [
            {"hosts": ["todo.local", "todo.localhost"], "secretName": "todo-app-tls"}
        ]
    given = render(
        {"ingress": {"className": controller, "tls": {"enabled": True, "secretName": "mine"}}}
    )
    assert _one(given, "Ingress", "todo-app-ingress")["spec"]["tls"][0]["secretName"] == "mine"
    assert not [
        item
        for item in given
        if item["kind"] == "Secret" and item["metadata"]["name"] != "todo-app-secret"
    ]


def test_body_size_time_outs_and_streaming_per_controller(render):
    def annotations(controller):
        return _one(
            render(
                {"ingress": {"className": controller, "timeoutSeconds": 300, "maxBodySize": "2m"}}
            ),
            "Ingress",
            "todo-app-api",
        )["metadata"]["annotations"]

    nginx = annotations("nginx")
    assert nginx["nginx.ingress.kubernetes.io/proxy-body-size"] == "2m"
    assert nginx["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "300"
    assert nginx["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert annotations("haproxy")["haproxy.org/timeout-server"] == "300s"


def test_a_value_that_is_taken_away_is_an_empty_one(render):
    objects = render({"ingress": {"extraHosts": None}})
    assert {
        rule["host"] for rule in _one(objects, "Ingress", "todo-app-ingress")["spec"]["rules"]
    } == {"todo.local"}


def test_a_route_of_the_gateway_api(helm):
    objects = [
        item
        for item in yaml.safe_load_all(_template(helm, OVERLAYS["gateway-api"].read_text()))
        if item
    ]
    assert not [item for item in objects if item["kind"] in ("Ingress", "Middleware")]
    api, pages = _one(objects, "HTTPRoute")["spec"]["rules"]
    assert api["matches"] == [{"path": {"type": "PathPrefix", "value": "/api"}}]
    assert api["filters"][0]["urlRewrite"] == {
        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    }
    assert (api["backendRefs"][0]["name"], pages["backendRefs"][0]["name"]) == (
        "todo-app-backend",
        "todo-app-frontend",
    )


def test_keys_of_a_secret_of_yours_have_your_names(helm):
    objects = [
        item
        for item in yaml.safe_load_all(_template(helm, OVERLAYS["existing-secrets"].read_text()))
        if item
    ]
    references = {}
    for kind, name in (("Deployment", "todo-app-backend"), ("StatefulSet", "todo-app-postgres")):
        pod = _one(objects, kind, name)["spec"]["template"]["spec"]
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            references |= {
                one["name"]: one["valueFrom"]["secretKeyRef"]["key"]
                for one in container["env"]
                if "valueFrom" in one
            }
    assert references == {
        "BETTER_AUTH_SECRET": "signing-key",
        "OPENAI_API_KEY": "openai",
        "DATABASE_URL": "url",
        "POSTGRES_PASSWORD": "password",
    }


def test_a_database_of_yours_takes_the_place_of_ours(helm):
    objects = [
        item
        for item in yaml.safe_load_all(_template(helm, OVERLAYS["external-database"].read_text()))
        if item
    ]
    assert not [item for item in objects if item["kind"] == "StatefulSet"]
    assert (
        _one(objects, "Secret", "todo-app-secret")["stringData"]["DATABASE_URL"]
        == "postgresql://todo:password@db.example.com:5432/todo"
    )
    assert _one(objects, "NetworkPolicy", "todo-app-backend-out")["spec"]["egress"] == [
        {"ports": [{"port": 443}, {"port": 5432}]}
    ]
    (migrate,) = _one(objects, "Deployment", "todo-app-backend")["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert migrate["command"] == ["alembic", "upgrade", "head"]  # its tables are ours


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"postgres": {"image": {"tag": ""}}}, "tag"),
        ({"frontend": {"image": {"tag": "latest"}}}, "must name contents"),
        ({"database": {"kind": "file"}, "backend": {"replicas": 2}}, "backend.replicas must be 1"),
        ({"backend": {"replicsa": 2}}, "replicsa"),
        ({"database": {"kind": "mysql"}}, "database"),
        ({"database": {"kind": "external"}}, "database.url"),
        (
            {"database": {"kind": "file"}, "backend": {"autoscaling": {"enabled": True}}},
            "without autoscaling",
        ),
        ({"gateway": {"enabled": True}}, "gateway.parentRefs"),
        ({"ingress": {"controller": "caddy"}}, "controller"),
        ({"backend": {"secret": {"BETTER_AUTH_SECRET": "short"}}}, "BETTER_AUTH_SECRET"),
        ({"networkPolicy": {"egressPorts": [0]}}, "egressPorts"),
        ({"backend": {"service": {"port": "no"}}}, "port"),
        (_service("postgres"), "the release uses this name itself"),
        (_service("backend-out"), "the release uses this name itself"),
        (_service("Upper"), "Upper"),
        (_service("one", probe="tcp"), "probe tcp needs a port"),
        (_service("one", paths=["/one"]), "it has no port"),
        (_service("one", replicas=2, data={"path": "/data"}), "one pod at a time"),
        (_service("one", image={"repository": "one"}), "tag"),
        (_service("one", image={"repository": "one", "tag": "latest"}), "must name contents"),
        (_service("one", prot=8000), "prot"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(render, overlay, words):
    assert words in render(overlay, fails=True)


@pytest.fixture(scope="module")
def services(helm):
    """What the overlay with further components renders.

    (kind, name after the release's) -> object.
    """
    text = _template(helm, OVERLAYS["services"].read_text())
    return {
        (item["kind"], item["metadata"]["name"].removeprefix("todo-app-")): item
        for item in yaml.safe_load_all(text)
        if item
    }


def _only_container(services, name):
    (container,) = services["Deployment", name]["spec"]["template"]["spec"]["containers"]
    return container


def test_a_service_is_reached_by_its_name_and_probed_as_it_can_be(services):
    for name, port in (("accounts", 8000), ("mcp", 9000), ("redis", 6379)):
        assert services["Service", name]["spec"]["ports"] == [
            {"name": "main", "port": port, "targetPort": "main"}
        ]
        assert _only_container(services, name)["ports"] == [{"name": "main", "containerPort": port}]
    assert ("Service", "worker") not in services
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    asked = [_only_container(services, "accounts")[probe]["httpGet"]["path"] for probe in probes]
    assert asked == ["/health", "/ready", "/health"]
    assert _only_container(services, "redis")["livenessProbe"]["tcpSocket"] == {"port": "main"}
    assert not {*probes, "ports", "lifecycle"} & set(_only_container(services, "worker"))


def test_a_service_has_its_environment_and_what_it_may_know_of_the_secret(services):
    accounts = {one["name"]: one for one in _only_container(services, "accounts")["env"]}
    assert accounts["TOKEN_HOURS"]["value"] == "12"
    keys = {
        name: (
            one["valueFrom"]["secretKeyRef"]["key"],
            one["valueFrom"]["secretKeyRef"].get("optional"),
        )
        for name, one in accounts.items()
        if "valueFrom" in one
    }
    assert keys == {
        "DATABASE_URL": ("DATABASE_URL", None),
        "JWT_SECRET": ("BETTER_AUTH_SECRET", None),
        "MAIL_KEY": ("MAIL_KEY", True),
    }
    assert _only_container(services, "redis")["env"] == []
    assert _only_container(services, "mcp")["env"][0]["name"] == "POD"
    template = services["Deployment", "accounts"]["spec"]["template"]
    assert template["spec"]["initContainers"][0]["command"] == ["alembic", "upgrade", "head"]
    assert "checksum/secret" in template["metadata"]["annotations"]
    assert template["metadata"]["labels"]["app"] == "todo-app-accounts"


def test_a_service_keeps_a_folder_and_is_then_one_pod(services):
    claim = services["PersistentVolumeClaim", "redis-data"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "256Mi"
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    redis = services["Deployment", "redis"]["spec"]
    assert redis["strategy"] == {"type": "Recreate"}
    assert {"name": "data", "mountPath": "/data"} in _only_container(services, "redis")[
        "volumeMounts"
    ]
    assert redis["template"]["spec"]["securityContext"]["fsGroup"] == 10999
    assert [name for kind, name in services if kind == "PersistentVolumeClaim"] == ["redis-data"]


def test_services_scale_and_drain_as_the_others(services):
    assert services["HorizontalPodAutoscaler", "accounts"]["spec"]["maxReplicas"] == 2
    assert "replicas" not in services["Deployment", "accounts"]["spec"]
    budgets = {name for kind, name in services if kind == "PodDisruptionBudget"}
    assert budgets == {"frontend", "backend", "postgres", "accounts", "mcp", "worker", "redis"}


def test_the_ingress_leads_to_services_with_paths_only(services, helm):
    paths = services["Ingress", "ingress"]["spec"]["rules"][0]["http"]["paths"]
    assert [(one["path"], one["backend"]["service"]["name"]) for one in paths] == [
        ("/mcp", "todo-app-mcp"),
        ("/", "todo-app-frontend"),
    ]
    values = yaml.safe_load(OVERLAYS["services"].read_text())
    values["gateway"] = {"enabled": True, "parentRefs": [{"name": "public"}]}
    objects = [item for item in yaml.safe_load_all(_template(helm, values)) if item]
    names = [rule["backendRefs"][0]["name"] for rule in _one(objects, "HTTPRoute")["spec"]["rules"]]
    assert names == ["todo-app-backend", "todo-app-mcp", "todo-app-frontend"]


def _components(peers):
    return {
        peer["podSelector"]["matchLabels"].get("app.kubernetes.io/component", "all of the release")
        for peer in peers
    }


def test_traffic_between_services(services):
    """Who may reach whom: backend, Next.js's server and services each other and the database."""
    policies = {
        name: one["spec"] for (kind, name), one in services.items() if kind == "NetworkPolicy"
    }
    assert "from" not in policies["mcp"]["ingress"][0]  # a path leads to it
    for name in ("accounts", "redis"):
        assert _components(policies[name]["ingress"][0]["from"]) == {"all of the release"}
    assert "worker" not in policies
    talking = {"backend", "frontend", "accounts", "mcp", "redis", "worker"}
    assert {name.removesuffix("-out") for name in policies if name.endswith("-out")} == talking
    assert _components(policies["postgres"]["ingress"][0]["from"]) == talking
    for name in talking:
        reached = {
            component
            for rule in policies[f"{name}-out"]["egress"]
            for component in _components(rule.get("to", []))
        }
        expected = {"backend", "frontend", "accounts", "mcp", "redis", "postgres"} - {name}
        assert reached == expected, name
        assert policies[f"{name}-out"]["egress"][-1] == {"ports": [{"port": 443}]}
    test = policies["test"]["egress"][0]["ports"]
    assert test == [{"port": "http"}, {"port": "main"}]


def test_helm_test_asks_the_services_that_speak_http(services):
    command = services["Pod", "test"]["spec"]["containers"][0]["command"]
    assert command[-1] == "http://todo-app-accounts:8000/ready"
    assert not [one for one in command if "redis" in one]


def test_a_file_system_may_be_written_where_a_component_says_so(render):
    for component in ("frontend", "backend"):
        objects = render({component: {"readOnlyRootFilesystem": False}})
        pod = _one(objects, "Deployment", f"todo-app-{component}")["spec"]["template"]["spec"]
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        assert {one["securityContext"]["readOnlyRootFilesystem"] for one in containers} == {False}
        other = "backend" if component == "frontend" else "frontend"
        security = _container(objects, "Deployment", f"todo-app-{other}")["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
    objects = render(_service("one", readOnlyRootFilesystem=False))
    security = _container(objects, "Deployment", "todo-app-one")["securityContext"]
    assert security["readOnlyRootFilesystem"] is False


def test_releases_share_nothing(helm):
    """Two releases in one namespace have no object of the same kind and name.

    They have no object of the whole cluster either.
    """
    values = OVERLAYS["services"].read_text()
    argv = [helm, "template", "-n", "spot", "--kube-version", KUBERNETES, "-f", "-"]
    names = {}
    for release in ("one", "two"):
        text = subprocess.run(
            [*argv, release, CHART], input=values, capture_output=True, text=True, check=True
        ).stdout
        objects = [item for item in yaml.safe_load_all(text) if item]
        assert {item["kind"] for item in objects} <= NAMESPACED
        names[release] = {(item["kind"], item["metadata"]["name"]) for item in objects}
        selectors = [
            item["spec"]["podSelector"]["matchLabels"]
            for item in objects
            if item["kind"] == "NetworkPolicy"
        ]
        assert {one["app.kubernetes.io/instance"] for one in selectors} == {release}
    assert not names["one"] & names["two"]
    assert len(names["one"]) == len(names["two"]) > 30


def test_a_release_has_the_hosts_that_it_is_given_and_each_once(render):
    objects = render({"ingress": {"host": "mine.localhost", "extraHosts": ["mine.localhost"]}})
    rules = _one(objects, "Ingress", "todo-app-ingress")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["mine.localhost"]


#: Maps that a person fills: their keys are not ours to describe.
OPEN = (
    "backend.config",
    "ingress.annotations",
    "affinity",
    "Labels",
    "Annotations",
    "nodeSelector",
    ".requests",
    ".limits",
    "serviceDefaults.env",
    "serviceDefaults.secretKeys",
    "serviceAccount.annotations",
)


def _leaves(value, path=""):
    if isinstance(value, dict) and value and not path.endswith(OPEN):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def _schema_leaves(schema, definitions, path=""):
    schema = definitions[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    if schema.get("properties") and not path.endswith(OPEN):
        for key, inner in schema["properties"].items():
            yield from _schema_leaves(inner, definitions, f"{path}.{key}" if path else key)
    else:
        yield path


def test_the_schema_knows_the_values_and_no_others():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert sorted(_schema_leaves(schema, schema["definitions"])) == sorted(
        _leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    )


def test_every_value_is_described_used_and_in_the_readme():
    text = (CHART / "values.yaml").read_text()
    templates = "".join(
        path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()
    )
    readme = (CHART / "README.md").read_text()
    described = {path for path, _, _ in chart_readme.rows(text)}
    assert chart_readme.updated(readme, text) == readme, "python -m scripts.release.chart_readme"
    for leaf in _leaves(yaml.safe_load(text)):
        assert leaf in described, f"{leaf} has no `# --` comment"
        assert f"`{leaf}`" in readme, f"{leaf} is missing from helm-chart/README.md"
        # Resources are rendered whole, and so are some sections that a template names `$values`.
        key, whole = leaf.split(".")[-1], leaf.removesuffix(".requests").removesuffix(".limits")
        names = {f".Values.{leaf}", f".Values.{whole}"}
        section = leaf.split(".")[0]
        if section in ("frontend", "backend", "postgres"):
            names |= {f".values.{key}", f".image.{key}", f".{key} }}"}
            names |= {f"$values.{key}", f"$values.{whole.split('.', 1)[1]}", f"$given.{key}"}
        elif section == "serviceDefaults":
            names |= {f"$values.{key}", f".values.{key}", f"$one.{key}", f".{key}"}
            names.add(f"$values.{whole.split('.', 1)[1]}")
        elif section in ("ingress", "secretKeys"):
            below = leaf.split(".", 1)[1]
            names |= {f"$given.{below}", f"$keys.{below}"}
        assert any(name in templates for name in names), f"{leaf} is used by no template"


def test_a_description_may_go_on_in_the_lines_below():
    text = (
        "# A file.\na:\n  # -- First line\n  # and the next.\n  b: 1\n  # no description\n  c: 2\n"
    )
    assert chart_readme.rows(text) == [("a.b", "1", "First line and the next.")]


def test_no_line_of_the_chart_is_too_long():
    files = [path for path in CHART.rglob("*") if path.is_file() and path.name != "README.md"]
    long = [
        f"{path.relative_to(CHART)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert not long


def test_the_plans_own_commands_need_no_values(helm):
    """`helm lint` has nothing to say, and every image falls back to the chart's appVersion."""
    linted = subprocess.run([helm, "lint", CHART], capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert linted.stdout.splitlines() == [
        f"==> Linting {CHART}",
        "",
        "1 chart(s) linted, 0 chart(s) failed",
    ]
    assert not linted.stderr
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    objects = [item for item in yaml.safe_load_all(_template(helm, {})) if item]
    images = {
        container["image"]
        for _, pod in _pods(objects)
        for container in (*pod["containers"], *pod.get("initContainers", []))
    }
    assert images == {
        f"todo-chatbot-frontend:{version}",
        f"todo-chatbot-backend:{version}",
        "postgres:16.10-trixie",
    }


def test_the_plans_label_selects_pods_and_nothing_depends_on_it(render):
    objects = render()
    for kind, name in (
        ("Deployment", "todo-app-frontend"),
        ("Deployment", "todo-app-backend"),
        ("StatefulSet", "todo-app-postgres"),
    ):
        spec = _one(objects, kind, name)["spec"]
        assert spec["template"]["metadata"]["labels"]["app"] == name
        assert "app" not in spec["selector"]["matchLabels"]
    others = [item for item in objects if item["kind"] not in ("Deployment", "StatefulSet", "Pod")]
    assert not [item for item in others if "app: todo-app" in yaml.safe_dump(item)]
    own = render({"backend": {"podLabels": {"app": "mine"}}})
    labels = _one(own, "Deployment", "todo-app-backend")["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "mine"  # a label of the person's own goes before the plan's


def test_an_upgrade_changes_nothing_that_kubernetes_forbids_to_change(helm, render):
    """Selectors and a StatefulSet's claims and service are those of the oldest chart there is."""
    argv = [helm, "template", "todo-app", PREVIOUS, "-n", "spot", "-f", "-"]
    argv += ["--kube-version", KUBERNETES]
    text = subprocess.run(
        argv, input=yaml.safe_dump(TAGS), capture_output=True, text=True, check=True
    ).stdout
    before = [item for item in yaml.safe_load_all(text) if item]
    for kind in ("Deployment", "StatefulSet"):
        for old in [item for item in before if item["kind"] == kind]:
            new = _one(render(), kind, old["metadata"]["name"])["spec"]
            assert new["selector"] == old["spec"]["selector"]
            assert new.get("serviceName") == old["spec"].get("serviceName")
            assert new.get("volumeClaimTemplates") == old["spec"].get("volumeClaimTemplates")


def test_the_databases_certificate_can_be_verified_by_all_names_of_its_service(render, tmp_path):
    """As strictly as Python 3.13 does by itself: the authority's key usage is looked at, too."""
    objects = render({"postgres": {"tls": True}, "frontend": {"server": True}})
    secret = _one(objects, "Secret", "todo-app-postgres-certificate")
    service = f"todo-app-postgres.{secret['metadata']['namespace']}.svc.cluster.local"
    for name, value in secret["data"].items():
        (tmp_path / name).write_bytes(base64.b64decode(value))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    for host in ("todo-app-postgres", service):
        client = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        _shake_hands(client, server, host)
    with pytest.raises(ssl.SSLCertVerificationError):
        client = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        _shake_hands(client, server, "another-postgres")
    for component in ("backend", "frontend"):
        container = _container(objects, "Deployment", f"todo-app-{component}")
        assert {"name": "DATABASE_CA", "valueFrom": {
            "secretKeyRef": {"name": "todo-app-postgres-certificate", "key": "ca.crt"}
        }} in container["env"]  # fmt: skip


def _shake_hands(client, server, host):
    """A TLS handshake in memory. Raises what the client finds wrong with the server."""
    first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(first, second, server_hostname=host),
        server.wrap_bio(second, first, server_side=True),
    ]
    done = set()
    while len(done) < len(sides):
        for side in sides:
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
