"""What the acceptance lines look at, each thing once."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import requests

from scripts.app import survey
from scripts.checks import diagnosis
from scripts.cluster import facts, kubectl
from scripts.machine.engine import Engine
from scripts.release import access, helm, rollout
from scripts.session.findings import Failure, Finding
from scripts.session.run import Run
from scripts.session.shell import Result
from scripts.supply.tools import Found

TIMEOUT = 10.0  # seconds for a request
METRICS = 120.0  # seconds until metrics-server has figures of a new pod; 15 to 75 were seen
UNITS = {"Ki": 2**-10, "Mi": 1.0, "Gi": 2.0**10}  # in MiB
ACCOUNT_ROUTES = {("post", "/auth/register"), ("post", "/auth/login"), ("post", "/todos")}


#: What kubectl says where somebody else decided that there is no metrics-server.
NO_METRICS = re.compile("Metrics API not available|(?i:forbidden)")


class NotApplicable(Exception):
    """A line that does not concern this deployment; the text says why."""


class Look:
    """What the lines look at, each thing once.

    restart: also delete the pod that keeps the data, and see whether the data comes back.
    """

    def __init__(self, run: Run, engine: Engine, tools: Mapping[str, Found], restart: bool) -> None:
        self.run, self.engine, self.tools, self.restart = run, engine, tools, restart
        self.base = f"http://127.0.0.1:{run.settings.cluster.ingress_port}"
        self.release = run.settings.release

    @cached_property
    def app(self) -> survey.Survey:
        """The app's folder."""
        return survey.survey(self.run)

    @cached_property
    def facts(self) -> facts.Facts:
        """The cluster."""
        read = facts.there if self.run.settings.is_there else facts.read
        return read(self.run, self.tools)

    @cached_property
    def target(self) -> str:
        """The cluster in words."""
        return f"{self.run.settings.context} (Kubernetes {self.facts.kubernetes})"

    @cached_property
    def state(self) -> list[dict[str, Any]]:
        """The release's objects."""
        kinds = rollout.KINDS + ",events,persistentvolumeclaims,configmaps"
        return kubectl.get_items(self.run, self.tools, kinds, "-n", self.release.namespace)

    @cached_property
    def latest(self) -> Mapping[str, Any]:
        """Helm's newest revision; empty without one."""
        return helm.latest(self.run, self.tools) or {}

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What `invoke diagnose` finds."""
        return diagnosis.diagnose(self.run, self.tools)

    @cached_property
    def logs(self) -> dict[str, list[str]]:
        """Pod -> all its lines."""
        options = ("--all-containers", "--tail=-1")
        return {name: self.kubectl("logs", name, *options).splitlines() for name in self.pods()}

    @cached_property
    def rendered(self) -> tuple[Mapping[str, Any], ...]:
        """The objects that the release rendered."""
        if not self.latest:
            raise NotApplicable("installed by other means than helm")
        return helm.manifest(self.run, self.tools)

    @cached_property
    def api(self) -> str:
        """The API's address behind the ingress."""
        return self.base + rollout.api_path(self.state)

    @cached_property
    def user(self) -> requests.Session:
        """An account of its own, logged in through the ingress."""
        known = {(route.method, route.path) for route in self.app.backend.routes}
        if not known >= ACCOUNT_ROUTES:
            raise NotApplicable(
                "the app's accounts and todos have routes of their own, which this does not know; "
                "`invoke deploy` asks them"
            )
        session = requests.Session()
        session.headers["Host"] = self.release.host
        session.trust_env = False  # no proxy between us and loopback
        email, password = f"verify-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18)
        self.run.shell.hide(password)
        account = {"email": email, "password": password}
        must(session.post(f"{self.api}/auth/register", json=account, timeout=TIMEOUT), 201)
        answer = must(session.post(f"{self.api}/auth/login", json=account, timeout=TIMEOUT), 200)
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def tidy(self) -> None:
        """Take away the todos of the account. The account stays: the app deletes none."""
        if "user" not in self.__dict__:  # nobody needed one
            return
        todos = f"{self.api}/todos"
        # What cannot be taken away was a failed line already.
        with contextlib.suppress(requests.RequestException, ValueError, KeyError, TypeError):
            for one in self.user.get(todos, timeout=TIMEOUT).json():
                self.user.delete(f"{todos}/{one['id']}", timeout=TIMEOUT)

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the release's namespace."""
        scope = ("-n", self.release.namespace)
        return kubectl.kubectl(self.run, self.tools, *scope, *arguments).stdout

    def top(self, *arguments: str, patience: float, names: Iterable[str] = ()) -> str:
        """`kubectl top`, asked again until it has figures of all `names` or `patience` is over.

        patience: seconds. Raises NotApplicable when metrics-server works and has none yet.
        """
        scope = ("-n", self.release.namespace, "top", *arguments, "--no-headers")
        said: list[Result] = []

        def has_figures() -> bool:
            said[:] = [kubectl.kubectl(self.run, self.tools, *scope, check=False)]
            if self.run.settings.is_there and NO_METRICS.search(said[0].stderr):
                raise NotApplicable("the cluster has no metrics, or this user may not see them")
            words = said[0].stdout.split()
            return said[0].ok and all(name in words for name in names)

        if self.run.shell.until(has_figures, patience, 2):
            return said[0].stdout
        words = said[0].tail(1)
        if said[0].ok or "not available yet" in words:
            raise NotApplicable(f"not yet: metrics-server has no figures {words and f'({words})'}")
        raise AssertionError(words)

    def usage(self, patience: float) -> dict[str, tuple[float, float]]:
        """Container -> (CPU in cores, memory in MiB), now.

        patience: seconds to wait for figures of all containers; metrics-server has those of a new
        pod after a minute.
        """
        containers = {one["name"] for pod in self.of("Pod") for one in pod["spec"]["containers"]}
        names = containers if patience else ()
        told = self.top("pods", "--containers", patience=patience, names=names)
        rows = [line.split() for line in told.splitlines()]
        return {name: (cores(cpu), mebibytes(memory)) for _, name, cpu, memory in rows}

    def of(self, kind: str, component: str = "") -> list[dict[str, Any]]:
        """Objects of a kind; with `component` only those of that component."""
        found = [item for item in self.state if item["kind"] == kind]
        return [item for item in found if not component or _component(item) == component]

    def one(self, kind: str, component: str) -> dict[str, Any]:
        """The object of a component."""
        found = self.of(kind, component)
        assert found, f"no {kind} of {component}"
        return found[0]

    def container(self, component: str, kind: str = "Deployment") -> dict[str, Any]:
        """The first container of a component's pods, as its workload describes it."""
        found: dict[str, Any] = self.one(kind, component)["spec"]["template"]["spec"]
        first: dict[str, Any] = found["containers"][0]
        return first

    def pods(self) -> list[str]:
        """Names of the pods that are not being deleted."""
        kept = [pod for pod in self.of("Pod") if not pod["metadata"].get("deletionTimestamp")]
        return [pod["metadata"]["name"] for pod in kept]

    def get(self, path: str, status: int = 200) -> requests.Response:
        """Ask through the ingress."""
        session = requests.Session()
        session.trust_env = False
        headers = {"Host": self.release.host}
        answer = session.get(self.base + path, headers=headers, timeout=TIMEOUT)
        return answer if status == 200 and access.works(answer) else must(answer, status)


def _component(item: Mapping[str, Any]) -> str:
    labels = item["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/component", ""))


def must(answer: requests.Response, status: int) -> requests.Response:
    """The answer, if it has this status; otherwise an assertion fails."""
    method, said = answer.request.method, answer.text[:120]
    told = f"{method} {answer.url} answers {answer.status_code}, not {status}: {said}"
    assert answer.status_code == status, told
    return answer


def cores(text: str) -> float:
    """CPU in cores, from Kubernetes' `250m` or `2`."""
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def mebibytes(text: str) -> float:
    """Memory in MiB, from Kubernetes' `256Mi`."""
    return float(text[:-2]) * UNITS[text[-2:]]


def use(look: Look) -> dict[str, tuple[float, float, float, float]]:
    """Container -> CPU used and allowed in cores, memory used and allowed in MiB.

    Empty while there are no metrics.
    """
    try:
        used = look.usage(patience=0)
    except (Failure, NotApplicable, AssertionError):
        return {}
    containers = [one for pod in look.of("Pod") for one in pod["spec"]["containers"]]
    limits = {one["name"]: one.get("resources", {}).get("limits", {}) for one in containers}
    return {
        name: (cpu, cores(limits[name]["cpu"]), memory, mebibytes(limits[name]["memory"]))
        for name, (cpu, memory) in used.items()
        if {"cpu", "memory"} <= limits.get(name, {}).keys()
    }
