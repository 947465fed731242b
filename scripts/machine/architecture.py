"""This machine's processor in the terms of Go and OCI."""

from __future__ import annotations

import platform

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def architecture() -> str:
    """This machine's architecture in Go's and OCI's terms."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())
