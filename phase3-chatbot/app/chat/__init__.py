"""The assistant: a conversation that works on the user's todos through tools."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

import openai
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.auth import CurrentUser, Database
from app.chat import offline, provider
from app.chat.tools import Toolbox
from app.config import config

router = APIRouter(prefix="/chat", tags=["chat"])
log = logging.getLogger("app.chat")

Message = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class Said(BaseModel):
    """One earlier turn of the conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=4000)]


class Question(BaseModel):
    """What the user says now, and what was said before."""

    model_config = ConfigDict(extra="forbid")
    message: Message = Field(examples=["add buy milk"])
    history: list[Said] = Field(default=[], max_length=40)


class ToolCall(BaseModel):
    """A tool that the assistant used."""

    name: str
    arguments: dict[str, object]


class Answer(BaseModel):
    """What the assistant says, the tools that it used, and who answered: a model or the built-in understanding."""

    reply: str
    tool_calls: list[ToolCall]
    provider: Literal["openai", "offline"]


@router.post("")
def chat(question: Question, user: CurrentUser, database: Database) -> Answer:
    """Say something to the assistant. A provider that fails is replaced by the built-in understanding, which says so."""
    toolbox = Toolbox(database, user)
    notice = ""
    if config().openai_api_key:
        history = [{"role": turn.role, "content": turn.content} for turn in question.history]
        try:
            reply = provider.answer(question.message, history, toolbox)
            return Answer(reply=reply, tool_calls=_used(toolbox), provider="openai")
        except openai.OpenAIError as error:
            log.warning("the language model did not answer: %s", type(error).__name__)
            if toolbox.used:
                # Something was done already: say so instead of doing it twice.
                return Answer(reply="I did this, but the language model stopped answering.", tool_calls=_used(toolbox), provider="openai")
            refused = isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError)
            notice = "The language model refused its key" if refused else "The language model does not answer"
            notice += ", so I answer by myself. "
    return Answer(reply=notice + offline.answer(question.message, toolbox), tool_calls=_used(toolbox), provider="offline")


def _used(toolbox: Toolbox) -> list[ToolCall]:
    return [ToolCall(name=name, arguments=arguments) for name, arguments in toolbox.used]
