"""Build the images that the engine does not have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.app.survey.tree import decode
from scripts.images import causes
from scripts.images.context import stage
from scripts.images.plans import BACKEND, FRONTEND, Plan, Plans
from scripts.machine import buildkit
from scripts.machine.engine import Engine
from scripts.session.run import Run

KEPT = 30  # names of earlier images in the engine, of each kind: more than helm keeps revisions
MOST_CACHE = "15GB"  # of BuildKit's cache: 28 apps one after another left 40


@dataclass(frozen=True)
class Images:
    """The images that the release needs: reference -> ID.

    built: the references that this run made.
    """

    references: Mapping[str, str]
    built: tuple[str, ...]


def build(run: Run, engine: Engine, plans: Plans) -> Images:
    """Build what is not there, side by side. Raises IMAGE-BUILD-FAILED."""
    every = plans.every
    with ThreadPoolExecutor(len(every) + 1) as pool:
        if not all(plan.id for plan in every):
            pool.submit(_bound_cache, run, engine)
        found = list(pool.map(lambda plan: plan.id or _build(run, engine, plan), every))
    references = {plan.reference: image_id for plan, image_id in zip(every, found, strict=True)}
    if plans.postgres:
        references[plans.postgres] = buildkit.image_id(run, engine, plans.postgres)
    built = tuple(plan.reference for plan in every if not plan.id)
    if built:
        _forget_oldest(run, engine, references)
    return Images(references, built)


def _bound_cache(run: Run, engine: Engine) -> None:
    """Keep BuildKit's cache within MOST_CACHE.

    What builds use just now stays, whatever its size.
    """
    prune = ("builder", "prune", "--force", "--all", "--keep-storage", MOST_CACHE)
    said = run.shell.run(engine.client, *prune, timeout=300, check=False).stdout
    freed = re.search(r"Total(?: reclaimed space)?:\s*([1-9][\d.]*\s?[kMGT]?B)", said)
    if freed:
        run.say(f"the build cache was above {MOST_CACHE}: removed {freed[1]} of the oldest")


def _forget_oldest(run: Run, engine: Engine, wanted: Iterable[str]) -> None:
    """Take from the engine all but the newest images of the app.

    Every edit makes one, and the engine keeps them for ever. An image that is needed again is built
    again.
    """
    old = []
    for name in (FRONTEND, BACKEND, f"{FRONTEND}-source"):
        tags = [
            reference for reference in engine.images if reference.startswith(f"{name}:")
        ]  # docker lists the newest first
        old += [
            reference
            for reference in tags[KEPT:]
            if reference not in wanted and not reference.endswith(":latest")
        ]
    if old:
        run.say(f"removing {len(old)} names of old images")
        run.shell.detach(
            engine.client, "rmi", *old, log=run.settings.cache / "logs" / "docker-rmi.log"
        )


def build_source(run: Run, engine: Engine, plans: Plans) -> dict[str, str]:
    """The frontend's source and packages before they are built: reference -> ID.

    The dev loop runs from them.
    """
    plan = plans.frontend
    reference = plan.reference.replace(":", "-source:")
    found = buildkit.image_id(run, engine, reference)
    if not found:
        run.say(f"building {reference.split(':')[0]}")
        staged = stage(plan.build_files, _folder(run, plan))
        found = buildkit.build(
            run, engine, plan.dockerfile, staged, (reference,), plan.arguments, target="source"
        )
    return {reference: found}


def _folder(run: Run, plan: Plan) -> Path:
    return run.settings.cache / "contexts" / run.settings.cluster_key / plan.name


def _build(run: Run, engine: Engine, plan: Plan) -> str:
    """Build one image, under a second name that says that it has not run yet.

    The next run sees that name and tries the image, also after an interruption.
    """
    run.say(f"building {plan.name}")
    staged = _folder(run, plan) if run.shell.dry else stage(plan.build_files, _folder(run, plan))
    names = (
        plan.reference,
        untried_name(plan),
        f"{plan.name}:latest",
    )  # the last is for people, and never sent to a pod
    return buildkit.build(
        run, engine, plan.dockerfile, staged, names, plan.arguments, explain=explainer(plan)
    )


def explainer(plan: Plan) -> Callable[[str], str]:
    """What tells the cause of a failed build from its output, in the app's own terms."""
    if plan.name != FRONTEND:
        return causes.of_backend
    texts = {file.name: decode(file.content) for file in plan.files}
    return lambda output: causes.of_frontend(output, texts)


def untried_name(plan: Plan) -> str:
    """The second name of an image that was built and has not run yet."""
    return f"{plan.reference}-untried"
