"""The runbook: one task a step, in the order in which they run. `invoke deploy` does all of them.

Every step brings about what it needs first and does nothing that is done already, so each can be run alone, twice, or
again after it was interrupted.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must be told, not trip over the imports
    sys.stderr.write(
        f"This project needs Python 3.11 or later, and this is {sys.version.split()[0]}. (PYTHON-TOO-OLD in TROUBLESHOOTING.md)\n"
    )
    sys.exit(10)

from invoke import Context, task
from invoke.exceptions import Exit

from scripts import commands
from scripts.deployment import STAGES
from scripts.session import console
from scripts.session.console import Session

APP = "folder of your Phase III app, taken as it is; default: phase4.app.path"


def _session(
    c: Context, json: bool = False, yes: bool = False, dry: bool = False, app: str = ""
) -> Session:
    return console.open_session(
        STAGES, c.config.phase4, as_json=json, yes=yes, stop=Exit, dry=dry, app=app
    )


@task
def check(c, json=False):
    """Is this machine fit: Python, disk, memory, port; and which tools are used, from where."""
    with _session(c, json) as session:
        session.run("check", "engine", "tools", "minikube")


@task
def aiops(c, json=False):
    """Which of Gordon, kubectl-ai and kagent can be used, and what does their work otherwise."""
    with _session(c, json) as session:
        commands.show_assistants(session, session.run("aiops"))


@task
def cluster_up(c, json=False, yes=False):
    """Start the minikube cluster, or bring it back, with storage, metrics and an ingress controller."""
    with _session(c, json, yes) as session:
        session.run("cluster-addons")


@task
def cluster_down(c):
    """Stop the cluster. Its data stays."""
    with _session(c) as session:
        commands.stop_cluster(session)


@task
def cluster_facts(c, json=False):
    """Storage class, ingress class and controller, versions and capacity of the cluster."""
    with _session(c, json) as session:
        commands.show_facts(session, session.run("cluster-facts"))


@task(
    help={
        "app": APP,
        "report": "folder for survey.json",
        "adr": "also keep the decision about the database as a record in history/adr",
    }
)
def survey(c, app="", json=False, report="artifacts", adr=False):
    """What the app is made of, and which database it wants, with the lines that say so. Nothing of it is run."""
    with _session(c, json, app=app) as session:
        commands.show_survey(session, session.execute("survey"), report, adr)


@task(help={"app": APP})
def build_images(c, app="", json=False, yes=False):
    """Build the images of frontend and backend, and try each alone."""
    with _session(c, json, yes, app=app) as session:
        session.run("build-images", "try-images")


@task(help={"app": APP})
def load_images(c, app="", json=False, yes=False):
    """Bring the images into the node, and compare their IDs with ours."""
    with _session(c, json, yes, app=app) as session:
        session.run("try-images", "load-images")


@task(help={"app": APP})
def validate(c, app="", json=False, yes=False):
    """Lint and render the chart, and have the cluster try its objects."""
    with _session(c, json, yes, app=app) as session:
        session.run("validate")


@task(help={"app": APP})
def install(c, app="", json=False, yes=False):
    """Install or upgrade the Helm release, its secrets made or kept."""
    with _session(c, json, yes, app=app) as session:
        session.run("install")


@task(help={"app": APP})
def monitor(c, app="", json=False, yes=False):
    """Wait until every pod is ready and every service has endpoints; say which pod is not, and why."""
    with _session(c, json, yes, app=app) as session:
        session.run("monitor")


@task(help={"app": APP})
def dns(c, app="", json=False, yes=False):
    """Make the host name lead to the app: the hosts entry, asked for first."""
    with _session(c, json, yes, app=app) as session:
        commands.show_access(session, session.run("dns"))


@task(help={"app": APP})
def smoke(c, app="", json=False, yes=False):
    """Ask the app through its ingress: the page and the API."""
    with _session(c, json, yes, app=app) as session:
        session.run("smoke")


@task(
    default=True, help={"app": APP, "dry_run": "only tell what would be done, command by command"}
)
def deploy(c, app="", json=False, yes=False, dry_run=False):
    """All of it: cluster, images, release, access, proof."""
    steps = (
        "check", "aiops", "cluster-up", "cluster-facts", "survey", "build-images", "try-images", "load-images",
        "validate", "install", "monitor", "dns", "smoke", "app-check",
    )  # fmt: skip
    with _session(c, json, yes, dry_run, app) as session:
        if dry_run:
            session.rehearse(*steps)
        else:
            commands.show_deployed(session, session.run(*steps))


@task(help={"app": APP, "component": "backend or frontend; both when left out"})
def dev(c, app="", component="", yes=False):
    """Deploy, then bring every edit into running containers, with their logs; Ctrl-C goes back to what was deployed."""
    with _session(c, yes=yes, app=app) as session:
        commands.develop(session, component)


@task
def status(c, json=False):
    """What runs: pods, services, ingress, release. Changes nothing."""
    with _session(c, json) as session:
        commands.show_status(session)


@task
def diagnose(c, json=False):
    """What is wrong, from this machine up to the page, the cause first. Changes nothing."""
    with _session(c, json) as session:
        commands.diagnose_release(session)


@task(
    help={
        "app": APP,
        "restart": "also delete the pod that keeps the data, and see whether it comes back",
        "report": "folder for verify.html, .xml, .json",
        "phr": "also keep the run as a record in history/phr",
    }
)
def verify(c, app="", json=False, restart=False, report="artifacts", phr=False):
    """Every acceptance line of the plan, each with its evidence; a table, an HTML page, JUnit."""
    with _session(c, json, app=app) as session:
        commands.verify_release(session, restart, report, phr)


@task(
    help={
        "ai": "also ask the first of kubectl-ai, kagent and Gordon that is usable here; says what it sends, and asks",
        "seconds": "how long to watch the use",
    }
)
def health(c, json=False, ai=False, seconds=0):
    """How it runs: use against limits, restarts, log lines by level, warnings."""
    with _session(c, json) as session:
        commands.show_health(session, ai, seconds)


@task(help={"path": "the file to write; default: todo-support-DATE.tar.gz"})
def support_bundle(c, path=""):
    """Logs, events, objects, versions and timings in one archive, every secret masked."""
    with _session(c) as session:
        commands.make_bundle(session, path)


@task(help={"title": "what was decided"})
def adr(c, title):
    """A new decision record in history/adr."""
    with _session(c) as session:
        commands.make_record(session, "adr", title)


@task(help={"title": "what was met"})
def phr(c, title):
    """A new problem record in history/phr."""
    with _session(c) as session:
        commands.make_record(session, "phr", title)


@task(
    help={
        "component": "frontend, backend or postgres; all of them when left out",
        "follow": "go on until Ctrl-C",
    }
)
def logs(c, component="", follow=False):
    """The logs of the app's pods."""
    with _session(c) as session:
        commands.show_logs(session, component, follow)


@task
def history(c):
    """The release's revisions and the images that each ran."""
    with _session(c) as session:
        commands.show_history(session)


@task(
    help={"revision": "number of `invoke history`; default: the newest good one before the present"}
)
def rollback(c, revision=0):
    """Go back to an earlier revision of the release. The data stays as it is."""
    with _session(c) as session:
        commands.roll_back(session, revision)


@task(help={"component": "frontend, backend or postgres"})
def shell(c, component="backend"):
    """A shell in a pod of the app."""
    with _session(c) as session:
        commands.open_shell(session, component)


@task(help={"path": "the file to write; default: todo-DATE.dump"})
def db_dump(c, path=""):
    """Write the release's PostgreSQL to a file."""
    with _session(c) as session:
        commands.dump_database(session, path)


@task(help={"path": "a file of db-dump", "yes": "do not ask"})
def db_restore(c, path, yes=False):
    """Replace the release's database by a dump, all or nothing. Asks first."""
    with _session(c, yes=yes) as session:
        commands.restore_database(session, path)


@task(name="open")
def open_(c):
    """Open the app in the browser."""
    with _session(c) as session:
        commands.open_browser(session)


@task(help={"yes": "do not ask"})
def destroy(c, yes=False):
    """Delete the cluster with all its data. Asks first. The cache of tools and images stays."""
    with _session(c, yes=yes) as session:
        commands.destroy(session)
