"""Run a command again while it misses a table that another part of the app makes at its start.

Arguments: the command. TABLES_TIMEOUT: seconds until it is given up, 60 by default.
"""

import os
import re
import subprocess
import sys
import time

PAUSE = 2.0  # seconds
MISSING = re.compile(r'relation "[^"]+" does not exist')

if __name__ == "__main__":
    deadline = time.monotonic() + float(os.environ.get("TABLES_TIMEOUT", "60"))
    while True:
        done = subprocess.run(  # noqa: S603 - the chart's own command
            sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        missing = MISSING.search(done.stdout) if done.returncode else None
        if not missing or time.monotonic() + PAUSE > deadline:
            print(done.stdout, end="", flush=True)
            sys.exit(done.returncode)
        print(f"phase4: {missing.group()}: waiting for it", flush=True)
        time.sleep(PAUSE)
