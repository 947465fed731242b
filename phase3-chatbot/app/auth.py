"""Accounts: registration, login, logout, and who is asking.

Tokens follow RFC 8725: one algorithm, type, issuer, audience and expiry.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import limits
from app.config import config
from app.database import transaction
from app.database.models import EndedSession, User, now
from app.problems import BODY, documented

ALGORITHM = "HS256"
TYPE = "at+jwt"  # RFC 9068: an access token, not another kind that this secret may sign one day
ISSUER = AUDIENCE = "todo-chatbot"
CLAIMS = ["sub", "exp", "iat", "iss", "aud", "jti"]

router = APIRouter(prefix="/auth", tags=["accounts"])
#: OWASP's parameters of least memory: logins at the same time must fit into a small container.
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
hashing = threading.BoundedSemaphore(4)
bearer = HTTPBearer(
    auto_error=False, description="The `access_token` of `/auth/login` or `/auth/register`"
)
#: The hash of a random password, with the parameters above. It is verified if the address is
#: unknown, so that the answer takes as long as for a known address.
NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1"
    "$uOoDBMp8JK/Ni/MyMx9aIA$vZgIEUim5U9uA2QnWVpJJ7PJYJ+2JAsSzC0k4JIahJo"
)

Email = Annotated[
    str,
    StringConstraints(
        to_lower=True,
        max_length=254,
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
    ),
]


class Credentials(BaseModel):
    """An e-mail address and a password."""

    model_config = ConfigDict(extra="forbid")
    email: Email = Field(examples=["ada@example.com"])
    password: str = Field(min_length=8, max_length=128, examples=["correct horse battery"])


class Token(BaseModel):
    """A JSON Web Token for the Authorization header, and how many seconds it is good for."""

    access_token: str = Field(
        examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"]
    )
    token_type: str = "bearer"
    expires_in: int = Field(examples=[43200])


class Account(BaseModel):
    """Who is logged in."""

    id: int = Field(examples=[1])
    email: str = Field(examples=["ada@example.com"])


@dataclass(frozen=True)
class Login:
    """The user of the token that was sent, and the session that it belongs to."""

    user_id: int
    session_id: str
    expires_at: datetime

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Return a transaction for this user, committed before the answer is sent.

        Answers 401 when the session was ended or the account is gone.
        """
        with transaction() as database:
            if not database.scalar(STANDS, {"user": self.user_id, "session": self.session_id}):
                raise _refused()
            yield database


#: Does the user exist, and is the session not ended? Built once, because every request asks.
STANDS = select(
    exists().where(User.id == bindparam("user"))
    & ~exists().where(EndedSession.id == bindparam("session"))
)


def _refused() -> HTTPException:
    # Created anew each time: an exception that is raised again keeps the frames of every earlier
    # time, with the tokens in them.
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED, "log in first", {"WWW-Authenticate": "Bearer"}
    )


def issue(user: User) -> Token:
    """Return a token for this user."""
    lifetime = timedelta(hours=config().token_hours)
    claims = {
        "sub": str(user.id),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now(),
        "exp": now() + lifetime,
        "jti": uuid.uuid4().hex,
    }
    return Token(
        access_token=jwt.encode(claims, config().auth_secret, ALGORITHM, {"typ": TYPE}),
        expires_in=int(lifetime.total_seconds()),
    )


async def current_login(
    request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Login:
    """Return the login of the token. Login.transaction checks it against the database.

    Answers 401 without a login, 429 if its user asks too often.
    """
    if sent is None:
        raise _refused()
    try:
        token = jwt.decode_complete(
            sent.credentials,
            config().auth_secret,
            [ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": CLAIMS},
        )
        claims = token["payload"]
        if token["header"].get("typ") != TYPE:
            raise _refused()
        user_id = int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise _refused() from error
    request.state.user_id = user_id
    limits.by_user().check(str(user_id), "too many requests of this user; slow down")
    return Login(user_id, claims["jti"], datetime.fromtimestamp(claims["exp"], UTC))


CurrentLogin = Annotated[Login, Depends(current_login)]
LOGIN_NEEDED = {401: "There is no valid token: log in first."}


def _taken() -> HTTPException:
    return HTTPException(status.HTTP_409_CONFLICT, "there is an account for this address")


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    responses=documented({**BODY, 409: "There is an account for this address."}),
)
def register(credentials: Credentials) -> Token:
    """Make an account and log in."""
    with hashing:
        user = User(email=credentials.email, password=hasher.hash(credentials.password))
    try:
        with transaction() as database:
            # Ask first: a violated constraint would be an error in PostgreSQL's log.
            if database.scalar(select(exists().where(User.email == credentials.email))):
                raise _taken()
            database.add(user)
    except IntegrityError as error:
        raise _taken() from error
    return issue(user)


@router.post(
    "/login",
    responses=documented(
        {
            **BODY,
            401: "Address and password do not belong together.",
            429: "Too many wrong passwords for this account, or too many requests.",
        }
    ),
)
def login(credentials: Credentials) -> Token:
    """Log in. Too many wrong passwords lock the account's logins for a minute."""
    limits.failed_logins().check(
        credentials.email, "too many wrong passwords; wait a little", take=0
    )
    with transaction() as database:
        user = database.scalar(select(User).where(User.email == credentials.email))
    try:
        with hashing:
            hasher.verify(user.password if user else NOBODY, credentials.password)
    except VerifyMismatchError:
        user = None
    if user is None:
        limits.failed_logins().retry_after(credentials.email)
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED,
            "address or password is wrong",
            {"WWW-Authenticate": "Bearer"},
        )
    return issue(user)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, responses=documented(LOGIN_NEEDED))
def logout(login: CurrentLogin) -> None:
    """End this session: its token is good for nothing from now on."""
    with login.transaction() as database:
        database.execute(delete(EndedSession).where(EndedSession.expires_at < now()))
        database.merge(EndedSession(id=login.session_id, expires_at=login.expires_at))


@router.get("/me", responses=documented(LOGIN_NEEDED))
def me(login: CurrentLogin) -> Account:
    """Who is logged in."""
    with login.transaction() as database:
        user = database.get_one(User, login.user_id)
        return Account(id=user.id, email=user.email)
