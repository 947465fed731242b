"""Start each new image alone, once, before it may be deployed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import requests

from scripts.app.tracebacks import cause
from scripts.images.builds import Images, untried_name
from scripts.images.plans import Plan, Plans
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.findings import failure
from scripts.session.run import Run

TRIAL_TIMEOUT = 45.0
NEEDS_DATABASE = re.compile(
    r"[Cc]onnection refused|Connect call failed|could not connect|connection to server|ECONNREFUSED",
    re.IGNORECASE,
)


def try_images(run: Run, engine: Engine, plans: Plans, images: Images) -> tuple[str, ...]:
    """Start each image that has not run yet by itself, side by side; the references of those. Raises IMAGE-RUN-FAILED."""

    def attempt(plan: Plan) -> str:
        if plan.reference not in images.built and _has_run(run, engine, plan):
            return ""
        run.say(f"trying {plan.name} alone")
        try_alone(run, engine, plan.reference, plan)
        run.shell.run(engine.client, "rmi", untried_name(plan), check=False)
        return plan.reference

    with ThreadPoolExecutor(len(plans.every)) as pool:
        return tuple(filter(None, pool.map(attempt, plans.every)))


def _has_run(run: Run, engine: Engine, plan: Plan) -> bool:
    second = untried_name(plan)
    # Where the engine's list has the one name, it would have the other.
    return (
        engine.images.get(second)
        if plan.reference in engine.images
        else buildkit.image_id(run, engine, second)
    ) != plan.id


def try_alone(run: Run, engine: Engine, reference: str, plan: Plan) -> None:
    """Start a container on a free port of loopback and ask it. An app that ends without its database is tried in the cluster. Raises IMAGE-RUN-FAILED."""
    variables = [
        f"--env={name}={value}" for name, value in plan.environment.items()
    ]  # made up: no secrets
    started = run.shell.run(
        engine.client,
        "run",
        "--detach",
        "--publish",
        f"127.0.0.1::{plan.port}",
        *variables,
        reference,
        check=False,
    )
    if run.shell.dry:
        return
    container = started.stdout.strip()
    try:
        answer = ""
        if started.ok:
            mapped = run.shell.run(
                engine.client, "port", container, f"{plan.port}/tcp", check=False
            ).stdout.split()
            if mapped:
                url = f"http://{mapped[0]}{plan.path}"
                if _comes_up(run, engine, container, url, plan.strict):
                    return
                answer = f"{url} did not answer{' 200' if plan.strict else ''}"
        log = (
            run.shell.run(engine.client, "logs", "--tail", "60", container, check=False).tail(60)
            if started.ok
            else started.tail(5)
        )
        if started.ok and NEEDS_DATABASE.search(log):
            run.say(f"{plan.name} starts with its database only: it is tried in the cluster")
            return
        why = cause(log)
        raise failure(
            "IMAGE-RUN-FAILED",
            plan.name,
            f"{plan.name} was built but does not work by itself" + (f": {why}" if why else ""),
            "\n".join([answer, *log.splitlines()[-15:]]).strip(),
            f"try it: docker run -p {plan.port}:{plan.port} {reference}",
        )
    finally:
        if container:
            # Nobody waits for it: a quarter of a second.
            run.shell.detach(
                engine.client,
                "rm",
                "--force",
                "--volumes",
                container,
                log=run.settings.cache / "logs" / "docker-rm.log",
            )


def _comes_up(run: Run, engine: Engine, container: str, url: str, strict: bool) -> bool:
    """Whether it answers before it ends, or its time does. Docker is asked now and then only: that takes the CPU that the app starts with."""

    def answers() -> bool:
        return run.shell.until(lambda: _answers(url, strict), 0.5, 0.03)

    return (
        run.shell.until(
            lambda: answers() or not _is_running(run, engine, container), TRIAL_TIMEOUT, 0.0
        )
        and answers()
    )


def _answers(url: str, strict: bool) -> bool:
    try:
        return requests.get(url, timeout=2, allow_redirects=False).status_code == 200 or not strict
    except requests.RequestException:
        return False


def _is_running(run: Run, engine: Engine, container: str) -> bool:
    return (
        run.shell.run(
            engine.client,
            "container",
            "inspect",
            "--format",
            "{{.State.Running}}",
            container,
            check=False,
        ).stdout.strip()
        == "true"
    )
