"""Users of few rights on a real API server: nothing is refused, and nothing stays behind."""

import json
import subprocess
from dataclasses import replace

import pytest
import yaml

from scripts.cluster import facts, there
from scripts.images.transport import Loaded
from scripts.machine.engine import Engine
from scripts.release import apps, chart, helm, installation
from scripts.release.secret import Secrets
from scripts.session.findings import Failure
from scripts.session.run import Run
from scripts.session.settings import Settings
from scripts.session.shell import Shell
from scripts.supply import tools
from tests.clusters.control_plane import control_plane

ENGINE = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
SECRETS = Secrets({}, (), (), "postgresql", False)
IMAGE = {"image": {"repository": "nobody.example/x", "tag": "1"}}
KINDS = (
    "all,configmaps,secrets,networkpolicies,ingresses,persistentvolumeclaims,namespaces,"
    "serviceaccounts,roles,rolebindings"
)


@pytest.fixture(scope="module")
def found():
    run = Run(Settings(), Shell(), print, lambda what: True)
    return {name: tools.ensure(run, name, upstream=False) for name in ("kubectl", "helm")}


@pytest.fixture(scope="module")
def admin(found, tmp_path_factory):
    """kubectl of whoever owns the cluster; `admin.config` is the kubeconfig."""
    folder = tmp_path_factory.mktemp("plane")
    run = Run(Settings(), Shell(), print, lambda what: True)
    with control_plane(run, found["kubectl"].path, folder) as config:

        def kubectl(*words, stdin=""):
            command = [found["kubectl"].path, "--kubeconfig", config, "--context=admin", *words]
            done = subprocess.run(command, input=stdin, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        kubectl.config = config
        kubectl("create", "namespace", "theirs")
        yield kubectl


@pytest.fixture(scope="module")
def add_user(admin):
    """Add a context to the kubeconfig whose user has a role in the namespace `theirs`."""

    def add(name, *role):
        admin("create", "serviceaccount", name, "-n", "theirs")
        who = f"--serviceaccount=theirs:{name}"
        admin("create", "rolebinding", name, "-n", "theirs", *role, who)
        token = admin("create", "token", name, "-n", "theirs").strip()
        read = yaml.safe_load(admin.config.read_text())
        read["users"].append({"name": name, "user": {"token": token}})
        context = {"cluster": "here", "user": name, "namespace": "theirs"}
        read["contexts"].append({"name": name, "context": context})
        admin.config.write_text(yaml.safe_dump(read))

    add("editor", "--clusterrole=edit")
    add("viewer", "--clusterrole=view")
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    role = {**kind, "metadata": {"name": "all", "namespace": "theirs"}, "rules": [everything]}
    admin("create", "-f", "-", stdin=json.dumps(role))
    add("wildcard", "--role=all")


@pytest.fixture
def as_user(add_user, admin, tmp_path):
    """A run as one of them; what it said is in `run.said`."""

    def make(context, namespace="theirs", **release):
        said = []
        sections = {
            "cluster": {"context": context},
            "release": {"namespace": namespace, **release},
            "supply": {"cache": str(tmp_path / "cache")},
        }
        shell = Shell(environment={"KUBECONFIG": str(admin.config)})
        return Run(Settings.load(sections), shell, said.append, lambda what: True), said

    return make


def _values(run, seen):
    """Values that need no app and no image: no pod ever runs here."""
    ingress = {"enabled": False} if seen.no_ingress else {"className": seen.ingress_class}
    postgres = {"image": {"repository": "nobody.example/postgres", "tag": "16"}}
    return {
        "frontend": IMAGE,
        "backend": IMAGE,
        "postgres": postgres,
        "existingSecret": chart.secret_name(run),
        "ingress": ingress,
    }


@pytest.mark.parametrize("who", ["editor", "wildcard", "admin"])
def test_a_release_comes_and_goes_without_a_refusal(who, as_user, found, admin):
    run, said = as_user(who, "new" if who == "admin" else "theirs")
    before = set(admin("get", KINDS, "-A", "-o", "name").split())
    target = there.look(run, ENGINE, found)
    lacking = [str(one) for one in target.without]
    assert ("create namespaces" in lacking) == (who != "admin")
    assert ("list nodes" in lacking) == (who != "admin")
    seen = facts.there(run, found)
    assert bool(seen.no_ingress)
    rendered = chart.validate(run, found, _values(run, seen))
    loaded = Loaded({}, ())
    deployed = helm.deployed(run, found)
    assert installation.install(run, found, deployed, rendered, loaded, SECRETS).revision == 1
    again = replace(rendered, values={**rendered.values, "commonLabels": {"a": "b"}})
    deployed = helm.deployed(run, found)
    assert installation.install(run, found, deployed, again, loaded, SECRETS).revision == 2
    assert [one.name for one in apps.deployed(run, found)] == ["todo-app"]
    apps.remove(run, found)
    assert set(admin("get", KINDS, "-A", "-o", "name").split()) == before
    assert not [line for line in said if "orbidden" in line]


def test_what_is_kept_is_found_again(as_user, found, admin):
    run, _ = as_user("editor")
    rendered = chart.validate(run, found, _values(run, facts.there(run, found)))
    for with_data, left in ((False, True), (True, False)):
        deployed = helm.deployed(run, found)
        installation.install(run, found, deployed, rendered, Loaded({}, ()), SECRETS)
        apps.remove(run, found, with_data)
        kept = admin("get", "secrets", "-n", "theirs", "-o", "name")
        assert ("todo-app-credentials" in kept) == left
    assert "sh.helm.release" not in admin("get", "secrets", "-n", "theirs", "-o", "name")


@pytest.mark.parametrize(
    ("who", "namespace", "told"),
    [
        ("viewer", "theirs", "create deployments"),
        ("editor", "kube-system", "create deployments"),
    ],
)
def test_who_may_not_deploy_is_told_before_anything_is_done(as_user, found, who, namespace, told):
    run, _ = as_user(who, namespace)
    with pytest.raises(Failure) as caught:
        there.look(run, ENGINE, found)
    finding = caught.value.findings[0]
    assert finding.code == "RIGHTS-MISSING"
    assert told in finding.evidence.splitlines()
    assert ("RELEASE_NAMESPACE=theirs" in finding.remedy) == (namespace != "theirs")
