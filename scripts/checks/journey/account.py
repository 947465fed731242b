"""Whose journey it is: an address and a password that the rules of most apps let pass."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

#: Validators that refuse the names reserved for tests (.test, .localhost, .local) take this one.
DOMAIN = "example.com"


@dataclass(frozen=True)
class Account:
    """What is typed into the forms. The password has 14 characters of all four kinds."""

    email: str
    handle: str
    password: str = field(repr=False)
    name: str = "Jo Journey"
    fixed: bool = False


def fresh() -> Account:
    """An account that nobody has had."""
    return _account(secrets.token_bytes(32), False)


def fixed(secret: str, release: str) -> Account:
    """The one account of a release, always the same: accounts of many deployments do not pile up.

    It is derived from a secret of the release. Another secret gives another address, not a wrong
    password for the old one.
    """
    message = f"the journey's account of {release}".encode()
    return _account(hmac.new(secret.encode(), message, hashlib.sha256).digest(), True)


def _account(seed: bytes, is_fixed: bool) -> Account:
    text = hashlib.sha256(seed).hexdigest()
    handle = f"journey{text[:8]}"
    return Account(f"{handle}@{DOMAIN}", handle, f"Jx7!{text[8:18]}", fixed=is_fixed)
