"""The assistant: a conversation that works on the user's todos through tools."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.exc import OperationalError

from app import metrics
from app.auth import LOGIN_NEEDED, CurrentLogin
from app.chat import offline
from app.chat.tools import Toolbox
from app.config import config
from app.problems import BODY, documented

router = APIRouter(prefix="/chat", tags=["chat"])
log = logging.getLogger("app.chat")

Message = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
]


class Said(BaseModel):
    """One earlier turn of the conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=4000)] = Field(examples=["what is open"])


class Question(BaseModel):
    """What the user says now, and what was said before."""

    model_config = ConfigDict(extra="forbid")
    message: Message = Field(examples=["add buy milk"])
    history: list[Said] = Field(default=[], max_length=40)


class ToolCall(BaseModel):
    """A tool that the assistant used."""

    name: str = Field(examples=["add_todo"])
    arguments: dict[str, object] = Field(examples=[{"title": "buy milk"}])


class Answer(BaseModel):
    """The assistant's answer, the tools that it used, and who answered.

    That is a model, or the built-in understanding.
    """

    reply: str = Field(examples=["Added #1 buy milk."])
    tool_calls: list[ToolCall]
    provider: Literal["openai", "offline"]


Piece = str | ToolCall
Provider = Literal["openai", "offline"]


class Conversation:
    """One question and its answer, piece by piece. provider: who answered; known at the end."""

    def __init__(self, question: Question, user_id: int) -> None:
        self._question = question
        self._toolbox = Toolbox(user_id)
        self.provider: Provider = "offline"

    def pieces(self) -> Iterator[Piece]:
        """Yield text and tool calls as they come.

        If the provider fails, the built-in understanding answers instead, and says so.
        """
        told = 0
        for text in self._texts():
            for name, arguments in self._toolbox.used[told:]:
                yield ToolCall(name=name, arguments=arguments)
            told = len(self._toolbox.used)
            if text:
                yield text
        metrics.ANSWERS.labels(self.provider).inc()

    def _texts(self) -> Iterator[str]:
        notice = ""
        if config().openai_api_key:
            import openai  # it takes a third of the time to start, so it is imported only here

            from app.chat import provider

            history = [
                {"role": turn.role, "content": turn.content} for turn in self._question.history
            ]
            said = False
            try:
                for text in provider.answer(self._question.message, history, self._toolbox):
                    said = said or bool(text)
                    yield text
                self.provider = "openai"
                return
            except openai.OpenAIError as error:
                log.warning("the language model did not answer: %s", type(error).__name__)
                if self._toolbox.used or said:
                    # Something was already done or said: say that, instead of doing it twice.
                    self.provider = "openai"
                    begin = "I did this, but the" if self._toolbox.used else "The"
                    yield f"{' ' if said else ''}{begin} language model stopped answering."
                    return
                refused = isinstance(
                    error, openai.AuthenticationError | openai.PermissionDeniedError
                )
                notice = (
                    "The language model refused its key"
                    if refused
                    else "The language model does not answer"
                )
                notice += ", so I answer by myself. "
        yield notice
        yield offline.answer(self._question.message.strip(), self._toolbox)


def begin(question: Question, login: CurrentLogin) -> Conversation:
    """Return a conversation of a user whose session is valid.

    No database connection is held while a model thinks.
    """
    with login.transaction():
        return Conversation(question, login.user_id)


@router.post("", responses=documented({**BODY, **LOGIN_NEEDED}))
def chat(conversation: Annotated[Conversation, Depends(begin)]) -> Answer:
    """Say something to the assistant, and have its whole answer."""
    pieces = list(conversation.pieces())
    texts, calls = (
        [piece for piece in pieces if isinstance(piece, str)],
        [piece for piece in pieces if isinstance(piece, ToolCall)],
    )
    return Answer(reply="".join(texts), tool_calls=calls, provider=conversation.provider)


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events: `tool` (a ToolCall), `text` ({text}), and at the end "
        "`done` ({provider}) or `problem` ({status, detail}).",
        "content": {
            "text/event-stream": {
                "example": 'event: text\ndata: {"text":"Added #1 buy milk."}\n\n'
                'event: done\ndata: {"provider":"offline"}\n\n'
            }
        },
    }
}


@router.post(
    "/stream",
    response_class=EventSourceResponse,
    responses={**documented({**BODY, **LOGIN_NEEDED}), **STREAM},
)
def stream(
    conversation: Annotated[Conversation, Depends(begin)], request: Request
) -> Iterator[ServerSentEvent]:
    """Say something to the assistant, and have its answer as it comes (server-sent events)."""
    try:
        for piece in conversation.pieces():
            if isinstance(piece, str):
                yield ServerSentEvent(event="text", data={"text": piece})
            else:
                yield ServerSentEvent(event="tool", data=piece)
        yield ServerSentEvent(event="done", data={"provider": conversation.provider})
    except OperationalError:
        log.warning(
            "the database was lost during an answer", extra={"request_id": request.state.request_id}
        )
        yield ServerSentEvent(
            event="problem", data={"status": 503, "detail": "the database does not answer"}
        )
