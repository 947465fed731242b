"""Settings: every choice that a person can make, checked once and then frozen.

The defaults are in invoke.yaml under the key `phase4`. Before the values arrive here, Invoke puts
the person's own file (`invoke -f mine.yaml ...`) and the environment variables
`INVOKE_PHASE4_<SECTION>_<KEY>` over them.
"""

from __future__ import annotations

import hashlib
import os
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
)

from scripts.session.cache import write_whole
from scripts.session.findings import Failure, Finding

ROOT = Path(__file__).resolve().parents[2]
GENERIC = re.compile(
    r"(?i)(phase|hackathon|part|step|stage)?[-_ ]*([0-9]+|i{1,3}|iv|v)?[-_ ]*"
    r"(app|apps|web|src|code|core|project|todo|chatbot|chat|full-?stack)?"
)
BESIDE, MOST_BESIDE = "phase4.yaml", 1 << 16
GUESSED = ("database", "environment", "frontend", "module")  # what a file beside an app may settle
SHORT = reprlib.Repr()  # shows a value, however large it is, in a few words
SHORT.maxstring = SHORT.maxother = 200
APPS = "  apps:  # what was answered about apps; written by `invoke`\n"


def _dns_label(value: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", value):
        raise ValueError(
            "must be a DNS label of at most 40 characters: lower-case letters, digits and '-'"
        )
    return value


def _host_name(value: str) -> str:
    if (
        not all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", part) for part in value.split("."))
        or len(value) > 253
    ):
        raise ValueError("must be a host name in lower case, such as todo.local")
    return value


def _place(value: str) -> str:
    try:
        Path(value).expanduser().resolve().exists()  # which refuses a name that is too long
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"is no place on this machine: {error}") from error
    return value


def _comma_separated(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
Place = Annotated[str, AfterValidator(_place)]
HostName = Annotated[str, AfterValidator(_host_name)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AppSettings(_Section):
    """Where the Phase III app is, and answers that its code does not give."""

    path: Place = ""
    database: Literal["auto", "postgres", "file", "external"] = "auto"
    module: str = ""
    frontend: str = ""
    env_file: str = ""
    environment: dict[str, str] = Field(default_factory=dict)


class ClusterSettings(_Section):
    """The minikube profile that belongs to this project. Memory in MiB, of each node.

    context: a context of the person's kubeconfig, and with it a cluster that somebody else made,
    in place of that minikube. Empty: the minikube.
    """

    context: str = Field(default="", pattern=r"^([^-\s].*)?$")
    profile: DnsLabel = "todo-chatbot"
    driver: Literal["docker"] = "docker"
    memory: int = Field(default=4096, ge=2048)
    cpus: int = Field(default=2, ge=2)
    nodes: int = Field(default=1, ge=1, le=9)
    kubernetes_version: str = Field(default="v1.35.1", pattern=r"^v1\.\d+\.\d+$")
    ingress_port: int = Field(default=8080, ge=1, le=65535)
    start_timeout: int = Field(default=600, ge=60)


class ReleaseSettings(_Section):
    """The Helm release. Timeout in seconds."""

    name: DnsLabel = "todo-app"
    namespace: DnsLabel = "todo-app"
    host: HostName = "todo.local"
    values: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = ()
    timeout: int = Field(default=300, ge=30)


class ImagesSettings(_Section):
    """How images reach a cluster that this project did not make.

    registry: a registry that this engine pushes to and the nodes pull from. pull_secret: name of a
    Secret in the release's namespace that the nodes pull with, empty for none.
    """

    registry: str = Field(default="", pattern=r"^([a-z0-9][\w.:/-]*[a-zA-Z0-9])?$")
    pull_secret: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]*)?$")


class SupplySettings(_Section):
    """Where tools and images come from.

    source: `auto` asks upstream first, then package registries; `upstream` and `registries` allow
    only that one. download_base, image_registry: mirrors of upstream; empty for upstream itself.
    bundle: a file or an http(s) address; everything comes from it. bundle_key: a public key of ssh,
    or a file with one, that must have signed it.
    """

    source: Literal["auto", "upstream", "registries"] = "auto"
    cache: Place = ""
    download_base: str = ""
    image_registry: str = ""
    debian_mirror: str = ""
    bundle: str = ""
    bundle_key: str = ""

    @field_serializer("bundle")
    def _shown(self, bundle: str) -> str:
        return without_secrets(bundle)  # a support bundle has the settings


class Settings(_Section):
    """All settings of one run."""

    app: AppSettings = AppSettings()
    cluster: ClusterSettings = ClusterSettings()
    release: ReleaseSettings = ReleaseSettings()
    images: ImagesSettings = ImagesSettings()
    supply: SupplySettings = SupplySettings()
    assume_yes: bool = False
    assistant: Literal["", "kubectl-ai", "kagent", "Gordon", "model"] = ""
    hosts_file: Literal["ask", "write", "skip"] = "ask"

    @classmethod
    def load(cls, values: Mapping[str, Any], app: str = "", context: str = "") -> Settings:
        """Check `values` (the merged `phase4` configuration) and return them as settings.

        app, context: the app's folder, and a context of the kubeconfig; they win over those in
        `values`. `apps` in `values` holds earlier answers by the app's folder; they win over the
        file beside the app, and all other settings win over them.
        Raises Failure SETTINGS-INVALID with one finding per key.
        """
        given = _sections(values)
        if context:
            given["cluster"] = {**given.get("cluster", {}), "context": context}
        section = {**given.get("app", {}), **({"path": app} if app else {})}
        folder = _place_of(section.get("path"))
        given["release"] = _named(given.get("release", {}), folder)
        usual, root = AppSettings().model_dump(), _app_path(folder)
        answered = _mapping("apps", _mapping("apps", given.pop("apps", None)).get(str(root)))
        known = {**usual, **_beside(root), **answered}
        given["app"] = {
            **known,
            **{name: value for name, value in section.items() if value != usual.get(name)},
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise Failure(*map(_invalid, error.errors())) from error

    @property
    def app_path(self) -> Path:
        """The app's folder: as set, else `../phase3-chatbot`, else the reference app."""
        return _app_path(self.app.path)

    @property
    def has_plan_names(self) -> bool:
        """Whether the release has the plan's name, which belongs to no folder."""
        return self.release.name == ReleaseSettings().name

    @property
    def cache(self) -> Path:
        """The cache of this user: tools, images and logs."""
        if self.supply.cache:
            return Path(self.supply.cache).expanduser().resolve()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phase4"

    @property
    def is_there(self) -> bool:
        """Whether the cluster is somebody else's: a context of the person's kubeconfig."""
        return bool(self.cluster.context)

    @property
    def context(self) -> str:
        """The kubeconfig context. minikube names that of its own cluster like the profile."""
        return self.cluster.context or self.cluster.profile

    @property
    def cluster_key(self) -> str:
        """The context as a name for files: two clusters never share one."""
        plain = re.sub(r"[^\w.-]", "-", self.context)
        if plain == self.context:
            return plain
        return f"{plain}-{hashlib.sha256(self.context.encode()).hexdigest()[:8]}"

    @property
    def local_url(self) -> str:
        """The address that needs no hosts entry: browsers know *.localhost (RFC 6761)."""
        return f"http://{self.local_host}:{self.cluster.ingress_port}"

    @property
    def local_host(self) -> str:
        """The host name that needs no hosts entry, for example todo.localhost for todo.local."""
        return self.release.host.split(".")[0] + ".localhost"


def _invalid(item: Mapping[str, Any]) -> Finding:
    """Turn one error of pydantic into a finding."""
    key = ".".join(("phase4", *(str(part) for part in item["loc"])))
    return Finding(
        "SETTINGS-INVALID",
        key,
        f"{key}: {item['msg']}",
        f"the value is {SHORT.repr(item['input'])}",
        "correct it in the file or the INVOKE_PHASE4_... variable that sets it; "
        "invoke.yaml describes every key",
    )


def _sections(values: Any) -> dict[str, Any]:
    """The settings with their sections, an empty one for one without a value."""
    try:
        given = _mapping("", _plain(values))
    except RecursionError as error:  # a YAML file whose value holds itself
        raise Failure(_invalid(_error("", "holds itself", ""))) from error
    for name in ("app", "cluster", "release", "images", "supply"):
        given[name] = _mapping(name, given.get(name))
    return given


def _mapping(key: str, value: object) -> dict[str, Any]:
    """The settings of a section. Raises SETTINGS-INVALID for something else."""
    if value is None or isinstance(value, dict):
        return dict(value or {})
    raise Failure(_invalid(_error(key, "must have settings below it", value)))


def _error(key: str, words: str, value: object) -> dict[str, Any]:
    """An error as pydantic tells it."""
    return {"loc": [key] if key else [], "msg": words, "input": value}


def _place_of(value: object) -> str:
    """The value; empty for one that is refused later, with its key."""
    try:
        return _place(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _app_path(path: str) -> Path:
    if path:
        return Path(path).expanduser().resolve()
    sibling = ROOT.parent / "phase3-chatbot"
    return sibling if sibling.is_dir() else ROOT / "phase3-chatbot"


def _beside(app: Path) -> dict[str, Any]:
    """What the file beside the app says of its parts. The app is foreign: nothing else is taken."""
    file = app / BESIDE
    if not file.is_file() or file.is_symlink():
        return {}
    try:
        with file.open("rb") as opened:
            read = yaml.load(opened.read(MOST_BESIDE), Loader=_Plain)  # noqa: S506 - a safe one
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise Failure(_refused(file, "is no YAML", str(error)[:300])) from error
    if not isinstance(read, dict) or not set(read) <= set(GUESSED):
        told, allowed = SHORT.repr(read), ", ".join(GUESSED)
        raise Failure(_refused(file, "holds something else than the app's parts", told, allowed))
    return {str(name): value for name, value in read.items()}


class _Plain(yaml.SafeLoader):
    """YAML without aliases, by which a short file may mean a very long one."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name)")
        return super().compose_node(parent, index)


def _refused(file: Path, what: str, evidence: str, allowed: str = "") -> Finding:
    remedy = f"keep only these in it: {allowed}" if allowed else "correct or delete that file"
    return Finding("SETTINGS-INVALID", str(file), f"{file} {what}", evidence, remedy)


def write_beside(app: Path, guesses: Mapping[str, Any]) -> Path:
    """Write what was found about an app's parts into a file beside it, for a person to correct."""
    file = app / BESIDE
    text = yaml.safe_dump(dict(guesses), sort_keys=True, allow_unicode=True)
    write_whole(file, f"# What `invoke deploy` takes this app for. Correct it here.\n{text}")
    return file


def _named(release: Mapping[str, Any], app: str) -> dict[str, Any]:
    """The release's settings, with names that follow from the app's folder where none are given."""
    usual = ReleaseSettings()
    mine = {key: value for key, value in release.items() if value != ""}
    if app and _app_path(app) != _app_path(""):
        name = mine.setdefault("name", release_name(_app_path(app)))
        mine.setdefault("namespace", name)
        mine.setdefault("host", f"{name}.local")
    elif mine.get("name", usual.name) != usual.name:
        mine.setdefault("namespace", mine["name"])
    return mine


def release_name(folder: Path) -> str:
    """Return a DNS label for an app, made of its folder's name: My_App -> my-app.

    If the name says only which part or phase it is, the parent's name comes first:
    evolution-of-todo/phase-3 -> evolution-of-todo-phase-3.
    """
    words = folder.name
    if GENERIC.fullmatch(words) and folder.parent.name:
        words = f"{folder.parent.name}-{words}"
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    slug = slug if slug[:1].isalpha() else f"app-{slug}"
    return slug[:40].strip("-")


def _plain(values: Any) -> Any:
    """Turn Invoke's configuration objects into dicts: they have keys, but are no mappings."""
    return (
        {name: _plain(values[name]) for name in values.keys()}  # noqa: SIM118 - no mapping
        if hasattr(values, "keys")
        else values
    )


def remember(app: Path, answers: Mapping[str, Any], file: Path = ROOT / "invoke.yaml") -> None:
    """Keep answers about an app at the end of invoke.yaml, below `apps`, so nobody is asked twice.

    Secrets are never written there; the cluster's Secret keeps them.
    """
    text = file.read_text(encoding="utf-8")
    before, mark, _ = text.partition(APPS)
    kept = (yaml.safe_load(text)["phase4"].get("apps") or {}) if mark else {}
    kept[str(app)] = {**kept.get(str(app), {}), **answers}
    lines = yaml.safe_dump(kept, sort_keys=True, allow_unicode=True).splitlines()
    added = "".join(f"    {line}\n" for line in lines)
    write_whole(file, before.rstrip("\n") + "\n" + APPS + added)


def without_secrets(address: str) -> str:
    """An address without a password, and without what follows its path; a file as it is."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        return address
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def minikube_home() -> Path:
    """Return minikube's folder: MINIKUBE_HOME, else ~/.minikube (minikube's own rule)."""
    named = os.environ.get("MINIKUBE_HOME")
    if not named:
        return Path.home() / ".minikube"
    return Path(named) if named.rstrip("/").endswith(".minikube") else Path(named) / ".minikube"
