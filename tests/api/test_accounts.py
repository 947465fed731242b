"""Register, log in, log out, and who is asking."""

import base64
import json
import uuid

import pytest

from tests.reference_app import PASSWORD


def test_an_account_and_its_logins(anybody, make_user):
    email = f"Ada.{uuid.uuid4().hex}@Example.com"
    made = anybody.post("/auth/register", {"email": email, "password": PASSWORD})
    assert made["token_type"] == "bearer"
    assert made["expires_in"] > 0
    anybody.post("/auth/register", {"email": email.lower(), "password": PASSWORD}, 409)
    token = anybody.post("/auth/login", {"email": email.lower(), "password": PASSWORD}, 200)[
        "access_token"
    ]
    assert (
        anybody.get("/auth/me", headers={"Authorization": f"Bearer {token}"})["email"]
        == email.lower()
    )
    anybody.post("/auth/login", {"email": email, "password": "wrong password"}, 401)
    anybody.post(
        "/auth/login",
        {"email": f"nobody.{uuid.uuid4().hex}@example.com", "password": PASSWORD},
        401,
    )


def test_a_token_says_who_for_whom_and_until_when(user):
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in user.token.split(".")[:2]
    )
    assert header == {"alg": "HS256", "typ": "at+jwt"}
    assert set(claims) == {"sub", "iss", "aud", "iat", "exp", "jti"}
    assert claims["exp"] > claims["iat"]


def test_logging_out_ends_the_session_and_no_other(anybody, user):
    other = anybody.post("/auth/login", {"email": user.email, "password": PASSWORD}, 200)[
        "access_token"
    ]
    user.post("/auth/logout", status=204)
    user.get("/auth/me", 401)
    assert (
        anybody.get("/auth/me", headers={"Authorization": f"Bearer {other}"})["email"] == user.email
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"email": "no address", "password": PASSWORD},
        {"email": "a@b", "password": PASSWORD},
        {"email": "ada@example.com", "password": "short"},
        {"email": "ada@example.com", "password": "x" * 129},
        {"email": "ada@example.com", "password": PASSWORD, "admin": True},
    ],
)
def test_bad_credentials_are_refused_and_not_sent_back(anybody, body):
    problem = anybody.post("/auth/register", body, 422)
    assert problem["errors"]
    assert PASSWORD not in json.dumps(problem)
