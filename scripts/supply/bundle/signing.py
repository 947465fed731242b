"""Sign a manifest, and check a signature, by ssh-keygen: everybody who has git has it."""

from __future__ import annotations

from pathlib import Path

from scripts.session.cache import scratch
from scripts.session.run import Run

NAMESPACE, WHO = "phase4-bundle", "bundle"


def sign(run: Run, manifest: bytes, key: Path) -> bytes:
    """Sign with a private key (or a public one whose private one an agent has).

    Raises COMMAND-FAILED with ssh-keygen's words.
    """
    with scratch("sign") as folder:
        file = folder / "manifest"
        file.write_bytes(manifest)
        run.shell.run("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, file)
        return Path(f"{file}.sig").read_bytes()


def refusal(run: Run, manifest: bytes, signature: bytes, key: str) -> str:
    """Why a manifest is not to be trusted; empty if its signature is that of `key`.

    key: a public key, or the file that has it.
    """
    if not signature:
        return "it is not signed"
    path = Path(key).expanduser()
    public = key if key.startswith(("ssh-", "ecdsa-", "sk-")) else ""
    if not public and not path.is_file():
        return f"the key {path} is not there"
    with scratch("sign") as folder:
        signers, sealed = folder / "signers", folder / "signature"
        signers.write_text(f"{WHO} {public or path.read_text(encoding='utf-8').strip()}\n")
        sealed.write_bytes(signature)
        checked = run.shell.run(
            "ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", WHO, "-f", signers, "-s", sealed,
            stdin=manifest, check=False, reads=True,
        )  # fmt: skip
        return "" if checked.ok else f"its signature is not that of {key}: {checked.tail(1)}"
