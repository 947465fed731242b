"""Accounts: registration, login, and who is asking. Tokens follow RFC 8725: one algorithm, issuer, audience, expiry."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.config import config
from app.database import session
from app.database.models import User, now

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "todo-chatbot"

router = APIRouter(prefix="/auth", tags=["accounts"])
hasher = PasswordHasher()
bearer = HTTPBearer(auto_error=False)
#: Verified when the address is unknown, so that the answer takes as long as for a known one.
NOBODY = hasher.hash("nobody has this password")

Email = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Credentials(BaseModel):
    """An e-mail address and a password."""

    email: Email = Field(examples=["ada@example.com"])
    password: str = Field(min_length=8, max_length=128, examples=["correct horse battery"])


class Token(BaseModel):
    """A JSON Web Token for the Authorization header, and how many seconds it is good for."""

    access_token: str
    token_type: str = "bearer"
    expires_in: int


class Account(BaseModel):
    """Who is logged in."""

    id: int
    email: str


#: Committed before the answer is sent: what was acknowledged is stored.
Database = Annotated[Session, Depends(session, scope="function")]


def issue(user: User) -> Token:
    """A token for this user."""
    lifetime = timedelta(hours=config().token_hours)
    claims = {"sub": str(user.id), "iss": ISSUER, "aud": AUDIENCE, "iat": now(), "exp": now() + lifetime}
    return Token(access_token=jwt.encode(claims, config().auth_secret, ALGORITHM), expires_in=int(lifetime.total_seconds()))


def current_user(request: Request, database: Database, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> User:
    """The user whose token was sent. Answers 401 otherwise."""
    refused = HTTPException(status.HTTP_401_UNAUTHORIZED, "log in first", {"WWW-Authenticate": "Bearer"})
    if sent is None:
        raise refused
    try:
        claims = jwt.decode(sent.credentials, config().auth_secret, [ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options={"require": ["sub", "exp", "iat"]})
        user = database.get(User, int(claims["sub"]))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise refused from error
    if user is None:
        raise refused
    request.state.user_id = user.id
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@router.post("/register", status_code=status.HTTP_201_CREATED)
def register(credentials: Credentials, database: Database) -> Token:
    """Make an account and log in. 409 when the address has one."""
    user = User(email=credentials.email, password=hasher.hash(credentials.password))
    database.add(user)
    try:
        database.flush()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "there is an account for this address") from error
    return issue(user)


@router.post("/login")
def login(credentials: Credentials, database: Database) -> Token:
    """Log in. 401 when address and password do not belong together."""
    user = database.scalar(select(User).where(User.email == credentials.email))
    try:
        hasher.verify(user.password if user else NOBODY, credentials.password)
    except VerifyMismatchError:
        user = None
    if user is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "address or password is wrong", {"WWW-Authenticate": "Bearer"})
    return issue(user)


@router.get("/me")
def me(user: CurrentUser) -> Account:
    """Who is logged in."""
    return Account(id=user.id, email=user.email)
