"""Which docker engines are tried."""

import subprocess
from pathlib import Path

from tests.engines.lab import Kind

KINDS = (Kind("docker 26.1", False), Kind("docker 26.1, containerd's store", True))


def pytest_addoption(parser):
    parser.addoption(
        "--programs", type=Path, help="also try dockerd, docker-proxy and runc of this folder"
    )


def pytest_generate_tests(metafunc):
    if "kind" not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption("programs")
    more = [of_folder(folder.resolve())] if folder else []
    metafunc.parametrize("kind", [*KINDS, *more], ids=str, scope="module")


def of_folder(folder):
    """The engine of a folder, with the store that is the default of Docker from 29 on."""
    asked = subprocess.run([folder / "dockerd", "--version"], capture_output=True, text=True)
    version = asked.stdout.split()[2].strip(",")
    return Kind(f"docker {version}, containerd's store", True, folder)
