"""PostgreSQL beside an image that is tried: thrown away with it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.app.fit import TRIAL
from scripts.machine.engine import Engine
from scripts.session.run import Run
from scripts.session.shell import Result

#: Label of the containers that a run tries images with; its value is the run's cluster.
LABEL = "phase4.trial"
PROGRAM = Path(__file__).parent / "inside" / "trial-database"
START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Place:
    """Where the image is tried.

    options: of `docker run`. container: the one that has the port, if it is another.
    """

    options: tuple[str, ...]
    container: str = ""


@contextmanager
def place(run: Run, engine: Engine, port: int, postgres: str) -> Iterator[Place]:
    """A place for a container that listens on `port`, with PostgreSQL at 127.0.0.1:5432 in it.

    postgres: reference of its image; without one, or where it does not start, the place is empty.
    """
    published = ("--publish", f"127.0.0.1::{port}")
    if not postgres or run.shell.dry:
        yield Place(published)
        return
    given = [f"--env=POSTGRES_{name}={TRIAL}" for name in ("USER", "PASSWORD", "DB")]
    program = PROGRAM.read_text(encoding="utf-8")
    database, own = named(run)
    try:
        started = run.shell.run(
            engine.client, "run", "--detach", *own, *published, *given, postgres, "bash", "-c",
            program, check=False,
        )  # fmt: skip
        if started.ok and _listens(run, engine, database):
            authority = _in(run, engine, database, "cat", "/tmp/tls.crt")  # noqa: S108
            trust = (f"--env=DATABASE_CA={authority.stdout}",) if authority.ok else ()
            yield Place(("--network", f"container:{database}", *trust), database)
        else:
            run.say("PostgreSQL does not start beside the image: what needs it is not tried here")
            yield Place(published)
    finally:
        discard(run, engine, database)


def named(run: Run) -> tuple[str, tuple[str, ...]]:
    """A container's name, and the options of `docker run` that give it.

    It is known before the container is made: a run that is ended meanwhile removes it all the same.
    """
    name = f"phase4-trial-{secrets.token_hex(6)}"
    return name, (f"--name={name}", f"--label={LABEL}={run.settings.cluster_key}")


def discard_left(run: Run, engine: Engine) -> None:
    """Remove the containers of runs that were killed.

    No other run tries images for this cluster just now: this one has its lock.
    """
    mine = f"label={LABEL}={run.settings.cluster_key}"
    listed = run.shell.run(engine.client, "ps", "--all", "--quiet", "--filter", mine, check=False)
    left = listed.stdout.split()
    if left:
        run.say("removing what a run that was killed had tried")
        run.shell.run(engine.client, "rm", "--force", "--volumes", *left, check=False)


def discard(run: Run, engine: Engine, container: str) -> None:
    """Remove a container and its volumes. Nobody waits for it: that takes a quarter of a second."""
    if run.shell.dry:
        return
    log = run.settings.cache / "logs" / "docker-rm.log"
    run.shell.detach(engine.client, "rm", "--force", "--volumes", container, log=log)


def _listens(run: Run, engine: Engine, database: str) -> bool:
    """Whether it accepts connections in time. While it is set up it has no port, only a socket."""
    asked = ("pg_isready", "--quiet", "--host=127.0.0.1")
    return run.shell.until(lambda: _in(run, engine, database, *asked).ok, START_TIMEOUT, 0.2)


def _in(run: Run, engine: Engine, container: str, *command: str) -> Result:
    return run.shell.run(engine.client, "exec", container, *command, check=False)
