"""The official-image path against a real registry.

A base image is pushed to it, and pulled as upstream's would be.
"""

import socket
import subprocess
import time
from dataclasses import replace

import pytest
import requests

from scripts.machine import buildkit
from scripts.session.findings import Failure
from scripts.session.settings import Settings
from scripts.supply import bases, golang


@pytest.fixture(scope="module")
def registry(run):
    crane = golang.build(run, "crane")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [crane, "registry", "serve", "--address", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/v2/", timeout=1)
            break
        except requests.RequestException:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield f"127.0.0.1:{port}"
    process.terminate()


def _against(run, registry, source):
    settings = Settings.load(
        {
            **run.settings.model_dump(),
            "supply": {
                **run.settings.supply.model_dump(),
                "image_registry": registry,
                "source": source,
            },
        }
    )
    return replace(run, settings=settings)


def test_a_base_image_is_pulled_from_the_registry(run, docker, registry):
    mirror = _against(run, registry, "upstream")
    own, reference = bases.stand_in(run, docker, "nginx"), bases.official(mirror, "nginx")
    wanted = buildkit.image_id(run, docker, own)
    run.shell.run(docker.client, "tag", own, reference)
    run.shell.run(docker.client, "push", "--quiet", reference, timeout=120)
    run.shell.run(docker.client, "rmi", reference)
    assert not buildkit.image_id(run, docker, reference)
    try:
        assert bases.ensure(mirror, docker, ("nginx",), upstream=True) == {"nginx": reference}
        assert buildkit.image_id(run, docker, reference) == wanted
    finally:
        run.shell.run(docker.client, "rmi", reference, check=False)


def test_an_image_that_the_registry_lacks_is_told_or_replaced_as_the_settings_say(
    run, docker, registry
):
    with pytest.raises(Failure) as caught:
        bases.ensure(_against(run, registry, "upstream"), docker, ("python",), upstream=True)
    assert caught.value.findings[0].code == "BASE-IMAGE-UNAVAILABLE"
    found = bases.ensure(_against(run, registry, "auto"), docker, ("python",), upstream=True)
    assert found["python"].startswith("phase4/python:")
