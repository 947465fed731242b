"""Where this machine's pip finds packages: its configuration files and variables.

They are read here as pip's documentation lists them. `pip config list` would take a quarter of a
second of every build, and its order differs between releases.
"""

import configparser
import contextlib
import os
import sys
from pathlib import Path

SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy")


def settings() -> dict[str, str]:
    """Return the values of those SETTINGS that are set."""
    read = configparser.RawConfigParser()
    read.optionxform = _name  # type: ignore[method-assign,assignment] # the documented way
    for file in _files():
        with contextlib.suppress(configparser.Error, UnicodeDecodeError):  # pip itself says so
            read.read(file, encoding="utf-8")
    said = {
        name: value
        for section in ("global", "install")
        if read.has_section(section)
        for name, value in read.items(section)
    }
    said |= {
        _name(name.removeprefix("PIP_")): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }
    return {name: " ".join(said[name].split()) for name in SETTINGS if said.get(name)}


def _name(given: str) -> str:
    return given.lower().replace("_", "-")


def _files() -> list[Path]:
    """Return pip's configuration files, the weakest first: system, person, this Python.

    A file that PIP_CONFIG_FILE names takes the place of the person's.
    """
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path.home()
    folders = [
        Path(part) for part in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    ]
    person = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    if sys.platform == "darwin":
        folders = [Path("/Library/Application Support")]
        library = home / "Library" / "Application Support"
        person = library if (library / "pip").is_dir() else home / ".config"
    own = (
        []
        if named and Path(named).exists()
        else [home / ".pip" / "pip.conf", person / "pip" / "pip.conf"]
    )
    named_one = [Path(named)] if named else []
    return [
        *(folder / "pip" / "pip.conf" for folder in folders),
        Path("/etc/pip.conf"),
        *own,
        Path(sys.prefix) / "pip.conf",
        *named_one,
    ]
