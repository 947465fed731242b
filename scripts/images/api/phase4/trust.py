"""Trust the database's certificate, beside the public ones.

DATABASE_CA holds the certificate of who signed it. As a program: run a command with that trust.
"""

import os
import sys
from pathlib import Path

PUBLIC = "/etc/ssl/certs/ca-certificates.crt"
FOLDER = Path("/tmp")  # noqa: S108 - in the container, where nothing else can be written


def add(folder: Path = FOLDER) -> None:
    """Let OpenSSL (SSL_CERT_FILE) and libpq (PGSSLROOTCERT) trust DATABASE_CA, if there is one."""
    authority = os.environ.get("DATABASE_CA", "")
    if not authority:
        return
    public = Path(os.environ.get("SSL_CERT_FILE", PUBLIC))
    known = public.read_text(encoding="utf-8") if public.is_file() else ""
    own, bundle = folder / "database-ca.crt", folder / "ca-bundle.crt"
    own.write_text(authority, encoding="utf-8")
    bundle.write_text(f"{known.rstrip()}\n{authority}", encoding="utf-8")
    os.environ["PGSSLROOTCERT"] = str(own)
    os.environ["SSL_CERT_FILE"] = str(bundle)


if __name__ == "__main__":
    add()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the chart's own command
