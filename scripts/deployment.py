"""The stages of a deployment and what each needs: the graph that every task of tasks.py runs a part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.app import environment, fit, resolve, survey
from scripts.checks import app_check
from scripts.checks import assistants as aiops
from scripts.cluster import addons, facts, minikube
from scripts.images import builds, plans, transport, trials
from scripts.machine import buildkit, engine, preflight
from scripts.release import access, chart, database, helm, installation, secret
from scripts.session.pipeline import Stage
from scripts.session.run import Run
from scripts.supply import bases, node, tools

Results = Mapping[str, Any]
BASE_IMAGES = ("node", "nginx", "postgres")

UPSTREAM_PYTHONS = ("3.13", "3.12", "3.11")
DEBIAN_PYTHONS = ("3.13", "3.11")  # of Debian's present and previous release


def _tools(run: Run, upstream: bool) -> dict[str, tools.Found]:
    return {name: tools.ensure(run, name, upstream) for name in ("kubectl", "helm")}


def _found(results: Results) -> dict[str, tools.Found]:
    return {**results["tools"], "minikube": results["minikube"]}


def _python(results: Results) -> str:
    return str(results["base-images"][plans.PYTHON_BASES[results["requirements"].python]])


def _wanted(run: Run, results: Results) -> dict[str, str]:
    """The images that the release needs: reference -> ID."""
    postgres = results["base-images"]["postgres"]
    own = (
        {postgres: buildkit.image_id(run, results["engine"], postgres)}
        if results["survey"].database == "postgres"
        else {}
    )
    return {**results["build-images"].references, **own}


def _images_ahead(run: Run, results: Results) -> bool:
    engine, wanted = results["engine"], _wanted(run, results)
    return transport.ahead(
        run,
        engine,
        lambda: transport.load_images(run, engine, results["minikube"], wanted, _python(results)),
    )


def _addons_ahead(run: Run, results: Results) -> bool:
    return transport.ahead(
        run,
        results["engine"],
        lambda: transport.load_archives(run, results["engine"], results["addon-images"].archives),
    )


def _load(run: Run, results: Results) -> transport.Loaded:
    held = (
        None if results["images-ahead"] else results["node-images"]
    )  # it was looked at before they came
    return transport.load_images(
        run, results["engine"], results["minikube"], _wanted(run, results), _python(results), held
    )


def _ahead_summary(sent: bool) -> str:
    return "while Kubernetes booted" if sent else "no new node"


def _asked(app: survey.Survey) -> str:
    """The path at which the app's API is asked whether it is there, through the ingress."""
    return fit.api_path(app) + (app.backend.health_path or "/openapi.json")


def _environment_summary(found: environment.Given) -> str:
    made = [
        name
        for name, how in {**found.environment.secrets, **found.environment.frontend_secrets}.items()
        if how == "generate"
    ]
    return f"{len(found.environment.plain)} values, {len(found.secrets)} secrets given, {len(made)} of its own"


def _load_source(run: Run, results: Results) -> transport.Loaded:
    return transport.load_images(
        run, results["engine"], results["minikube"], results["build-source"], _python(results)
    )


def _validate(run: Run, results: Results) -> chart.Rendered:
    """The chart with its values. New pods run the migrations only when there is something to migrate; what is deployed may be of either kind."""
    app, deployed, tables = results["survey"], results["deployed"], results["tables"]
    up_to_date = tables == frozenset(app.backend.migrated)
    # A pod that has them is not replaced only to lose them.
    stays = chart.migrates(deployed.manifest, results["plan-images"].backend.reference)

    def values(behind: bool) -> dict[str, Any]:
        postgres, given = results["base-images"]["postgres"], results["environment"].environment
        return chart.values(
            run,
            app,
            given,
            results["plan-images"],
            results["cluster-facts"],
            postgres,
            deployed.manifest,
            behind,
        )

    for behind in (True, False) if up_to_date or tables is None else (True,):
        key = chart.key(run, values(behind))
        if deployed.manifest and deployed.entry["description"].startswith(f"{key}-"):
            run.say("the deployed revision has this chart and these values already")
            return chart.Rendered(values(behind), (), key)
    return chart.validate(run, _found(results), values(stays or not up_to_date), deployed.manifest)


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "check",
            (),
            lambda run, _: preflight.check(run),
            lambda found: f"{found.system}, Python {found.python}, {found.disk:.0f} GiB free",
        ),
        Stage(
            "aiops",
            ("check",),
            lambda run, _: aiops.probe(run),
            lambda found: (
                ", ".join(one.name for one in found if one.usable) or "none usable; fallbacks named"
            ),
        ),
        Stage(
            "upstream",
            ("check",),
            lambda run, _: bases.from_upstream(run),
            lambda yes: "upstream registries answer" if yes else "package registries only",
        ),
        Stage(
            "tools",
            ("upstream",),
            lambda run, done: _tools(run, done["upstream"]),
            lambda found: ", ".join(
                f"{one.name} {one.version} ({one.source})" for one in found.values()
            ),
        ),
        Stage(
            "minikube",
            ("upstream",),
            lambda run, done: tools.ensure(run, "minikube", done["upstream"]),
            lambda found: f"{found.version} ({found.source})",
        ),
        Stage(
            "engine",
            ("check",),
            lambda run, _: engine.ensure(run),
            lambda found: f"docker {found.version}",
        ),
        Stage(
            "survey",
            ("check",),
            lambda run, _: survey.survey(run),
            lambda found: (
                f"Next.js {found.frontend.next_version} ({found.frontend.output}), {found.backend.module}, database: {found.database}"
            ),
        ),
        Stage(
            "environment",
            ("survey",),
            lambda run, done: environment.gather(run, done["survey"]),
            lambda found: _environment_summary(found),
        ),
        Stage(
            "requirements",
            ("survey", "upstream"),
            lambda run, done: resolve.resolve(
                run, done["survey"], UPSTREAM_PYTHONS if done["upstream"] else DEBIAN_PYTHONS
            ),
            lambda found: f"{len(found.requirements.split())} packages on Python {found.python}",
        ),
        Stage(
            "base-images",
            ("engine", "upstream", "requirements"),
            lambda run, done: bases.ensure(
                run,
                done["engine"],
                (plans.PYTHON_BASES[done["requirements"].python], *BASE_IMAGES),
                done["upstream"],
            ),
            lambda found: ", ".join(found.values()),
        ),
        Stage(
            "plan-images",
            ("survey", "base-images", "requirements"),
            lambda run, done: plans.plan(
                run,
                done["engine"],
                done["survey"],
                done["base-images"],
                done["requirements"],
                not done["upstream"],
            ),
            lambda found: f"{found.frontend.reference}, {found.backend.reference}",
        ),
        Stage(
            "build-images",
            ("plan-images",),
            lambda run, done: builds.build(run, done["engine"], done["plan-images"]),
            lambda found: f"{len(found.built)} built" if found.built else "nothing to build",
        ),
        Stage(
            "try-images",
            ("build-images",),
            lambda run, done: trials.try_images(
                run, done["engine"], done["plan-images"], done["build-images"]
            ),
            lambda found: f"{len(found)} started and answered" if found else "nothing to try",
        ),
        Stage(
            "node-image",
            ("engine", "minikube"),
            lambda run, done: None if done["upstream"] else node.node_image(run, done["engine"]),
        ),
        Stage(
            "cluster-parts",
            ("engine", "minikube"),
            lambda run, done: None if done["upstream"] else node.cluster_parts(run, done["engine"]),
        ),
        Stage(
            "preload",
            ("node-image", "cluster-parts"),
            lambda run, done: (
                None
                if done["upstream"]
                else node.preload(run, done["engine"], done["node-image"], done["cluster-parts"])
            ),
        ),
        Stage(
            "cluster-up",
            ("tools", "minikube", "engine", "preload"),
            lambda run, done: minikube.up(run, done["engine"], _found(done), done["preload"]),
            lambda found: (
                f"{found.profile} at {found.address}{'' if found.created else ', there already'}"
            ),
        ),
        Stage(
            "addon-images",
            ("engine", "cluster-parts"),
            lambda run, done: (
                node.AddonImages({}) if done["upstream"] else node.addon_images(run, done["engine"])
            ),
        ),
        Stage("addons-ahead", ("engine", "addon-images"), _addons_ahead, _ahead_summary),
        Stage(
            "cluster-addons",
            ("cluster-up", "addon-images", "addons-ahead"),
            lambda run, done: addons.furnish(
                run, done["engine"], _found(done), done["addon-images"]
            ),
            lambda _: "storage, metrics, ingress",
        ),
        Stage(
            "cluster-facts",
            ("cluster-addons",),
            lambda run, done: facts.read(run, _found(done), done["cluster-addons"]),
            lambda found: (
                f"Kubernetes {found.kubernetes}, storage class {found.default_storage_class}, ingress class {found.ingress_class}"
            ),
        ),
        Stage(
            "deployed",
            ("cluster-up",),
            lambda run, done: helm.deployed(run, _found(done)),
            lambda found: (
                f"revision {found.entry['revision']}, {found.entry['status']}"
                if found.entry
                else "nothing"
            ),
        ),
        Stage(
            "tables",
            ("cluster-up", "survey"),
            lambda run, done: database.tables(run, _found(done), done["survey"]),
            lambda found: (
                f"of version {', '.join(sorted(found))}" if found else "of no known version"
            ),
        ),
        Stage("images-ahead", ("build-images", "minikube"), _images_ahead, _ahead_summary),
        Stage(
            "node-images",
            ("plan-images", "cluster-up"),
            lambda run, done: transport.look(
                run,
                done["engine"],
                (
                    done["plan-images"].frontend.reference,
                    done["plan-images"].backend.reference,
                    done["base-images"]["postgres"],
                ),
            ),
        ),
        Stage(
            "load-images",
            ("build-images", "node-images", "images-ahead"),
            _load,
            lambda found: f"{len(found.sent)} sent, {len(found.images)} on the node with our IDs",
        ),
        Stage(
            "build-source",
            ("plan-images",),
            lambda run, done: builds.build_source(
                run, done["engine"], done["plan-images"].frontend
            ),
        ),
        Stage(
            "load-source",
            ("build-source", "cluster-up", "load-images"),
            lambda run, done: _load_source(run, done),
        ),
        Stage(
            "validate",
            ("cluster-facts", "plan-images", "deployed", "environment", "tables"),
            _validate,
            lambda found: f"{len(found.objects)} objects" if found.objects else "unchanged",
        ),
        Stage(
            "install",
            ("deployed", "validate", "try-images", "load-images"),
            lambda run, done: installation.install(
                run,
                _found(done),
                done["deployed"],
                done["validate"],
                done["load-images"].images,
                secret.secrets_of(done["survey"], done["environment"]),
            ),
            lambda found: f"revision {found.revision}{'' if found.changed else ', unchanged'}",
        ),
        Stage(
            "monitor",
            ("install",),
            lambda run, done: installation.monitor(run, _found(done), done["install"]),
            lambda found: (
                f"{len(found.pods)} pods ready, {len(found.services)} services with endpoints"
            ),
        ),
        Stage(
            "dns",
            ("monitor",),
            lambda run, done: access.configure(run, done["cluster-up"], _asked(done["survey"])),
            lambda found: found.host_url or found.local_url,
        ),
        Stage(
            "smoke",
            ("dns",),
            lambda run, done: access.smoke(run, done["dns"], _asked(done["survey"])),
            lambda found: f"{len(found)} requests answered",
        ),
        Stage(
            "app-check",
            ("smoke",),
            lambda run, done: app_check.check(run, _found(done), done["survey"]),
            lambda found: f"{found.served} of {found.declared} routes of the code are served",
        ),
    )
}
