"""A model behind an address that speaks OpenAI's chat completions, with the person's own key.

Providers, and servers on this machine such as Ollama and llama.cpp, speak it. The variables are
those of the app: OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

PROVIDER = "https://api.openai.com/v1"
MODEL = "gpt-4o-mini"
MOST = 8_000  # characters of an answer: a model that repeats itself is cut off
MOST_LINE = 1 << 20  # bytes
CONNECTS = 10.0  # seconds


class NoAnswer(Exception):
    """The model said nothing that can be used; the message says why."""


@dataclass(frozen=True)
class Model:
    """Where a model is asked. address: of its API, without a slash at the end."""

    address: str
    name: str
    key: str = ""

    @property
    def host(self) -> str:
        """The host that is asked, for people."""
        return self.address.partition("://")[2].partition("/")[0].rpartition("@")[2]

    @property
    def password(self) -> str:
        """The one in the address, empty without."""
        user, at, _ = self.address.partition("://")[2].partition("/")[0].rpartition("@")
        return user.partition(":")[2] if at else ""


def configured(environment: Mapping[str, str] = os.environ) -> Model | None:
    """The model that the environment names; one at an address of one's own needs no key."""
    key, address = environment.get("OPENAI_API_KEY", ""), environment.get("OPENAI_BASE_URL", "")
    if not key and not address:
        return None
    name = environment.get("OPENAI_MODEL") or MODEL
    return Model((address or PROVIDER).rstrip("/"), name, key.strip())


def ask(model: Model, question: str, timeout: float) -> str:
    """Ask once, and return what was said. Raises NoAnswer.

    timeout: seconds until the first word, and for the whole answer once it flows.
    """
    deadline = time.monotonic() + timeout
    asked = {
        "model": model.name,
        "stream": True,
        "messages": [{"role": "user", "content": question}],
    }
    try:
        answer = requests.post(
            f"{model.address}/chat/completions",
            json=asked,
            headers={"Authorization": f"Bearer {model.key}"} if model.key else {},
            timeout=(CONNECTS, timeout),  # a model on this machine may be loaded first
            stream=True,
            allow_redirects=False,  # the key is for this address
        )
        with closing(answer):
            if answer.status_code != 200:
                raise NoAnswer(f"{model.host} answers {answer.status_code} {_reason(answer)}")
            said = ""
            for words in _words(answer):
                said += words
                if len(said) > MOST:
                    return said[:MOST] + " [cut off here]"
                if time.monotonic() > deadline:
                    raise NoAnswer(f"{model.host} was not done after {timeout:.0f} s")
    except (requests.RequestException, HTTPError, ValueError, OSError) as error:
        raise NoAnswer(f"{model.host} does not answer: {type(error).__name__}") from error
    if not said.strip():
        raise NoAnswer(f"{model.host} gave an empty answer")
    return said.strip()


def _reason(answer: requests.Response) -> str:
    text = answer.raw.read1(2_000, decode_content=True).decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"]["message"])[:200]
    except (ValueError, LookupError, TypeError, RecursionError):
        return answer.reason or ""


def _words(answer: requests.Response) -> Iterator[str]:
    """The pieces of a streamed answer (server-sent events); empty ones too, so that time counts."""
    rest = b""
    while chunk := answer.raw.read1(1 << 16, decode_content=True):  # what there is, at once
        *lines, rest = (rest + chunk).split(b"\n")
        for data in (
            line.decode("utf-8", "replace").removeprefix("data:").strip() for line in lines
        ):
            if data == "[DONE]":
                return
            yield _piece(data)
        if len(rest) > MOST_LINE:
            raise NoAnswer("the answer is not of the form of chat completions")
        yield ""


def _piece(data: str) -> str:
    try:
        words = json.loads(data)["choices"][0]["delta"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""  # a comment, an empty line, or a piece without words
    return words if isinstance(words, str) else ""
