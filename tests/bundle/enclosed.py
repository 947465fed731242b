"""Deploy from a bundle where there is no network: `python -m tests.bundle.enclosed BUNDLE FOLDER`.

Run it as root, in a network namespace of its own. It starts a docker engine that has nothing, and
deploys with an empty cache and an empty home, as an ordinary user where that user can read this
checkout. Its last line is JSON: what each deployment took, in seconds, and who deployed.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from scripts.machine import engine
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def shut_in() -> None:
    """Make sure that there is loopback, and nothing else."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    routes = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    assert not routes, f"there is a way out: {routes}"


@contextmanager
def own_engine(folder: Path):
    """An engine without images: its address."""
    run = Run(
        Settings.load({"supply": {"cache": f"{folder / 'runtime'}"}}),
        Shell(),
        print,
        lambda what: True,
    )
    socket = folder / "docker.sock"
    options = [
        f"--data-root={folder / 'engine'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'docker.pid'}",
        f"--host=unix://{socket}",
        *engine._runtime_options(run),
    ]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not socket.exists():
            assert time.monotonic() < deadline and process.poll() is None, "dockerd does not start"
            time.sleep(0.2)
        socket.chmod(0o666)
        yield f"unix://{socket}"
    finally:
        docker = ["docker", f"--host=unix://{socket}"]
        listed = subprocess.run([*docker, "ps", "-aq"], capture_output=True, text=True).stdout
        if listed.split():
            subprocess.run([*docker, "rm", "--force", "--volumes", *listed.split()], timeout=120)
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder / "engine", ignore_errors=True)


def deploy(bundle: Path, home: Path, address: str, who: list[str]) -> float:
    """Deploy, and return how long that took."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": f"{home}",
        "MINIKUBE_HOME": f"{home}",
        "KUBECONFIG": f"{home / 'kubeconfig'}",
        "DOCKER_HOST": address,
        "INVOKE_PHASE4_HOSTS_FILE": "skip",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "invoke", "deploy", "--yes", "--bundle", f"{bundle}"]
    began = time.monotonic()
    subprocess.run([*who, *command], cwd=ROOT, env=environment, check=True, timeout=900)
    return time.monotonic() - began


def main() -> None:
    """Deploy twice."""
    bundle, folder = Path(sys.argv[1]), Path(sys.argv[2])
    shut_in()
    home = folder / "home"
    home.mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    can = [*AS_NOBODY, sys.executable, "-c", f"import invoke, os; os.listdir('{ROOT}/scripts')"]
    as_nobody = subprocess.run(can, cwd="/", capture_output=True).returncode == 0
    who = AS_NOBODY if as_nobody else []
    with own_engine(folder) as address:
        took = [deploy(bundle, home, address, who) for _ in range(2)]
    print(json.dumps({"first": took[0], "again": took[1], "root": not as_nobody}))


if __name__ == "__main__":
    main()
