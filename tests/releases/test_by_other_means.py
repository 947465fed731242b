"""`invoke verify` of a release that this project did not install."""

import json
import os
import subprocess

import pytest

from scripts.release.chart import CHART
from tests.e2e.conftest import namespace


@pytest.fixture
def other(run, found):
    """The chart as a person installs it, in a namespace of its own."""
    helm = [found["helm"].path, "--kube-context", run.settings.context, "--namespace"]
    release = run.settings.release
    given = json.loads(
        run.shell.run(*helm, release.namespace, "get", "values", release.name, "-o", "json").stdout
    )
    values = {part: {"image": given[part]["image"]} for part in ("frontend", "backend", "postgres")}
    values["ingress"] = {"host": "other.local", "extraHosts": []}
    with namespace(run, found, "other"):
        run.shell.run(
            *helm, "other", "install", "other", CHART, "--wait", "--timeout=200s", "-f", "-",
            stdin=json.dumps(values), timeout=250,
        )  # fmt: skip
        yield {
            "INVOKE_PHASE4_RELEASE_NAME": "other",
            "INVOKE_PHASE4_RELEASE_NAMESPACE": "other",
            "INVOKE_PHASE4_RELEASE_HOST": "other.local",
            "INVOKE_PHASE4_HOSTS_FILE": "skip",
        }


def test_a_chart_that_was_installed_by_other_means_is_verified_too(run, other, tmp_path):
    def verify():
        return subprocess.run(
            ["invoke", "verify", "--report", tmp_path],
            env={**os.environ, **other},
            capture_output=True,
            text=True,
            timeout=120,
        )

    # metrics-server needs a minute to know new pods.
    assert run.shell.until(lambda: verify().returncode == 0, 120, 5), verify().stdout[-2000:]
    rows = {row["line"]: row for row in json.loads((tmp_path / "verify.json").read_text())}
    assert "other-backend" in rows["All pods are Running"]["evidence"]
    assert rows["The host name resolves"]["status"] == "not applicable"
