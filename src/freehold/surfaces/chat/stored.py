"""Stored chat completions: the bodies and pages of their operations, and the objects as they are kept."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from freehold.core.ports import Served
from freehold.surfaces.chat.objects import ChatCompletion
from freehold.surfaces.chat.request import ChatBody, ChatMessage
from freehold.surfaces.common import Metadata

_SHOWN_PARTS = ("text", "image_url")


class UpdateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `chat.completions.update`."""

    metadata: Metadata | None


class StoredCompletion(Struct, frozen=True, kw_only=True):
    """A chat.completion as it is kept: with what it was asked for. Its choices are as they were answered."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: Any
    usage: Any
    service_tier: str
    system_fingerprint: str
    request_id: str | None
    metadata: dict[str, str] = {}
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    seed: int | None
    tools: list[Any] | None
    tool_choice: Any
    response_format: Any
    input_user: str | None


class StoredMessage(Struct, frozen=True, kw_only=True):
    """A message that a stored completion answers; `content_parts` where its content was given in parts."""

    id: str
    role: str
    content: str | None
    refusal: str | None = None
    name: str | None = None
    content_parts: list[Any] | None = None
    tool_calls: list[Any] | UnsetType = UNSET
    function_call: Any = UNSET
    tool_call_id: str | UnsetType = UNSET


class CompletionPage(Struct, frozen=True, kw_only=True):
    """A page of stored completions."""

    object: Literal["list"] = "list"
    data: tuple[StoredCompletion, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class MessagePage(Struct, frozen=True, kw_only=True):
    """A page of a stored completion's messages."""

    object: Literal["list"] = "list"
    data: tuple[StoredMessage, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CompletionDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["chat.completion.deleted"] = "chat.completion.deleted"
    deleted: bool = True


def stored(body: ChatBody, served: Served, completion: ChatCompletion, request_id: str | None) -> StoredCompletion:
    """Return a completion with what it was asked for; its metadata is kept beside it."""
    return StoredCompletion(
        id=completion.id,
        created=completion.created,
        model=completion.model,
        choices=completion.choices,
        usage=completion.usage,
        service_tier=completion.service_tier,
        system_fingerprint=completion.system_fingerprint,
        request_id=request_id,
        temperature=served.temperature if body.temperature is None else body.temperature,
        top_p=served.top_p if body.top_p is None else body.top_p,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        seed=body.seed,
        tools=body.tools,
        tool_choice=body.tool_choice,
        response_format=None if body.response_format is None else msgspec.to_builtins(body.response_format),
        input_user=body.user,
    )


def stored_messages(completion_id: str, messages: Sequence[ChatMessage]) -> tuple[StoredMessage, ...]:
    """Return the messages that a completion answers; their ids are the completion's with their places."""
    return tuple(_message(f"{completion_id}-{place}", one) for place, one in enumerate(messages))


def _message(message_id: str, message: ChatMessage) -> StoredMessage:
    given = msgspec.to_builtins(message)
    content, refusal, calls = given["content"], given.get("refusal"), given.get("tool_calls")
    parts = None if isinstance(content, str) or content is None else content
    if parts is not None:
        content = _joined(parts, "text")
        refusal = refusal or _joined(parts, "refusal")
    return StoredMessage(
        id=message_id,
        role=given["role"],
        content=content,
        refusal=refusal,
        name=given.get("name"),
        content_parts=None if parts is None else [part for part in parts if part["type"] in _SHOWN_PARTS],
        tool_calls=list(calls) if calls else UNSET,
        function_call=given.get("function_call") or UNSET,
        tool_call_id=given.get("tool_call_id", UNSET),
    )


def _joined(parts: Sequence[dict[str, Any]], kind: str) -> str | None:
    texts = [part[kind] for part in parts if part["type"] == kind]
    return "".join(texts) if texts else None
