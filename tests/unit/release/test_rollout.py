"""When everything of a release is rolled out."""

import pytest

from scripts.release.rollout import (
    COMPONENT,
    INSTANCE,
    endpoints,
    starved,
    unready,
    without_outdated,
)


def test_a_service_counts_ready_endpoints_only():
    service = {"kind": "Service", "metadata": {"name": "s"}}
    piece = {
        "kind": "EndpointSlice",
        "metadata": {"labels": {"kubernetes.io/service-name": "s"}},
        "endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}],
    }
    assert endpoints([service, piece]) == {"s": 1}
    assert unready([service]) == ["service/s"]


def test_an_old_generation_is_not_rolled_out():
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": 2},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
        },
    }
    assert unready([deployment]) == ["deployment/d"]
    deployment["status"]["observedGeneration"] = 2
    assert unready([deployment]) == []


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_a_pod_is_starved_while_its_image_is_there_and_it_does_not_know(reason):
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "initContainers": [{"name": "migrate", "image": "todo:2"}],
            "containers": [{"name": "backend", "image": "todo:1"}],
        },
        "status": {
            "initContainerStatuses": [{"name": "migrate", "state": {"terminated": {}}}],
            "containerStatuses": [{"name": "backend", "state": {"waiting": {"reason": reason}}}],
        },
    }
    assert starved([pod], {"todo:1": "sha256:1"}) == ["pod/p"]
    assert starved([pod], {"todo:2": "sha256:2"}) == []
    pod["metadata"]["deletionTimestamp"] = "now"
    assert starved([pod], {"todo:1": "sha256:1"}) == []


def test_a_pod_of_an_earlier_template_decides_nothing():
    labels = {INSTANCE: "todo-app", COMPONENT: "backend"}

    def pod(name, image, **more):
        container = {"name": "backend", "image": image, "env": [{"name": "A", "value": "1"}]}
        spec = {"containers": [{**container, **more}], "nodeName": "set by the cluster"}
        return {"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}

    template = pod("template", "todo:2")
    del template["spec"]["nodeName"]
    backend = {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    current, other = pod("current", "todo:2"), {**pod("other", "x:1"), "metadata": {"name": "o"}}
    outdated = [pod("old", "todo:1"), pod("env", "todo:2", env=[]), pod("c", "todo:2", args=["x"])]
    state = [backend, current, other, *outdated]
    assert without_outdated(state) == [backend, current, other]
