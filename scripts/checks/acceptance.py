"""The plan's acceptance lines, each looked at where it must hold, with its evidence. Reads; the only thing it makes is an account of its own."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import requests
import yaml

from scripts.app import survey
from scripts.checks import assistants as aiops
from scripts.checks import diagnose
from scripts.cluster import facts, kubectl
from scripts.images import transport
from scripts.machine.engine import Engine
from scripts.release import access, chart, chart_readme, helm, rollout
from scripts.session.findings import CODES, Failure, failure
from scripts.session.run import Run
from scripts.session.settings import ROOT
from scripts.supply.tools import Found

Status = Literal["passed", "failed", "not applicable"]
TIMEOUT = 10.0
SLOW_PAGE, SLOW_API = 1.0, 0.5  # seconds; the plan says "acceptable"
PATIENCE = 120.0
#: The plan's resources of each part: requests and limits of CPU and memory.
RESOURCES = {
    "frontend": {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "200m", "memory": "256Mi"},
    },
    "backend": {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    },
    "postgres": {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    },
}


class NotApplicable(Exception):
    """A line that does not concern this deployment; the text says why."""


@dataclass(frozen=True)
class Row:
    """One acceptance line. task: its number in the plan. evidence: what was seen. seconds: how long looking took."""

    task: str
    line: str
    status: Status
    evidence: str
    seconds: float


class Look:
    """What the lines look at, each thing once. restart: also delete the pod that keeps the data, and see whether it comes back."""

    def __init__(self, run: Run, engine: Engine, tools: Mapping[str, Found], restart: bool) -> None:
        self.run, self.engine, self.tools, self.restart = run, engine, tools, restart
        self.base = f"http://127.0.0.1:{run.settings.cluster.ingress_port}"

    @cached_property
    def app(self) -> survey.Survey:
        """The app's folder."""
        return survey.survey(self.run)

    @cached_property
    def facts(self) -> facts.Facts:
        """The cluster."""
        return facts.read(self.run, self.tools)

    @cached_property
    def state(self) -> list[dict[str, Any]]:
        """The release's objects."""
        kinds = rollout.KINDS + ",events,persistentvolumeclaims,configmaps"
        return kubectl.get_items(
            self.run, self.tools, kinds, "-n", self.run.settings.release.namespace
        )

    @cached_property
    def latest(self) -> Mapping[str, Any]:
        """Helm's newest revision."""
        return helm.latest(self.run, self.tools) or {}

    @cached_property
    def findings(self) -> tuple[Any, ...]:
        """What `invoke diagnose` finds."""
        return diagnose.diagnose(self.run, self.tools)

    @cached_property
    def usage(self) -> dict[str, tuple[float, float]]:
        """Container -> (CPU in cores, memory in MiB), now."""
        told = self.kubectl("top", "pods", "--containers", "--no-headers").splitlines()
        return {
            name: (_cores(cpu), _mebibytes(memory))
            for _, name, cpu, memory in (line.split() for line in told)
        }

    @cached_property
    def logs(self) -> dict[str, list[str]]:
        """Pod -> all its lines."""
        return {
            name: self.kubectl("logs", name, "--all-containers", "--tail=-1").splitlines()
            for name in self.pods()
        }

    @cached_property
    def rendered(self) -> tuple[Mapping[str, Any], ...]:
        """What the release rendered."""
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
        if not {("post", "/auth/register"), ("post", "/auth/login"), ("post", "/todos")} <= known:
            raise NotApplicable(
                "the app has accounts and todos of its own form, which this does not know; `invoke deploy` asks its routes"
            )
        session = requests.Session()
        session.headers["Host"] = self.run.settings.release.host
        session.trust_env = False  # no proxy between us and loopback
        account = {
            "email": f"verify-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(18),
        }
        self.run.shell.hide(account["password"])
        _must(session.post(f"{self.api}/auth/register", json=account, timeout=TIMEOUT), 201)
        token = _must(
            session.post(f"{self.api}/auth/login", json=account, timeout=TIMEOUT), 200
        ).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the release's namespace."""
        return kubectl.kubectl(
            self.run, self.tools, "-n", self.run.settings.release.namespace, *arguments
        ).stdout

    def of(self, kind: str, component: str = "") -> list[dict[str, Any]]:
        """Objects of a kind, of one component."""
        found = [item for item in self.state if item["kind"] == kind]
        return [
            item
            for item in found
            if not component
            or (item["metadata"].get("labels") or {}).get("app.kubernetes.io/component")
            == component
        ]

    def one(self, kind: str, component: str) -> dict[str, Any]:
        """The object of a component."""
        found = self.of(kind, component)
        assert found, f"no {kind} of {component}"
        return found[0]

    def pods(self) -> list[str]:
        """Names of the pods that are not on their way out."""
        return [
            pod["metadata"]["name"]
            for pod in self.of("Pod")
            if not pod["metadata"].get("deletionTimestamp")
        ]

    def get(self, path: str, status: int = 200) -> requests.Response:
        """Ask through the ingress."""
        session = requests.Session()
        session.trust_env = False
        return _must(
            session.get(
                self.base + path, headers={"Host": self.run.settings.release.host}, timeout=TIMEOUT
            ),
            status,
        )


def _must(answer: requests.Response, status: int) -> requests.Response:
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.url} answers {answer.status_code}, not {status}: {answer.text[:120]}"
    )
    return answer


def _cores(text: str) -> float:
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def _mebibytes(text: str) -> float:
    units = {"Ki": 2**-10, "Mi": 1.0, "Gi": 2.0**10}
    return float(text[:-2]) * units[text[-2:]]


# --- the lines; each returns its evidence, and fails by an assertion -----------------------------------------------------


def _tools(look: Look) -> str:
    return (
        ", ".join(f"{one.name} {one.version} ({one.source})" for one in look.tools.values())
        + f", docker {look.engine.version}"
    )


def _running(look: Look) -> str:
    profile = look.run.settings.cluster.profile
    state = look.run.shell.run(
        look.engine.client, "container", "inspect", "--format", "{{.State.Status}}", profile
    ).stdout.strip()
    assert state == "running", f"the node {profile} is {state}"
    return f"node {profile} {state}, Kubernetes {look.facts.kubernetes}"


def _controller(look: Look) -> str:
    assert any(pod.endswith("Running") for pod in look.facts.controller_pods), (
        f"no controller pod runs: {look.facts.controller_pods}"
    )
    return ", ".join(look.facts.controller_pods)


def _metrics(look: Look) -> str:
    return look.kubectl("top", "nodes", "--no-headers").strip()


def _assistants(look: Look) -> str:
    return "; ".join(
        f"{one.name}: {'usable' if one.usable else 'not usable, ' + one.fallback}"
        for one in aiops.probe(look.run)
    )


def _classes(look: Look) -> str:
    return f"default {look.facts.default_storage_class}; {', '.join(look.facts.storage_classes)}"


def _ingress_class(look: Look) -> str:
    return f"{look.facts.ingress_class} ({look.facts.ingress_controller})"


def _capacity(look: Look) -> str:
    return ", ".join(f"{name} {value}" for name, value in look.facts.capacity.items())


def _structure(look: Look) -> str:
    return f"frontend {look.app.frontend_folder}, backend {look.app.backend_folder} ({look.app.backend.module})"


def _database_decision(look: Look) -> str:
    return f"{look.app.database}: " + "; ".join(
        f"{one.place} {one.line.strip()}" for one in look.app.evidence[:2]
    )


def _file(*names: str) -> Callable[[Look], str]:
    def there(look: Look) -> str:
        missing = [name for name in names if not list(ROOT.glob(name))]
        assert not missing, f"missing: {', '.join(missing)}"
        return ", ".join(
            f"{name} ({len(list(ROOT.glob(name)))})" if "*" in name else name for name in names
        )

    return there


def _image(component: str) -> Callable[[Look], str]:
    def there(look: Look) -> str:
        reference = look.one("Deployment", component)["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]
        held = transport.holdings(
            look.run,
            look.engine,
            transport.nodes(look.run.settings.cluster.profile)[0],
            [reference],
        ).images
        assert transport.normalized(reference) in held, f"the node has no {reference}"
        assert not reference.endswith(":latest"), f"{reference} is no content tag"
        return f"{reference} is {held[transport.normalized(reference)][:19]} on the node"

    return there


def _resources(component: str, kind: str = "Deployment") -> Callable[[Look], str]:
    def fit(look: Look) -> str:
        if kind == "StatefulSet" and not look.of(kind, component):
            raise NotApplicable("the app keeps files, or has a database elsewhere")
        container = look.one(kind, component)["spec"]["template"]["spec"]["containers"][0]
        if any(one["name"] == "BACKEND_ADDRESS" for one in container.get("env", [])):
            raise NotApplicable("Next's own server runs here, and needs more than the plan's nginx")
        found = container["resources"]
        for part, wanted in RESOURCES[component].items():
            assert wanted.items() <= found[part].items(), (
                f"{part}: {found[part]}, the plan says {wanted}"
            )
        return (
            f"requests {RESOURCES[component]['requests']}, limits {RESOURCES[component]['limits']}"
        )

    return fit


def _port(component: str, port: int) -> Callable[[Look], str]:
    def fits(look: Look) -> str:
        path = rollout.health_path(look.state).lstrip("/") if component == "backend" else ""
        container = look.one("Deployment", component)["spec"]["template"]["spec"]["containers"][0]
        ports = [one["containerPort"] for one in container["ports"]]
        assert ports == [port], f"containerPort {ports}"
        release = look.run.settings.release
        # The API server asks the pod through the Service.
        said = look.kubectl(
            "get",
            "--raw",
            f"/api/v1/namespaces/{release.namespace}/services/{release.name}-{component}:http/proxy/{path}",
        )
        return f"containerPort {port}; through the Service /{path} answers {said.strip()[:40]}"

    return fits


def _environment(component: str, name: str, source: str) -> Callable[[Look], str]:
    def comes(look: Look) -> str:
        container = look.one("Deployment", component)["spec"]["template"]["spec"]["containers"][0]
        found = {one["name"]: one.get("valueFrom", {}) for one in container.get("env", [])}
        origin = "secretKeyRef" if source == "Secret" else "configMapKeyRef"
        if name not in found and any(
            one.get(origin.removesuffix("KeyRef") + "Ref") for one in container.get("envFrom", [])
        ):
            return f"{name} by envFrom of a {source}"
        if name == "DATABASE_URL" and name not in found:
            raise NotApplicable("the app keeps files")
        assert origin in found.get(name, {}), f"{name} does not come from a {source}"
        return f"{name} from {source} {found[name][origin]['name']}"

    return comes


def _isolated(look: Look) -> str:
    config = [
        item for item in look.of("ConfigMap") if item["metadata"]["name"] != "kube-root-ca.crt"
    ]
    keys = [key for item in config for key in item.get("data", {})]
    suspicious = [
        key for key in keys if re.search(r"PASSWORD|SECRET|API_KEY|TOKEN$|DATABASE_URL", key)
    ]
    assert config, "no ConfigMap"
    assert not suspicious, f"in a ConfigMap: {suspicious}"
    return f"{len(keys)} settings in {', '.join(item['metadata']['name'] for item in config)}, none secret"


def _stateful(look: Look) -> str:
    if not look.of("StatefulSet", "postgres"):
        raise NotApplicable("the app keeps files, or has a database elsewhere")
    image = look.one("StatefulSet", "postgres")["spec"]["template"]["spec"]["containers"][0][
        "image"
    ]
    ports = [one["port"] for one in look.one("Service", "postgres")["spec"]["ports"]]
    assert ports == [5432], f"the Service's ports: {ports}"
    return f"{image}, Service on 5432"


def _claim(look: Look) -> str:
    claims = look.of("PersistentVolumeClaim")
    if not claims:
        raise NotApplicable("a database elsewhere")
    assert all(one["status"]["phase"] == "Bound" for one in claims), "a claim is not bound"
    return ", ".join(
        f"{one['metadata']['name']} {one['spec']['resources']['requests']['storage']} {one['status']['phase']}"
        for one in claims
    )


def _routes(look: Look) -> str:
    paths = {
        (path["path"], path["backend"]["service"]["name"].rpartition("-")[2])
        for one in look.of("Ingress")
        for rule in one["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    leads = {component: path for path, component in sorted(paths, reverse=True)}
    assert leads.get("frontend") == "/", f"/ does not lead to the frontend: {paths}"
    assert leads.get("backend"), f"no path leads to the backend: {paths}"
    target = look.one("Service", "backend")["spec"]["ports"][0]
    return f"/ to frontend, {leads['backend']} to backend port {target['port']}"


def _rewrite(look: Look) -> str:
    path = rollout.health_path(look.state)
    body = look.get(rollout.api_path(look.state) + path).json()
    return f"{rollout.api_path(look.state)}{path} reaches the backend's {path}: {str(body)[:160]}"


def _commented(look: Look) -> str:
    del look
    text = (chart.CHART / "values.yaml").read_text(encoding="utf-8")
    described = {path for path, _, _ in chart_readme.rows(text)}
    bare = [
        path
        for path in _leaves(yaml.safe_load(text))
        if not any(path == one or path.startswith(f"{one}.") for one in described)
    ]
    assert not bare, f"without a comment: {', '.join(bare)}"
    return f"{len(described)} values described"


def _leaves(value: Any, path: str = "") -> list[str]:
    if not isinstance(value, Mapping) or not value:
        return [path]
    return [
        leaf
        for key, below in value.items()
        for leaf in _leaves(below, f"{path}.{key}" if path else str(key))
    ]


def _lint(look: Look) -> str:
    if not look.latest:
        raise NotApplicable("installed by other means than helm: its values are not known")
    scope = (
        "--namespace",
        look.run.settings.release.namespace,
        "--kube-context",
        look.run.settings.context,
    )
    values = look.run.shell.run(
        look.tools["helm"].path,
        "get",
        "values",
        look.run.settings.release.name,
        "-o",
        "yaml",
        *scope,
    ).stdout
    linted = look.run.shell.run(
        look.tools["helm"].path,
        "lint",
        "--strict",
        chart.CHART,
        "-f",
        "-",
        stdin=values,
        check=False,
    )
    assert linted.ok, linted.tail(3)
    return linted.tail(1)


def _accepted(look: Look) -> str:
    objects = yaml.safe_dump_all(look.rendered)
    arguments = (
        "apply",
        "--server-side",
        "--dry-run=server",
        "--force-conflicts",
        "--field-manager=phase4-verify",
        "-f",
        "-",
        "-o",
        "name",
    )
    scope = ("-n", look.run.settings.release.namespace)
    accepted = kubectl.kubectl(
        look.run, look.tools, *scope, *arguments, stdin=objects
    ).stdout.split()
    return f"{len(accepted)} objects accepted by the API server's dry run"


def _deployed(look: Look) -> str:
    if not look.latest:
        raise NotApplicable("installed by other means than helm")
    assert look.latest["status"] == "deployed", (
        f"revision {look.latest['revision']} is {look.latest['status']}"
    )
    return f"revision {look.latest['revision']} of {look.latest['chart']} is deployed"


def _all_running(look: Look) -> str:
    phases = {
        pod["metadata"]["name"]: pod["status"]["phase"]
        for pod in look.of("Pod")
        if pod["metadata"]["name"] in look.pods()
    }
    waiting = rollout.unready(look.state)
    assert set(phases.values()) == {"Running"}, f"{phases}"
    assert not waiting, f"not ready: {', '.join(waiting)}"
    return ", ".join(f"{name} {phase}" for name, phase in phases.items())


def _endpoints(look: Look) -> str:
    counts = rollout.endpoints(look.state)
    assert counts, "no service"
    assert all(counts.values()), (
        f"without endpoints: {[name for name, count in counts.items() if not count]}"
    )
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _ingress(look: Look) -> str:
    assert look.of("Ingress"), "no Ingress"
    return ", ".join(
        f"{one['metadata']['name']} ({', '.join(rule['host'] for rule in one['spec']['rules'])})"
        for one in look.of("Ingress")
    )


def _resolves(look: Look) -> str:
    host = look.run.settings.release.host
    address = access.resolve(host)
    if not address and look.run.settings.hosts_file == "skip":
        raise NotApplicable("phase4.hosts_file is skip; the .localhost name needs no entry")
    assert address, f"{host} does not resolve; `invoke dns` writes the entry"
    return f"{host} is {address}"


def _http(look: Look) -> str:
    answer = look.get("/")
    return f"GET / with host {look.run.settings.release.host}: {answer.status_code} in {answer.elapsed.total_seconds() * 1000:.0f} ms"


def _page(look: Look) -> str:
    answer = look.get("/")
    assert "<html" in answer.text, "no HTML"
    title = re.search(r"<title>([^<]*)", answer.text)
    return f"{len(answer.text)} bytes of HTML, title {title.group(1) if title else 'none'!r}"


def _console(look: Look) -> str:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NotApplicable(
            "Playwright is not installed here; `nox -s e2e` reads the console of a real browser"
        ) from None
    problems: list[str] = []
    host, port = look.run.settings.release.host, look.run.settings.cluster.ingress_port
    options = [
        "--no-sandbox",
        "--disable-gpu",
        f"--host-resolver-rules=MAP {host} 127.0.0.1",
    ]  # whether or not it has an entry
    with sync_playwright() as started:
        path = look.run.shell.which("chromium") or look.run.shell.which("google-chrome")
        try:
            browser = started.chromium.launch(executable_path=path, args=options)
        except Error as error:
            raise NotApplicable(
                f"no browser could be started: {str(error).splitlines()[0]}"
            ) from None
        page = browser.new_page(viewport={"width": 1180, "height": 760})
        page.on(
            "console",
            lambda message: problems.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://{host}:{port}/", wait_until="networkidle")
        picture = look.run.settings.cache / "logs" / "verify.png"
        page.screenshot(path=picture)
        browser.close()
    assert not problems, f"{problems}"
    return f"no error in the console of a browser; picture {picture}"


def _nothing_wrong(look: Look) -> str:
    assert not look.findings, "; ".join(f"{one.code}: {one.summary}" for one in look.findings)
    return "`invoke diagnose` finds nothing"


def _within_limits(look: Look) -> str:
    told = []
    for name, (cpu, memory) in look.usage.items():
        if name not in RESOURCES:
            continue
        kind = "StatefulSet" if name == "postgres" else "Deployment"
        limits = look.one(kind, name)["spec"]["template"]["spec"]["containers"][0]["resources"][
            "limits"
        ]
        assert cpu <= _cores(limits["cpu"]) * 1.05 and memory <= _mebibytes(limits["memory"]), (
            f"{name}: {cpu} cores, {memory:.0f} MiB of {limits}"
        )
        told.append(
            f"{name} {cpu * 1000:.0f}m of {limits['cpu']}, {memory:.0f}Mi of {limits['memory']}"
        )
    assert told, "metrics-server has no figures yet"
    return "; ".join(told)


def _no_errors(look: Look) -> str:
    bad = [
        (name, line)
        for name, lines in look.logs.items()
        for line in lines
        if re.search(r'"level": ?"(error|critical|fatal)"', line)
    ]
    assert not bad, (
        f"{len(bad)} error lines, the first of {bad[0][0]}: {bad[0][1][:200]}" if bad else ""
    )
    return f"{sum(map(len, look.logs.values()))} lines of {len(look.logs)} pods, none an error"


def _structured(look: Look) -> str:
    plain = [
        (name, line)
        for name, lines in look.logs.items()
        for line in lines
        if line.strip() and not _is_json(line)
    ]
    assert not plain, (
        f"{len(plain)} lines are no JSON, the first of {plain[0][0]}: {plain[0][1][:160]}"
        if plain
        else ""
    )
    return f"every one of {sum(map(len, look.logs.values()))} lines is a JSON object"


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _journey(look: Look) -> str:
    api, user = look.api, look.user
    todo = _must(user.post(f"{api}/todos", json={"title": "verify"}, timeout=TIMEOUT), 201).json()
    assert todo["id"] in [
        one["id"] for one in _must(user.get(f"{api}/todos", timeout=TIMEOUT), 200).json()
    ], "the new todo is not in the list"
    done = _must(
        user.patch(f"{api}/todos/{todo['id']}", json={"completed": True}, timeout=TIMEOUT), 200
    ).json()
    assert done["completed"], "not completed"
    _must(user.delete(f"{api}/todos/{todo['id']}", timeout=TIMEOUT), 204)
    return "registered, logged in, todo made, listed, completed, deleted, through the ingress"


def _token(look: Look) -> str:
    parts = str(look.user.headers["Authorization"]).removeprefix("Bearer ").split(".")
    assert len(parts) == 3, "no JWT"
    return "a JWT of three parts"


def _assistant(look: Look) -> str:
    answer = _must(
        look.user.post(
            f"{look.api}/chat", json={"message": "add a todo: water the plants"}, timeout=60
        ),
        200,
    ).json()
    titles = [one["title"] for one in look.user.get(f"{look.api}/todos", timeout=TIMEOUT).json()]
    assert any("water the plants" in title.lower() for title in titles), (
        f"the assistant said {str(answer)[:120]}, and no todo was made"
    )
    return "asked for a todo in words; its tool made it"


def _same_origin(look: Look) -> str:
    config = look.get("/config.js").text
    address = re.search(r'NEXT_PUBLIC_API_URL: "([^"]*)"', config)
    assert address, "no run-time address"
    assert address.group(1).startswith("/"), f"the page calls {address.group(1)}, another origin"
    return f"the page calls {address.group(1)} of its own origin: nothing for CORS to refuse"


def _persists(look: Look) -> str:
    if not look.restart:
        raise NotApplicable(
            "not asked for: `invoke verify --restart` deletes the pod that keeps the data and looks again"
        )
    todo = _must(
        look.user.post(f"{look.api}/todos", json={"title": "survives"}, timeout=TIMEOUT), 201
    ).json()
    keeper = "postgres" if look.of("StatefulSet", "postgres") else "backend"
    look.kubectl(
        "delete",
        "pod",
        "-l",
        f"app.kubernetes.io/component={keeper},app.kubernetes.io/instance={look.run.settings.release.name}",
        "--wait=true",
    )
    began = time.monotonic()

    def there() -> bool:
        try:
            return (
                look.user.get(f"{look.api}/todos/{todo['id']}", timeout=TIMEOUT).status_code == 200
            )
        except requests.RequestException:
            return False

    assert look.run.shell.until(there, PATIENCE), (
        f"the todo was not there {PATIENCE:.0f} s after the pod of {keeper} was deleted"
    )
    return f"a todo was there again {time.monotonic() - began:.0f} s after the pod of {keeper} was deleted"


def _database_works(look: Look) -> str:
    if not look.app.backend.ready_path:
        raise NotApplicable(
            "the app has no route that says so; `invoke deploy` asks one that reads"
        )
    return str(look.get(rollout.api_path(look.state) + look.app.backend.ready_path).json())


def _refuses(look: Look) -> str:
    answer = _must(look.user.post(f"{look.api}/todos", json={"title": ""}, timeout=TIMEOUT), 422)
    assert "json" in answer.headers["content-type"], "no JSON"
    prefix = rollout.api_path(look.state)
    look.get(f"{prefix}/nowhere", 404)
    look.get(f"{prefix}/todos", 401)
    return f"422, 404, 401 as they should be; a problem says: {answer.json().get('title', answer.text[:60])!r}"


def _fast(look: Look) -> str:
    page = min(look.get("/").elapsed.total_seconds() for _ in range(3))
    api = min(
        look.user.get(f"{look.api}/todos", timeout=TIMEOUT).elapsed.total_seconds()
        for _ in range(3)
    )
    assert page < SLOW_PAGE and api < SLOW_API, f"page {page:.2f} s, API {api:.2f} s"
    return f"page {page * 1000:.0f} ms, list of todos {api * 1000:.0f} ms"


def _troubles(look: Look) -> str:
    text = (ROOT / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
    missing = [code for code in CODES if f"### {code}\n" not in text]
    assert not missing, f"not explained: {missing}"
    return f"{len(CODES)} codes explained"


def _build_needs(look: Look) -> str:
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("frontend.Dockerfile", "scripts/images/api/Dockerfile")
    )
    return f"bases {', '.join(re.findall(r'^ARG [A-Z]+_IMAGE=(.+)$', text, re.MULTILINE))}; Next.js {look.app.frontend.next_version} ({look.app.frontend.output})"


#: Every acceptance line of the plan: its task, its words, and what looks.
LINES: tuple[tuple[str, str, Callable[[Look], str]], ...] = (
    ("1.1", "All tools return valid versions", _tools),
    ("1.2", "Minikube status is Running", _running),
    ("1.2", "An ingress controller is enabled", _controller),
    ("1.2", "Metrics-server is enabled", _metrics),
    ("1.3", "Which AIOps tools are available, with a fallback for each that is not", _assistants),
    ("1.4", "Storage class identified", _classes),
    ("1.4", "Ingress controller verified and running", _controller),
    ("1.4", "Ingress class documented", _ingress_class),
    ("1.4", "Resource limits documented", _capacity),
    ("2.1", "Phase III structure documented", _structure),
    ("2.1", "Docker build requirements identified", _build_needs),
    (
        "2.1",
        "Existing Dockerfiles reported",
        lambda look: ", ".join(look.app.containers) or "none of its own",
    ),
    ("2.1", "Backend port is 8001", _port("backend", 8001)),
    ("2.1.a", "Database architecture understood and decided", _database_decision),
    ("2.1.a", "ADR of the decision", _file("history/adr/0005-database.md")),
    ("2.2", "Frontend Dockerfile", _file("frontend.Dockerfile")),
    ("2.2", "Frontend image built and on the node", _image("frontend")),
    ("2.2", "Container serves the app on port 80", _port("frontend", 80)),
    ("2.3", "Backend Dockerfile", _file("backend.Dockerfile")),
    ("2.3", "Backend image built and on the node", _image("backend")),
    ("2.3", "Health endpoint responds on port 8001", _port("backend", 8001)),
    ("2.3", "Database connection works", _database_works),
    (
        "3.1",
        "Chart directory, metadata and default values",
        _file("helm-chart/Chart.yaml", "helm-chart/values.yaml", "helm-chart/templates/*.yaml"),
    ),
    ("3.2", "Frontend Deployment and Service, port 80", _port("frontend", 80)),
    (
        "3.2",
        "NEXT_PUBLIC_API_URL from the ConfigMap",
        _environment("frontend", "NEXT_PUBLIC_API_URL", "ConfigMap"),
    ),
    ("3.2", "Frontend resources", _resources("frontend")),
    ("3.3", "Backend Deployment and Service, port 8001", _port("backend", 8001)),
    ("3.3", "DATABASE_URL from the Secret", _environment("backend", "DATABASE_URL", "Secret")),
    (
        "3.3",
        "BETTER_AUTH_SECRET from the Secret",
        _environment("backend", "BETTER_AUTH_SECRET", "Secret"),
    ),
    ("3.3", "OPENAI_API_KEY from the Secret", _environment("backend", "OPENAI_API_KEY", "Secret")),
    ("3.3", "Backend resources", _resources("backend")),
    ("3.4", "ConfigMap and Secret apart, sensitive data isolated", _isolated),
    ("3.5", "PostgreSQL StatefulSet and Service", _stateful),
    ("3.5", "PostgreSQL resources", _resources("postgres", "StatefulSet")),
    ("3.5", "Volume claim correct and bound", _claim),
    ("3.6", "Ingress class verified", _ingress_class),
    ("3.6", "Routes: / to the frontend, /api/ to the backend on 8001", _routes),
    ("3.6", "Annotations match the controller", _rewrite),
    ("3.7", "All parameters have comments", _commented),
    ("3.8", "Helm lint passes without warnings", _lint),
    ("3.8", "Templates render, and the dry run accepts every object", _accepted),
    ("4.0", "Storage class available", _classes),
    ("4.0", "Ingress class available", _ingress_class),
    ("4.0", "Images loaded", _image("backend")),
    ("4.1", "Release is deployed", _deployed),
    ("4.2", "All pods are Running", _all_running),
    ("4.2", "All services have endpoints", _endpoints),
    ("4.2", "Ingress is created", _ingress),
    ("4.3", "The host name resolves", _resolves),
    ("4.3", "HTTP connection succeeds", _http),
    ("5.1", "Frontend loads", _page),
    ("5.1", "No console errors", _console),
    ("5.1", "Backend health endpoint responds", _rewrite),
    ("5.2", "No critical issues", _nothing_wrong),
    ("5.2", "Resource usage within limits", _within_limits),
    ("5.2", "No error logs", _no_errors),
    ("5.3", "Data persists across a restart", _persists),
    ("5.4", "Log in, JWT received", _token),
    ("5.4", "Create, list, complete, delete", _journey),
    ("5.4", "Chat answers and its tool is invoked", _assistant),
    ("5.4", "No CORS errors", _same_origin),
    ("5.5", "Error handling works", _refuses),
    ("5.5", "Logs are complete and structured", _structured),
    ("5.5", "Page load and API response time", _fast),
    ("6.1", "README.md", _file("README.md")),
    ("6.2", "TROUBLESHOOTING.md explains every code", _troubles),
    ("6.3", "PHRs of significant problems", _file("history/phr/[0-9]*.md")),
    ("6.4", "ADRs of major decisions", _file("history/adr/[0-9]*.md")),
    ("6.5", "Chart README", _file("helm-chart/README.md")),
)
#: The lines that change what others look at, last.
LATE = ("Data persists across a restart",)


def use(look: Look) -> dict[str, tuple[float, float, float, float]]:
    """Container -> CPU used and allowed in cores, memory used and allowed in MiB; empty without metrics."""
    try:
        used = look.usage
    except Failure:
        return {}
    limits = {
        container["name"]: container.get("resources", {}).get("limits", {})
        for pod in look.of("Pod")
        for container in pod["spec"]["containers"]
    }
    return {
        name: (cpu, _cores(limits[name]["cpu"]), memory, _mebibytes(limits[name]["memory"]))
        for name, (cpu, memory) in used.items()
        if {"cpu", "memory"} <= limits.get(name, {}).keys()
    }


def verify(look: Look) -> tuple[Row, ...]:
    """Look at every acceptance line of the plan. Raises SETTINGS-INVALID where Python leaves assertions out: every line would pass."""
    if not __debug__:
        summary = "Python was told to leave out assertions, and with them every check"
        raise failure(
            "SETTINGS-INVALID",
            "PYTHONOPTIMIZE",
            summary,
            remedy="unset PYTHONOPTIMIZE, and start Python without -O",
        )
    rows: dict[int, Row] = {}
    for number, line in sorted(enumerate(LINES), key=lambda entry: entry[1][1] in LATE):
        rows[number] = _row(look, *line)
    return tuple(rows[number] for number in range(len(LINES)))


def _row(look: Look, task: str, line: str, check: Callable[[Look], str]) -> Row:
    began = time.monotonic()
    status: Status = "passed"
    try:
        evidence = check(look)
    except NotApplicable as error:
        status, evidence = "not applicable", str(error)
    except AssertionError as error:
        status, evidence = "failed", str(error)
    except Failure as error:
        status, evidence = (
            "failed",
            f"{error.findings[0].summary}: {error.findings[0].evidence}"[:300],
        )
    except (requests.RequestException, KeyError, IndexError, ValueError) as error:
        status, evidence = "failed", f"{type(error).__name__}: {error}"[:300]
    return Row(task, line, status, look.run.shell.mask(evidence), time.monotonic() - began)
