"""A Kubernetes without nodes: etcd, the API server with RBAC, and the controllers, on loopback.

Whether a user of few rights is ever refused shows here in seconds: rights, namespaces, claims and
every object are real, and only pods do not run.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import yaml

from scripts.supply import golang

ADMIN = "admin-of-a-test"
TIMEOUT = 60.0  # seconds until the API server is ready


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def control_plane(run, kubectl, folder):
    """Start it; a kubeconfig with the context `admin`. run: a Run; kubectl: path of the program."""
    store, peers, port = _free_port(), _free_port(), _free_port()
    address = f"http://127.0.0.1:{store}"
    subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True)
    (folder / "tokens.csv").write_text(f"{ADMIN},admin,1,system:masters\n")
    config = _kubeconfig(folder, port)
    commands = {
        "etcd": [f"--data-dir={folder}/etcd", f"--listen-client-urls={address}",
                 f"--advertise-client-urls={address}",
                 f"--listen-peer-urls=http://127.0.0.1:{peers}", "--log-level=error"],
        "kube-apiserver": [f"--etcd-servers={address}", f"--secure-port={port}",
                           "--bind-address=127.0.0.1", "--advertise-address=192.0.2.1",
                           "--endpoint-reconciler-type=none", f"--cert-dir={folder}/pki",
                           f"--service-account-key-file={folder}/sa.key",
                           f"--service-account-signing-key-file={folder}/sa.key",
                           "--service-account-issuer=https://here", "--authorization-mode=RBAC",
                           f"--token-auth-file={folder}/tokens.csv",
                           "--service-cluster-ip-range=10.77.0.0/16"],
        "kube-controller-manager": [f"--kubeconfig={config}", "--leader-elect=false",
                                    f"--service-account-private-key-file={folder}/sa.key",
                                    "--use-service-account-credentials=false",
                                    f"--secure-port={_free_port()}"],
    }  # fmt: skip
    started = []
    try:
        for program, arguments in commands.items():
            with (folder / f"{program}.log").open("wb") as log:
                path = golang.build(run, program)
                started.append(subprocess.Popen([path, *arguments], stdout=log, stderr=log))
            if program == "kube-apiserver":
                _wait(kubectl, config, folder)
        yield config
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()
        shutil.rmtree(folder / "etcd", ignore_errors=True)


def _kubeconfig(folder, port):
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": ADMIN}}],
        "contexts": [{"name": "admin", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "admin",
    }
    path = Path(folder / "kubeconfig")
    path.write_text(yaml.safe_dump(config))
    return path


def _wait(kubectl, config, folder):
    deadline = time.monotonic() + TIMEOUT
    asked = [kubectl, "--kubeconfig", config, "get", "--raw", "/readyz"]
    while subprocess.run(asked, capture_output=True).returncode:
        log = (folder / "kube-apiserver.log").read_text()[-2000:]
        assert time.monotonic() < deadline, log
        time.sleep(0.3)
