"""Push images to a registry that the nodes pull from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from scripts.machine.engine import Engine
from scripts.session.findings import failure
from scripts.session.run import Run

PUSH_TIMEOUT = 1800.0  # seconds; the way to a registry may be a slow one


def push(
    run: Run, engine: Engine, registry: str, names: Iterable[str], images: Mapping[str, str]
) -> tuple[str, ...]:
    """Push images, and return what they are called in the registry.

    registry: its address, with a folder if it has one. names: what each of `images` is called
    there, in their order. A tag is a digest of the contents, so one that is there already has the
    right ones; docker itself skips every layer that the registry has. Its own configuration holds
    who may push. Raises IMAGE-PUSH-FAILED.
    """
    targets = [f"{registry}/{name}" for name in names]
    with ThreadPoolExecutor(len(targets) or 1) as pool:
        list(pool.map(lambda one: _push(run, engine, *one), zip(images, targets, strict=True)))
    return tuple(targets)


def _push(run: Run, engine: Engine, reference: str, target: str) -> None:
    run.say(f"pushing {target}")
    run.shell.run(engine.client, "tag", reference, target)
    pushed = run.shell.run(engine.client, "push", target, timeout=PUSH_TIMEOUT, check=False)
    # The second name has served: the engine keeps the image under its first.
    run.shell.run(engine.client, "rmi", target, check=False)
    if pushed.ok:
        return
    host = target.partition("/")[0]
    words = pushed.tail(6)
    refused = any(word in words for word in ("denied", "unauthorized", "no basic auth"))
    raise failure(
        "IMAGE-PUSH-FAILED",
        target,
        f"the registry {host} does not take images from this user"
        if refused
        else f"{target} could not be pushed to the registry {host}",
        words,
        f"docker login {host}   and run the command again"
        if refused
        else f"mend what docker names; `docker push {target}` does the same by hand",
    )
