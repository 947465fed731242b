"""One archive for somebody who helps: logs, events, objects, versions and timings, without any secret.

Objects of kind Secret are never asked for, only their names and keys. What else could hold a secret's value (a log, an event, a
transcript) is masked, and the finished archive is searched once more before it is kept.
"""

from __future__ import annotations

import base64
import io
import json
import platform
import re
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from scripts.cluster.kubectl import kubectl
from scripts.machine.engine import Engine
from scripts.session.findings import failure
from scripts.session.run import Run
from scripts.supply.tools import Found

MOST_TRANSCRIPTS = 5
#: What looks like a secret though nobody told: keys of providers, tokens, passwords in addresses.
PATTERNS = (
    (re.compile(r"\b(sk-[A-Za-z0-9_-]{8})[A-Za-z0-9_-]{8,}"), r"\1********"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"), "********"),
    (re.compile(r"(://[^\s:/@]+:)[^\s@]+@"), r"\1********@"),
)
KEYS = "{{range .items}}{{.metadata.name}} ({{.type}}):{{range $key, $_ := .data}} {{$key}}{{end}}\n{{end}}"


def bundle(run: Run, engine: Engine, tools: Mapping[str, Found], target: Path) -> int:
    """Write the archive (.tar.gz) and return how many files it holds. Raises BUNDLE-UNSAFE when a secret's value would be in it."""
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
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            entry = tarfile.TarInfo(f"{target.name.partition('.')[0]}/{name}")
            content = text.encode()
            entry.size, entry.mtime = len(content), int(time.time())
            archive.addfile(entry, io.BytesIO(content))
    target.write_bytes(buffer.getvalue())
    return len(files)


def known_secrets(run: Run, tools: Mapping[str, Found]) -> set[str]:
    """The values of the namespace's Secrets, decoded, to be searched for and masked; and as they stand in the objects. Those of helm are its records."""
    listed = kubectl(
        run,
        tools,
        "-n",
        run.settings.release.namespace,
        "get",
        "secrets",
        "-o",
        "json",
        check=False,
    )
    values = set()
    for item in json.loads(listed.stdout)["items"] if listed.ok else []:
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
    """File name -> text. What cannot be had says why."""
    namespace, profile = run.settings.release.namespace, run.settings.cluster.profile
    scope = ("-n", namespace)
    helm = ("--namespace", namespace, "--kube-context", run.settings.context)

    def ask(*argv: str | Path) -> str:
        result = run.shell.run(*argv, check=False, timeout=60)
        return (
            result.stdout
            if result.ok
            else f"{result.stdout}\n(exit status {result.code})\n{result.stderr}"
        )

    def cluster(*arguments: str) -> str:
        return ask(tools["kubectl"].path, "--context", run.settings.context, *arguments)

    files = {
        "versions.txt": "\n".join([
            f"{platform.platform()}, Python {platform.python_version()}", f"docker {engine.version} ({engine.driver}), {engine.cpus} CPUs, {engine.memory >> 20} MiB",
            *(f"{one.name} {one.version} ({one.source})" for one in tools.values()),
        ]),
        "settings.json": run.settings.model_dump_json(indent=1),
        "nodes.txt": cluster("get", "nodes,storageclasses,ingressclasses", "-o", "wide"),
        "pods-of-all-namespaces.txt": cluster("get", "pods", "-A", "-o", "wide"),
        "events.txt": cluster(*scope, "get", "events", "--sort-by=.lastTimestamp"),
        "objects.yaml": cluster(*scope, "get", "all,ingresses,configmaps,persistentvolumeclaims,networkpolicies,resourcequotas", "-o", "yaml"),
        "secrets-by-name.txt": cluster(*scope, "get", "secrets", "-o", f"go-template={KEYS}"),
        "usage.txt": cluster(*scope, "top", "pods", "--containers"),
        "release-history.txt": ask(tools["helm"].path, "history", run.settings.release.name, *helm),
        "node-log.txt": ask(engine.client, "logs", "--tail", "200", profile),
    }  # fmt: skip
    for pod in cluster(*scope, "get", "pods", "-o", "name").split():
        name = pod.partition("/")[2]
        if name:
            files[f"logs/{name}.txt"] = cluster(
                *scope, "logs", name, "--all-containers", "--prefix", "--tail=2000"
            )
            files[f"logs/{name}-before.txt"] = cluster(
                *scope, "logs", name, "--all-containers", "--prefix", "--tail=500", "--previous"
            )
    logs = run.settings.cache / "logs"
    recent = sorted(logs.glob("2*.log"))[-MOST_TRANSCRIPTS:] if logs.is_dir() else []
    for path in [
        *recent,
        *(path for path in (logs / "timings.json", logs / "timings.xml") if path.exists()),
    ]:
        files[f"runs/{path.name}"] = path.read_text(encoding="utf-8", errors="replace")
    return files
