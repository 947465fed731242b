"""Pages that fail though the cluster is well."""

from tests.unit.checks.diagnosis.objects import codes


def test_pages_that_do_not_come_though_all_is_well():
    assert codes(answers={"/": 0, "/api/health": 0}) == [
        "INGRESS-UNREACHABLE",
        "INGRESS-UNREACHABLE",
    ]
    assert codes(answers={"/": 200, "/api/health": 404}) == ["SMOKE-FAILED"]
