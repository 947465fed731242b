"""The name of this machine's processor in Go and OCI."""

from __future__ import annotations

import platform

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def architecture() -> str:
    """Return the name of this machine's architecture in Go and OCI, for example amd64."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())
