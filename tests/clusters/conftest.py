"""A cluster that somebody else made, and two people who use it.

It is a minikube of another profile. After it is there, it is known by a kubeconfig of its own and
by nothing else. One person may do everything in it, the other works in one namespace.
"""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
import yaml

from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell
from scripts.supply import tools

PROFILE, TEAM = "elsewhere", "team"
PORTS = {"INGRESS": "18443", "DOOR": "18080"}
#: What changes by itself, or tells only what happened.
RESTLESS = {
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "pods",
    "nodes",
    "componentstatuses",
    "endpoints",
    "endpointslices.discovery.k8s.io",
}
FORGOTTEN = {"resourceVersion", "managedFields", "generation", "uid", "creationTimestamp"}


def run(*command, env=None, status=0):
    """Run a command of this repository; its output. It must end with this status."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    print(" ".join(command), done.stdout, sep="\n")
    assert done.returncode == status, done.stdout[-6000:]
    return done.stdout


def invoke(*words, **options):
    return run(sys.executable, "-m", "invoke", *words, **options)


@pytest.fixture(scope="session")
def made():
    """The cluster, as its maker makes it."""
    env = {
        "INVOKE_PHASE4_CLUSTER_PROFILE": PROFILE,
        "INVOKE_PHASE4_CLUSTER_INGRESS_PORT": PORTS["INGRESS"],
        "INVOKE_PHASE4_CLUSTER_CONTEXT": "",
    }
    invoke("cluster-up", "--yes", env=env)
    yield
    invoke("destroy", "--yes", env=env)


@pytest.fixture(scope="session")
def kubectl(made):
    """kubectl of whoever made the cluster."""
    looking = Run(Settings(), Shell(), lambda text: None, lambda what: True)
    path = str(tools.ensure(looking, "kubectl", upstream=False).path)
    return lambda *words: run(path, "--context", PROFILE, *words)


@pytest.fixture(scope="session")
def kubeconfig(kubectl, tmp_path_factory):
    """A file with the contexts `admin` and `team`, as a person gets it from somebody else."""
    for words in (
        ("create", "namespace", TEAM),
        ("create", "serviceaccount", "deployer", "-n", TEAM),
        ("create", "rolebinding", "deployer", "-n", TEAM, "--clusterrole=edit",
         f"--serviceaccount={TEAM}:deployer"),
    ):  # fmt: skip
        kubectl(*words)
    token = kubectl("create", "token", "deployer", "-n", TEAM, "--duration=6h").strip()
    view = yaml.safe_load(kubectl("config", "view", "--minify", "--flatten", "--raw"))
    user, cluster = view["users"][0]["name"], view["clusters"][0]["name"]
    view["users"].append({"name": "deployer", "user": {"token": token}})
    view["contexts"] = [
        {"name": "admin", "context": {"cluster": cluster, "user": user}},
        {"name": "team", "context": {"cluster": cluster, "user": "deployer"}},
    ]
    view["current-context"] = ""
    path = tmp_path_factory.mktemp("given") / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(view))
    return path


@pytest.fixture(scope="session")
def everything(kubectl):
    """Every object of the cluster: kind and name -> what it is, without what it is doing."""
    kinds = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    asked = sorted(kind for kind in kinds if kind not in RESTLESS and "metrics.k8s.io" not in kind)

    def look():
        found = {}
        for kind in asked:
            said = kubectl("get", kind, "-A", "-o", "json")
            for item in json.loads(said[said.index("{") :])["items"]:  # below kubectl's warnings
                about = item["metadata"]
                name = f"{kind} {about.get('namespace', '')}/{about['name']}"
                item.pop("status", None)
                item["metadata"] = {k: v for k, v in about.items() if k not in FORGOTTEN}
                found[name] = item
        return found

    return look


REGISTRY = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: ":{port}"}}
"""
MIRROR = """server = "http://{gateway}:{port}"
[host."http://{gateway}:{port}"]
  capabilities = ["pull", "resolve"]
"""


@pytest.fixture(scope="session")
def registry(made, tmp_path_factory):
    """A registry on this machine, of Debian's package; its address for engine and nodes alike.

    The cluster's maker tells the node where that name leads, as kind's documents do.
    """
    folder = tmp_path_factory.mktemp("registry")
    program = shutil.which("docker-registry") or _unpacked(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(REGISTRY.format(folder=folder / "data", port=port))
    gateway = run(
        "docker", "network", "inspect", PROFILE, "--format", "{{(index .IPAM.Config 0).Gateway}}"
    ).strip()
    place = f"/etc/containerd/certs.d/localhost:{port}"
    mirror = MIRROR.format(gateway=gateway, port=port)
    run("docker", "exec", PROFILE, "mkdir", "-p", place)
    run("docker", "exec", PROFILE, "sh", "-c", f"printf '%s' '{mirror}' > {place}/hosts.toml")
    serving = subprocess.Popen([program, "serve", folder / "config.yml"])
    yield f"localhost:{port}"
    serving.terminate()
    serving.wait()


def _unpacked(folder):
    """The program out of Debian's package, which is not installed: it would be a service."""
    if not shutil.which("apt-get"):
        pytest.skip("no docker-registry here, and no apt to fetch it")
    subprocess.run(["apt-get", "download", "docker-registry"], cwd=folder, check=True)
    package = next(folder.glob("docker-registry_*.deb"))
    subprocess.run(["dpkg", "-x", package, folder / "package"], check=True)
    return folder / "package" / "usr" / "bin" / "docker-registry"
