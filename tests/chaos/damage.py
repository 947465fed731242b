"""What a deploy relies on is damaged: it is found and made anew, or named in the first line.

Nothing of this user's own is damaged: the commands get a cache of their own, whose files are links
to those of the real one until they are damaged, and a kubeconfig of their own.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.chaos.commands import invoke
from tests.chaos.load import somebody
from tests.chaos.results import Result
from tests.chaos.world import World

#: Of these folders of the cache nothing is damaged: they are used as they are.
SHARED = ("go", "go-build", "go-mod", "python", "logs", "locks")
#: Of these a file may be damaged. What else is there may be a system that is being made.
LINKED = ("bundle", "clusters", "images", "requirements", "tools")


class Place:
    """A cache and a kubeconfig for some commands, and the variables that name them."""

    def __init__(self, world: World, folder: Path, chance: random.Random):
        self.world, self.cache, self.chance = world, folder / "cache", chance
        self.kubeconfig = folder / "kubeconfig"
        real = world.run.settings.cache
        self.cache.mkdir()
        for name in SHARED:
            (self.cache / name).symlink_to(real / name)
        for name in LINKED:
            if (real / name).is_dir():
                shutil.copytree(real / name, self.cache / name, copy_function=_link, symlinks=True)
        shutil.copy(Path.home() / ".kube" / "config", self.kubeconfig)
        self.variables = {
            "INVOKE_PHASE4_SUPPLY_CACHE": str(self.cache),
            "KUBECONFIG": str(self.kubeconfig),
        }

    def damage(self, path: Path) -> str:
        """Cut a file off at a random place, empty it, or write other bytes into it."""
        whole = path.read_bytes()
        way = self.chance.choice(("cut off", "emptied", "other bytes"))
        if way == "cut off":
            content = whole[: self.chance.randrange(1, max(2, len(whole)))]
        elif way == "emptied":
            content = b""
        else:
            start = self.chance.randrange(max(1, len(whole) - 64))
            content = whole[:start] + self.chance.randbytes(64) + whole[start + 64 :]
        fresh = path.with_name(f"{path.name}.damaged")  # never in place: the real one is linked
        fresh.write_bytes(content)
        fresh.chmod(path.stat().st_mode)
        os.replace(fresh, path)
        return way

    def in_kubeconfig(self, change: Callable[[dict, dict], None]) -> None:
        """Change what the kubeconfig says of this cluster. change: gets it, and its context."""
        read = yaml.safe_load(self.kubeconfig.read_text())
        name = self.world.run.settings.context
        change(read, next(one for one in read["contexts"] if one["name"] == name))
        self.kubeconfig.write_text(yaml.safe_dump(read))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)
    return target


@contextmanager
def _place(world: World, chance: random.Random) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="phase4-chaos-", dir=world.run.settings.cache.parent))
    try:
        yield Place(world, folder, chance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tool(place: Place) -> str:
    name = place.chance.choice(("kubectl", "helm"))
    return f"{name} {place.damage(next(place.cache.glob(f'tools/{name}-*/{name}')))}"


def _requirements(place: Place) -> str:
    ways = {place.damage(path) for path in place.cache.glob("requirements/*.json")}
    return f"lists of packages {', '.join(sorted(ways))}"


def _record(place: Place) -> str:
    path = place.cache / "clusters" / f"{place.world.profile}.json"
    return f"record of the cluster {place.damage(path)}"


def _archive(place: Place) -> str:
    """An archive of an add-on, which the node has not any more."""
    (path,) = place.cache.glob("images/traefik-*.tar")
    _in_node(place, "crictl", "rmi", "docker.io/phase4/traefik:v3.6.12")
    return f"archive of an add-on {place.damage(path)}"


def _layer(place: Place) -> str:
    """A layer of the app's image is gone from the node."""
    _in_node(place, "ctr", "-n", "k8s.io", "content", "rm", _some_layer(place))
    return "layer gone from the node"


def _bytes_of_layer(place: Place) -> str:
    """A layer's contents in the node are cut off."""
    layer = _some_layer(place).partition(":")[2]
    blobs = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
    _in_node(place, "truncate", "--size=10", f"{blobs}/{layer}")
    return "layer cut off in the node"


def _some_layer(place: Place) -> str:
    image = f"docker.io/library/{place.chance.choice(sorted(place.world.images()))}"
    ctr = ("ctr", "-n", "k8s.io")
    manifest = _in_node(place, *ctr, "images", "ls", f"name=={image}").splitlines()[1].split()[2]
    layers = yaml.safe_load(_in_node(place, *ctr, "content", "get", manifest))["layers"]
    return str(place.chance.choice(layers)["digest"])


def _untagged(place: Place) -> str:
    """The app's images are gone from the node, and a pod is to start again."""
    image = place.chance.choice(sorted(place.world.images()))
    _in_node(place, "ctr", "-n", "k8s.io", "images", "rm", f"docker.io/library/{image}")
    return "image gone from the node"


def _exchanged(place: Place) -> str:
    """The name of one image stands for another one in the node."""
    one, other = sorted(place.world.images())
    names = [f"docker.io/library/{name}" for name in (one, other)]
    _in_node(place, "ctr", "-n", "k8s.io", "images", "tag", "--force", *names)
    return "image's name stands for another one in the node"


def _engine_image(place: Place) -> str:
    """An image is gone from the engine."""
    image = place.chance.choice(sorted(place.world.images()))
    subprocess.run(["docker", "rmi", "--force", image], check=True, capture_output=True)
    return "image gone from the engine"


def _renamed(place: Place) -> str:
    def change(_config: dict, context: dict) -> None:
        context["name"] += "-of-old"

    place.in_kubeconfig(change)
    return "context renamed"


def _moved(place: Place) -> str:
    def change(config: dict, context: dict) -> None:
        for one in config["clusters"]:
            if one["name"] == context["context"]["cluster"]:
                one["cluster"]["server"] = "https://127.0.0.1:1"

    place.in_kubeconfig(change)
    return "kubeconfig: another address"


def _no_key(place: Place) -> str:
    def change(config: dict, context: dict) -> None:
        for one in config["users"]:
            if one["name"] == context["context"]["user"]:
                one["user"] = {"client-certificate": "/nowhere.crt", "client-key": "/nowhere.key"}

    place.in_kubeconfig(change)
    return "kubeconfig: its key is gone"


def _empty(place: Place) -> str:
    place.kubeconfig.write_text("")
    return "kubeconfig emptied"


def _gone(place: Place) -> str:
    place.kubeconfig.unlink()
    return "kubeconfig deleted"


def _garbage(place: Place) -> str:
    place.kubeconfig.write_text("clusters: [\x00{")
    return "kubeconfig is no YAML"


def _another(place: Place) -> str:
    def change(config: dict, _context: dict) -> None:
        config["current-context"] = "somebody-elses"

    place.in_kubeconfig(change)
    return "kubeconfig: another context is the current one"


def _preload(place: Place) -> str:
    """The preload of a new node is damaged, and the cluster is made anew."""
    (path,) = place.cache.glob("images/preload-*.lz4")
    way = place.damage(path)
    done = invoke(place.world.project, "destroy", "--yes", "--json", **place.variables)
    assert done.status == 0, done.first
    return f"preload {way}, and a new cluster"


def _stopped(case: Callable[[Place], str]) -> Callable[[Place], str]:
    """The same, of a cluster that is down: it is brought back with all its data."""

    def stopped(place: Place) -> str:
        told = case(place)
        stop = ["docker", "stop", "--time", "20", place.world.profile]
        subprocess.run(stop, check=True, capture_output=True, timeout=90)
        return f"{told}, and the node is down"

    return stopped


CASES = (
    _tool, _requirements, _record, _archive, _layer, _renamed, _moved, _untagged, _empty,
    _exchanged, _engine_image, _no_key, _gone, _bytes_of_layer, _garbage, _another,
    _stopped(_gone), _stopped(_no_key), _stopped(_renamed), _stopped(_record), _tool, _layer,
    _archive, _untagged, _requirements, _preload, _tool, _exchanged, _engine_image, _preload,
)  # fmt: skip
#: First lines that name nothing: something of them would be a person's to find out.
VAGUE = ("something unforeseen",)


def accident(world: World, result: Result, chance: random.Random) -> None:
    """Damage something; deploy, and deploy again if the first one only named it."""
    result.check(world.ready(), "it was not well before")
    user = somebody(world.address, world.host)
    user.post("/todos", {"title": "kept"})
    with _place(world, chance) as place:
        result.what = CASES[result.number % len(CASES)](place)
        said = invoke(world.project, "diagnose", "--json", **place.variables)
        result.named = said.first
        result.check(not any(one in said.first for one in VAGUE), f"the diagnosis: {said.first}")
        world.change("backend", f"{result.seed}-damage-{result.number}")
        after = world.deploy(**place.variables)
        result.seconds["next"] = round(after.seconds, 1)
        result.seen |= {"deploy": f"{after.status} {after.first[:300]}"}
        if after.status != 0:
            result.named = after.first
            result.check(bool(after.code), f"no finding: {after.status} {after.output[-500:]}")
            result.check(not any(one in after.first for one in VAGUE), f"named: {after.first}")
            again = world.deploy(**place.variables)
            result.seen |= {"again": f"{again.status} {again.first[:300]}"}
            result.moment = "mended by a second deploy" if again.status == 0 else "named"
    with contextlib.suppress(OSError):
        last = world.deploy()
        result.check(last.status == 0, f"once it is gone: {last.status} {last.first}")
        result.check(world.ready(), "it is not well afterwards")
        wanted = last.images()
        result.check(world.images() == wanted, f"pods run {world.images()}, wanted {wanted}")
        if "new cluster" not in result.what:
            there = user.ask("GET", "/todos")
            result.check(there.ok and len(there.json()) == 1, f"lost: {there.status_code}")


def _in_node(place: Place, *command: str) -> str:
    argv = [*place.world.node, *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout
