"""What the app's pods are given, and where each value comes from.

A value comes from the person's environment, from the app's own env files when that is allowed, from
an answer, or is made here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.app import fit
from scripts.app.fit import Environment
from scripts.app.survey import Survey
from scripts.app.survey.tree import decode, is_own, read_env
from scripts.app.survey.variables import Variable
from scripts.session.findings import Failure, Finding, failure
from scripts.session.run import Run
from scripts.session.settings import remember

ENV_FILES = (".env", ".env.local", ".env.production")


@dataclass(frozen=True)
class Given:
    """The environment of both components, and the secrets that somebody gave.

    secrets: name -> value; they are masked everywhere.
    """

    environment: Environment
    secrets: Mapping[str, str] = field(repr=False)
    services: Mapping[str, Environment] = field(default_factory=dict)

    def __str__(self) -> str:
        ways = {**self.environment.secrets, **self.environment.frontend_secrets}.values()
        own = sum(way == "generate" for way in ways)
        return (
            f"{len(self.environment.plain)} values, {len(self.secrets)} secrets given, {own} made"
        )


def gather(run: Run, app: Survey) -> Given:
    """Put together what the pods get.

    Raises VARIABLES-MISSING with the names of what the app must have and nobody gave.
    """
    parts = {"backend": app, **{one.name: app.of(one) for one in app.companions.services}}
    read = [one for part in parts.values() for one in part.backend.variables]
    variables = {one.name: one for one in (*read, *app.frontend.variables)}
    found = {**_from_files(run, app, variables), **run.settings.app.environment}
    found.update(_from_this_shell(app, variables))

    def made() -> dict[str, Environment]:
        return {
            name: fit.environment(part, run.settings, found, name) for name, part in parts.items()
        }

    environments = made()
    if answers := _answers(run, app, environments, variables):
        found.update(answers)
        environments = made()
    missing = {one.name: one for each in environments.values() for one in each.missing}
    if missing:
        raise Failure(*map(_missing, missing.values()))
    _check_external(app, found, variables)
    secrets = {
        name: value for name, value in found.items() if name in variables and variables[name].secret
    }
    run.shell.hide(*secrets.values())
    own = environments.pop("backend")
    _say_placeholders(run, (own, *environments.values()), secrets)
    return Given(own, secrets, environments)


def _from_this_shell(app: Survey, variables: Mapping[str, Variable]) -> dict[str, str]:
    """Values of this process's environment: keys, and what the app must have."""
    wanted = {
        one.name
        for one in variables.values()
        if one.kind in ("signing", "provider") or one.required
    } | set(fit.PROVIDER)
    if app.database == "external":
        wanted |= {one.name for one in variables.values() if one.kind == "database"}
    return {name: os.environ[name] for name in wanted & set(variables) if os.environ.get(name)}


def _answers(
    run: Run,
    app: Survey,
    environments: Mapping[str, Environment],
    variables: Mapping[str, Variable],
) -> dict[str, str]:
    """What a person answers about variables that are missing; what is no secret is kept."""
    answers = {}
    for one in {one.name: one for each in environments.values() for one in each.missing}.values():
        answer = run.ask(f"{one.name}, which the app must have ({one.place})", one.secret)
        if answer:
            answers[one.name] = answer
    plain = {name: value for name, value in answers.items() if not variables[name].secret}
    if plain:
        remember(app.root, {"environment": {**run.settings.app.environment, **plain}})
    return answers


def _check_external(
    app: Survey, found: Mapping[str, str], variables: Mapping[str, Variable]
) -> None:
    """A database elsewhere needs its address."""
    names = [one.name for one in variables.values() if one.kind == "database"]
    if app.database == "external" and not any(found.get(name) for name in names):
        name = (names or ["DATABASE_URL"])[0]
        raise Failure(_missing(variables.get(name, Variable(name, app.backend.evidence.place))))


def _say_placeholders(
    run: Run, environments: Iterable[Environment], secrets: Mapping[str, str]
) -> None:
    for one in environments:
        for name, how in {**one.secrets, **one.frontend_secrets}.items():
            if how == "placeholder" and name not in secrets:
                run.say(
                    f"{name} is not given: the app starts with a made-up one,"
                    " and what needs the real one will not work"
                )


def _missing(one: Variable) -> Finding:
    return Finding(
        "VARIABLES-MISSING",
        one.name,
        f"the app must have {one.name}, and nobody gave it",
        f"it is read at {one.place}, without a default",
        f"{one.name}=... invoke deploy, or a line {one.name}=... in the app's .env"
        + (
            ""
            if one.secret
            else "; at a terminal you are asked once, and it is kept in invoke.yaml"
        ),
    )


def _from_files(run: Run, app: Survey, variables: Mapping[str, Variable]) -> dict[str, str]:
    """Values from env files that the app's code reads.

    The files are the app's own, after asking once, or those that the settings name. Addresses on
    somebody's machine, and databases elsewhere, are left out.
    """
    found: dict[str, str] = {}
    allowed = []
    for path in _env_files(run, app):
        values = read_env(decode(path.read_bytes()))
        taken = {
            name: value
            for name, value in values.items()
            if value
            and name in variables
            and _is_meant(app, variables[name], value)
            and name not in found
        }
        if taken and (
            run.settings.app.env_file or run.confirm(f"take {', '.join(sorted(taken))} from {path}")
        ):
            allowed.append(str(path))
            found.update(taken)
    if allowed and run.attended and not run.settings.app.env_file:
        remember(app.root, {"env_file": ",".join(allowed)})
    return found


def _env_files(run: Run, app: Survey) -> Iterator[Path]:
    if run.settings.app.env_file:
        for named in (Path(name).expanduser() for name in run.settings.app.env_file.split(",")):
            if not named.is_file():
                raise failure(
                    "SETTINGS-INVALID",
                    "phase4.app.env_file",
                    f"there is no file {named}",
                    remedy="correct phase4.app.env_file, or leave it empty",
                )
            yield named
        return
    for folder in dict.fromkeys((app.backend_folder, app.root, app.frontend_folder)):
        yield from (one for name in ENV_FILES if is_own(one := folder / name, app.root))


def _is_meant(app: Survey, variable: Variable, value: str) -> bool:
    if variable.kind == "database":
        return app.database == "external" and not re.search(r"@(localhost|127\.0\.0\.1)", value)
    return variable.kind in ("signing", "provider", "plain") and not value.lower().startswith(
        ("your", "<", "changeme", "sk-your", "xxx")
    )
