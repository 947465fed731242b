"""Where packages come from must be what pip itself says."""

import os
import subprocess
import sys

import pytest

from scripts.supply import pip


def _pip_says():
    """What pip would use: it lists all that is said, and `pip install` takes a variable before [install] before [global]."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout.splitlines()
    ranked = sorted(listed, key=lambda line: ("global", "install", ":env:").index(line.partition(".")[0]))
    said = dict(line.partition(".")[2].replace("'", "").split("=", 1) for line in ranked)
    return {name: said[name] for name in pip.SETTINGS if name in said}


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
    place("system/pip/pip.conf", "[global]\nindex-url = https://system.test/simple\nproxy = http://proxy.test:3128\n")
    place("home/.pip/pip.conf", "[global]\nindex_url = https://old-home.test/simple\n")
    assert pip.settings() == _pip_says()
    assert pip.settings()["index-url"] == "https://old-home.test/simple"
    place("home/.config/pip/pip.conf", "[global]\nindex-url = https://home.test/simple\n[install]\ntrusted-host = home.test\n")
    assert pip.settings() == _pip_says()
    assert pip.settings() == {"index-url": "https://home.test/simple", "trusted-host": "home.test", "proxy": "http://proxy.test:3128"}
    monkeypatch.setenv("PIP_CONFIG_FILE", str(place("named.conf", "[global]\nextra-index-url = https://named.test/simple\n")))
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.test/simple")
    assert pip.settings() == _pip_says()
    assert (pip.settings()["index-url"], pip.settings()["extra-index-url"]) == ("https://variable.test/simple", "https://named.test/simple")


def test_no_file_counts_when_a_person_says_so(place, monkeypatch):
    place("home/.config/pip/pip.conf", "[global]\nindex-url = https://home.test/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip.settings() == {} == _pip_says()
