"""The runbook: one task a step, in the order in which they run.

`invoke deploy` does all of them.

Every step brings about what it needs first and does nothing that is done already, so each can be
run alone, twice, or again after it was interrupted.
"""

import sys

if sys.platform == "win32":  # told here, before an import fails
    sys.stderr.write(
        "These tasks run in Linux: open WSL 2, and run this there. docs/windows.md shows the way. "
        "(WINDOWS-WITHOUT-LINUX in TROUBLESHOOTING.md)\n"
    )
    sys.exit(10)
if sys.version_info < (3, 11):  # noqa: UP036 - told here, before the imports fail
    sys.stderr.write(
        f"This project needs Python 3.11 or later, and this is {sys.version.split()[0]}. "
        "(PYTHON-TOO-OLD in TROUBLESHOOTING.md)\n"
    )
    sys.exit(10)

import functools
import inspect
import os
from collections.abc import Callable

if sys.getfilesystemencoding() != "utf-8":  # folders with other letters could not be given on
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very command, once more

from invoke import Context, Task, task
from invoke.exceptions import Exit

from scripts import commands
from scripts import deployment as stages
from scripts.session import console
from scripts.session.console import Session

#: What every task understands, declared once.
OPTIONS = {
    "app": ("", "folder of your Phase III app, taken as it is; default: phase4.app.path"),
    "context": ("", "context of your kubeconfig, for a cluster that is there already"),
    "json": (False, "one JSON object an event, instead of text for people"),
    "yes": (False, "answer yes to every question"),
}

OPINION = "also ask kubectl-ai, kagent, Gordon or your own model; shows what it sends, asks first"


def step(body: Callable[..., None] | None = None, **settings) -> Task:
    """Make a task of a function that works with a Session. `settings` go to Invoke's `task`."""
    if body is None:
        return functools.partial(step, **settings)
    help_texts = {name: text for name, (_, text) in OPTIONS.items()} | settings.pop("help", {})

    def run(c: Context, app: str | bool, context: str, json: bool, yes: bool, **own) -> None:
        dry = own.get("dry_run", False)
        folder = app if isinstance(app, str) else ""  # `--app` alone: the app of the settings
        if "with_app" in own:
            own["with_app"] = own["with_app"] or bool(app)
        options = {"as_json": json, "yes": yes, "dry": dry, "app": folder, "context": context}
        with console.open_session(c.config.phase4, stop=Exit, **options) as session:
            body(session, **own)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    common = [inspect.Parameter(name, kind, default=value) for name, (value, _) in OPTIONS.items()]
    own = list(inspect.signature(body).parameters.values())[1:]
    functools.update_wrapper(run, body)
    run.__signature__ = inspect.Signature([inspect.Parameter("c", kind), *own, *common])
    return task(help=help_texts, **settings)(run)


@step
def check(session: Session):
    """Is this machine fit: Python, disk, memory, port; and which tools are used, from where.

    Of a cluster that is there: its address and version, and what this user may do in it.
    """
    session.run(stages.CHECK, stages.ENGINE, stages.TOOLS, stages.MINIKUBE, stages.TARGET)


@step
def aiops(session: Session):
    """Which of Gordon, kubectl-ai and kagent can be used, and what does their work otherwise."""
    commands.show_assistants(session, session.run(stages.AIOPS))


@step
def cluster_up(session: Session):
    """Start minikube, or bring it back, with storage, metrics and an ingress controller."""
    commands.start_cluster(session)


@step
def cluster_down(session: Session):
    """Stop the cluster. Its data stays."""
    commands.stop_cluster(session)


@step
def cluster_facts(session: Session):
    """Storage class, ingress class and controller, versions and capacity of the cluster."""
    commands.show_facts(session, session.run(stages.CLUSTER_FACTS))


@step(
    help={
        "report": "folder for survey.json",
        "adr": "also write the database decision to history/adr",
        "write": "keep what was found as settings of this project, to be corrected",
        "beside": "keep it in phase4.yaml in the app's folder instead",
    }
)
def survey(session: Session, report="artifacts", adr=False, write=False, beside=False):
    """What the app is made of, and which database it wants, with the lines that say so.

    Runs nothing of it.
    """
    outcome = session.execute(stages.SURVEY)
    commands.show_survey(session, outcome, report, adr, write, beside)


@step
def build_images(session: Session):
    """Build the app's images, and try each alone."""
    session.run(stages.BUILD_IMAGES, stages.TRY_IMAGES)


@step
def load_images(session: Session):
    """Bring the images into the node, and compare their IDs with ours."""
    session.run(stages.TRY_IMAGES, stages.LOAD_IMAGES)


@step
def validate(session: Session):
    """Lint and render the chart, and have the cluster try its objects."""
    session.run(stages.VALIDATE)


@step
def install(session: Session):
    """Install or upgrade the Helm release, its secrets made or kept."""
    session.run(stages.INSTALL)


@step
def monitor(session: Session):
    """Wait until every pod is ready and every service has endpoints; name what is not, and why."""
    session.run(stages.MONITOR)


@step
def dns(session: Session):
    """Make the host name lead to the app: the hosts entry, asked for first."""
    commands.show_access(session, session.run(stages.DNS))


@step
def smoke(session: Session):
    """Ask the app through its ingress: the page and the API."""
    session.run(stages.SMOKE)


@step(
    default=True,
    help={
        "dry_run": "only tell what would be done, command by command",
        "bundle": "a file of supply-export, or its address: everything is taken from it",
    },
)
def deploy(session: Session, dry_run=False, bundle=""):
    """All of it: cluster, images, release, access, proof."""
    if dry_run:
        commands.with_bundle(session, bundle).rehearse(*stages.DEPLOY)
    else:
        commands.deploy(session, bundle)


@step(help={"component": "backend or frontend; both when left out"})
def dev(session: Session, component=""):
    """Deploy, then bring every edit into running containers, with their logs; Ctrl-C goes back."""
    commands.develop(session, component)


@step
def status(session: Session):
    """What runs: pods, services, ingress, release. Changes nothing."""
    commands.show_status(session)


@step(help={"ai": OPINION})
def diagnose(session: Session, ai=False):
    """What is wrong, from this machine up to the page, the cause first. Repairs nothing."""
    commands.diagnose_release(session, ai)


@step(
    help={
        "journey": "only walk through the app as a person would: sign up, log in, keep a todo",
        "restart": "also delete the pods, and see whether the data comes back",
        "report": "folder for verify.html, .xml, .json",
        "phr": "also keep the run as a record in history/phr",
    }
)
def verify(session: Session, journey=False, restart=False, report="artifacts", phr=False):
    """Every acceptance line of the plan, each with its evidence; a table, an HTML page, JUnit."""
    if journey:
        commands.walk_through(session, restart)
    else:
        commands.verify_release(session, restart, report, phr)


@step(
    help={
        "ai": OPINION,
        "seconds": "how long to watch the use",
    }
)
def health(session: Session, ai=False, seconds=0):
    """How it runs: use against limits, restarts, log lines by level, warnings."""
    commands.show_health(session, ai, seconds)


@step(help={"allow_changes": "also offer tools that deploy, go back and develop"})
def mcp(session: Session, allow_changes=False):
    """Give an assistant in an editor these tasks as tools: a Model Context Protocol server."""
    commands.serve_assistant(session, allow_changes)


@step(help={"path": "the file to write; default: todo-support-DATE.tar.gz"})
def support_bundle(session: Session, path=""):
    """Logs, events, objects, versions and timings in one archive, every secret masked."""
    commands.make_bundle(session, path)


@step(help={"title": "what was decided"})
def adr(session: Session, title):
    """A new decision record in history/adr."""
    commands.make_record(session, "adr", title)


@step(help={"title": "what was met"})
def phr(session: Session, title):
    """A new problem record in history/phr."""
    commands.make_record(session, "phr", title)


@step(help={"component": "one component; all of them when left out", "follow": "until Ctrl-C"})
def logs(session: Session, component="", follow=False):
    """The logs of the app's pods."""
    commands.show_logs(session, component, follow)


@step
def history(session: Session):
    """The release's revisions and the images that each ran."""
    commands.show_history(session)


@step(
    help={"revision": "number of `invoke history`; default: the newest good one before the present"}
)
def rollback(session: Session, revision=0):
    """Go back to an earlier revision of the release. The data stays as it is."""
    commands.roll_back(session, revision)


@step(help={"component": "frontend, backend, postgres or a service of the app"})
def shell(session: Session, component="backend"):
    """A shell in a pod of the app."""
    commands.open_shell(session, component)


@step(help={"path": "the file to write; default: todo-DATE.dump"})
def db_dump(session: Session, path=""):
    """Write the release's PostgreSQL to a file."""
    commands.dump_database(session, path)


@step(help={"path": "a file of db-dump"})
def db_restore(session: Session, path):
    """Replace the release's database by a dump, all or nothing. Asks first."""
    commands.restore_database(session, path)


@step(name="open")
def open_(session: Session):
    """Open the app in the browser."""
    commands.open_browser(session)


@step
def apps(session: Session):
    """The apps on the cluster: name, address, revision, folder. Changes nothing."""
    commands.show_apps(session)


@step
def undeploy(session: Session):
    """Take one app (--app) off the cluster with its data.

    Asks first. The cluster and other apps stay.
    """
    commands.undeploy(session)


@step(
    optional=["app"],
    help={
        "file": "the file to write",
        "app": "also the images of the app, of the one in this folder if one is named",
        "with_app": "the same as --app alone",
        "key": "a private key of ssh that signs it",
    },
)
def supply_export(session: Session, file, with_app=False, key=""):
    """Everything that was made of packages, as one file: other machines deploy from it."""
    commands.export_supply(session, file, with_app, key)


@step
def supply_prune(session: Session):
    """Take out of the cache what is not needed later: compiler caches, old versions. Asks first."""
    commands.prune_supply(session)


@step(help={"volumes": "in a cluster of somebody else's: delete the app's data too"})
def destroy(session: Session, volumes=False):
    """Delete the cluster with all its data. Asks first. The cache of tools and images stays.

    In a cluster of somebody else's (--context) only the app goes, and its volumes stay.
    """
    commands.destroy(session, volumes)
