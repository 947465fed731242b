"""Policies, routes, middlewares of somebody else; and keys without a value."""

import pytest

from scripts.checks.database import Database
from scripts.checks.diagnosis import Observed, judge
from tests.unit.checks.diagnosis.objects import LABELS, codes, healthy

FAILS = {"/": 200, "/api/health": 502}


def _policy(name, spec, labels=None):
    metadata = {"name": name, "namespace": "todo-app", "labels": labels or {}}
    return {"kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _first(**seen):
    return judge(Observed(**{**healthy(), **seen}))[0]


BACKEND = {"matchLabels": {"app.kubernetes.io/component": "backend"}}
DENY = _policy("lockdown", {"podSelector": BACKEND, "policyTypes": ["Ingress"]})


def test_a_policy_that_denies_is_named_when_a_page_fails():
    found = _first(policies=[DENY], answers=FAILS)
    assert (found.code, found.subject) == ("POLICY-IN-THE-WAY", "networkpolicy/lockdown")
    assert "answers 502" in found.evidence


def test_a_policy_that_is_not_in_force_is_not_blamed():
    assert codes(policies=[DENY]) == []


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ([{}], "SMOKE"),
        ([{"ports": [{"port": 80}]}], "SMOKE"),
        ([{"ports": [{"port": "http"}], "from": [{"namespaceSelector": {}}]}], "SMOKE"),
        ([{"ports": [{"port": 70, "endPort": 90}]}], "SMOKE"),
        ([{"ports": [{"port": 9}]}], "POLICY"),
        ([{"from": [{"podSelector": {"matchLabels": {"app": "other"}}}]}], "POLICY"),
        (
            [{"from": [{"podSelector": {"matchExpressions": [
                {"key": "app.kubernetes.io/component", "operator": "In", "values": ["traefik"]}
            ]}}]}],
            "SMOKE",
        ),
    ],
)  # fmt: skip
def test_what_another_policy_lets_through_counts(ingress, expected):
    """Policies add up. A 502 all the same makes the foreign one a suspect: it selects the pods."""
    ours = _policy("ours", {"podSelector": BACKEND, "ingress": ingress}, LABELS)
    spaces = [*healthy()["cluster"], {"kind": "Namespace", "metadata": {"name": "todo-app"}}]
    answers = {"/": 200, "/api/health": 500}
    found = _first(policies=[DENY, ours], cluster=spaces, answers=answers)
    assert found.code.startswith(expected)


def test_a_policy_that_selects_the_pods_is_suspected_of_a_502():
    ours = _policy("ours", {"podSelector": BACKEND, "ingress": [{}]}, LABELS)
    found = _first(policies=[DENY, ours], answers=FAILS)
    assert found.code == "POLICY-IN-THE-WAY"
    assert "lockdown" in found.summary


def test_a_policy_about_the_controller_is_named_with_its_namespace():
    selector = {"matchLabels": {"app.kubernetes.io/component": "traefik"}}
    deny = _policy("fence", {"podSelector": selector, "policyTypes": ["Egress"]})
    found = _first(policies=[deny], answers=FAILS)
    assert found.code == "POLICY-IN-THE-WAY"
    assert "kubectl -n todo-app describe networkpolicy fence" in found.remedy
    elsewhere = {**deny, "metadata": {"name": "fence", "namespace": "other"}}
    assert _first(policies=[elsewhere], answers=FAILS).code == "SMOKE-FAILED"


def _ingress(namespace, host, path, labels=None):
    rule = {"host": host, "http": {"paths": [{"path": path}]}}
    metadata = {"name": "poacher", "namespace": namespace, "labels": labels or {}}
    return {"kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule]}}


def test_an_ingress_of_somebody_else_on_the_same_host():
    found = _first(elsewhere=[_ingress("other", "todo.local", "/api/todos")], namespace="todo-app")
    assert (found.code, found.evidence) == ("ROUTE-TAKEN", "todo.local/api/todos")
    assert "other/poacher" in found.summary
    own = _ingress("todo-app", "todo.local", "/", LABELS)
    assert codes(elsewhere=[own, _ingress("other", "other.local", "/")], namespace="todo-app") == []


def test_a_route_of_traefiks_own_kind_on_the_same_host():
    route = {
        "kind": "IngressRoute",
        "metadata": {"name": "r", "namespace": "other"},
        "spec": {"routes": [{"match": "Host(`todo.local`) && PathPrefix(`/api`)"}]},
    }
    assert codes(elsewhere=[route]) == ["ROUTE-TAKEN"]


def _with_middleware(name):
    seen = healthy()
    ingress = next(one for one in seen["state"] if one["kind"] == "Ingress")
    key = "traefik.ingress.kubernetes.io/router.middlewares"
    ingress["metadata"]["annotations"] = {key: f"{name}@kubernetescrd"}
    return seen["state"]


def _middleware(labels, prefixes):
    metadata = {"name": "strip", "namespace": "todo-app", "labels": labels}
    spec = {"stripPrefix": {"prefixes": prefixes}} if prefixes else {"ipAllowList": {}}
    return {"kind": "Middleware", "metadata": metadata, "spec": spec}


def test_middlewares_that_are_missing_changed_or_somebody_elses():
    state = _with_middleware("todo-app-strip")
    common = {"state": state, "namespace": "todo-app"}
    ours, changed = _middleware(LABELS, ["/api"]), _middleware(LABELS, ["/elsewhere"])
    foreign = _middleware({}, [])
    assert codes(**common, middlewares=None) == []  # no Traefik here
    assert codes(**common, middlewares=[ours]) == []
    assert codes(**common, middlewares=[]) == ["INGRESS-MIDDLEWARE"]
    assert codes(**common, middlewares=[changed]) == ["INGRESS-MIDDLEWARE"]
    assert codes(**common, middlewares=[foreign]) == []
    assert codes(**common, middlewares=[foreign], answers={"/": 403}) == ["INGRESS-MIDDLEWARE"]


def _uses(key, name="keys"):
    reference = {"secretKeyRef": {"name": name, "key": key}}
    return {"env": [{"name": key, "valueFrom": reference}], "name": "backend"}


def test_a_key_without_a_value_is_told_when_it_must_have_one():
    seen = healthy()
    backend = next(one for one in seen["state"] if one["kind"] == "Deployment")
    containers = [_uses("BETTER_AUTH_SECRET"), _uses("OPENAI_API_KEY")]
    backend["spec"]["template"] = {"spec": {"containers": containers}}
    keys = {"BETTER_AUTH_SECRET": False, "OPENAI_API_KEY": False, "UNUSED_SECRET": False}
    found = judge(Observed(**{**seen, "secrets": {"keys": keys}}))
    assert [(one.code, one.subject) for one in found] == [("SECRET-EMPTY", "secret/keys")]
    assert "BETTER_AUTH_SECRET" in found[0].summary
    filled = {name: True for name in keys}
    assert codes(state=seen["state"], secrets={"keys": filled}) == []


def test_what_the_database_says_comes_before_the_pods_that_suffer_from_it():
    database = Database("7", read_only=True, settings=(("", "todo"),))
    found = judge(Observed(**{**healthy(), "database": database, "answers": {"/": 200, "/x": 500}}))
    assert [one.code for one in found] == ["DATABASE-READ-ONLY"]
    assert "so: " in found[0].evidence
