"""Start each new image alone, once, before it may be deployed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from scripts.app.tracebacks import cause
from scripts.images import beside
from scripts.images.beside import Place
from scripts.images.builds import Images, untried_name
from scripts.images.plans import Plan, Plans
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.findings import Failure, failure
from scripts.session.run import Run

TRIAL_TIMEOUT = 45.0
READ_ONLY = ("--read-only", "--tmpfs=/tmp", "--tmpfs=/data:uid=10001,gid=10001,mode=700")
NEEDS_DATABASE = re.compile(
    r"[Cc]onnection refused|Connect call failed|could not connect|"
    r"connection to server|ECONNREFUSED",
    re.IGNORECASE,
)


#: A table that better-auth makes, from Next's server.
OF_ACCOUNTS = re.compile(r'relation "(public\.)?(user|account|session|verification|jwks)" does not')


#: What a program does that accepts no plain http, as behind a hosting service.
TO_HTTPS = "sends every request on to https"


def try_images(run: Run, engine: Engine, plans: Plans, images: Images) -> tuple[str, ...]:
    """Start each image that has not run yet by itself, side by side; the references of those.

    Raises IMAGE-RUN-FAILED.
    """

    def attempt(plan: Plan) -> str:
        if plan.reference not in images.built and _has_run(run, engine, plan):
            return ""
        run.say(f"trying {plan.name} alone")
        try_alone(run, engine, plan.reference, plan)
        run.shell.run(engine.client, "rmi", untried_name(plan), check=False)
        return plan.reference

    beside.discard_left(run, engine)  # first: it cannot tell this run's own from others
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
    """Start a container on a free port of loopback, with what its pods will have, and ask it.

    Where it needs PostgreSQL, that runs beside it. What needs another service, or a database that
    is not ours, is tried in the cluster. Raises IMAGE-RUN-FAILED.
    """
    with beside.place(run, engine, plan.port, plan.postgres) as place:
        # Made up: none of these values is a secret.
        given = [f"--env={name}={value}" for name, value in plan.environment.items()]
        options = (*place.options, *given, *(READ_ONLY if plan.read_only else ()))
        if not _make_tables(run, engine, reference, plan, options, place):
            run.say(f"{plan.name} needs the tables of Next's accounts: it is tried in the cluster")
            return
        container, own = beside.named(run)
        try:
            started = run.shell.run(
                engine.client, "run", "--detach", *own, *options, reference, check=False
            )
            if run.shell.dry:
                return
            if not started.ok:
                raise _failed(plan, reference, "", started.tail(5))
            _ask(run, engine, reference, plan, container, place.container or container)
        finally:
            beside.discard(run, engine, container)


def _make_tables(
    run: Run, engine: Engine, reference: str, plan: Plan, options: Sequence[str], place: Place
) -> bool:
    """Run what runs before the app serves, where there is a database for it.

    False if that needs tables which another part of the app makes. Raises IMAGE-RUN-FAILED.
    """
    if not plan.before or not place.container:
        return True
    alone = "--env=TABLES_TIMEOUT=0"  # nobody makes tables for others here
    _, own = beside.named(run)
    made = run.shell.run(
        engine.client, "run", "--rm", *own, *options, alone, reference, *plan.before,
        check=False, timeout=TRIAL_TIMEOUT,
    )  # fmt: skip
    if not made.ok:
        log = made.stdout + made.stderr
        if "phase4.again" in " ".join(plan.before) and OF_ACCOUNTS.search(log):
            return False
        raise _failed(plan, reference, f"{' '.join(plan.before)} did not end well", log)
    return True


def _ask(
    run: Run, engine: Engine, reference: str, plan: Plan, container: str, published: str
) -> None:
    """Wait until it answers. published: the container that has the port."""
    port = f"{plan.port}/tcp"
    mapped = run.shell.run(engine.client, "port", published, port, check=False).stdout.split()
    answer = "it has no port"
    if mapped:
        url = f"http://{mapped[0]}{plan.path}"
        if _comes_up(run, engine, container, url, plan.strict):
            return
        answer = _refusal(url)
    log = run.shell.run(engine.client, "logs", "--tail", "200", container, check=False).tail(200)
    if published == container and NEEDS_DATABASE.search(log):
        run.say(f"{plan.name} starts with its database only: it is tried in the cluster")
        return
    raise _failed(plan, reference, answer, log)


def _refusal(url: str) -> str:
    """What a program that does not serve answers, as a sentence without its subject."""
    try:
        answer = requests.get(url, timeout=2, allow_redirects=False)
    except requests.RequestException:
        return f"{url} did not answer"
    if answer.headers.get("location", "").startswith("https://"):
        return f"{url} {TO_HTTPS}"
    return f"{url} answers {answer.status_code}: {answer.text[:200]}"


def _failed(plan: Plan, reference: str, answer: str, log: str) -> Failure:
    if TO_HTTPS in answer:
        return failure(
            "IMAGE-RUN-FAILED",
            plan.name,
            f"{plan.name} {TO_HTTPS}, also the probes' and the page's, which come by http",
            answer,
            "turn that off by the variable that the code asks (mostly DEBUG=true or "
            "ENVIRONMENT=development), in an env file that phase4.app.env_file names",
        )
    why = cause(log)
    return failure(
        "IMAGE-RUN-FAILED",
        plan.name,
        f"{plan.name} was built but does not work by itself" + (f": {why}" if why else ""),
        "\n".join([answer, *log.splitlines()[-15:]]).strip(),
        f"try it: docker run -p {plan.port}:{plan.port} {reference}",
    )


def _comes_up(run: Run, engine: Engine, container: str, url: str, strict: bool) -> bool:
    """Whether it answers before it ends, or its time does.

    Docker is asked now and then only: that takes the CPU that the app starts with.
    """

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
