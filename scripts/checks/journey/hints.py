"""What the app's own code says about its accounts and its chat, before anything is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scripts.app.survey import Survey, asks
from scripts.app.survey.frontend import SOURCES
from scripts.app.survey.tree import read_tree

#: Packages of services that keep the accounts somewhere else.
HOSTED = {
    "@clerk/nextjs": "Clerk",
    "@supabase/supabase-js": "Supabase",
    "@supabase/ssr": "Supabase",
    "@supabase/auth-helpers-nextjs": "Supabase",
    "firebase": "Firebase",
    "@auth0/nextjs-auth0": "Auth0",
    "@stackframe/stack": "Stack Auth",
    "@kinde-oss/kinde-auth-nextjs": "Kinde",
    "@workos-inc/authkit-nextjs": "WorkOS",
    "@descope/nextjs-sdk": "Descope",
}
#: Packages whose chat is a script of somebody else's server.
WIDGETS = {"@openai/chatkit-react": "OpenAI's ChatKit", "@openai/chatkit": "OpenAI's ChatKit"}
SIGN_UP_PAGE = re.compile(r"/(sign-?up|register|registration|create-account|join)/?$", re.I)
LOG_IN_PAGE = re.compile(r"/(log-?in|sign-?in|auth|account)/?$", re.I)
TODO_PAGE = re.compile(
    r"/(dashboard|todos?|tasks?|app|home|list|inbox|board|my-?tasks"
    r"|(add|new|create)-?(task|todo))/?$"
    r"|/(todos?|tasks?)/(add|new|create)/?$",
    re.I,
)
NO_TODO_PAGE = re.compile(
    SIGN_UP_PAGE.pattern
    + "|"
    + LOG_IN_PAGE.pattern
    + r"|\b(pass|password|forgot|reset|verify|confirm|callback|profile|settings|about|pricing"
    r"|contact|terms|privacy|docs?|offline|error)\b",
    re.I,
)
CHAT_PAGE = re.compile(r"/(chat|chatbot|assistant|ai|agent)/?$", re.I)


@dataclass(frozen=True)
class Hints:
    """accounts: `better-auth` or `next-auth` where Next's own server keeps them, else empty.

    hosted: the service that keeps them. widget: whose script the chat is. pages: paths without
    parameters. routes: methods and paths of the backend's code. handlers: paths of Next's own.
    calls: (variable, place, default) of an address that the backend calls and nobody here serves.
    doors: handlers of Next's that make an account, and that the pages ask. driver: the place where
    Next's server takes a driver that no PostgreSQL understands.
    """

    accounts: str = ""
    hosted: str = ""
    widget: str = ""
    pages: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    handlers: tuple[str, ...] = ()
    calls: tuple[tuple[str, str, str], ...] = ()
    doors: tuple[str, ...] = ()
    driver: str = ""

    def pages_like(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """Pages of a kind, the shortest first."""
        return tuple(sorted((one for one in self.pages if pattern.search(one)), key=len))


def hints(app: Survey) -> Hints:
    """Read the hints from the survey.

    The pages' code is read only where Next may keep accounts.
    """
    packages = set(app.frontend.packages)
    return Hints(
        _accounts(app),
        next((HOSTED[name] for name in HOSTED if name in packages), ""),
        next((WIDGETS[name] for name in WIDGETS if name in packages), ""),
        tuple(page for page in app.frontend.pages if "[" not in page),
        tuple(
            (route.method, route.path)
            for route in app.backend.routes
            if route.method != "websocket"
        ),
        app.frontend.handlers,
        tuple(
            (one.variable.name, one.variable.place, one.variable.default)
            for one in app.companions.lost
        ),
        tuple(
            path
            for path, place in app.frontend.asks
            if asks.SIGN_UP.search(path)
            and path in app.frontend.handlers
            and "/route." not in place
        ),
        app.decision.neon.place if app.decision.neon else "",
    )


def _accounts(app: Survey) -> str:
    """Many apps list better-auth and never call it: its page must."""
    kind = app.frontend.auth
    caught = any(re.match(r"/api/auth/\[+\.\.\.", path) for path in app.frontend.handlers)
    if not kind or not caught:
        return ""
    tree = read_tree(app.frontend_folder)
    own = r"\.?sign(Up|In)\.email\b|/sign-(up|in)/email\b"  # by its client, or by hand
    calls = own if kind == "better-auth" else r"\bsignIn\("
    return kind if tree.first(calls, tree.below("", SOURCES)) else ""
