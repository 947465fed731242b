"""The chart by itself, with plain helm, on the live cluster.

It is a release of its own in a namespace that admits `restricted` pods only.
"""

import json
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64decode
from pathlib import Path

import pytest
import requests
import yaml

from scripts.cluster import facts
from scripts.cluster.kubectl import get_items, kubectl
from scripts.release import rollout
from scripts.session.findings import Failure
from scripts.session.settings import ROOT
from tests.api_client import Writer
from tests.e2e.conftest import namespace
from tests.releases.conftest import RESTRICTED

NAME = "todo-chart"
HOST = "todo-chart.local"
CHART = ROOT / "helm-chart"
PREVIOUS = next(Path(__file__).with_name("previous").glob("todo-chatbot-*.tgz"))


@pytest.fixture(scope="module")
def values(run, found):
    """The images and probes of the deployment; everything else as the chart has it."""
    release = run.settings.release
    argv = [
        found["helm"].path,
        "--kube-context",
        run.settings.context,
        "-n",
        release.namespace,
        "get",
        "values",
        release.name,
        "-o",
        "json",
    ]
    given = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return {
        **{name: {"image": given[name]["image"]} for name in ("frontend", "backend", "postgres")},
        "ingress": {"host": HOST, "extraHosts": [], "className": given["ingress"]["className"]},
    }


@pytest.fixture(scope="module")
def on_cluster(run, found):
    """kubectl in the release's namespace."""
    return lambda *arguments, **options: (
        kubectl(run, found, "-n", NAME, *arguments, **options).stdout
    )


@pytest.fixture(scope="module")
def helm(run, found, values, on_cluster):
    """helm for the release.

    A chart is installed or upgraded with more values than those that are always given.
    """

    def helm(*arguments, chart=None, more=None, fails=False):
        argv = [found["helm"].path, "--kube-context", run.settings.context, "-n", NAME, *arguments]
        if chart:
            argv += [NAME, chart, "-f", "-", "--timeout", "240s"]
        stdin = yaml.safe_dump(_merged(values, more or {})) if chart else None
        result = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=300)
        assert (result.returncode != 0) is fails, result.stderr
        return result.stderr if fails else result.stdout

    with namespace(run, found, NAME, **RESTRICTED):
        yield helm


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


@pytest.fixture(scope="module")
def until_ready(run, found):
    def wait(seconds=180):
        end = time.monotonic() + seconds
        while waiting := rollout.unready(get_items(run, found, rollout.KINDS, "-n", NAME)):
            assert time.monotonic() < end, waiting
            time.sleep(0.5)

    return wait


@pytest.fixture(scope="module")
def release(helm, until_ready):
    """The chart as it is now, installed as the README says.

    It is installed with --wait, which is over when everything is ready.
    """
    helm("upgrade", "--install", "--wait", chart=CHART)
    until_ready()


def _until_served(user, path="/auth/me"):
    end = time.monotonic() + 60
    while (answer := user.ask("GET", path)).status_code != 200:
        assert time.monotonic() < end, answer.text
        time.sleep(0.3)
    return answer.json()


def test_from_the_previous_version_up_back_and_up_again_with_all_data(
    helm, until_ready, make_user, anybody
):
    helm("install", chart=PREVIOUS)
    until_ready()
    _until_served(type(anybody)(anybody.base, HOST), "/health")
    user = make_user(HOST)
    todo = user.post("/todos", {"title": "older than this chart"})
    helm("upgrade", chart=CHART)
    until_ready()
    assert _until_served(user, f"/todos/{todo['id']}") == todo
    helm("rollback", NAME, "1", "--timeout", "240s")
    until_ready()
    assert _until_served(user, f"/todos/{todo['id']}") == todo
    helm("upgrade", chart=CHART)
    until_ready()
    assert _until_served(user, f"/todos/{todo['id']}") == todo
    assert [one["status"] for one in json.loads(helm("history", NAME, "-o", "json"))][
        -1
    ] == "deployed"


def test_a_first_install_with_wait_makes_the_tables(helm, release, on_cluster):
    """A hook would wait for ever here.

    Helm runs it after the pods are ready, and they are ready only when their tables are there.
    """
    helm("uninstall", NAME, "--wait", "--timeout", "120s")
    on_cluster("delete", "pvc", f"data-{NAME}-postgres-0", "--wait=true", timeout=60)
    on_cluster("delete", "secret", f"{NAME}-secret")
    helm("install", "--wait", chart=CHART)
    assert "Running upgrade 0001 -> 0002" in on_cluster(
        "logs", f"deployment/{NAME}-backend", "-c", "migrate"
    )


def test_helm_test_says_that_it_works(helm, release, on_cluster):
    assert "Succeeded" in helm("test", NAME, "--timeout", "120s")
    assert "test" not in on_cluster("get", "pods", "-o", "name")


def test_the_namespace_admits_restricted_pods_only(release, on_cluster, run, found):
    assert (
        "restricted"
        in kubectl(run, found, "get", "namespace", NAME, "-o", "jsonpath={.metadata.labels}").stdout
    )
    root = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "root", "image": "phase4/none:1"}]},
    }
    refused = kubectl(
        run, found, "-n", NAME, "apply", "-f", "-", stdin=json.dumps(root), check=False
    )
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr
    for pod in json.loads(on_cluster("get", "pods", "-o", "json"))["items"]:
        assert pod["status"]["phase"] == "Running"
    # And the deployment's own: a label that its pods would violate is answered with warnings.
    label = (
        "label",
        "--dry-run=server",
        "--overwrite",
        "namespace",
        run.settings.release.namespace,
        "pod-security.kubernetes.io/enforce=restricted",
    )
    assert "Warning" not in kubectl(run, found, *label).stderr


def test_inside_a_pod_there_is_nothing_to_take(release, on_cluster):
    for component in ("backend", "frontend", "postgres"):
        target = (
            f"statefulset/{NAME}-postgres"
            if component == "postgres"
            else f"deployment/{NAME}-{component}"
        )
        said = on_cluster(
            "exec",
            target,
            "--",
            "sh",
            "-c",
            "id -u; touch /x 2>&1; ls /var/run/secrets/kubernetes.io 2>&1; grep CapEff "
            "/proc/1/status",
        )
        user, *rest = said.splitlines()
        assert int(user) > 0
        assert "Read-only file system" in rest[0]
        assert "No such file" in rest[1]
        assert int(rest[-1].split()[1], 16) == 0


def test_postgresql_is_durable(release, on_cluster):
    def ask(sql):
        return on_cluster(
            "exec", f"{NAME}-postgres-0", "--", "psql", "-U", "todo", "-d", "todo", "-Atc", sql
        ).strip()

    assert (
        ask("show fsync") == ask("show full_page_writes") == ask("show synchronous_commit") == "on"
    )
    assert ask("show data_directory").endswith("/pgdata")
    assert ask("show server_version").startswith("16")


def test_network_policies(run, found, kube, release, on_cluster):
    """What must pass passes.

    Where this cluster enforces policies nothing else does, each tried from where it would matter.
    """

    def reaches(ask, source, host, port):
        if source.endswith("backend"):
            command = [
                "python3",
                "-c",
                f"import socket; socket.create_connection(('{host}', {port}), 3)",
            ]
        else:
            command = ["timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
        try:
            ask("exec", f"deployment/{source}", "--", *command, timeout=30)
        except Failure:
            return False
        return True

    assert len(json.loads(on_cluster("get", "networkpolicies", "-o", "json"))["items"]) == 7
    database, api = f"{NAME}-postgres.{NAME}", "kubernetes.default"
    assert reaches(on_cluster, f"{NAME}-backend", database, 5432)
    enforcer = facts.read(run, found).policies
    if not enforcer:
        assert reaches(on_cluster, f"{NAME}-frontend", database, 5432)
        pytest.skip(
            "this cluster's network does NOT enforce NetworkPolicies: the frontend reached "
            "PostgreSQL. The policies are there for one that does"
        )
    passed = [
        (source, host, port)
        for ask, source, host, port in (
            (on_cluster, f"{NAME}-frontend", database, 5432),
            (on_cluster, f"{NAME}-frontend", f"{NAME}-backend", 8001),
            (on_cluster, f"{NAME}-backend", api, 443),
            (kube, f"{run.settings.release.name}-backend", database, 5432),  # another release's
        )
        if reaches(ask, source, host, port)
    ]
    assert not passed, f"{enforcer} let these through: {passed}"


class Visitor(Writer):
    """A Writer that also asks for the page, all the time."""

    def _write(self):
        asking = threading.Thread(target=self._ask)
        asking.start()
        super()._write()
        asking.join(60)

    def _ask(self):
        self.pages = 0
        while not self._stop.is_set():
            try:
                status = requests.get(
                    self._user.base.removesuffix("/api") + "/login",
                    headers={"Host": HOST},
                    timeout=10,
                ).status_code
            except requests.RequestException as error:
                status = type(error).__name__
            self.pages += 1
            if status != 200:
                self.refused.add(status)
            time.sleep(0.05)


def test_an_upgrade_under_load_fails_no_request(helm, release, until_ready, make_user):
    user = make_user(HOST)
    with Visitor(user) as visitor:
        time.sleep(1)
        helm(
            "upgrade",
            chart=CHART,
            more={
                "backend": {"config": {"TOKEN_HOURS": "11"}},
                "frontend": {"podAnnotations": {"roll": "this"}},
            },
        )
        until_ready()
        time.sleep(4)  # the old pods' last seconds
    assert visitor.refused == set()
    assert visitor.pages > 50
    assert (
        len(user.get("/todos?limit=200")) == len(visitor.acknowledged)
        or len(visitor.acknowledged) > 200
    )


@pytest.fixture
def quick_metrics(run, found):
    """metrics-server looks every 15 s, its own default, while a test waits for it.

    minikube's addon says 60.
    """

    def args(value):
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": value}]
        kubectl(
            run,
            found,
            "-n",
            "kube-system",
            "patch",
            "deployment",
            "metrics-server",
            "--type=json",
            "-p",
            json.dumps(patch),
        )

    path = "jsonpath={.spec.template.spec.containers[0].args}"
    before = json.loads(
        kubectl(
            run, found, "-n", "kube-system", "get", "deployment", "metrics-server", "-o", path
        ).stdout
    )
    args([*before, "--metric-resolution=15s"])
    yield
    args(before)


def test_load_scales_out_and_back(helm, release, until_ready, make_user, on_cluster, quick_metrics):
    """The HorizontalPodAutoscaler on metrics-server: more pods under load, one again after it."""
    autoscaling = {
        "enabled": True,
        "minReplicas": 1,
        "maxReplicas": 2,
        "targetCPU": 100,
        "scaleDownSeconds": 0,
    }
    helm("upgrade", chart=CHART, more={"backend": {"autoscaling": autoscaling}})
    until_ready()
    user, stop = make_user(HOST), threading.Event()

    def load():
        while not stop.is_set():
            user.ask("GET", "/todos")

    def replicas():
        return int(
            on_cluster(
                "get", "deployment", f"{NAME}-backend", "-o", "jsonpath={.status.readyReplicas}"
            )
            or 0
        )

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        _until(lambda: replicas() == 2, 180, "no second pod under load")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    _until(lambda: replicas() == 1, 240, "the second pod was not taken away")
    helm("upgrade", chart=CHART)
    until_ready()


def _until(true, seconds, words):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, words
        time.sleep(1)


def test_tls_with_the_charts_own_certificate(helm, release, until_ready, on_cluster, run, found):
    node = kubectl(
        run,
        found,
        "get",
        "nodes",
        "-o",
        "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}",
    ).stdout
    helm("upgrade", chart=CHART, more={"ingress": {"tls": {"enabled": True}}})
    certificate = b64decode(
        on_cluster("get", "secret", f"{NAME}-tls", "-o", "jsonpath={.data.tls\\.crt}")
    ).decode()
    context = ssl.create_default_context(cadata=certificate)

    def ask():
        with (
            socket.create_connection((node, 443), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            secure.sendall(
                f"GET /api/health HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
            )
            return secure.recv(4096).decode()

    end = time.monotonic() + 30
    while True:
        try:
            assert ask().startswith("HTTP/1.1 200")
            break
        except (AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
    helm("upgrade", chart=CHART, more={"ingress": {"tls": {"enabled": True}}})
    assert (
        b64decode(
            on_cluster("get", "secret", f"{NAME}-tls", "-o", "jsonpath={.data.tls\\.crt}")
        ).decode()
        == certificate
    )  # kept


def test_another_password_for_an_old_volume_is_refused_before_anything_happens(
    helm, release, on_cluster
):
    before = helm("history", NAME, "-o", "json")
    words = helm(
        "upgrade", chart=CHART, more={"postgres": {"password": "another-password"}}, fails=True
    )
    assert (
        f"the volume data-{NAME}-postgres-0 opens only with the password that it was made with"
        in words
    )
    assert f"kubectl -n {NAME} delete pvc data-{NAME}-postgres-0" in words
    assert helm("history", NAME, "-o", "json") == before


def test_a_class_that_is_not_there_is_named(helm, release):
    assert 'there is no ingress class "caddy" on this cluster, only' in helm(
        "upgrade", chart=CHART, more={"ingress": {"className": "caddy"}}, fails=True
    )


def test_uninstall_keeps_the_data_and_says_so(helm, release, until_ready, make_user, on_cluster):
    """Last of this file: the release goes and comes back."""
    user = make_user(HOST)
    todo = user.post("/todos", {"title": "still here"})
    assert "`helm uninstall` keeps the todos" in helm("get", "notes", NAME)
    helm("uninstall", NAME, "--wait", "--timeout", "120s")
    assert f"data-{NAME}-postgres-0" in on_cluster("get", "pvc", "-o", "name")
    assert f"{NAME}-secret" in on_cluster("get", "secret", "-o", "name")
    helm("install", "--wait", chart=CHART)
    until_ready()
    assert (
        _until_served(user, f"/todos/{todo['id']}") == todo
    )  # the same database, and the same key that signed the login
