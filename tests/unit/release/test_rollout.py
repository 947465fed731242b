"""When everything of a release is rolled out."""

from scripts.release.rollout import endpoints, unready


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
