"""The state of the release."""

from tests.unit.checks.diagnosis.objects import codes, healthy


def test_a_loop_that_is_open_is_said_to_be():
    seen = healthy()
    for one in seen["state"]:
        if one["kind"] == "Service":
            one["spec"]["selector"] = {**one["spec"]["selector"], "phase4/dev": "true"}
    assert codes(state=seen["state"])[0] == "DEV-LOOP-OPEN"
