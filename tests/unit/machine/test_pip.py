"""Where packages come from must be what pip itself says."""

import os
import subprocess
import sys

import pytest

from scripts.machine import pip

ASK = """
import sys
from pip._internal.configuration import Configuration
from pip._internal.exceptions import ConfigurationError
found = Configuration(isolated=False)
found.load()
for section in (":env:", "install", "global"):
    try:
        sys.exit(print(found.get_value(f"{section}.{sys.argv[1]}")))
    except ConfigurationError:
        pass
"""


def _pip_says(name):
    """What `pip install` would use: a variable before [install] before [global].

    Its commands do not tell: `get` reads one file only, and the order of `list` differs between
    releases.
    """
    return subprocess.run(
        [sys.executable, "-c", ASK, name], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home and system folders of the test's own, and no variable of pip's."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_the_nearest_file_wins_and_a_variable_before_all(place, monkeypatch):
    place(
        "system/pip/pip.conf",
        "[global]\nindex-url = https://system.test/simple\nproxy = http://proxy.test:3128\n",
    )
    place("home/.pip/pip.conf", "[global]\nindex_url = https://old-home.test/simple\n")
    assert pip.settings()["index-url"] == _pip_says("index-url") == "https://old-home.test/simple"
    place(
        "home/.config/pip/pip.conf",
        "[global]\nindex-url = https://home.test/simple\n"
        "[install]\nproxy = http://mine.test:3128\n",
    )
    assert pip.settings()["index-url"] == _pip_says("index-url") == "https://home.test/simple"
    assert pip.settings()["proxy"] == _pip_says("proxy") == "http://mine.test:3128"
    monkeypatch.setenv(
        "PIP_CONFIG_FILE",
        str(place("named.conf", "[global]\nextra-index-url = https://named.test/simple\n")),
    )
    assert (
        pip.settings()["extra-index-url"]
        == _pip_says("extra-index-url")
        == "https://named.test/simple"
    )
    assert (
        pip.settings()["index-url"] == _pip_says("index-url") == "https://system.test/simple"
    )  # the person's own file does not count beside it
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.test/simple")
    assert pip.settings()["index-url"] == _pip_says("index-url") == "https://variable.test/simple"


def test_no_file_counts_when_a_person_says_so(place, monkeypatch):
    place("home/.config/pip/pip.conf", "[global]\nindex-url = https://home.test/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip.settings() == {}
    assert _pip_says("index-url") == ""
