"""Imports the app that APP_MODULE names, as uvicorn would: `module:object`, or a factory."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

TRIES = 5


def app() -> Any:
    """The app object."""
    module, _, name = os.environ["APP_MODULE"].partition(":")
    found = getattr(_module(module), name)
    return found() if os.environ.get("APP_FACTORY") else found


def _module(name: str) -> ModuleType:
    """The module. Folders for logs and the like, which authors do not commit, are made."""
    for _ in range(TRIES):
        try:
            return importlib.import_module(name)
        except FileNotFoundError as error:
            folder = Path(str(error.filename or "")).absolute().parent
            if not error.filename or folder.exists() or Path.cwd() not in folder.parents:
                raise
            folder.mkdir(parents=True)
            print(f"phase4: the app wants the folder {folder}", file=sys.stderr, flush=True)
    return importlib.import_module(name)
