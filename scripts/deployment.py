"""The stages of a deployment as a table: what each is called, does and needs.

Every task of tasks.py runs some of these stages, and the pipeline runs what they need before them,
side by side where it can. A line reads: name, work, the stages whose results the work gets.
"""

from __future__ import annotations

from scripts.app import environment, resolve, survey
from scripts.checks import app_check, assistants
from scripts.checks import database as database_check
from scripts.checks.journey import judgement
from scripts.checks.journey import release as journey
from scripts.cluster import addons, facts, minikube
from scripts.images import builds, plans, transport, trials
from scripts.machine import engine, preflight
from scripts.release import access, database, helm, installation, secret, validation
from scripts.session.stage import milestone, stage
from scripts.supply import bases, node, stock, tools
from scripts.supply.bundle import take


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
MINIKUBE = stage("minikube", tools.minikube, UPSTREAM, says=str)
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

# The cluster.
NODE_IMAGE = stage("node-image", node.node_image, ENGINE, UPSTREAM, after=(MINIKUBE, BUNDLE_IMAGES))
CLUSTER_PARTS = stage(
    "cluster-parts", node.cluster_parts, ENGINE, UPSTREAM, after=(MINIKUBE, BUNDLE_IMAGES)
)
PRELOAD = stage("preload", node.preload, ENGINE, NODE_IMAGE, CLUSTER_PARTS)
CLUSTER_UP = stage(
    "cluster-up",
    minikube.up,
    ENGINE,
    TOOLS,
    MINIKUBE,
    PRELOAD,
    says=lambda found: (
        f"{found.profile} at {found.address}{'' if found.created else ', there already'}"
    ),
)
NEW_NODE = milestone(minikube.NODE_READY, of=CLUSTER_UP)
ADDON_IMAGES = stage("addon-images", node.addon_images, ENGINE, UPSTREAM, after=(CLUSTER_PARTS,))
ADDONS_AHEAD = stage(
    "addons-ahead", transport.addons_ahead, ENGINE, ADDON_IMAGES, NEW_NODE, says=_ahead
)
CLUSTER_ADDONS = stage(
    "cluster-addons",
    addons.furnish,
    ENGINE,
    TOOLS,
    MINIKUBE,
    ADDON_IMAGES,
    after=(CLUSTER_UP, ADDONS_AHEAD),
    says=lambda _: "storage, metrics, ingress",
)
CLUSTER_FACTS = stage("cluster-facts", facts.read, TOOLS, CLUSTER_ADDONS, says=str)

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
NODE_IMAGES = stage("node-images", transport.look_at, ENGINE, PLAN_IMAGES, after=(CLUSTER_UP,))
LOAD_IMAGES = stage(
    "load-images",
    transport.load,
    ENGINE,
    MINIKUBE,
    PLAN_IMAGES,
    BUILD_IMAGES,
    NODE_IMAGES,
    IMAGES_AHEAD,
    says=lambda found: f"{len(found.sent)} sent, {len(found.images)} on the node with our IDs",
)
BUILD_SOURCE = stage("build-source", builds.build_source, ENGINE, PLAN_IMAGES)
LOAD_SOURCE = stage(
    "load-source",
    transport.load_source,
    ENGINE,
    MINIKUBE,
    PLAN_IMAGES,
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
    access.configure,
    CLUSTER_UP,
    SURVEY,
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
    CHECK, AIOPS, CLUSTER_UP, CLUSTER_FACTS, SURVEY, BUILD_IMAGES, TRY_IMAGES, LOAD_IMAGES,
    VALIDATE, INSTALL, MONITOR, DATABASE, DNS, SMOKE, APP_CHECK, JOURNEY,
)  # fmt: skip
