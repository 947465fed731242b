"""The live cluster's fixtures, for releases that plain helm installs beside the deployed one."""

from tests.e2e.conftest import (  # noqa: F401 - fixtures
    anybody,
    base,
    docker,
    found,
    kube,
    make_user,
    run,
    state,
    user,
)

#: Labels of a namespace that admits restricted pods only.
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
