"""Build a Dockerfile with BuildKit; if that fails, show the lines that failed."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.machine import pip
from scripts.machine.engine import Engine
from scripts.session import answers
from scripts.session.cache import scratch
from scripts.session.findings import failure
from scripts.session.run import Run

BUILD_TIMEOUT = 1800.0
CA_VARIABLES = (
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def build(
    run: Run,
    engine: Engine,
    dockerfile: Path,
    context: Path,
    names: Sequence[str],
    arguments: Mapping[str, str],
    target: str = "",
    explain: Callable[[str], str] = lambda output: "",
) -> str:
    """Build `dockerfile` over `context` under these names. Return the image ID (sha256:...).

    arguments: build arguments, public by nature. target: a stage of the Dockerfile, the last by
    default. explain: from a failed build's output, its cause. A private CA, pip's and npm's
    configuration reach the build as secrets named ca, pip and npm, and end with it.
    Raises IMAGE-BUILD-FAILED with the cause and the failing step's own lines.
    """
    with build_secrets(dockerfile) as secrets:
        result = run.shell.run(
            engine.client,
            "build",
            "--progress=plain",
            *(f"--secret=id={name},src={path}" for name, path in secrets.items()),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            *([f"--target={target}"] if target else []),
            *(f"--tag={name}" for name in names),
            f"--file={dockerfile}",
            context,
            env={"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
            timeout=BUILD_TIMEOUT,
            on_line=lambda line: _pass_on(run, line),
            check=False,
        )
    name = names[0].split(":")[0]
    by_hand = shlex.join(
        [
            *("docker", "build", "-f", f"{dockerfile}"),
            *(f"--build-arg={key}={value}" for key, value in arguments.items() if value),
            f"{context}",
        ]
    )
    if not result.ok:
        output = run.shell.mask(result.stdout + result.stderr)
        cause = explain(output) or f"a step of {dockerfile.name} failed"
        raise failure(
            "IMAGE-BUILD-FAILED",
            name,
            f"{name} could not be built: {cause}",
            failing_lines(output),
            f"mend what the lines say, then run the command again; by hand: {by_hand}",
        )
    found = image_id(run, engine, names[0])
    assert found or run.shell.dry, f"{names[0]} was built but is not there"
    return found


def _pass_on(run: Run, line: str) -> None:
    """Show a line that a build step prints for the person: BuildKit's prefix, then `phase4:`."""
    told = re.match(r"#\d+ [\d.]+ phase4: (.+)", line)
    if told:
        run.say(told.group(1))


@answers.understood("docker")
def image_id(run: Run, engine: Engine, reference: str) -> str:
    """Return the engine's ID of an image (sha256:...), empty if it has no image of that name."""
    if reference in engine.images:
        return engine.images[reference]
    result = run.shell.run(engine.client, "image", "inspect", reference, check=False)
    return json.loads(result.stdout)[0]["Id"] if result.ok else ""


def failing_lines(output: str, most: int = 20) -> str:
    """Return the failed step in BuildKit's plain output, and the last lines that it printed."""
    output = re.sub(r"\x1b\[[0-9;]*m", "", output)  # colours
    failed = re.findall(r"^#(\d+) (?:\[[^\]]*\] )?ERROR", output, re.MULTILINE)
    if not failed:
        # No step failed, but for example a file is missing: BuildKit's last lines.
        return "\n".join([line for line in output.splitlines() if line.strip()][-6:])
    number = failed[-1]
    name = re.search(rf"^#{number} (\[[^\]]+\] .*)", output, re.MULTILINE)
    printed = re.findall(rf"^#{number} \d+\.\d+ (.*)", output, re.MULTILINE)
    status = re.findall(r"exit code: \d+", output)
    head = [name.group(1)[:120]] if name else []
    return "\n".join([*head, *printed[-most:], *status[-1:]])


@contextmanager
def build_secrets(dockerfile: Path) -> Iterator[dict[str, Path]]:
    """Write the secrets that a Dockerfile asks for to files; return name -> file.

    Only this user can read their folder, and it is deleted after the build.
    """
    text = dockerfile.read_text(encoding="utf-8")
    makers = {"pip": _pip_configuration, "npm": _npm_configuration, "ca": _ca_bundle}
    with scratch("build") as folder:
        paths = {name: folder / name for name in makers if f"id={name}" in text}
        for name, path in paths.items():
            path.touch(mode=0o600)
            path.write_text(makers[name](), encoding="utf-8")
        yield paths


def _ca_bundle() -> str:
    """Return the CA certificates that this machine trusts.

    They come from the file that a variable names, else from the system's file; empty if none
    exists.
    """
    for path in [os.environ.get(name, "") for name in CA_VARIABLES] + list(CA_BUNDLES):
        if path and Path(path).is_file():
            return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def _pip_configuration() -> str:
    """Return a pip.conf that says where this machine's pip finds packages, for example a mirror."""
    return "[global]\ndisable-pip-version-check = true\n" + "".join(
        f"{name} = {value}\n" for name, value in pip.settings().items()
    )


def _npm_configuration() -> str:
    """Return an .npmrc with the registry lines of the person's own .npmrc, and nothing else."""
    own = Path(os.environ.get("NPM_CONFIG_USERCONFIG") or Path.home() / ".npmrc")
    lines = own.read_text(encoding="utf-8", errors="replace").splitlines() if own.is_file() else []
    kept = [
        line
        for line in lines
        if re.match(
            r"\s*(registry\s*=|@[\w.-]+:registry\s*=|//|https?-proxy\s*=|proxy\s*=|strict-ssl\s*=)",
            line,
        )
    ]
    registry = os.environ.get("NPM_CONFIG_REGISTRY")
    if registry:
        kept.append(f"registry={registry}")
    return "\n".join([*kept, "fund=false", "audit=false", "update-notifier=false", ""])
