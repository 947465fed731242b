"""Configuration, read from the environment once."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SECRET_MINIMUM = 32  # bytes; RFC 7518 section 3.2 wants a key as long as the hash, 256 bits


@dataclass(frozen=True)
class Config:
    """What the environment says.

    Limits: requests per minute. token_hours: how long a login lasts. Time-outs: seconds.
    """

    database_url: str
    data_dir: Path
    auth_secret: str = field(repr=False)
    token_hours: float
    openai_api_key: str = field(repr=False)
    openai_base_url: str
    openai_model: str
    openai_timeout: float
    log_level: str
    rate_limit_per_minute: int
    rate_limit_user_per_minute: int
    login_failures_per_minute: int
    cors_origins: tuple[str, ...]


@cache
def config() -> Config:
    """Return the configuration. Raises ValueError if it cannot be used."""
    secret = os.environ.get("BETTER_AUTH_SECRET", "")
    if not secret and os.environ.get("KUBERNETES_SERVICE_HOST"):
        # A key of each process's own would end every login with its pod.
        raise ValueError("BETTER_AUTH_SECRET is empty: the pods of a cluster need the same one")
    if not secret:
        secret = secrets.token_urlsafe(48)  # to try the app alone: logins end with the process
    if len(secret.encode()) < SECRET_MINIMUM:
        raise ValueError(
            f"BETTER_AUTH_SECRET must be at least {SECRET_MINIMUM} bytes (256 bits) long"
        )
    return Config(
        database_url=os.environ.get("DATABASE_URL", ""),
        data_dir=Path(os.environ.get("DATA_DIR", "data")),
        auth_secret=secret,
        token_hours=float(os.environ.get("TOKEN_HOURS") or 12),
        openai_api_key=os.environ.get("OPENAI_API_KEY", ""),
        openai_base_url=os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
        openai_model=os.environ.get("OPENAI_MODEL") or "gpt-4o-mini",
        openai_timeout=float(os.environ.get("OPENAI_TIMEOUT_SECONDS") or 20),
        log_level=os.environ.get("LOG_LEVEL") or "INFO",
        rate_limit_per_minute=int(os.environ.get("RATE_LIMIT_PER_MINUTE") or 6000),
        rate_limit_user_per_minute=int(os.environ.get("RATE_LIMIT_USER_PER_MINUTE") or 3600),
        login_failures_per_minute=int(os.environ.get("LOGIN_FAILURES_PER_MINUTE") or 10),
        cors_origins=tuple(
            origin for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin
        ),
    )
