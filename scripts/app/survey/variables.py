"""Environment variables by what they are for, as their names tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal[
    "database", "signing", "provider", "api", "site", "origins", "keys", "issuer", "plain"
]

#: What a name is for: the first pattern that matches. signing: a secret of the app's own. provider:
#: a key of somebody else's service. keys: where the public keys of tokens are. issuer: who a token
#: must be from or for.
KINDS: tuple[tuple[str, Kind], ...] = (
    (r"(MINUTES|HOURS|DAYS|SECONDS|ALGORITHM|EXPIR\w*|MODEL|LIMIT|COUNT|TTL|MAX_\w+)$", "plain"),
    (
        r"(DATABASE|POSTGRES\w*|POSTGRESQL|NEON|SUPABASE_DB|^PG|^DB|_DB)_?\w*"
        r"(URL|URI|DSN|CONNECTION)$"
        r"|^(DATABASE|DB)_?(URL|URI|DSN)",
        "database",
    ),
    (r"JWKS?_?\w*(URL|URI|ENDPOINT)$", "keys"),
    (r"(ISSUER|AUDIENCE)$", "issuer"),
    (r"(CORS|ALLOWED|TRUSTED)\w*ORIGINS?|^ORIGINS$|ALLOWED_HOSTS|^CORS", "origins"),
    (
        r"(BETTER_AUTH|NEXTAUTH|^AUTH|APP|SITE|FRONTEND|CLIENT|VERCEL|WEB)_(BASE_)?"
        r"(URL|ORIGIN|URI)$",
        "site",
    ),
    (
        r"(API|BACKEND|SERVER|CHAT|BASE|FASTAPI|ENDPOINT|WS|SOCKET)\w*"
        r"(URL|URI|HOST|ENDPOINT|BASE|ORIGIN)$"
        r"|^(API|BACKEND)_(BASE|URL)",
        "api",
    ),
    (
        r"(OPENAI|GEMINI|GROQ|COHERE|CO|ANTHROPIC|OPENROUTER|MISTRAL|HF|HUGGING\w*"
        r"|GOOGLE|AZURE|TOGETHER|DEEPSEEK|GITHUB|RESEND|STRIPE)\w*(KEY|TOKEN|SECRET)$",
        "provider",
    ),
    (
        r"(SIGNING|JWT|SESSION|COOKIE|ENCRYPTION|AUTH|NEXTAUTH|APP)_?\w*(SECRET|KEY)"
        r"|^SECRET(_KEY)?$|(?<!CLIENT_)SECRET(_KEY)?$",
        "signing",
    ),
    (
        r"(API_?KEY|CLIENT_SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|PRIVATE_KEY|ACCESS_KEY|_KEY)$",
        "provider",
    ),
)
HOSTED_BASE = re.compile(
    r"(OPENAI|GEMINI|GROQ|COHERE|ANTHROPIC|OPENROUTER|MISTRAL|LLM|AI|HF)_?(API_)?BASE",
    re.IGNORECASE,
)  # a provider's address, not the backend's
#: What an environment variable may be called. A longer name is made by a program.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
#: Variables by which a system, a shell or an interpreter is run: a container has its own, and what
#: somebody's machine or an env file says of them would break it, or run something else in it.
OF_THE_SYSTEM = re.compile(
    r"PATH|HOME|PWD|OLDPWD|SHELL|USER|LOGNAME|HOSTNAME|TERM|TMPDIR|IFS|BASH_ENV|BASHOPTS"
    r"|SHELLOPTS|(LD|DYLD|LC|XDG|KUBERNETES)_\w+|LANG|KUBECONFIG|NODE_(OPTIONS|PATH)"
    r"|DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH|TLS_VERIFY)|SSH_(AUTH_SOCK|AGENT_PID|ASKPASS)"
    r"|PYTHON(PATH|HOME|STARTUP|INSPECT|USERBASE|WARNINGS|BREAKPOINT|EXECUTABLE|PLATLIBDIR)"
)


@dataclass(frozen=True)
class Variable:
    """A variable that the code reads.

    default: the value that the code takes when it is unset. is_list: the code wants JSON.
    place: file:line.
    """

    name: str
    place: str
    required: bool = False
    default: str = ""
    is_list: bool = False

    @property
    def kind(self) -> Kind:
        """What it is for."""
        return kind(self.name)

    @property
    def secret(self) -> bool:
        """Whether its value must not be seen."""
        return self.kind in ("database", "signing", "provider")


def kind(name: str) -> Kind:
    """What a variable of this name is for."""
    if not NAME.fullmatch(name):
        return "provider"  # nobody knows what it is: its value is not shown
    if HOSTED_BASE.search(name):
        return "plain"
    return next((found for pattern, found in KINDS if re.search(pattern, name.upper())), "plain")


def merged(found: list[Variable]) -> tuple[Variable, ...]:
    """One a name, sorted: required if any reading of it is, with the first default.

    What no environment can hold, and what is not the app's own, is left out.
    """
    kept: dict[str, Variable] = {}
    for one in found:
        if not NAME.fullmatch(one.name) or OF_THE_SYSTEM.fullmatch(one.name):
            continue
        before = kept.get(one.name)
        kept[one.name] = (
            one
            if before is None
            else replace(
                before,
                required=before.required or one.required,
                default=before.default or one.default,
                is_list=before.is_list or one.is_list,
            )
        )
    return tuple(kept[name] for name in sorted(kept))
