"""What a user may do is asked all at once, and nothing beyond it is read."""

import json
from pathlib import Path

import pytest

from scripts.cluster import rights
from scripts.cluster.rights import EVERYWHERE, NEEDED, OPTIONAL, Right, verdicts
from scripts.session.findings import Failure
from scripts.supply.tools import Found

TOOLS = {"kubectl": Found("kubectl", Path("kubectl"), "v1.36.3", "PATH")}
#: Answers every question: yes, but for the kinds in REFUSED that are asked for all namespaces.
ANSWERS = """\
import json, os, sys
if "create" not in sys.argv:
    print(json.dumps({"items": [{"kind": " ".join(sys.argv[4:]), "metadata": {"name": "a"}}]}))
    raise SystemExit
for one in json.load(sys.stdin)["items"]:
    asked = one["spec"]["resourceAttributes"]
    no = asked["resource"] in os.environ["REFUSED"].split() and not asked["namespace"]
    print(json.dumps({**one, "status": {"allowed": not no}}, indent=1))
"""


@pytest.fixture
def cluster(stub, tmp_path, monkeypatch):
    """A kubectl that answers reviews; `cluster(kinds)`: those refused beyond a namespace."""
    (tmp_path / "answers.py").write_text(ANSWERS)
    stub("kubectl", f'exec python3 {tmp_path}/answers.py "$@"')
    return lambda kinds: monkeypatch.setenv("REFUSED", kinds)


def test_on_our_own_cluster_nothing_is_asked(make_run):
    """The stub for kubectl fails at once."""
    assert rights.may(make_run(), TOOLS, "create", "namespaces")


def test_what_a_user_of_one_namespace_may_not_do_is_found(make_run, cluster):
    cluster("nodes namespaces storageclasses ingressclasses pods")
    run = make_run(cluster={"context": "theirs"})
    lacking = rights.missing(run, TOOLS, (*NEEDED, *OPTIONAL))
    assert [str(one) for one in lacking] == [
        "create namespaces",
        "list nodes",
        "list storageclasses",
        "list ingressclasses",
        "list pods in all namespaces",
    ]
    assert all(one.without for one in lacking)


@pytest.mark.parametrize(
    ("right", "asked"),
    [
        (Right("list", "nodes"), ("", "nodes", "", "", "")),
        (Right("create", "namespaces"), ("", "namespaces", "", "", "")),
        (Right("get", "namespaces"), ("", "namespaces", "", "team", "team")),
        (Right("create", "pods/exec"), ("", "pods", "exec", "team", "")),
        (Right("list", "ingresses", EVERYWHERE), ("networking.k8s.io", "ingresses", "", "", "")),
        (Right("get", "configmaps", "kube-public"), ("", "configmaps", "", "kube-public", "")),
    ],
)
def test_the_question_is_the_one_that_the_request_will_raise(right, asked):
    """A role that allows all kinds in a namespace gives none of those that have no namespace."""
    found = right.question("team")["spec"]["resourceAttributes"]
    keys = ("group", "resource", "subresource", "namespace", "name")
    assert tuple(found[key] for key in keys) == asked


def test_answers_come_one_after_the_other_or_as_a_list():
    yes, no = ({"kind": "X", "status": {"allowed": one}} for one in (True, False))
    assert verdicts(json.dumps(yes) + "\n" + json.dumps(no, indent=2)) == [True, False]
    assert verdicts(json.dumps({"items": [no, yes]})) == [False, True]
    for text in ("no JSON", "[1]", '{"kind": "X"}'):
        with pytest.raises(Failure):
            verdicts(text)


def test_only_what_may_be_read_is_asked_for(make_run, cluster):
    cluster("nodes pods")
    run = make_run(cluster={"context": "theirs"}, release={"namespace": "team"})
    found = rights.get_allowed(run, TOOLS, "nodes,pods,ingresses")
    assert [one["kind"] for one in found] == ["ingresses -A -o json", "pods -n team -o json"]
