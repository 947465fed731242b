"""Check whether this machine is fit, before anything is fetched, built or started."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.machine import ports
from scripts.session import settings
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run

PYTHON_MINIMUM = (3, 11)
# GiB for a whole cluster from sources, with the Go caches (11 measured) and images.
DISK_FRESH = 20.0
DISK_BUNDLE = 8.0  # GiB for the same from a bundle: 2 in the cache, the rest in the engine
DISK_WARM = 3.0
MEMORY_BESIDE = 512  # MiB that the machine itself needs beside the node


@dataclass(frozen=True)
class Machine:
    """What was measured. disk: GiB free. memory: MiB in total."""

    system: str
    python: str
    disk: float
    memory: int
    cpus: int

    def __str__(self) -> str:
        return f"{self.system}, Python {self.python}, {self.disk:.0f} GiB free"


def check(run: Run) -> Machine:
    """Measure the machine.

    Raises PYTHON-TOO-OLD, DISK-TOO-SMALL, MEMORY-TOO-SMALL or PORT-TAKEN; all that apply, at once.
    """
    machine = measure(run)
    wanted = run.settings.cluster
    if run.settings.is_there:  # no node takes memory, no program of a cluster is compiled
        needed, memory, port_is_ours = DISK_WARM, 0, True
    else:
        fresh = DISK_BUNDLE if run.settings.supply.bundle else DISK_FRESH
        needed = DISK_WARM if (run.settings.cache / "images").is_dir() else fresh
        memory = wanted.memory
        port_is_ours = (settings.minikube_home() / "profiles" / wanted.profile).exists()
    findings = judge(machine, needed, memory)
    if not port_is_ours:
        try:
            ports.check_port_free(run, wanted.ingress_port)
        except Failure as error:
            findings += error.findings
    if findings:
        raise Failure(findings[0], *findings[1:])
    return machine


def measure(run: Run) -> Machine:
    """Read the machine's figures."""
    place = run.settings.cache
    while not place.exists():
        place = place.parent
    return Machine(
        f"{platform.system()} {platform.machine()}{' (WSL2)' if is_wsl() else ''}",
        platform.python_version(),
        shutil.disk_usage(place).free / 2**30,
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        os.cpu_count() or 1,
    )


def judge(machine: Machine, disk: float, memory: int) -> tuple[Finding, ...]:
    """Return what is wrong with it. disk: GiB that must be free. memory: MiB that the node gets."""
    findings = []
    if tuple(int(part) for part in machine.python.split(".")[:2]) < PYTHON_MINIMUM:
        findings.append(
            Finding(
                "PYTHON-TOO-OLD",
                sys.executable,
                f"Python {machine.python} is too old",
                remedy="install Python 3.11 or later "
                "and run `python3.11 -m pip install -r requirements.txt`",
            )
        )
    if machine.disk < disk:
        findings.append(
            Finding(
                "DISK-TOO-SMALL",
                "disk",
                f"{machine.disk:.1f} GiB are free, and {disk:.0f} GiB are needed",
                remedy="free some space (docker system prune), or move the cache: "
                "INVOKE_PHASE4_SUPPLY_CACHE=/larger/disk",
            )
        )
    if machine.memory < memory + MEMORY_BESIDE:
        findings.append(
            Finding(
                "MEMORY-TOO-SMALL",
                "memory",
                f"this machine has {machine.memory} MiB of memory, "
                f"and the cluster alone takes {memory}",
                remedy="give the cluster less: INVOKE_PHASE4_CLUSTER_MEMORY="
                f"{max(2048, machine.memory - MEMORY_BESIDE)} (2048 at least)",
            )
        )
    return tuple(findings)


def is_wsl() -> bool:
    """Return whether this Linux runs under Windows."""
    try:
        return "microsoft" in Path("/proc/sys/kernel/osrelease").read_text(encoding="ascii").lower()
    except OSError:
        return False
