"""Waits until the database listens.

An app that gives up at once would be restarted again and again until it does.
"""

import os
import socket
import sys
import time
from urllib.parse import urlsplit

address = urlsplit(os.environ[sys.argv[1]])
deadline = time.monotonic() + 120
while True:
    try:
        socket.create_connection((address.hostname, address.port or 5432), 2).close()
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"{address.hostname} did not listen within 120 s: {error}")
        time.sleep(0.3)
