"""The plan's own command lines, typed word by word on the live cluster, in the plan's order.

They get a kubeconfig of their own, with the project's cluster and a fresh namespace. So the release
that they install, look at and break is not the deployed one. docs/plan.md lists the lines that
cannot hold, each with its reason.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests
import yaml

from scripts.cluster.kubectl import kubectl
from scripts.images import transport
from scripts.machine.engine import apt_install
from scripts.release import rollout
from scripts.session.settings import ROOT
from tests.api_client import Api, register
from tests.e2e.conftest import namespace

PLAN = ROOT.parent / "shared" / "plan"
PAGE = ROOT / "docs" / "plan.md"
NAMESPACE = "todo-plan"
PROGRAMS = ("cd", "curl", "docker", "helm", "kagent", "kubectl", "kubectl-ai", "minikube", "ping")


@dataclass(frozen=True)
class Line:
    """A command line of the plan that holds.

    shows: a regular expression that its output matches within `patience` seconds. ends: whether it
    ends by itself; one that does not is ended when it has shown that, or at the end if it `stays`.
    """

    words: str
    shows: str
    patience: float = 180.0
    ends: bool = True
    stays: bool = False


HOLD = (
    Line("minikube start --driver=docker --memory=4096 --cpus=2", r"Done!|To connect to this", 300),
    Line("minikube addons enable metrics-server", r"metrics-server' addon is enabled", 120),
    Line("minikube addons list", r"metrics-server.*enabled"),
    Line("kubectl get storageclass", r"\(default\)"),
    Line("kubectl get ingressclass", r"traefik"),
    Line("kubectl describe nodes", r"Allocatable:"),
    Line("minikube image load todo-chatbot-frontend:latest", r"^$", 180),
    Line("docker run -p 8001:8001 todo-chatbot-backend:latest", r"(?i)running on", stays=True),
    Line("curl http://localhost:8001/health", r'"status": ?"ok"'),
    Line("minikube image load todo-chatbot-backend:latest", r"^$", 180),
    Line("helm lint ./helm-chart", r"1 chart\(s\) linted, 0 chart\(s\) failed"),
    Line("helm template todo-app ./helm-chart", r"name: todo-app-ingress"),
    Line("helm install --dry-run --debug todo-app ./helm-chart", r"name: todo-app-ingress"),
    Line("helm template todo-app ./helm-chart --debug", r"name: todo-app-ingress"),
    Line("kubectl get nodes -o wide", r"Ready"),
    Line("minikube image ls | grep todo-chatbot", r"todo-chatbot-(backend|frontend):latest"),
    Line(
        "helm install todo-app ./helm-chart --set backend.secret.OPENAI_API_KEY=sk-...",
        r"STATUS: deployed",
    ),
    Line("helm list", r"todo-app.*deployed"),
    Line("kubectl get pods -w", r"todo-app-backend\S+ +1/1 +Running", 180, ends=False),
    Line("kubectl get svc", r"todo-app-backend .*8001/TCP"),
    Line("kubectl get ingress", r"todo-app-ingress .*todo\.local"),
    Line("kubectl describe pod <pod-name>", r"Status: +Running"),
    Line("minikube ip", r"^\d+\.\d+\.\d+\.\d+$"),
    Line("ping todo.local", r"bytes from", ends=False),
    Line("curl -v http://todo.local", r"HTTP/1\.1 200"),
    Line("kubectl describe ingress todo-app-ingress", r"todo-app-frontend:http"),
    Line("curl http://todo.local/api/health", r'"status": ?"ok"'),
    Line("kubectl top pods", r"(?s)todo-app-backend.*todo-app-postgres", 240),
    Line("kubectl logs -f deployment/todo-app-frontend", r'"status":200', ends=False),
    Line("kubectl logs -f deployment/todo-app-backend", r"Running upgrade|uvicorn", ends=False),
    Line("kubectl logs -f statefulset/todo-app-postgres", r"ready to accept", ends=False),
    Line("kubectl delete pod <postgres-pod>", r"todo-app-postgres-0\"? deleted", 120),
    Line("kubectl delete pod -l app=todo-app-backend", r"todo-app-backend-\S+\"? deleted", 120),
)


def _of_the_plan():
    """Every command line of the plan: in backquotes, and in blocks of code."""
    found, block = [], False
    for path in sorted(PLAN.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("```"):
                block = not block
                continue
            found += [line.strip()] if block else re.findall(r"`([^`]+)`", line)
    lines = [one for one in dict.fromkeys(found) if len(one.split()) > 1]
    lines = [one for one in lines if one.split()[0] in PROGRAMS]
    return [one for one in lines if one != "minikube image load"]  # a sentence names it so


def _that_cannot_hold():
    """The lines that docs/plan.md lists, and the reason of each."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return {line: reason for line, _, reason in rows}


def test_every_line_of_the_plan_holds_or_is_on_the_page_with_its_reason():
    cannot, hold = _that_cannot_hold(), [line.words for line in HOLD]
    assert all(len(reason) > 5 for reason in cannot.values())
    assert not set(hold) & set(cannot)
    assert len(hold) == len(set(hold))
    if not PLAN.is_dir():
        pytest.skip("the plan is not beside this checkout: the list and the page stand alone")
    assert sorted([*hold, *cannot]) == sorted(_of_the_plan())
    assert hold == [line for line in _of_the_plan() if line not in cannot]  # in the plan's order


@pytest.fixture(scope="module")
def environment(run, found, tmp_path_factory):
    """What docs/plan.md says to do before: the tools, the profile, the context and a namespace."""
    path = tmp_path_factory.mktemp("plan") / "kubeconfig"
    given = kubectl(run, found, "config", "view", "--raw", "--minify", "-o", "json").stdout
    config = json.loads(given)
    config["contexts"][0]["context"]["namespace"] = NAMESPACE
    config["current-context"] = run.settings.context

    def environment():
        path.write_text(yaml.safe_dump(config))  # anew each time: minikube writes to it, too
        path.chmod(0o600)
        folders = [os.path.dirname(tool.path) for tool in found.values()]
        return {
            **os.environ,
            "KUBECONFIG": str(path),
            "MINIKUBE_PROFILE": run.settings.cluster.profile,
            "MINIKUBE_FORCE": "true" if os.geteuid() == 0 else "false",
            "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        }

    with namespace(run, found, NAMESPACE):
        yield environment


@pytest.fixture(scope="module")
def names_on_the_node(run, found, environment):
    """Give the deployed images their names on the node: their own, and those of the chart.

    `minikube image load` takes an image that the node has away first, with all its names.
    """
    chart = yaml.safe_load((ROOT / "helm-chart" / "Chart.yaml").read_text())
    values = yaml.safe_load((ROOT / "helm-chart" / "values.yaml").read_text())
    wanted = {
        name: f"todo-chatbot-{name}:{chart['appVersion']}" for name in ("frontend", "backend")
    }
    wanted["postgres"] = ":".join(values["postgres"]["image"].values())
    deployed = {
        item["metadata"]["labels"]["app.kubernetes.io/component"]: container["image"]
        for item in rollout.look(run, found)
        if item["kind"] in ("Deployment", "StatefulSet")
        for container in item["spec"]["template"]["spec"]["containers"][:1]
    }
    for name in ("frontend", "backend"):  # another app's build may have taken the tag since
        latest = ["docker", "tag", deployed[name], f"todo-chatbot-{name}:latest"]
        subprocess.run(latest, env=environment(), check=True, capture_output=True)

    def tag(source, target):
        # `minikube image tag` leaves a name alone that has no registry in front.
        names = [transport.normalized(one) for one in (source, target)]
        argv = ["minikube", "image", "tag", *names]
        subprocess.run(argv, env=environment(), check=True, capture_output=True, timeout=60)

    def names_again(name):
        tag(f"todo-chatbot-{name}:latest", deployed[name])
        tag(f"todo-chatbot-{name}:latest", wanted[name])

    tag(deployed["postgres"], wanted["postgres"])
    return names_again


def _containers():
    argv = ["docker", "ps", "--all", "--quiet", "--filter", "ancestor=todo-chatbot-backend:latest"]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def staying():
    """Processes that stay until the last line is typed. Their containers are removed, too."""
    before, processes = _containers(), []
    yield processes
    for process in processes:
        _end(process)
    if made := _containers() - before:
        subprocess.run(["docker", "rm", "--force", *made], check=True, capture_output=True)


def _end(process):
    """Press Ctrl-C, as a person would."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _typed(line, words, environment, log, staying):
    """Type a line until it shows what it should; the output of the last time."""
    end = time.monotonic() + line.patience
    while True:
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-o", "pipefail", "-c", words],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            shown = _until_shown(line, process, log, end)
        if line.stays and shown:
            staying.append(process)
        elif process.poll() is None:
            _end(process)
        text = log.read_text(errors="replace")
        if shown or time.monotonic() > end:
            assert shown, f"{words}\n{text[-3000:]}"
            return text
        time.sleep(2)


def _until_shown(line, process, log, end):
    """Whether the output shows it in time; of a line that ends, together with exit status 0."""
    while time.monotonic() < end:
        status = process.poll()
        matches = re.search(line.shows, log.read_text(errors="replace"), re.MULTILINE)
        if status is None and not (line.ends or line.stays) and matches:
            return True
        if line.stays and matches:
            return True
        if status is not None:
            return bool(status == 0 and matches)
        time.sleep(0.2)
    return False


@pytest.fixture
def on_cluster(run, found):
    """kubectl in the namespace; the text it prints."""
    return lambda *arguments: kubectl(run, found, "-n", NAMESPACE, *arguments).stdout


@contextmanager
def forwarded(run, found, service, port):
    """The address of a service of this release: the deployed one has the same host name."""
    scope = ("--context", run.settings.context, "-n", NAMESPACE)
    argv = [found["kubectl"].path, *scope, "port-forward", f"service/{service}", f":{port}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            here = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[1]
            yield f"http://127.0.0.1:{here}"
        finally:
            process.terminate()


@pytest.mark.parametrize("line", HOLD, ids=lambda line: line.words)
def test_a_line_of_the_plan(
    line, run, found, environment, names_on_the_node, staying, on_cluster, tmp_path
):
    """In their order: later lines look at what earlier ones made."""
    words = line.words
    if words.startswith("ping") and not shutil.which("ping"):
        apt_install(run, "iputils-ping")
    if "<" in words:
        component = "postgres" if "postgres" in words else "backend"
        pod = on_cluster("get", "pod", "-l", f"app=todo-app-{component}", "-o", "name").strip()
        words = re.sub(r"<[\w-]+>", pod.removeprefix("pod/"), words)
    if words.endswith("deployment/todo-app-frontend"):  # it logs what somebody asks, not probes
        with forwarded(run, found, "todo-app-frontend", 80) as address:
            assert requests.get(address, timeout=60).status_code == 200
    if "delete pod" not in words:
        _typed(line, words, environment(), tmp_path / "output", staying)
        for name in re.findall(r"image load todo-chatbot-(\w+):", words):
            names_on_the_node(name)
        return
    with forwarded(run, found, "todo-app-backend", 8001) as address:
        user = register(Api(address))
        todo = user.post("/todos", {"title": "as the plan has it"})
    _typed(line, words, environment(), tmp_path / "output", staying)
    on_cluster("rollout", "status", "statefulset/todo-app-postgres", "--timeout=120s")
    on_cluster("rollout", "status", "deployment/todo-app-backend", "--timeout=120s")
    with forwarded(run, found, "todo-app-backend", 8001) as address:
        again = Api(address, token=user.token)
        assert run.shell.until(
            lambda: again.ask("GET", f"/todos/{todo['id']}").status_code == 200, 60
        )
