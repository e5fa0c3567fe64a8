"""The Response as it begins: what was asked for, and what holds where nothing was."""

from typing import Any

import msgspec

from freehold.core.surface import Stamp
from freehold.surfaces.common import tier_of
from freehold.surfaces.responses.objects import ConversationRef, Response
from freehold.surfaces.responses.request import ResponseBody, conversation_id
from freehold.surfaces.responses.tools import shown_tools

VISION = "freehold_vision"
MOST_METADATA = 16


def begin(body: ResponseBody, stamp: Stamp) -> Response:
    """Return the Response of a request before anything is said."""
    served = stamp.served
    conversation = conversation_id(body.conversation)
    return Response(
        id=stamp.id,
        created_at=stamp.created,
        status="queued" if body.background else "in_progress",
        background=body.background is True,
        conversation=msgspec.UNSET if conversation is None else ConversationRef(conversation),
        model=body.model or served.name,
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        metadata=_metadata(body, stamp),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        prompt_cache_key=body.prompt_cache_key,
        prompt_cache_retention=body.prompt_cache_retention,
        prompt=msgspec.UNSET if body.prompt is None else body.prompt,
        reasoning=_reasoning(body, stamp),
        safety_identifier=body.safety_identifier,
        service_tier=tier_of(body.service_tier),
        store=body.store is not False,
        temperature=served.temperature if body.temperature is None else body.temperature,
        text=_text(body),
        tool_choice=body.tool_choice or "auto",
        tools=shown_tools(body.tools),
        top_logprobs=body.top_logprobs or 0,
        top_p=served.top_p if body.top_p is None else body.top_p,
        truncation=body.truncation or "disabled",
        user=body.user,
    )


def _metadata(body: ResponseBody, stamp: Stamp) -> dict[str, str]:
    """The client's own; where an image was read instead of seen, and there is room, that is told in it."""
    given = body.metadata or {}
    if not stamp.ocr or VISION in given or len(given) >= MOST_METADATA:
        return given
    return given | {VISION: "ocr"}


def _reasoning(body: ResponseBody, stamp: Stamp) -> dict[str, Any]:
    given = body.reasoning
    summary = None if given is None else given.summary or given.generate_summary
    return {"effort": stamp.effort, "summary": summary}


def _text(body: ResponseBody) -> dict[str, Any]:
    given = None if body.text is None else body.text.format
    shown: dict[str, Any] = {"type": "text"} if given is None else msgspec.to_builtins(given)
    return {"format": shown, "verbosity": (body.text and body.text.verbosity) or "medium"}
