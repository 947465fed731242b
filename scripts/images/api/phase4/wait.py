"""Waits until PostgreSQL answers at the address that the variable in the first argument holds.

An app that gives up at once would be restarted again and again until it does.
"""

import os
import socket
import struct
import sys
import time
from urllib.parse import urlsplit

TIMEOUT = 120.0  # seconds
#: The protocol's question whether the server speaks TLS: the only one that needs no log-in.
#: https://www.postgresql.org/docs/current/protocol-message-formats.html
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def ask(host: str, port: int) -> None:
    """Ask once. Raises OSError.

    That a connection opens says little: before the cluster's network knows the Service, whatever
    lies behind the node may take it.
    """
    with socket.create_connection((host, port), 2) as connection:
        connection.sendall(SSL_REQUEST)
        if connection.recv(1) not in (b"S", b"N"):
            raise ConnectionError("it is not PostgreSQL that answers")


def main() -> None:
    """Ask until it answers, or the time is over."""
    address = urlsplit(os.environ[sys.argv[1]])
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            ask(str(address.hostname), address.port or 5432)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{address.hostname} did not listen within {TIMEOUT:.0f} s: {error}")
            time.sleep(0.3)


if __name__ == "__main__":
    main()
