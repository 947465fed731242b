"""Ask the app in this container whether it is well: status 0 if it is, 1 if it is not."""

import os
import socket
import sys
import urllib.request

SECONDS = 2


def check(path: str, port: int = 8001) -> None:
    """Ask `path`, or only connect when the app has no such route. Raises OSError."""
    if path:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS).close()
    else:
        socket.create_connection(("127.0.0.1", port), SECONDS).close()


if __name__ == "__main__":
    try:
        check(os.environ.get("HEALTH_PATH", ""))
    except OSError as error:
        sys.exit(f"not well: {error}")
