"""The stages of a deployment and what each needs: the graph that every task of tasks.py runs a part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts import access, aiops, buildkit, chart, cluster, images, preflight, release, survey, transport
from scripts.pipeline import Stage
from scripts.run import Run
from scripts.supply import bases, engine, node, tools

Results = Mapping[str, Any]
BASE_IMAGES = ("python", "node", "nginx", "postgres")


def _tools(run: Run, upstream: bool) -> dict[str, tools.Found]:
    return {name: tools.ensure(run, name, upstream) for name in ("kubectl", "helm")}


def _found(results: Results) -> dict[str, tools.Found]:
    return {**results["tools"], "minikube": results["minikube"]}


def _load(run: Run, results: Results) -> transport.Loaded:
    postgres = results["base-images"]["postgres"]
    wanted = dict(results["build-images"].references)
    if results["survey"].database == "postgres":
        wanted[postgres] = buildkit.image_id(run, results["engine"], postgres)
    return transport.load_images(run, results["engine"], results["minikube"], wanted, results["base-images"]["python"])


def _load_source(run: Run, results: Results) -> transport.Loaded:
    return transport.load_images(run, results["engine"], results["minikube"], results["build-source"], results["base-images"]["python"])


def _validate(run: Run, results: Results) -> chart.Rendered:
    postgres = results["base-images"]["postgres"]
    values = chart.values(run, results["survey"], results["plan-images"], results["cluster-facts"], postgres)
    key = chart.key(run, values)
    deployed = results["deployed"]
    if deployed.manifest and deployed.entry["description"].startswith(f"{key}-"):
        run.say("the deployed revision has this chart and these values already")
        return chart.Rendered(values, (), key)
    return chart.validate(run, _found(results), values)


def _furnish(run: Run, results: Results) -> cluster.Cluster:
    found: cluster.Cluster = results["cluster-up"]
    cluster.furnish(run, results["engine"], _found(results), found, results["addon-images"])
    return found


STAGES = {
    stage.name: stage
    for stage in (
        Stage("check", (), lambda run, _: preflight.check(run), lambda found: f"{found.system}, Python {found.python}, {found.disk:.0f} GiB free"),
        Stage(
            "aiops",
            ("check",),
            lambda run, _: aiops.probe(run),
            lambda found: ", ".join(one.name for one in found if one.usable) or "none usable; fallbacks named",
        ),
        Stage("upstream", ("check",), lambda run, _: bases.from_upstream(run), lambda yes: "upstream registries answer" if yes else "package registries only"),
        Stage(
            "tools",
            ("upstream",),
            lambda run, done: _tools(run, done["upstream"]),
            lambda found: ", ".join(f"{one.name} {one.version} ({one.source})" for one in found.values()),
        ),
        Stage("minikube", ("upstream",), lambda run, done: tools.ensure(run, "minikube", done["upstream"]), lambda found: f"{found.version} ({found.source})"),
        Stage("engine", ("check",), lambda run, _: engine.ensure(run), lambda found: f"docker {found.version}"),
        Stage(
            "survey",
            ("check",),
            lambda run, _: survey.survey(run),
            lambda found: f"Next.js {found.next_version} ({found.output}), {found.module}, database: {found.database}",
        ),
        Stage(
            "base-images",
            ("engine", "upstream"),
            lambda run, done: bases.ensure(run, done["engine"], BASE_IMAGES, done["upstream"]),
            lambda found: ", ".join(found.values()),
        ),
        Stage(
            "plan-images",
            ("survey", "base-images"),
            lambda run, done: images.plan(run, done["engine"], done["survey"], done["base-images"]),
            lambda found: f"{found.frontend.reference}, {found.backend.reference}",
        ),
        Stage(
            "build-images",
            ("plan-images",),
            lambda run, done: images.build(run, done["engine"], done["plan-images"]),
            lambda found: f"{len(found.built)} built" if found.built else "nothing to build",
        ),
        Stage("node-image", ("engine", "minikube"), lambda run, done: None if done["upstream"] else node.NodeParts(node.node_image(run, done["engine"]))),
        Stage("cluster-parts", ("engine", "minikube"), lambda run, done: None if done["upstream"] else node.cluster_parts(run, done["engine"])),
        Stage(
            "cluster-up",
            ("tools", "minikube", "engine", "node-image", "cluster-parts"),
            lambda run, done: cluster.up(run, done["engine"], _found(done), done["node-image"]),
            lambda found: f"{found.profile} at {found.address}{'' if found.created else ', there already'}",
        ),
        Stage(
            "addon-images", ("engine", "cluster-parts"), lambda run, done: node.AddonImages({}) if done["upstream"] else node.addon_images(run, done["engine"])
        ),
        Stage("cluster-addons", ("cluster-up", "addon-images"), _furnish, lambda found: "storage, metrics, ingress"),
        Stage(
            "cluster-facts",
            ("cluster-addons",),
            lambda run, done: cluster.facts(run, _found(done)),
            lambda found: f"Kubernetes {found.kubernetes}, storage class {found.default_storage_class}, ingress class {found.ingress_class}",
        ),
        Stage(
            "deployed",
            ("cluster-up",),
            lambda run, done: release.deployed(run, _found(done)),
            lambda found: f"revision {found.entry['revision']}, {found.entry['status']}" if found.entry else "nothing",
        ),
        Stage("load-images", ("build-images", "cluster-up"), _load, lambda found: f"{len(found.sent)} sent, {len(found.images)} on the node with our IDs"),
        Stage("build-source", ("plan-images",), lambda run, done: images.build_source(run, done["engine"], done["plan-images"].frontend)),
        Stage("load-source", ("build-source", "cluster-up", "load-images"), lambda run, done: _load_source(run, done)),
        Stage(
            "validate",
            ("cluster-facts", "plan-images", "deployed"),
            _validate,
            lambda found: f"{len(found.objects)} objects accepted" if found.objects else "unchanged",
        ),
        Stage(
            "install",
            ("deployed", "validate", "load-images"),
            lambda run, done: release.install(run, _found(done), done["deployed"], done["validate"], done["load-images"].images),
            lambda found: f"revision {found.revision}{'' if found.changed else ', unchanged'}",
        ),
        Stage(
            "monitor",
            ("install",),
            lambda run, done: release.monitor(run, _found(done), done["install"]),
            lambda found: f"{len(found.pods)} pods ready, {len(found.services)} services with endpoints",
        ),
        Stage("dns", ("monitor",), lambda run, done: access.configure(run, done["cluster-up"]), lambda found: found.host_url or found.local_url),
        Stage(
            "smoke",
            ("dns",),
            lambda run, done: access.smoke(run, done["dns"], done["survey"].health_path or "/health"),
            lambda found: f"{len(found)} requests answered",
        ),
    )
}
