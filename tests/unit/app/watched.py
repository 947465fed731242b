"""Read an app as a deployment does, and say what was opened and started meanwhile.

Run as a program of its own, because Python's audit hooks stay. It prints JSON.
"""

import json
import os
import sys
from pathlib import Path

from scripts.app import describe, environment, fit, reach, resolve, undeclared
from scripts.app.survey import read
from scripts.images import backend, frontend
from scripts.images.context import context_files, stage
from scripts.session.findings import Failure
from scripts.session.run import Run
from scripts.session.settings import ROOT, Settings
from scripts.session.shell import Shell

root, cache = Path(sys.argv[1]), Path(sys.argv[2])
opened, started = set(), []
OPENS = ("open", "os.listdir", "os.scandir")
STARTS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")


def hook(event, arguments):
    if event in OPENS and isinstance(arguments[0], (str, bytes, os.PathLike)):
        opened.add(os.path.realpath(os.fsdecode(arguments[0])))
    elif event in STARTS:
        started.append([event, str(arguments)[:200]])


run = Run(Settings.load({"supply": {"cache": str(cache)}}), Shell(), lambda _: None, lambda _: True)
sys.addaudithook(hook)
told = ""
try:
    settings = Settings.load({"supply": {"cache": str(cache)}}, str(root))
    app = read(root, "postgres")
    given = environment.gather(run, app)
    told += repr(describe.rows(app)) + repr(given) + repr(given.secrets) + repr(app.warnings)
    reached = reach.reach(root, app.frontend.folder)
    front = context_files(ROOT / "frontend.Dockerfile", app.frontend_folder, root)
    back = context_files(ROOT / "backend.Dockerfile", app.backend_folder, root)
    lines = resolve._requirements(app, [])
    given = frontend.lay_out(front, fit.frontend_files(app, True), reached)
    contents = [*given, *backend.lay_out(back, "\n".join(lines))]
    stage(contents, cache / "staged")
    undeclared.undeclared(app, "a==1")
    told += repr(lines) + repr(resolve._locked(app)) + repr([one.name for one in contents])
    told += "".join(one.content.decode("utf-8", "replace") for one in contents)
    why = ""
except Failure as error:
    why = str(error)
print(json.dumps({"opened": sorted(opened), "started": started, "told": told, "why": why}))
