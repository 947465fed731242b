"""What tasks show or do beyond running stages."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scripts import deployment as stages
from scripts.app import describe, survey
from scripts.checks import acceptance, diagnosis, health, records, report, support
from scripts.checks import assistants as aiops
from scripts.checks.journey import judgement
from scripts.checks.journey import release as journey
from scripts.checks.journey.hints import Hints, hints
from scripts.cluster import kubectl, minikube, there
from scripts.images import transport
from scripts.machine import engine
from scripts.release import access, apps, database, dev, door, helm, rollback, rollout
from scripts.session import pipeline, settings
from scripts.session.console import Session
from scripts.session.findings import Failure, Finding, failure
from scripts.session.pipeline import Outcome
from scripts.session.run import Run
from scripts.session.shell import Interrupted
from scripts.supply import prune, tools
from scripts.supply.tools import Found


def show_assistants(session: Session, outcome: Outcome) -> None:
    """One row an assistant."""
    rows = [
        (
            one.name,
            "usable" if one.usable else "not usable",
            one.evidence,
            "" if one.usable else one.fallback,
        )
        for one in outcome[stages.AIOPS]
    ]
    session.progress.table("Assistants", ("name", "state", "evidence", "used instead"), rows)


def show_facts(session: Session, outcome: Outcome) -> None:
    """The facts of the cluster."""
    facts = outcome[stages.CLUSTER_FACTS]
    rows = [
        ("Kubernetes", f"{facts.kubernetes}, {facts.runtime}"),
        (
            "storage classes",
            (", ".join(facts.storage_classes) or "none seen")
            + f" (default {facts.default_storage_class or 'not known'})",
        ),
        (
            "ingress class",
            f"not used: {facts.no_ingress}"
            if facts.no_ingress
            else f"{facts.ingress_class} ({facts.ingress_controller})",
        ),
        ("controller pods", ", ".join(facts.controller_pods)),
        (
            "NetworkPolicies",
            f"enforced by {facts.policies}"
            if facts.policies
            else "not known to be enforced by this cluster's network",
        ),
        ("allocatable", ", ".join(f"{name} {value}" for name, value in facts.capacity.items())),
    ]
    session.progress.table("Cluster", ("what", "is"), rows)


def show_survey(
    session: Session, outcome: Outcome, report_folder: str, keep: bool, write: bool, beside: bool
) -> None:
    """The survey with its evidence.

    write: keep what it found as settings of this project, to be corrected; beside: beside the app.
    """
    found = outcome[stages.SURVEY]
    rows = [
        *describe.rows(found),
        *(("evidence", f"{one.place}  {one.line}") for one in dict.fromkeys(found.evidence)),
        *(("warning", one.summary) for one in found.warnings),
    ]
    session.progress.table(str(found.root), ("what", "is"), rows)
    session.progress.note(f"Wrote {describe.write(found, Path(report_folder).expanduser())}")
    if write or beside:
        guesses = describe.guesses(found)
        if beside:
            session.progress.note(f"Wrote {settings.write_beside(found.root, guesses)}")
        else:
            settings.remember(found.root, guesses)
            session.progress.note(f"Wrote them below `apps` in {settings.ROOT / 'invoke.yaml'}")
    if keep:
        session.progress.note(f"Wrote {records.database_record(found, time.strftime('%Y-%m-%d'))}")


def show_access(session: Session, outcome: Outcome) -> None:
    """The addresses of the app."""
    found = outcome[stages.DNS]
    session.progress.note(f"  {found.local_url}/   {found.how}")
    if found.host_url:
        session.progress.note(f"  {found.host_url}/")
    for line in found.advice:
        session.progress.note(f"  {line}")


def deploy(session: Session, bundle: str = "") -> None:
    """Run all stages; where the last ones fail without a cause, let the diagnosis name it first.

    bundle: where everything is taken from; it wins over the settings.
    """
    session = with_bundle(session, bundle)
    try:
        outcome = session.run(*stages.DEPLOY)
    except Failure as error:
        if error.findings[0].code not in diagnosis.SYMPTOMS:
            raise
        raise _traced(session, error) from error
    show_deployed(session, outcome)


def with_bundle(session: Session, bundle: str) -> Session:
    """The same session, with the bundle that the command names, if it names one."""
    return _with_supply(session, bundle=bundle) if bundle else session


def _with_supply(session: Session, **values: str) -> Session:
    """The same session with other settings of where things come from."""
    settings = session.context.settings
    supply = settings.supply.model_copy(update=values)
    changed = settings.model_copy(update={"supply": supply})
    return replace(session, context=replace(session.context, settings=changed))


def export_supply(session: Session, file: str, with_app: bool, key: str) -> None:
    """Make what is not made yet, and write all of it into one file.

    with_app: also the app's images, and what pins its packages. key: a private key of ssh.
    """
    began = time.monotonic()
    session = _with_supply(session, source="registries")
    outcome = session.run(stages.STOCK, *((stages.TRY_IMAGES,) if with_app else ()))
    stock, docker = outcome[stages.STOCK], outcome[stages.ENGINE]
    app = ""
    if with_app:
        app = outcome[stages.SURVEY].root.name
        images = (*outcome[stages.BASE_IMAGES].values(), *outcome[stages.BUILD_IMAGES].references)
        resolved = outcome[stages.REQUIREMENTS]
        lists = [one.kept for one in (resolved, *resolved.services.values()) if one.kept]
        stock = replace(stock, files=(*stock.files, *lists), images=(*stock.images, *images))
    from scripts.supply.bundle import export  # only here: nothing else needs zstd

    made = time.monotonic()
    target, private = Path(file).expanduser().resolve(), Path(key).expanduser() if key else None
    written = export.write(session.context, docker, stock, target, app, private)
    session.progress.note(
        f"Wrote {written.path}, {written.size / 1e6:.0f} MB: {len(written.manifest.files)} files"
        f" and {len(written.manifest.images)} images{f' with the app {app}' if app else ''}, in "
        f"{time.monotonic() - made:.0f} s"
        + (f" ({made - began:.0f} s before that to make them)" if made - began > 5 else "")
        + f"\n`invoke deploy --bundle {file}` takes everything from it. SHA-256 of its manifest: "
        f"{written.sha256}"
    )


def prune_supply(session: Session) -> None:
    """Take out of the cache what is not needed later, after asking."""
    with session.alone():
        found = prune.look(session.context)
        rows = [(one.what, f"{len(one.paths)}", _gib(one.size)) for one in found.waste]
        cache = session.context.settings.cache
        if rows:
            session.progress.table(f"Not needed in {cache}", ("what", "number", "size"), rows)
        if found.kept:
            session.progress.note(f"The compiler's caches stay: {found.kept}.")
        if not found.waste:
            session.progress.note("There is nothing to take away.")
        elif session.context.confirm(f"delete these {_gib(found.size)} from {cache}"):
            prune.remove(session.context, found)
            session.progress.note(f"Deleted {_gib(found.size)}.")
        else:
            session.progress.note("Nothing was deleted.")


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


def _traced(session: Session, failed: Failure) -> Failure:
    """The failure of a deployment, the cause that the diagnosis finds first."""
    # The failure has cancelled all that went through the session's own shell.
    run = replace(session.context, shell=session.context.shell.another())
    try:
        return diagnosis.traced(run, _present(run, "kubectl", "helm"), failed)
    except Failure:  # the cluster cannot be asked any more: what is known is said
        return failed


def show_deployed(session: Session, outcome: Outcome) -> None:
    """What a deployment left behind: the addresses, and what took the time."""
    path = pipeline.critical_path(stages.DEPLOY, outcome.timings)
    took = max((timing.end for timing in outcome.timings), default=0.0)
    longest = sorted(path, key=lambda timing: timing.start - timing.end)[:3]
    session.progress.note(
        f"\nDeployed in {took:.0f} s; longest on the way: "
        + ", ".join(f"{one.name} {one.end - one.start:.0f} s" for one in longest)
    )
    show_access(session, outcome)


def _present(run: Run, *names: str) -> dict[str, Found]:
    """Tools by name, without asking upstream: what is missing comes from the package registries."""
    return {name: tools.ensure(run, name, upstream=False) for name in names}


def _kubectl(session: Session) -> dict[str, Found]:
    """kubectl, when the cluster answers. Raises CLUSTER-NOT-RUNNING otherwise."""
    found = _present(session.context, "kubectl")
    if session.context.settings.is_there:
        there.reach(session.context, found)
        return found
    ready = kubectl.kubectl(
        session.context, found, "get", "--raw", "/readyz", "--request-timeout=5s", check=False
    )
    if not ready.ok:
        raise failure(
            "CLUSTER-NOT-RUNNING",
            session.context.settings.context,
            f"the cluster {session.context.settings.context} does not answer",
            ready.tail(2),
            "invoke deploy",
        )
    return found


def _every_tool(session: Session) -> dict[str, Found]:
    """kubectl, when the cluster answers, helm, and minikube for its own cluster."""
    names = ("helm",) if session.context.settings.is_there else ("helm", "minikube")
    return {**_kubectl(session), **_present(session.context, *names)}


def _reaching(session: Session) -> dict[str, Found]:
    """kubectl and helm, when the cluster answers; and this machine's address leads to the app."""
    found = {**_kubectl(session), **_present(session.context, "helm")}
    door.open_door(session.context, found)
    return found


def show_status(session: Session) -> None:
    """The state of the release's objects."""
    found = _kubectl(session)
    state = rollout.look(session.context, found)
    pods = []
    for pod in (item for item in state if item["kind"] == "Pod"):
        statuses = pod["status"].get("containerStatuses", [])
        ready = f"{sum(one['ready'] for one in statuses)}/{len(statuses)}"
        pods.append(
            (
                pod["metadata"]["name"],
                ready,
                pod["status"]["phase"],
                str(sum(one["restartCount"] for one in statuses)),
            )
        )
    session.progress.table("Pods", ("name", "ready", "phase", "restarts"), pods)
    session.progress.table(
        "Services",
        ("name", "ready endpoints"),
        [(name, str(number)) for name, number in rollout.endpoints(state).items()],
    )
    hosts = sorted(
        {
            rule["host"]
            for item in state
            if item["kind"] == "Ingress"
            for rule in item["spec"]["rules"]
        }
    )
    while_ = ", while `invoke open` runs" if session.context.settings.is_there else ""
    session.progress.note(
        f"Ingress hosts: {', '.join(hosts) or 'none'}; this machine: "
        f"{session.context.settings.local_url}/{while_}"
    )
    waiting = rollout.unready(state)
    session.progress.note("Not ready: " + ", ".join(waiting) if waiting else "All ready.")


def diagnose_release(session: Session, with_ai: bool) -> None:
    """Raise what is wrong; say so when nothing is. with_ai: also an assistant's opinion of it.

    When all parts are well, somebody signs up and keeps a todo through the API: a write that fails
    shows in nothing else. The account is the release's own, and the todo is taken away again.
    """
    present = _present(session.context, "kubectl", "helm")
    if session.context.settings.is_there:
        present = _reaching(session)
    found = diagnosis.diagnose(session.context, present)
    try:
        if with_ai:
            show_opinion(session, present, found, ())
    finally:
        if found:
            raise Failure(*found)
    known = Hints()
    with contextlib.suppress(Failure):  # the app's folder may not be on this machine
        known = hints(survey.survey(session.context))
    api = rollout.api_path(rollout.look(session.context, present))
    walked = journey.judged(journey.short_form(session.context, present, api, known), known)
    session.progress.note(
        "Nothing is wrong: node, volumes, pods, services, ingress and both addresses are well;"
        f" through the API somebody {judgement.in_one_line(walked)}."
    )


def verify_release(session: Session, restart: bool, report_folder: str, keep: bool) -> None:
    """One row an acceptance line of the plan, and the same as files. Raises VERIFY-FAILED."""
    look = _look(session, restart)
    rows = acceptance.verify(look)
    session.progress.table(
        "The plan's acceptance lines",
        ("task", "line", "result", "evidence"),
        [(row.task, row.line, row.status, row.evidence) for row in rows],
    )
    logs = session.context.settings.cache / "logs"
    written = report.write(
        Path(report_folder).expanduser(),
        rows,
        acceptance.use(look),
        logs,
        time.strftime("%Y-%m-%d %H:%M %Z"),
    )
    failed = [row for row in rows if row.status == "failed"]
    session.progress.note(
        f"{len(rows) - len(failed)} of {len(rows)} lines hold or do not apply; {written}, "
        "verify.xml and verify.json beside it"
    )
    if keep:
        today = time.strftime("%Y-%m-%d")
        opinions = aiops.kept(session.context, today)
        session.progress.note(f"Wrote {records.run_record(rows, today, opinions)}")
    if failed:
        lines = "\n".join(f"{row.task} {row.line}: {row.evidence}" for row in failed)
        raise failure(
            "VERIFY-FAILED",
            failed[0].task,
            f"{len(failed)} of {len(rows)} acceptance lines do not hold",
            lines,
            "`invoke diagnose` names the cause",
        )


def walk_through(session: Session, restart: bool) -> None:
    """Walk through the app as a person would, in a browser where there is one.

    Raises APP-DEGRADED.
    """
    app = survey.survey(session.context)
    found = journey.run_journey(session.context, _reaching(session), app, restart)
    rows = [(one.name, str(one.status), one.line.partition(": ")[2]) for one in found.steps]
    told = judgement.in_one_line(found)
    rows.append(("verdict", found.verdict, f"{told}, by the {found.way}, {found.seconds:.0f} s"))
    session.progress.table("Journey", ("step", "result", "evidence"), rows)
    for sentence in judgement.sentences(found):
        session.progress.note(sentence)
    journey.judged(found, hints(app))


def _look(session: Session, restart: bool = False) -> acceptance.Look:
    found = _every_tool(session)
    door.open_door(session.context, found)
    return acceptance.Look(session.context, engine.present(session.context), found, restart)


def show_health(session: Session, with_ai: bool, seconds: int) -> None:
    """Show use against limits, now and over `seconds`, restarts, log lines by level, and warnings.

    with_ai: also an assistant's opinion of them.
    """
    look = _look(session)
    samples = [acceptance.use(look)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        session.context.shell.wait(min(health.EVERY, max(deadline - time.monotonic(), 0.1)))
        look = acceptance.Look(session.context, look.engine, look.tools, False)
        samples.append(acceptance.use(look))
    found = health.look_at(look)
    share = [(name, *health.share(name, samples)) for name in samples[-1]]
    session.progress.table(
        "Use", ("container", "CPU", "memory", "CPU over time", "memory over time"), share
    )
    lines = [
        (
            pod,
            str(found.restarts.get(pod, 0)),
            ", ".join(f"{number} {level}" for level, number in counted.items()),
        )
        for pod, counted in found.levels.items()
    ]
    session.progress.table("Pods", ("name", "restarts", "log lines"), lines)
    session.progress.note(
        "Warnings: " + ("\n  ".join(("", *found.warnings[-10:])) if found.warnings else "none")
    )
    causes = look.findings
    session.progress.note(
        "Diagnosis: "
        + ("; ".join(f"{one.code} {one.summary}" for one in causes) or "nothing is wrong")
    )
    if with_ai:
        show_opinion(session, look.tools, causes, health.seen(found))


def show_opinion(
    session: Session, present: Mapping[str, Found], causes: Sequence[Finding], seen: Sequence[str]
) -> None:
    """What an assistant says of what was found and seen, who it is, and why others were not asked.

    An object that it names and that the release does not have is told.
    """
    names = aiops.names_on(session.context, present)
    asked = aiops.question(causes, seen, names)
    opinion = aiops.ask(session.context, present, asked, names)
    for reason in opinion.skipped:
        session.progress.note(f"Not asked: {reason}")
    if not opinion.name:
        session.progress.note("No assistant answered: the diagnosis above is the built-in one.")
        return
    aiops.keep(session.context, opinion, causes)
    session.progress.note(f"{opinion.name} says (nothing of it was done):\n{opinion.words}")
    if opinion.unknown:
        session.progress.note(
            f"It names what this release does not have: {', '.join(opinion.unknown)}"
        )


def serve_assistant(session: Session, allow_changes: bool) -> None:
    """Be a server of the Model Context Protocol on standard input and output, until they close."""
    session.progress.aside()
    try:
        from scripts.checks import protocol
    except ModuleNotFoundError as error:
        raise failure(
            "EXTRA-MISSING",
            error.name or "mcp",
            f"the package {error.name} is not installed, and the server needs it",
            remedy="pip install -r requirements-mcp.txt",
        ) from error
    protocol.server(session.context.settings, allow_changes).run()


def make_bundle(session: Session, path: str) -> None:
    """Write the archive for somebody who helps."""
    target = Path(path or time.strftime("todo-support-%Y%m%d-%H%M%S.tar.gz")).expanduser()
    run, found = session.context, _every_tool(session)
    number = support.bundle(run, engine.present(run), found, target)
    session.progress.note(
        f"Wrote {target}: {number} files, every known secret masked and the archive searched for "
        "them. Read it before you send it."
    )


def make_record(session: Session, kind: str, title: str) -> None:
    """A numbered file of history/."""
    session.progress.note(f"Wrote {records.new_record(kind, title, time.strftime('%Y-%m-%d'))}")


def show_logs(session: Session, component: str, follow: bool) -> None:
    """Show the logs of the app's pods, each line with its container.

    follow: also of pods that come later, until Ctrl-C.
    """
    found = _kubectl(session)
    selector = _selector(session) + (
        f",app.kubernetes.io/component={component}" if component else ""
    )
    if follow:
        dev.follow(session.context, found, selector, session.progress.log, tail=20)
        return
    wanted = session.context.settings.release
    arguments = [
        "-n",
        wanted.namespace,
        "logs",
        "-l",
        selector,
        "--prefix",
        "--tail=200",
        "--max-log-requests=20",
    ]
    lines = kubectl.kubectl(session.context, found, *arguments).stdout.splitlines()
    for _, of_one in itertools.groupby(lines, lambda line: line.partition(" ")[0]):
        session.progress.note("\n".join(of_one))


def _selector(session: Session) -> str:
    return f"app.kubernetes.io/instance={session.context.settings.release.name}"


def develop(session: Session, component: str) -> None:
    """Deploy, then bring every change of the app's files into running containers.

    Ctrl-C ends it, and brings back what was deployed.
    """
    if component and component not in dev.WORKSPACES:
        raise failure(
            "SETTINGS-INVALID",
            "component",
            f"there is no component {component} to develop",
            remedy=f"one of: {', '.join(dev.WORKSPACES)}; both when left out",
        )
    with session.alone():
        while why := _develop_once(session, [component] if component else list(dev.WORKSPACES)):
            session.progress.note(f"{why}: building the images anew.")
    session.progress.note(
        "The Services lead to the deployed pods again. `invoke deploy` brings what is in the tree."
    )


def _develop_once(session: Session, components: list[str]) -> str:
    """One round; why the images must be built anew, empty after Ctrl-C."""
    source = "frontend" in components
    done = session.execute(
        stages.SMOKE, stages.IMAGE_WAY, *([stages.LOAD_SOURCE] if source else [])
    )
    tools_found, plans = done[stages.TOOLS], done[stages.PLAN_IMAGES]
    chosen = {name: getattr(plans, name) for name in components}
    way = done[stages.IMAGE_WAY]
    sources = {"backend": way.reference(plans.backend.reference)}
    if source:
        sources["frontend"] = way.reference(next(name for name in done[stages.BUILD_SOURCE]))
    background = replace(session.context, shell=session.context.shell.another())
    try:
        pods = dev.start(session.context, tools_found, {name: sources[name] for name in components})
        session.progress.note(
            f"Edit {' or '.join(str(plan.context) for plan in chosen.values())}; it is served at "
            f"{session.context.settings.local_url}/. Ctrl-C ends."
        )
        logs = (
            background,
            tools_found,
            f"{_selector(session)},{dev.MARK}",
            session.progress.log,
            0,
        )
        threading.Thread(target=_quietly, args=(dev.follow, *logs), daemon=True).start()
        dev.watch(session.context, tools_found, chosen, pods)
    except dev.Stale as error:
        return str(error)
    except (KeyboardInterrupt, Interrupted):
        pass  # how the loop is meant to end
    finally:
        background.shell.cancel()
        dev.stop(replace(session.context, shell=session.context.shell.another()), tools_found)
    return ""


def _quietly(work: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(Interrupted):
        work(*arguments)


def show_history(session: Session) -> None:
    """One row a revision, the newest last."""
    found = {**_kubectl(session), **_present(session.context, "helm")}
    rows = [
        (
            str(one.number),
            one.updated[:19].replace("T", " "),
            one.status,
            " ".join(one.images),
            one.description,
        )
        for one in helm.history(session.context, found)
    ]
    session.progress.table(
        "Revisions", ("number", "updated", "status", "images", "description"), rows
    )


def roll_back(session: Session, revision: int) -> None:
    """Go back to an earlier revision."""
    found = {**_kubectl(session), **_present(session.context, "helm")}
    with session.alone():
        number = rollback.rollback(session.context, found, revision)
    session.progress.note(
        f"Revision {number} serves again. `invoke deploy` brings what is in the tree."
    )


def open_shell(session: Session, component: str) -> None:
    """Replace this process by a shell in a pod."""
    settings = session.context.settings
    path = str(_kubectl(session)["kubectl"].path)
    kind = "statefulset" if component == "postgres" else "deployment"
    target = f"{kind}/{settings.release.name}-{component}"
    # Not a child: the terminal is the shell's from here on.
    os.execv(  # noqa: S606
        path,
        [
            path,
            "--context",
            settings.context,
            "-n",
            settings.release.namespace,
            "exec",
            "-it",
            target,
            "--",
            "sh",
        ],
    )


def dump_database(session: Session, path: str) -> None:
    """Dump the database to `path`, or to a file named by the time."""
    target = Path(path or time.strftime("todo-%Y%m%d-%H%M%S.dump")).expanduser()
    size = database.dump(session.context, _kubectl(session), target)
    session.progress.note(
        f"Wrote {target} ({size / 1024:.0f} KiB). It holds all todos and password hashes: keep it "
        "to yourself."
    )


def restore_database(session: Session, path: str) -> None:
    """Restore the database from `path`, after asking."""
    source = Path(path).expanduser()
    found = _kubectl(session)
    if not session.context.confirm(
        f"replace every account and todo of {session.context.settings.release.name} by those in "
        f"{source}"
    ):
        session.progress.note("Nothing was changed.")
        return
    with session.alone():
        database.restore(
            session.context, found, source, survey.survey(session.context).backend.migrations
        )
    session.progress.note(f"Restored from {source}.")


def open_browser(session: Session) -> None:
    """Open the address that needs no hosts entry.

    On a cluster that is there it works for as long as this runs: until Ctrl-C.
    """
    url, there_already = session.context.settings.local_url + "/", session.context.settings.is_there
    if there_already:
        _reaching(session)
    if not webbrowser.open(url):
        session.progress.note(f"No browser could be opened here. The app is at {url}")
    if there_already:
        session.progress.note(f"{url} works until you press Ctrl-C.")
        with contextlib.suppress(KeyboardInterrupt, Interrupted):
            threading.Event().wait()


def start_cluster(session: Session) -> None:
    """Start the cluster. Raises CLUSTER-NOT-OURS for one that is there."""
    if session.context.settings.is_there:
        raise there.not_ours(session.context, "started, and gets no add-on")
    session.run(stages.CLUSTER_ADDONS)


def stop_cluster(session: Session) -> None:
    """Stop the cluster. Raises CLUSTER-NOT-OURS for one that is there."""
    if session.context.settings.is_there:
        raise there.not_ours(session.context, "stopped")
    with session.alone():
        minikube.down(session.context, _present(session.context, "minikube")["minikube"])
    session.progress.note("Stopped. `invoke deploy` brings it back with its data.")


def destroy(session: Session, volumes: bool) -> None:
    """Delete the cluster, its data and our hosts entry, after asking.

    In a cluster that is there: the release alone. volumes: and its data.
    """
    settings = session.context.settings
    if settings.is_there:
        _take_off(session, volumes)
        return
    what = f"delete the cluster {settings.cluster.profile} with all apps on it and all their data"
    if not session.context.confirm(what):
        session.progress.note("Nothing was deleted.")
        return
    with session.alone():
        minikube.delete(session.context, _present(session.context, "minikube")["minikube"])
        access.forget(session.context)
    session.progress.note("Deleted.")


def show_apps(session: Session) -> None:
    """Every app on the cluster, with its address and the folder that it came from."""
    port = session.context.settings.cluster.ingress_port
    found = {**_kubectl(session), **_present(session.context, "helm")}
    rows = []
    for one in apps.deployed(session.context, found):
        address = next((host for host in one.hosts if host.endswith(".localhost")), "")
        url = f"http://{address}:{port}/" if address else "no address"
        rows.append((one.name, url, f"{one.revision} {one.status}", one.updated, one.folder))
    columns = ("name", "address", "revision", "updated", "folder")
    session.progress.table("Apps", columns, rows)


def undeploy(session: Session) -> None:
    """Take one app off the cluster, with its data, after asking."""
    _take_off(session, with_data=True)


def _take_off(session: Session, with_data: bool) -> None:
    """Uninstall the release, after asking, and say what stays."""
    run, release = session.context, session.context.settings.release
    found = {**_kubectl(session), **_present(run, "helm")}
    data = "with all its data" if with_data else "and keep its volumes"
    where = f" from {run.settings.context}" if run.settings.is_there else ""
    if not run.confirm(f"delete the app {release.name}{where} {data}"):
        session.progress.note("Nothing was deleted.")
        return
    with session.alone():
        unused = apps.remove(run, found, with_data)
        docker = engine.present(run)
        transport.forget(run, docker, unused, there.way_of(run, docker, found))
    session.progress.note(
        f"{release.name} is gone. Its images stay in the engine, for the next deploy."
    )
    if not with_data:
        session.progress.note(
            f"Its volumes and the Secret that opens them stay in the namespace {release.namespace}:"
            " `invoke deploy` finds the data again, `invoke destroy --volumes` deletes it."
        )
