"""One archive for somebody who helps: logs, events, objects, versions and timings.

It holds no secret. Of a Secret only its name and keys go into the archive. Its value is masked
where it could stand (a log, an event, a transcript), and all files are searched for it once more
before the archive is written.
"""

from __future__ import annotations

import base64
import io
import platform
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.cluster.kubectl import items_of, kubectl
from scripts.machine.engine import Engine
from scripts.session import answers
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

MOST_TRANSCRIPTS = 5
#: What looks like a secret: keys of providers, tokens, passwords in addresses.
PATTERNS = (
    (re.compile(r"\b(sk-[A-Za-z0-9_-]{8})[A-Za-z0-9_-]{8,}"), r"\1********"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"), "********"),
    (re.compile(r"(://[^\s:/@]+:)[^\s@]+@"), r"\1********@"),
)
KEYS = (
    "{{range .items}}{{.metadata.name}} ({{.type}}):"
    "{{range $key, $_ := .data}} {{$key}}{{end}}\n{{end}}"
)
OBJECTS = "all,ingresses,configmaps,persistentvolumeclaims,networkpolicies,resourcequotas"


def bundle(run: Run, engine: Engine, tools: Mapping[str, Found], target: Path) -> int:
    """Write the archive (.tar.gz) and return how many files it holds.

    Raises BUNDLE-UNSAFE when a secret's value would be in it.
    """
    secrets = known_secrets(run, tools)
    run.shell.hide(*secrets)
    files = {
        name: redact(run.shell.mask(text)) for name, text in collect(run, engine, tools).items()
    }
    found = [name for name, text in files.items() if any(secret in text for secret in secrets)]
    if found:
        summary = f"a secret's value would be in {found[0]}, so nothing was written"
        raise failure(
            "BUNDLE-UNSAFE",
            found[0],
            summary,
            remedy="report this with the name of the file; do not send logs by hand",
        )
    target.write_bytes(_packed(target.name.partition(".")[0], files))
    return len(files)


def _packed(folder: str, files: Mapping[str, str]) -> bytes:
    """The files as an archive (.tar.gz), below one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            entry, content = tarfile.TarInfo(f"{folder}/{name}"), text.encode()
            entry.size, entry.mtime = len(content), int(time.time())
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@answers.understood("kubectl")
def known_secrets(run: Run, tools: Mapping[str, Found]) -> set[str]:
    """The values of the namespace's Secrets, decoded and as they stand in the objects.

    They are searched for and masked. Helm's own records, which are Secrets too, are left out.
    """
    scope = ("-n", run.settings.release.namespace)
    listed = kubectl(run, tools, *scope, "get", "secrets", "-o", "json", check=False)
    values = set()
    for item in items_of(listed.stdout) if listed.ok else []:
        if item["type"].startswith("helm.sh/"):
            continue
        for encoded in (item.get("data") or {}).values():
            plain = base64.b64decode(encoded).decode("utf-8", "replace")
            values |= {plain, encoded} if len(plain) >= 8 else set()
    return values


def redact(text: str) -> str:
    """Mask what looks like a secret."""
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


def collect(run: Run, engine: Engine, tools: Mapping[str, Found]) -> dict[str, str]:
    """File name -> text. A file whose text cannot be had says why."""
    release, context = run.settings.release, run.settings.context
    helm = ("--namespace", release.namespace, "--kube-context", context)

    def ask(*argv: str | Path) -> str:
        result = run.shell.run(*argv, check=False, timeout=60)
        if result.ok:
            return result.stdout
        return f"{result.stdout}\n(exit status {result.code})\n{result.stderr}"

    def cluster(*arguments: str) -> str:
        return ask(tools["kubectl"].path, "--context", context, *arguments)

    def namespace(*arguments: str) -> str:
        return cluster("-n", release.namespace, *arguments)

    return {
        "versions.txt": _versions(engine, tools),
        "settings.json": run.settings.model_dump_json(indent=1),
        "nodes.txt": cluster("get", "nodes,storageclasses,ingressclasses", "-o", "wide"),
        "pods-of-all-namespaces.txt": cluster("get", "pods", "-A", "-o", "wide"),
        "events.txt": namespace("get", "events", "--sort-by=.lastTimestamp"),
        "objects.yaml": namespace("get", OBJECTS, "-o", "yaml"),
        "secrets-by-name.txt": namespace("get", "secrets", "-o", f"go-template={KEYS}"),
        "usage.txt": namespace("top", "pods", "--containers"),
        "release-history.txt": ask(tools["helm"].path, "history", release.name, *helm),
        "node-log.txt": "not applicable: the nodes are not this project's\n"
        if run.settings.is_there
        else ask(engine.client, "logs", "--tail", "200", run.settings.cluster.profile),
        **_pod_logs(namespace),
        **_runs(run.settings.cache / "logs"),
    }


def _versions(engine: Engine, tools: Mapping[str, Found]) -> str:
    docker = f"docker {engine.version} ({engine.driver})"
    lines = [
        f"{platform.platform()}, Python {platform.python_version()}",
        f"{docker}, {engine.cpus} CPUs, {engine.memory >> 20} MiB",
        *(f"{one.name} {one.version} ({one.source})" for one in tools.values()),
    ]
    return "\n".join(lines)


def _pod_logs(namespace: Callable[..., str]) -> dict[str, str]:
    """The logs of every pod, and those of its run before."""
    files = {}
    options = ("--all-containers", "--prefix")
    for pod in namespace("get", "pods", "-o", "name").split():
        name = pod.partition("/")[2]
        if name:
            ask = ("logs", name, *options)
            files[f"logs/{name}.txt"] = namespace(*ask, "--tail=2000")
            files[f"logs/{name}-before.txt"] = namespace(*ask, "--tail=500", "--previous")
    return files


def _runs(logs: Path) -> dict[str, str]:
    """The transcripts of the newest runs, and how long their stages took."""
    recent = sorted(logs.glob("2*.log"))[-MOST_TRANSCRIPTS:] if logs.is_dir() else []
    timings = [path for path in (logs / "timings.json", logs / "timings.xml") if path.exists()]
    return {
        f"runs/{path.name}": path.read_text(encoding="utf-8", errors="replace")
        for path in (*recent, *timings)
    }
