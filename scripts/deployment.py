"""The stages of a deployment as a table: what each is called, does and needs.

Every task of tasks.py runs some of these stages, and the pipeline runs what they need before them,
side by side where it can. A line reads: name, work, the stages whose results the work gets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from scripts.app import environment, resolve, survey
from scripts.checks import app_check, assistants
from scripts.checks import database as database_check
from scripts.checks.journey import judgement
from scripts.checks.journey import release as journey
from scripts.cluster import addons, facts, minikube, there
from scripts.images import builds, plans, transport, trials
from scripts.machine import engine, preflight
from scripts.release import access, database, door, helm, installation, secret, validation
from scripts.session.run import Run
from scripts.session.stage import milestone, stage
from scripts.supply import bases, node, stock, tools
from scripts.supply.bundle import take
from scripts.supply.node import AddonImages

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[Concatenate[Run, P], R]


def by_target(own: Work[P, R], there: Work[P, R]) -> Work[P, R]:
    """A stage's work on this project's own minikube, or else on a cluster that is there.

    This is the one place that decides. Both get the results of the same stages.
    """

    def work(run: Run, /, *needs: P.args, **none: P.kwargs) -> R:
        return (there if run.settings.is_there else own)(run, *needs, **none)

    return work


def own_only(work: Work[P, R], instead: R) -> Work[P, R]:
    """Work that a cluster that is there does not need. instead: its result then."""

    def nothing(_run: Run, /, *_needs: P.args, **_none: P.kwargs) -> R:
        return instead

    return by_target(work, nothing)


def _ahead(sent: bool) -> str:
    return "while Kubernetes booted" if sent else "no new node"


# The machine, and where things come from on it.
CHECK = stage("check", preflight.check, says=str)
AIOPS = stage("aiops", assistants.probe, after=(CHECK,), says=assistants.names)
BUNDLE = stage(
    "bundle", take.find, after=(CHECK,), says=lambda found: str(found) if found else "none named"
)
BUNDLE_FILES = stage(
    "bundle-files",
    take.unpack,
    BUNDLE,
    says=lambda number: f"{number} files put into the cache" if number else "nothing to put",
)
UPSTREAM = stage(
    "upstream",
    bases.from_upstream,
    after=(CHECK, BUNDLE_FILES),
    says=lambda yes: "upstream registries answer" if yes else "package registries only",
)
TOOLS = stage(
    "tools", tools.clients, UPSTREAM, says=lambda found: ", ".join(map(str, found.values()))
)
MINIKUBE = stage(
    "minikube",
    by_target(tools.minikube, there.no_minikube),
    UPSTREAM,
    says=lambda found: str(found) if found.version else found.source,
)
ENGINE = stage(
    "engine", engine.ensure, after=(CHECK,), says=lambda found: f"docker {found.version}"
)
BUNDLE_IMAGES = stage(
    "bundle-images",
    take.load,
    ENGINE,
    BUNDLE,
    says=lambda number: f"{number} images loaded" if number else "nothing to load",
)

# The app, and its images.
SURVEY = stage("survey", survey.survey, after=(CHECK,), says=str)
ENVIRONMENT = stage("environment", environment.gather, SURVEY, says=str)
REQUIREMENTS = stage("requirements", resolve.requirements, SURVEY, UPSTREAM, says=str)
BASE_IMAGES = stage(
    "base-images",
    plans.base_images,
    ENGINE,
    UPSTREAM,
    REQUIREMENTS,
    SURVEY,
    after=(BUNDLE_IMAGES,),
    says=lambda found: ", ".join(dict.fromkeys(found.values())),
)
PLAN_IMAGES = stage(
    "plan-images",
    plans.plan,
    ENGINE,
    SURVEY,
    BASE_IMAGES,
    REQUIREMENTS,
    UPSTREAM,
    says=lambda found: ", ".join(plan.reference for plan in found.every),
)
BUILD_IMAGES = stage(
    "build-images",
    builds.build,
    ENGINE,
    PLAN_IMAGES,
    says=lambda found: f"{len(found.built)} built" if found.built else "nothing to build",
)
TRY_IMAGES = stage(
    "try-images",
    trials.try_images,
    ENGINE,
    PLAN_IMAGES,
    BUILD_IMAGES,
    says=lambda found: f"{len(found)} started and answered" if found else "nothing to try",
)

# The cluster: this project's own, or one that is there.
TARGET = stage("target", by_target(there.own, there.look), ENGINE, TOOLS, says=str)
NODE_IMAGE = stage(
    "node-image",
    own_only(node.node_image, None),
    ENGINE,
    UPSTREAM,
    after=(MINIKUBE, BUNDLE_IMAGES),
)
CLUSTER_PARTS = stage(
    "cluster-parts",
    own_only(node.cluster_parts, None),
    ENGINE,
    UPSTREAM,
    after=(MINIKUBE, BUNDLE_IMAGES),
)
PRELOAD = stage("preload", node.preload, ENGINE, NODE_IMAGE, CLUSTER_PARTS)
CLUSTER_UP = stage(
    "cluster-up",
    by_target(minikube.up, there.up),
    ENGINE,
    TOOLS,
    MINIKUBE,
    PRELOAD,
    after=(TARGET,),
    says=lambda found: (
        f"{found.profile} at {found.address}{'' if found.created else ', there already'}"
    ),
)
NEW_NODE = milestone(minikube.NODE_READY, of=CLUSTER_UP)
ADDON_IMAGES = stage(
    "addon-images",
    own_only(node.addon_images, AddonImages({})),
    ENGINE,
    UPSTREAM,
    after=(CLUSTER_PARTS,),
)
ADDONS_AHEAD = stage(
    "addons-ahead", transport.addons_ahead, ENGINE, ADDON_IMAGES, NEW_NODE, says=_ahead
)
CLUSTER_ADDONS = stage(
    "cluster-addons",
    own_only(addons.furnish, None),
    ENGINE,
    TOOLS,
    MINIKUBE,
    ADDON_IMAGES,
    after=(CLUSTER_UP, ADDONS_AHEAD),
    says=lambda seen: "nothing is added" if seen is None else "storage, metrics, ingress",
)
CLUSTER_FACTS = stage(
    "cluster-facts", by_target(facts.read, facts.there), TOOLS, CLUSTER_ADDONS, says=str
)

# The images on the cluster's nodes.
IMAGES_AHEAD = stage(
    "images-ahead",
    transport.images_ahead,
    ENGINE,
    MINIKUBE,
    PLAN_IMAGES,
    BUILD_IMAGES,
    NEW_NODE,
    says=_ahead,
)
IMAGE_WAY = stage(
    "image-way", by_target(there.own_way, there.way), ENGINE, TOOLS, after=(CLUSTER_UP,), says=str
)
NODE_IMAGES = stage("node-images", transport.look_at, ENGINE, PLAN_IMAGES, IMAGE_WAY)
LOAD_IMAGES = stage(
    "load-images",
    transport.load,
    ENGINE,
    MINIKUBE,
    PLAN_IMAGES,
    BUILD_IMAGES,
    IMAGE_WAY,
    NODE_IMAGES,
    IMAGES_AHEAD,
    says=lambda found: f"{len(found.sent)} sent, {len(found.images)} where the nodes take them",
)
BUILD_SOURCE = stage("build-source", builds.build_source, ENGINE, PLAN_IMAGES)
LOAD_SOURCE = stage(
    "load-source",
    transport.load_source,
    ENGINE,
    MINIKUBE,
    PLAN_IMAGES,
    IMAGE_WAY,
    BUILD_SOURCE,
    after=(CLUSTER_UP, LOAD_IMAGES),
)

# The release.
SECRETS = stage("secrets", secret.wanted, SURVEY, ENVIRONMENT)
DEPLOYED = stage("deployed", helm.deployed, TOOLS, after=(CLUSTER_UP,), says=str)
TABLES = stage(
    "tables",
    database.tables,
    TOOLS,
    SURVEY,
    after=(CLUSTER_UP,),
    says=lambda found: f"of version {', '.join(sorted(found))}" if found else "of no known version",
)
VALIDATE = stage(
    "validate",
    validation.validate,
    TOOLS,
    SURVEY,
    ENVIRONMENT,
    PLAN_IMAGES,
    CLUSTER_FACTS,
    DEPLOYED,
    TABLES,
    IMAGE_WAY,
    says=lambda found: f"{len(found.objects)} objects" if found.objects else "unchanged",
)
INSTALL = stage(
    "install",
    installation.install,
    TOOLS,
    DEPLOYED,
    VALIDATE,
    LOAD_IMAGES,
    SECRETS,
    after=(TRY_IMAGES,),
    says=lambda found: f"revision {found.revision}{'' if found.changed else ', unchanged'}",
)
MONITOR = stage("monitor", installation.monitor, TOOLS, INSTALL, says=str)

# Is it there, and does it work?
DNS = stage(
    "dns",
    by_target(access.configure, door.configure),
    CLUSTER_UP,
    SURVEY,
    TOOLS,
    after=(MONITOR,),
    says=lambda found: found.host_url or found.local_url,
)
SMOKE = stage(
    "smoke", access.smoke, DNS, SURVEY, says=lambda found: f"{len(found)} requests answered"
)
APP_CHECK = stage("app-check", app_check.check, TOOLS, SURVEY, after=(SMOKE,), says=str)
JOURNEY = stage(
    "journey",
    journey.check,
    TOOLS,
    SURVEY,
    INSTALL,
    after=(APP_CHECK,),
    says=lambda found: judgement.in_one_line(found) if found else "nothing changed",
)

# What a bundle is made of.
STOCK = stage("stock", stock.make, ENGINE, after=(PRELOAD, ADDON_IMAGES))

DATABASE = stage("database", database_check.check, TOOLS, SURVEY, after=(MONITOR,), says=str)

DEPLOY = (
    CHECK, AIOPS, TARGET, CLUSTER_UP, CLUSTER_FACTS, SURVEY, BUILD_IMAGES, TRY_IMAGES, LOAD_IMAGES,
    VALIDATE, INSTALL, MONITOR, DATABASE, DNS, SMOKE, APP_CHECK, JOURNEY,
)  # fmt: skip
