"""An OCI runtime for machines that lack a capability.

It removes from the bundle what the kernel would refuse, then it starts runc.

In a privileged container, Docker engines before 23 ask for every capability that they know. runc
fails if this machine's bounding set lacks one ("unable to apply caps: operation not permitted").
engine.py installs this program as dockerd's default runtime, but only if the bounding set lacks a
capability. It runs under any Python 3 and imports nothing else of this project.
"""

import json
import os
import sys
from typing import Any

# capability(7), in the kernel's order.
NAMES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]


def missing(status: str) -> set[str]:
    """Return the capabilities (CAP_...) that the CapBnd line of a /proc/<pid>/status text lacks."""
    mask = int(
        next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), 16
    )
    return {f"CAP_{name}" for bit, name in enumerate(NAMES) if not mask >> bit & 1}


def missing_here() -> set[str]:
    """Return the capabilities that this machine lacks; none on systems other than Linux."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return missing(status.read())
    except FileNotFoundError:
        return set()


def strip(process: dict[str, Any], absent: set[str]) -> dict[str, Any]:
    """Return an OCI process without the absent capabilities."""
    sets = process.get("capabilities") or {}
    kept = {name: [one for one in granted if one not in absent] for name, granted in sets.items()}
    return {**process, "capabilities": kept} if sets else process


def _option(arguments: list[str], *names: str) -> str:
    for position, word in enumerate(arguments):
        for name in names:
            if word == name and position + 1 < len(arguments):
                return arguments[position + 1]
            if word.startswith(name + "="):
                return word.split("=", 1)[1]
    return ""


def main(arguments: list[str]) -> None:
    """Rewrite the bundle of a create, run or exec, then exec runc with the same arguments."""
    absent = missing_here()
    if "exec" in arguments:
        path = _option(arguments, "--process", "-p")
    elif "create" in arguments or "run" in arguments:
        path = os.path.join(_option(arguments, "--bundle", "-b") or ".", "config.json")
    else:
        path = ""
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        changed = (
            {**document, "process": strip(document["process"], absent)}
            if "process" in document
            else strip(document, absent)
        )
        with open(path, "w", encoding="utf-8") as file:
            json.dump(changed, file)
    os.execvp("runc", ["runc", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
