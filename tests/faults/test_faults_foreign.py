"""Objects that somebody else made beside the app; the first finding names the object."""

import json

import pytest


@pytest.fixture
def name(run):
    return run.settings.release.name


@pytest.fixture
def put(kube):
    """Make an object for a test."""
    made = []

    def put(manifest):
        made.append(f"{manifest['kind'].lower()}/{manifest['metadata']['name']}")
        kube("apply", "-f", "-", stdin=json.dumps(manifest))

    yield put
    for one in made:
        kube("delete", one, "--ignore-not-found")


def _policy(selector, types=("Ingress",)):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "lockdown"},
        "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": list(types)},
    }


def _without_own_policies(kube, name):
    """As where the chart's own are switched off: policies add up, and ours would let through."""
    selector = f"app.kubernetes.io/instance={name}"
    listed = json.loads(kube("get", "networkpolicy", "-l", selector, "-o", "json"))
    kube("delete", "networkpolicy", "-l", selector)
    for one in listed["items"]:
        for field in ("resourceVersion", "uid", "creationTimestamp", "generation"):
            one["metadata"].pop(field, None)
    return json.dumps(listed)


@pytest.mark.parametrize("component", ["backend", "frontend"])
def test_a_policy_that_keeps_the_pages_away(kube, name, put, diagnosed, component):
    own = _without_own_policies(kube, name)
    put(_policy({"app.kubernetes.io/component": component}))
    try:
        first = diagnosed("POLICY-IN-THE-WAY")[0]
        assert "the network policy lockdown, which is not of this release" in first.summary
        assert component in first.summary
        assert "lockdown" in first.remedy
    finally:
        kube("apply", "-f", "-", stdin=own)


def test_a_policy_that_keeps_the_backend_from_its_database(kube, name, put, diagnosed):
    own = _without_own_policies(kube, name)
    put(_policy({"app.kubernetes.io/component": "postgres"}))
    try:
        kube("rollout", "restart", f"deployment/{name}-backend")
        first = diagnosed("POLICY-IN-THE-WAY")[0]
        assert "lockdown" in first.summary
        assert "postgres" in first.summary
    finally:
        kube("apply", "-f", "-", stdin=own)
        kube("delete", "networkpolicy", "lockdown")
        kube("rollout", "undo", f"deployment/{name}-backend")
        kube("rollout", "status", f"deployment/{name}-backend", "--timeout=150s")


def test_a_quota_that_somebody_else_made_is_named(kube, name, put, diagnosed):
    quota = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "thrift"}}
    put({**quota, "spec": {"hard": {"pods": "1"}}})
    kube("delete", "pod", "-l", "app.kubernetes.io/component=backend")
    first = diagnosed("QUOTA-EXCEEDED")[0]
    assert "the quota thrift allows no more pods of" in first.summary
    assert "kubectl describe resourcequota thrift" in first.remedy


def _rule(host, path, service):
    backend = {"service": {"name": service, "port": {"name": "http"}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    return {"host": host, "http": {"paths": paths}}


def test_an_ingress_of_somebody_else_that_takes_a_path(run, name, put, diagnosed):
    host = run.settings.release.host
    put(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "poacher"},
            "spec": {"rules": [_rule(host, "/api/health", f"{name}-frontend")]},
        }
    )
    first = diagnosed("ROUTE-TAKEN")[0]
    assert f"the Ingress {run.settings.release.namespace}/poacher" in first.summary
    assert f"{host}/api/health" in first.evidence


def test_a_route_of_traefiks_own_kind_that_takes_a_path(run, name, put, diagnosed):
    host = run.settings.release.host
    service = {"name": f"{name}-frontend", "port": "http"}
    match = f"Host(`{host}`) && PathPrefix(`/api`)"
    routes = [{"kind": "Rule", "match": match, "priority": 9999, "services": [service]}]
    put(
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": {"name": "poacher"},
            "spec": {"routes": routes},
        }
    )
    first = diagnosed("ROUTE-TAKEN")[0]
    assert "the IngressRoute" in first.summary
    assert match in first.evidence


def _page_ingress(as_json):
    names = [one["metadata"]["name"] for one in as_json("get", "ingress")["items"]]
    return next(name for name in names if not name.endswith("-api"))


def test_a_middleware_that_somebody_hung_before_the_pages(run, kube, as_json, put, diagnosed):
    put(
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "Middleware",
            "metadata": {"name": "doorman"},
            "spec": {"ipAllowList": {"sourceRange": ["192.0.2.1/32"]}},
        }
    )
    key = "traefik.ingress.kubernetes.io/router.middlewares"
    full = f"{run.settings.release.namespace}-doorman@kubernetescrd"
    ingress = _page_ingress(as_json)
    kube("annotate", "ingress", ingress, f"{key}={full}")
    try:
        first = diagnosed("INGRESS-MIDDLEWARE")[0]
        assert f"uses the middleware {full}, which is not of this release" in first.summary
    finally:
        kube("annotate", "ingress", ingress, f"{key}-")


def test_a_middleware_that_is_gone(kube, as_json, name, diagnosed):
    before = as_json("get", "middleware.traefik.io", f"{name}-strip-api")
    for field in ("resourceVersion", "uid", "creationTimestamp", "generation"):
        before["metadata"].pop(field, None)
    kube("delete", "middleware.traefik.io", f"{name}-strip-api")
    try:
        assert "which does not exist" in diagnosed("INGRESS-MIDDLEWARE")[0].summary
    finally:
        kube("apply", "-f", "-", stdin=json.dumps(before))


def test_a_frontend_that_does_not_come_up_says_so_in_its_own_words(kube, name, diagnosed):
    """Its program complains and never listens."""
    workload = f"deployment/{name}-frontend"
    script = "echo 'Error: relation \"session\" does not exist'; exec sleep 3600"
    command = json.dumps(["sh", "-c", script])
    path = "/spec/template/spec/containers/0/command"
    kube(
        "patch",
        workload,
        "--type=json",
        f'-p=[{{"op": "add", "path": "{path}", "value": {command}}}]',
    )
    try:
        first = diagnosed("PROBE-FAILING")[0]
        assert 'relation "session" does not exist' in first.summary
        assert "the frontend must answer" in first.remedy
        assert "backend.healthPath" not in first.remedy
    finally:
        kube("rollout", "undo", workload)
