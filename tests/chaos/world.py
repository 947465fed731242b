"""The cluster and this machine as the battery sees them, and what was left behind there."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.cluster.kubectl import kubectl
from scripts.release import rollout
from scripts.session.run import Run
from scripts.supply import tools
from tests.chaos import commands
from tests.chaos.commands import Command, Ended
from tests.e2e.conftest import make_run

#: Changes of the app: file, and a line that changes the file's contents and nothing else.
CHANGES = {
    "backend": ("phase3-chatbot/app/main.py", "\n# chaos {}\n"),
    "frontend": ("phase3-chatbot/frontend/app/layout.tsx", "\n// chaos {}\n"),
}


@dataclass
class World:
    """Where accidents happen.

    project: a copy of the work tree. usual: seconds and lines of the last deploy that came
    through, by what was changed.
    """

    run: Run
    project: Path
    usual: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tools = {name: tools.ensure(self.run, name, False) for name in ("kubectl", "helm")}
        self.profile = self.run.settings.cluster.profile
        self.node = ["docker", "exec", self.profile]  # before a command in the node
        self.namespace = self.run.settings.release.namespace
        self.address = f"http://127.0.0.1:{self.run.settings.cluster.ingress_port}"
        self.host = self.run.settings.release.host

    def kube(self, *arguments: str, **options: object) -> str:
        """kubectl in the release's namespace; what it prints."""
        scope = ("-n", self.namespace)
        return kubectl(self.run, self.tools, *scope, *arguments, **options).stdout  # type: ignore

    def state(self) -> list[dict]:
        """The release's objects."""
        return rollout.look(self.run, self.tools)

    def ready(self, timeout: float = 180) -> bool:
        """Wait until every pod of the release is ready."""
        return self.run.shell.until(lambda: not rollout.unready(self.state()), timeout, 0.3)

    def change(self, part: str, mark: str) -> None:
        """Change a file of the app, or of both parts."""
        for one in CHANGES if part == "both" else [part]:
            name, line = CHANGES[one]
            path = self.project / name
            kept = path.read_text().split("\n// chaos ")[0].split("\n# chaos ")[0]
            path.write_text(kept + line.format(mark))

    def deploy(self, part: str = "", **variables: str) -> Ended:
        """A deploy to its end; what it took is remembered."""
        command = Command(self.project, "deploy", "--yes", "--json", **variables)
        ended = command.end()
        if ended.status == 0 and part:
            self.usual[part] = (ended.seconds, len(command.lines))
        return ended

    def diagnose(self) -> Ended:
        """What `invoke diagnose` says now.

        The host name in this machine's hosts file is another cluster's, if one is there.
        """
        return commands.invoke(self.project, "diagnose", "--json")

    def history(self) -> list[str]:
        """The statuses of the release's revisions, as helm has them."""
        name, scope = self.run.settings.release.name, ("--kube-context", self.run.settings.context)
        argv = [str(self.tools["helm"].path), "history", name, "-n", self.namespace, *scope]
        done = subprocess.run([*argv, "-o", "json"], capture_output=True, text=True, timeout=60)
        return [one["status"] for one in json.loads(done.stdout)] if done.returncode == 0 else []

    def images(self) -> set[str]:
        """The app's images that the pods run."""
        return {
            container["image"]
            for item in self.state()
            if item["kind"] == "Pod" and "deletionTimestamp" not in item["metadata"]
            for container in item["spec"]["containers"]
            if container["image"].startswith("todo-chatbot-")
        }

    def containers(self) -> set[str]:
        """The engine's containers that an image is tried in, or that are beside it."""
        argv = ["docker", "ps", "--all", "--format", "{{.ID}} {{.Image}}"]
        listed = subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout
        kinds = ("todo-chatbot-frontend:", "todo-chatbot-backend:", "phase4/postgres")
        return {line for line in listed.splitlines() if line.split()[1].startswith(kinds)}

    def in_node(self) -> list[str]:
        """Imports of images that still run in the node."""
        argv = [*self.node, "ps", "-eo", "pid,etimes,args"]
        listed = subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout
        return [line for line in listed.splitlines() if "images import" in line]

    def leftovers(self) -> set[str]:
        """Folders that were to go: in the cache, and of ended processes in the system's folder."""
        cache = self.run.settings.cache
        found = {
            str(path)
            for path in Path(tempfile.gettempdir()).glob("phase4-*-*-*")
            if not Path("/proc", path.name.split("-")[2]).exists()
        }
        for kind in cache.glob("*"):
            if kind.is_dir():
                found |= {str(one) for one in kind.glob(".*") if one.is_dir()}
        return found


@contextmanager
def world() -> Iterator[World]:
    """A world with a copy of the project, and its release deployed."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        found = World(make_run(), commands.copy_of_project(Path(folder).resolve()))
        first = found.deploy()
        assert first.status == 0, first.output[-3000:]
        yield found


def until(ready: Callable[[], bool], seconds: float, every: float = 0.2) -> bool:
    """Wait until something holds, for so many seconds at most."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
