"""The docker engine.

An engine that answers is used as it is. As root on Debian or Ubuntu, one is installed and started.
"""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.machine import capability_runtime
from scripts.machine.architecture import ARCHITECTURES
from scripts.session import answers
from scripts.session.findings import Failure, failure
from scripts.session.run import Run

START_TIMEOUT = 90.0
SOCKET = Path("/var/run/docker.sock")
PID_FILE = Path("/var/run/docker.pid")
# Engines from 23.0 on ask only for the capabilities that the machine has.
DROPPED_BY_ENGINE_SINCE = 23
BUILDKIT_IN_CLIENT_UNTIL = 22  # clients from 23.0 on need the buildx plug-in for BuildKit


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    client: path of a docker command that can use BuildKit. version: the server's.
    root: its folder on the machine where it runs. driver: how it stores layers there (overlay2,
    overlayfs, ...). memory: bytes. images: reference -> ID of the images that it had when it was
    first asked, so that not every stage has to ask again. architecture: of its images, in the words
    of OCI. name: of the machine where it runs.
    """

    client: str
    version: str
    root: str
    driver: str
    cpus: int
    memory: int
    images: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    architecture: str = ""
    name: str = ""


def ensure(run: Run) -> Engine:
    """Return an engine that answers. Start and install it if that is allowed.

    Raises ENGINE-MISSING, ENGINE-UNREACHABLE, ENGINE-NOT-PERMITTED or ENGINE-CLIENT.
    """
    clients = _clients(run)
    if not clients and not os.environ.get("DOCKER_HOST"):
        _install(run)
        clients = _clients(run)
    if not clients:
        raise failure(
            "ENGINE-MISSING",
            "docker",
            "no docker command was found, and DOCKER_HOST names an engine elsewhere",
            remedy=_how_to_install(),
        )
    with ThreadPoolExecutor(2) as pool:
        choosing, listing = (
            pool.submit(_with_buildkit, run, clients),
            pool.submit(_images, run, clients[0]),
        )
        info, words = _info(run, clients[0])
    if info is None:
        _start(run, clients[0], words)
        info, words = _info(run, clients[0])
        if info is None:
            raise failure(
                "ENGINE-UNREACHABLE",
                "docker",
                "the docker engine was started but does not answer",
                words,
                f"its log: {_log(run)}",
            )
        # The engine's package may have brought a command that can build; the one before could not.
        clients = _clients(run)
        return _engine(_with_buildkit(run, clients), info, _images(run, clients[0]))
    return _engine(choosing.result(), info, listing.result())


@answers.understood("docker")
def _engine(client: str, info: Mapping[str, Any], images: Mapping[str, str]) -> Engine:
    return Engine(
        client,
        info["ServerVersion"],
        info["DockerRootDir"],
        info["Driver"],
        info["NCPU"],
        info["MemTotal"],
        images,
        ARCHITECTURES.get(info.get("Architecture", ""), info.get("Architecture", "")),
        info.get("Name", ""),
    )


def present(run: Run) -> Engine:
    """Return the engine that answers; start and install nothing.

    Raises ENGINE-MISSING, ENGINE-UNREACHABLE or ENGINE-NOT-PERMITTED.
    """
    clients = _clients(run)
    if not clients:
        raise failure(
            "ENGINE-MISSING", "docker", "no docker command was found", remedy=_how_to_install()
        )
    info, words = _info(run, clients[0])
    if info is None:
        permitted = "permission denied" not in words.lower()
        raise failure(
            "ENGINE-UNREACHABLE" if permitted else "ENGINE-NOT-PERMITTED",
            "docker",
            "the docker engine does not answer"
            if permitted
            else "the docker engine runs, but this user may not use it",
            words,
            "`invoke deploy` starts it where it may"
            if permitted
            else "sudo usermod -aG docker $USER   and log in again",
        )
    return _engine(clients[0], info, {})


def _clients(run: Run) -> list[str]:
    """Return every docker command on PATH, in PATH's order."""
    folders = [
        *map(str, run.shell.path),
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
        "/usr/bin",
    ]
    found = [os.path.join(folder, "docker") for folder in dict.fromkeys(folders)]
    return [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]


def _info(run: Run, client: str) -> tuple[dict[str, Any] | None, str]:
    """Return what `docker info` says about the server, or None and its error message."""
    result = run.shell.run(client, "info", "--format", "{{json .}}", timeout=30, check=False)
    try:
        info = answers.read(result.stdout, "docker")
    except Failure:
        return None, result.tail(4)
    if not isinstance(info, dict):
        return None, result.tail(4)
    if result.ok and info.get("ServerVersion"):
        return info, ""
    return None, "\n".join(map(str, info.get("ServerErrors") or [])) or result.tail(4)


@answers.understood("docker")
def _images(run: Run, client: str) -> dict[str, str]:
    listed = run.shell.run(
        client,
        "image",
        "ls",
        "--no-trunc",
        "--format",
        "{{.Repository}}:{{.Tag}} {{.ID}}",
        timeout=30,
        check=False,
    )
    return dict(line.split() for line in listed.stdout.splitlines()) if listed.ok else {}


def _start(run: Run, client: str, words: str) -> None:
    """Start this machine's engine. `words`: the client's message when it did not answer."""
    if "permission denied" in words.lower():
        raise failure(
            "ENGINE-NOT-PERMITTED",
            "docker",
            "the docker engine runs, but this user may not use it",
            words,
            "sudo usermod -aG docker $USER   and log in again",
        )
    remote = os.environ.get("DOCKER_HOST", "")
    if remote and remote != f"unix://{SOCKET}":
        raise failure(
            "ENGINE-UNREACHABLE",
            remote,
            f"the docker engine at {remote} does not answer",
            words,
            "start it, or unset DOCKER_HOST",
        )
    if platform.system() != "Linux" or os.geteuid() != 0:
        remedy = (
            "start Docker Desktop"
            if platform.system() == "Darwin"
            else "sudo systemctl start docker   (or start Docker Desktop)"
        )
        raise failure(
            "ENGINE-UNREACHABLE", "docker", "the docker engine does not answer", words, remedy
        )
    if not run.shell.which("dockerd"):
        _install(run)
    if not run.confirm("start the docker engine (dockerd) on this machine"):
        raise failure(
            "ENGINE-UNREACHABLE",
            "docker",
            "the docker engine does not answer, and starting it was declined",
            words,
            "start it yourself, then run this again",
        )
    run.shell.plan("start the docker engine")
    if Path("/run/systemd/system").is_dir():
        run.shell.run("systemctl", "start", "docker", timeout=START_TIMEOUT, check=False)
    else:
        _forget_stale_pid()
        run.shell.detach("dockerd", *_runtime_options(run), log=_log(run))
    if not run.shell.until(lambda: _info(run, client)[0] is not None, START_TIMEOUT):
        raise failure(
            "ENGINE-UNREACHABLE",
            "dockerd",
            f"the docker engine was started but did not answer within {START_TIMEOUT:.0f} s",
            _tail(_log(run)),
            f"the whole log is in {_log(run)}",
        )


def _install(run: Run) -> None:
    """Install docker.io by apt. Raises ENGINE-MISSING if that is impossible or declined."""
    if not run.shell.which("apt-get") or os.geteuid() != 0:
        raise failure(
            "ENGINE-MISSING",
            "docker",
            "no docker engine is installed, and it can be installed for you only if you are root "
            "on Debian or Ubuntu",
            remedy=_how_to_install(),
        )
    if not run.confirm("install the docker engine (Debian package docker.io) by apt-get"):
        raise failure(
            "ENGINE-MISSING",
            "docker",
            "no docker engine is installed, and installing it was declined",
            remedy=_how_to_install(),
        )
    # Newer releases have the command and BuildKit in separate packages; older ones do not.
    apt_install(run, "docker.io", if_known=("docker-cli", "docker-buildx"))


def apt_install(run: Run, *packages: str, if_known: Sequence[str] = ()) -> None:
    """Update the package lists and install Debian packages.

    if_known: further packages, installed only if the lists have them. Raises REGISTRY-UNREACHABLE
    with apt's message.
    """
    run.say(f"apt-get install {' '.join(packages)}")
    _apt(run, "update")
    known = [
        name for name in if_known if run.shell.run("apt-cache", "show", name, check=False).stdout
    ]
    _apt(run, "install", "-y", "--no-install-recommends", *packages, *known)


def _apt(run: Run, *arguments: str) -> None:
    waiting = ("-o", "DPkg::Lock::Timeout=300")
    result = run.shell.run(
        "apt-get",
        *waiting,
        "-qq",
        *arguments,
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=900,
        check=False,
    )
    if not result.ok:
        raise failure(
            "REGISTRY-UNREACHABLE",
            "apt",
            f"apt-get {arguments[0]} failed",
            result.tail(8),
            "repair apt on this machine (sources, proxy, locks), then run the command again",
        )


def _runtime_options(run: Run) -> list[str]:
    """Return dockerd's options for the capability wrapper.

    There are none if the machine lacks no capability, or if the engine handles that itself.
    """
    absent = capability_runtime.missing_here()
    if (
        not absent
        or _major(run.shell.run("dockerd", "--version").stdout) >= DROPPED_BY_ENGINE_SINCE
    ):
        return []
    wrapper = run.settings.cache / "tools" / "runc-without-absent-capabilities"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    source = Path(capability_runtime.__file__).read_text(encoding="utf-8")
    wrapper.write_text(f"#!{os.path.realpath(sys.executable)} -I\n{source}", encoding="utf-8")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    run.say(f"this machine lacks {', '.join(sorted(absent))}: containers run without it")
    return ["--add-runtime", f"narrowed={wrapper}", "--default-runtime", "narrowed"]


def _forget_stale_pid() -> None:
    """Delete a pid file whose number another program has now: dockerd would not start."""
    try:
        number = int(PID_FILE.read_text(encoding="ascii"))
        running = os.path.basename(os.readlink(f"/proc/{number}/exe")) == "dockerd"
    except (OSError, ValueError):
        return
    if not running:
        PID_FILE.unlink(missing_ok=True)


def _with_buildkit(run: Run, clients: list[str]) -> str:
    """Return the first client that can use BuildKit, with the buildx plug-in or without."""
    for client in clients:
        if run.shell.run(client, "buildx", "version", check=False).ok:
            return client
        if (
            _major(run.shell.run(client, "--version", check=False).stdout)
            <= BUILDKIT_IN_CLIENT_UNTIL
        ):
            return client
    raise failure(
        "ENGINE-CLIENT",
        clients[0],
        "the docker command lacks the buildx plug-in, which BuildKit needs",
        "\n".join(clients),
        "install docker-buildx-plugin (docker.com's packages) "
        "or docker-buildx (Debian, Ubuntu, Homebrew)",
    )


def _major(version: str) -> int:
    match = re.search(r"(\d+)\.\d+", version)
    return int(match.group(1)) if match else 0


def _log(run: Run) -> Path:
    return run.settings.cache / "logs" / "dockerd.log"


def _tail(path: Path) -> str:
    return (
        "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-6:])
        if path.exists()
        else ""
    )


def _how_to_install() -> str:
    if platform.system() == "Darwin":
        return "install Docker Desktop, OrbStack or Colima and start it"
    return (
        "install Docker Engine (docs.docker.com/engine/install), "
        "or on Debian and Ubuntu: sudo apt-get install docker.io; "
        "on WSL2: Docker Desktop with WSL integration"
    )
