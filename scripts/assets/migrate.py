"""Brings the database's tables up to date, unless they are: `migrate.py VARIABLE VERSIONS COMMAND...`, the versions with commas between.

Alembic takes a second to find nothing to do, and every new pod waits for it. Whatever cannot be told here is left to the command.

Where NetworkPolicies are enforced, a pod is refused for its first moments: until the rules know its address.
"""

import importlib
import json
import os
import re
import sys
import time

PATIENCE = 5.0  # seconds
variable, versions, command = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3:]


def there() -> set[str]:
    """The versions that the tables have, by one of the drivers that take an address as libpq does."""
    address = re.sub(r"^\w+(\+\w+)?:", "postgresql:", os.environ[variable])
    try:
        driver = importlib.import_module("psycopg")
    except ImportError:
        driver = importlib.import_module("psycopg2")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = driver.connect(address, connect_timeout=3)
            break
        except driver.OperationalError as error:
            if "refused" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    cursor = connection.cursor()
    cursor.execute("SELECT version_num FROM alembic_version")
    return {row[0] for row in cursor.fetchall()}


try:
    found = there()
except Exception as error:  # no such driver, no database yet, no tables: the command finds its own words for it
    found = {str(error)}
if found == versions:
    sys.exit(print(json.dumps({"level": "info", "message": f"the tables are of version {sys.argv[2]} already"})))
os.execvp(command[0], command)  # noqa: S606 - in place of this process
