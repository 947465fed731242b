"""Volume claims that stay pending."""

from tests.unit.checks.diagnosis.objects import codes, healthy


def test_a_claim_whose_provisioner_sleeps_and_one_that_waits_for_its_pod():
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "local-path"},
        "status": {"phase": "Pending"},
    }

    def event(words):
        return {
            "kind": "Event",
            "metadata": {},
            "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data"},
            "message": words,
        }

    assert codes(
        state=[
            *healthy()["state"],
            claim,
            event("waiting for a volume to be created by the external provisioner"),
        ]
    ) == ["CLAIM-PENDING"]
    assert (
        codes(
            state=[
                *healthy()["state"],
                claim,
                event("waiting for first consumer to be created before binding"),
            ]
        )
        == []
    )
