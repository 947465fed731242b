"""Images that are pushed."""

import pytest

from scripts.images import transport
from scripts.images.transport import Way
from scripts.machine.engine import Engine
from scripts.session.findings import Failure

ENGINE = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
WAY = Way("by a registry", (), "localhost:5000/team", "registry:5000/team")
IMAGES = {"todo-chatbot-backend:1": "sha256:1", "docker.io/library/postgres:16": "sha256:2"}


def test_images_are_pushed_under_one_name_and_pulled_under_another(make_run, stub, tmp_path):
    stub("docker", f'echo "$@" >> {tmp_path}/asked')
    loaded = transport._bring(make_run(), ENGINE, None, WAY, IMAGES, "python", None)
    assert set(loaded.images) == {
        "registry:5000/team/todo-chatbot-backend:1",
        "registry:5000/team/postgres:16",
    }
    asked = (tmp_path / "asked").read_text().splitlines()
    there = "localhost:5000/team/todo-chatbot-backend:1"
    mine = [line for line in asked if there in line]
    assert mine == [f"tag todo-chatbot-backend:1 {there}", f"push {there}", f"rmi {there}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "denied: requested access to the resource is denied",
            "does not take images from this user",
        ),
        ("dial tcp: connection refused", "could not be pushed to the registry localhost:5000"),
    ],
)
def test_a_registry_that_does_not_take_an_image(make_run, stub, words, told):
    stub("docker", f'[ "$1" != push ] || {{ echo "{words}" >&2; exit 1; }}')
    with pytest.raises(Failure) as caught:
        transport._bring(make_run(), ENGINE, None, WAY, IMAGES, "python", None)
    finding = caught.value.findings[0]
    assert finding.code == "IMAGE-PUSH-FAILED"
    assert told in finding.summary and words in finding.evidence


def test_where_engine_and_cluster_are_one_nothing_travels(make_run):
    """The stub for docker fails at once."""
    loaded = transport._bring(make_run(), ENGINE, None, Way("one"), IMAGES, "python", None)
    assert (loaded.images, loaded.sent) == (IMAGES, ())
