"""A cluster that somebody else made: found by its context, looked at, left alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import commands, deployment
from scripts.cluster import facts, rights, there
from scripts.machine.engine import Engine
from scripts.session.findings import Failure
from scripts.supply.tools import Found

TOOLS = {"kubectl": Found("kubectl", Path("kubectl"), "v1.36.3", "PATH")}
ENGINE = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34, architecture="amd64")
VIEW = {
    "contexts": [
        {"name": "kind-mine", "context": {"cluster": "kind-mine", "user": "me"}},
        {"name": "work", "context": {"cluster": "far", "user": "me", "namespace": "mine"}},
    ],
    "clusters": [
        {"name": "kind-mine", "cluster": {"server": "https://127.0.0.1:40123"}},
        {"name": "far", "cluster": {"server": "https://k8s.example.com:6443"}},
    ],
}


@pytest.fixture
def kubectl(stub):
    """A kubectl whose kubeconfig is VIEW; `answer`: shell cases for all else."""

    def play(answer='*/version*) echo \'{"gitVersion": "v1.35.1"}\';;'):
        stub("docker", "exit 0")  # no container
        return stub(
            "kubectl",
            f"""case "$*" in *"config view"*) echo '{json.dumps(VIEW)}';; {answer} esac""",
        )

    return play


def _code(caught):
    return caught.value.findings[0].code


def test_a_context_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(Failure) as caught:
        there.parse_server(VIEW, "prod")
    assert _code(caught) == "CONTEXT-UNKNOWN"
    told = "the kubeconfig has no context prod; it has kind-mine, work"
    assert caught.value.findings[0].summary == told
    empty = {"contexts": None, "clusters": None}
    with pytest.raises(Failure, match="it has none"):
        there.parse_server(empty, "prod")
    assert there.parse_server(VIEW, "work") == "https://k8s.example.com:6443"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("error: You must be logged in to the server (Unauthorized)", "RIGHTS-MISSING"),
        ("dial tcp 10.0.0.1:6443: connect: connection refused", "CLUSTER-NOT-RUNNING"),
    ],
)
def test_a_cluster_that_does_not_answer_or_does_not_know_the_user(make_run, kubectl, words, code):
    kubectl(f"*) echo '{words}' >&2; exit 1;;")
    with pytest.raises(Failure) as caught:
        there.reach(make_run(cluster={"context": "work"}), TOOLS)
    assert (_code(caught), words in caught.value.findings[0].evidence) == (code, True)


def test_rights_that_nothing_goes_without_are_listed_before_anything_is_done(
    make_run, kubectl, monkeypatch
):
    kubectl()
    monkeypatch.setattr(there, "missing", lambda run, tools, wanted: wanted[:2])
    with pytest.raises(Failure) as caught:
        there.look(make_run(cluster={"context": "work"}), ENGINE, TOOLS)
    assert _code(caught) == "RIGHTS-MISSING"
    finding = caught.value.findings[0]
    assert finding.evidence == "create deployments\npatch deployments"
    assert "the context's own namespace: INVOKE_PHASE4_RELEASE_NAMESPACE=mine" in finding.remedy


def test_a_namespace_that_is_not_there_and_may_not_be_made(make_run, kubectl, monkeypatch):
    kubectl('*/version*) echo \'{"gitVersion": "v1.35.1"}\';; *"get namespace"*) ;;')
    lacking = [one for one in rights.OPTIONAL if str(one) == "create namespaces"]
    monkeypatch.setattr(there, "missing", lambda run, tools, wanted: tuple(lacking))
    with pytest.raises(Failure) as caught:
        there.look(make_run(cluster={"context": "work"}), ENGINE, TOOLS)
    assert _code(caught) == "RIGHTS-MISSING"
    assert "does not exist" in caught.value.findings[0].evidence


def test_the_cluster_is_named_with_what_is_left_out(make_run, kubectl, monkeypatch, said):
    kubectl()
    monkeypatch.setattr(there, "missing", lambda run, tools, wanted: wanted[-1:])
    found = there.look(make_run(cluster={"context": "work"}), ENGINE, TOOLS)
    assert str(found) == (
        "context work: https://k8s.example.com:6443, Kubernetes v1.35.1, not on this machine"
    )
    assert said == ["this user may not create pods/portforward: no port-forward leads to the app"]


def test_a_person_is_asked_once_about_a_cluster_that_is_far(make_run, kubectl):
    kubectl()
    asked = []

    def run(context, answer):
        made = make_run(cluster={"context": context})
        confirm = lambda what: asked.append(what) or answer  # noqa: E731
        return replace(made, confirm=confirm, attended=True)

    with pytest.raises(Failure) as caught:
        there.up(run("work", False), ENGINE, TOOLS, None, None)
    assert _code(caught) == "CONTEXT-DECLINED"
    for _ in range(2):
        assert there.up(run("work", True), ENGINE, TOOLS, None, None).created is False
    assert asked == 2 * ["deploy to the namespace todo-app of work at https://k8s.example.com:6443"]
    there.up(run("kind-mine", False), ENGINE, TOOLS, None, None)
    assert len(asked) == 2


def test_no_stage_that_makes_a_cluster_runs_on_one_that_is_there(make_run):
    """Every tool fails here: nothing may be started at all."""
    run = make_run(cluster={"context": "theirs"})
    for stage in (deployment.NODE_IMAGE, deployment.CLUSTER_PARTS, deployment.CLUSTER_ADDONS):
        assert stage.work(run, *(None for _ in stage.needs)) is None
    assert deployment.ADDON_IMAGES.work(run, None, None).archives == {}
    assert deployment.MINIKUBE.work(run, None).source == "not needed"


def test_the_cluster_itself_is_never_started_nor_stopped(make_run):
    class Session:
        context = make_run(cluster={"context": "theirs"})

    for task in (commands.start_cluster, commands.stop_cluster):
        with pytest.raises(Failure) as caught:
            task(Session())
        assert _code(caught) == "CLUSTER-NOT-OURS"


def _node(name="n", runtime="containerd://2.1", processor="amd64", **spec):
    info = {"containerRuntimeVersion": runtime, "architecture": processor}
    return {"metadata": {"name": name}, "spec": spec, "status": {"nodeInfo": info}}


def test_a_registry_that_is_named_goes_before_all_others(make_run, kubectl, monkeypatch):
    kubectl()
    monkeypatch.setattr(there, "may", lambda *_: False)
    named = {"images": {"registry": "registry.example/team"}, "cluster": {"context": "work"}}
    way = there.way(make_run(**named), ENGINE, TOOLS)
    assert way.reference("docker.io/library/postgres:16") == "registry.example/team/postgres:16"
    assert way.reference("todo-chatbot-backend:1") == "registry.example/team/todo-chatbot-backend:1"


def test_a_registry_that_the_cluster_advertises(make_run, kubectl, monkeypatch):
    told = "host: localhost:5000\nhostFromContainerRuntime: registry:5000\n"
    config = json.dumps({"data": {"localRegistryHosting.v1": told}})
    kubectl(f"*'-n kube-public get configmap local-registry-hosting'*) printf '%s' '{config}';;")
    monkeypatch.setattr(there, "may", lambda run, tools, verb, what, *_: what == "configmaps")
    way = there.way(make_run(cluster={"context": "work"}), ENGINE, TOOLS)
    assert (way.push, way.reference("a:1")) == ("localhost:5000", "registry:5000/a:1")
    assert "which the cluster advertises" in str(way)


@pytest.mark.parametrize("data", [{}, {"localRegistryHosting.v1": "host: [broken"}, None])
def test_a_config_map_that_advertises_nothing(data):
    assert there.advertised({"data": data}) == ("", "")


def test_without_any_way_the_person_is_told_what_to_do(make_run, kubectl, monkeypatch):
    kubectl()
    monkeypatch.setattr(there, "may", lambda *_: False)
    run = make_run(cluster={"context": "work"})
    with pytest.raises(Failure) as caught:
        there.way(run, ENGINE, TOOLS)
    assert _code(caught) == "IMAGES-NO-WAY"
    assert "phase4.images.registry" in caught.value.findings[0].remedy
    assert there.way_of(run, ENGINE, TOOLS).nodes == ()


def test_engine_and_cluster_are_one_where_the_node_is_the_engines_machine():
    desktop = _node("docker-desktop", "docker://28.5")
    assert there.is_shared([desktop], "docker-desktop")
    assert not there.is_shared([_node("docker-desktop")], "docker-desktop")
    assert not there.is_shared([_node("far", "docker://19.3")], "docker-desktop")
    assert not there.is_shared([], "docker-desktop")


def test_nodes_of_another_processor_are_refused_unless_some_fit():
    cordoned, pi = _node("c", processor="arm64", unschedulable=True), _node("pi", processor="arm64")
    assert there.common_processor([_node(), cordoned], "amd64") == ""
    assert there.common_processor([_node(), pi], "amd64") == "amd64"
    assert there.common_processor([], "amd64") == ""
    with pytest.raises(Failure) as caught:
        there.common_processor([pi], "amd64")
    finding = caught.value.findings[0]
    assert finding.code == "IMAGE-ARCHITECTURE"
    assert finding.summary == (
        "the cluster's nodes are arm64, and this engine builds images for amd64"
    )


SERVICE = {"kind": "Service"}  # so that something was read
CLASSES = [
    {"kind": "IngressClass", "metadata": {"name": name}, "spec": {"controller": controller}}
    for name, controller in (("alb", "ingress.k8s.aws/alb"), ("web", "k8s.io/ingress-nginx"))
]


@pytest.mark.parametrize(
    ("classes", "lacking", "told"),
    [
        (CLASSES, (), ""),
        (CLASSES, ("ingressclasses",), "may not look for a class"),
        (CLASSES[:1], (), "is none of the controllers known here"),
        ([], (), "has no ingress class"),
    ],
)
def test_why_an_app_gets_no_ingress(make_run, kubectl, monkeypatch, classes, lacking, told):
    kubectl()

    def refused(_run, _tools, wanted):
        return [one for one in wanted if one.what in lacking]

    monkeypatch.setattr(facts, "missing", refused)
    found = facts.there(make_run(cluster={"context": "work"}), TOOLS, [*classes, SERVICE])
    assert told in found.no_ingress and bool(found.no_ingress) == bool(told)
    assert (found.ingress_class, found.kubernetes) == ("" if told else "web", "v1.35.1")
