"""Which ports of this machine are free."""

from __future__ import annotations

import errno
import socket

from scripts.session.findings import failure
from scripts.session.run import Run


def check_port_free(run: Run, port: int) -> None:
    """Raise PORT-TAKEN if a program listens on 127.0.0.1:port. Name it if this user may see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # a port that only the engine may open
            raise failure(
                "PORT-TAKEN",
                f"127.0.0.1:{port}",
                f"another program uses port {port} of this machine, and the app's address needs it",
                _holder(run, port) or str(error),
                "end that program, or choose another port: "
                f"INVOKE_PHASE4_CLUSTER_INGRESS_PORT={port + 1} invoke deploy",
            ) from error


def _holder(run: Run, port: int) -> str:
    """Return who listens on a port, by ss or lsof, as far as this user may see it."""
    for argv in (
        ["ss", "-Hltnp", f"sport = :{port}"],
        ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN"],
    ):
        if run.shell.which(argv[0]):
            return run.shell.run(*argv, check=False).stdout.strip()
    return ""
