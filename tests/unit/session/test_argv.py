"""Secrets travel by standard input or environment: whoever lists processes sees arguments."""

import re

from scripts.session.settings import ROOT

#: Options by which kubectl, helm, docker and curl take values from the command line.
TAKES = re.compile(
    r"--from-literal|--set(?:-string|-json|-file)?\b|--build-arg|--env\b|\"-e\"|--password|--token"
    r"|--header|PGPASSWORD=|--docker-password"
)
#: Where one stands in the code, and why it carries no secret.
KNOWN = {
    "scripts/images/beside.py": "the made-up password of a database that is thrown away",
    "scripts/images/trials.py": "made-up values, and plain ones of env files without a password",
    "scripts/machine/buildkit.py": "names, folders and public addresses; see images/plans.py",
    "scripts/release/inside/restore": "psql's ON_ERROR_STOP",
}


def test_no_option_that_takes_a_value_carries_a_secret():
    paths = [*(ROOT / "scripts").rglob("*"), ROOT / "tasks.py"]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.is_file() and path.suffix in ("", ".py", ".sh")
        for line in path.read_text(encoding="utf-8").splitlines()
        if TAKES.search(line) and not line.lstrip().startswith("#")
    }
    assert found == set(KNOWN)
