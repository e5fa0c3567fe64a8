"""The Response object and its stream events, as they stand on the wire."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from freehold.core.items import FileCitation, Item, Logprob, Opening, OutputText, ReasoningText, Refusal, SummaryText
from freehold.core.prompt import Template

ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class InputDetails(Struct, frozen=True):
    """What of the input was read from, and written to, the prompt cache; in tokens."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetails(Struct, frozen=True):
    """What of the output was thinking; in tokens."""

    reasoning_tokens: int = 0


class ResponseUsage(Struct, frozen=True):
    """Token counts of a response."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class IncompleteDetails(Struct, frozen=True):
    """Why a response is incomplete."""

    reason: str


class ResponseError(Struct, frozen=True):
    """Why a response failed."""

    code: str
    message: str


class ConversationRef(Struct, frozen=True):
    """The conversation that a response belongs to."""

    id: str


class Response(Struct, frozen=True, kw_only=True):
    """A Response with all the keys that it always carries."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: ResponseStatus
    background: bool = False
    completed_at: int | None = None
    conversation: ConversationRef | UnsetType = UNSET
    error: ResponseError | None = None
    frequency_penalty: float = 0.0
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: tuple[Opening, ...] = ()
    parallel_tool_calls: bool = True
    presence_penalty: float = 0.0
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt: Template | UnsetType = UNSET
    reasoning: dict[str, Any]
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float | None = None
    text: dict[str, Any]
    tool_choice: Any = "auto"
    tools: list[Any] = []
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: str = "disabled"
    usage: ResponseUsage | None = None
    user: str | None = None
    metadata: dict[str, str] = {}


class ResponseDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


class InputTokens(Struct, frozen=True):
    """How many tokens the model would read."""

    input_tokens: int
    object: Literal["response.input_tokens"] = "response.input_tokens"


class ItemPage(Struct, frozen=True, kw_only=True):
    """A page of a response's input items."""

    object: Literal["list"] = "list"
    data: tuple[Item, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Created(Struct, frozen=True, tag="response.created"):
    """The first event of every stream."""

    response: Response
    sequence_number: int


class Queued(Struct, frozen=True, tag="response.queued"):
    """A background response waits for its turn."""

    response: Response
    sequence_number: int


class InProgress(Struct, frozen=True, tag="response.in_progress"):
    """Work has begun."""

    response: Response
    sequence_number: int


class Completed(Struct, frozen=True, tag="response.completed"):
    """The last event of a complete answer."""

    response: Response
    sequence_number: int


class Incomplete(Struct, frozen=True, tag="response.incomplete"):
    """The last event of an answer that was cut."""

    response: Response
    sequence_number: int


class Failed(Struct, frozen=True, tag="response.failed"):
    """The last event of an answer that broke."""

    response: Response
    sequence_number: int


class ItemAdded(Struct, frozen=True, tag="response.output_item.added"):
    """An output item begins."""

    item: Opening
    output_index: int
    sequence_number: int


class ItemDone(Struct, frozen=True, tag="response.output_item.done"):
    """An output item is final."""

    item: Opening
    output_index: int
    sequence_number: int


class PartAdded(Struct, frozen=True, tag="response.content_part.added"):
    """A part of a message or thought begins."""

    content_index: int
    item_id: str
    output_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int


class PartDone(Struct, frozen=True, tag="response.content_part.done"):
    """A part of a message or thought is final."""

    content_index: int
    item_id: str
    output_index: int
    part: OutputText | Refusal | ReasoningText
    sequence_number: int


class TextDelta(Struct, frozen=True, tag="response.output_text.delta"):
    """A piece of the answer; `obfuscation` is left out where it was declined."""

    content_index: int
    delta: str
    item_id: str
    logprobs: tuple[Logprob, ...]
    output_index: int
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class TextDone(Struct, frozen=True, tag="response.output_text.done"):
    """The whole text of a part."""

    content_index: int
    item_id: str
    logprobs: tuple[Logprob, ...]
    output_index: int
    sequence_number: int
    text: str


class AnnotationAdded(Struct, frozen=True, tag="response.output_text.annotation.added"):
    """A text has a note: what it is taken from."""

    annotation: FileCitation
    annotation_index: int
    content_index: int
    item_id: str
    output_index: int
    sequence_number: int


class SearchBegun(Struct, frozen=True, tag="response.file_search_call.in_progress"):
    """A search of files begins."""

    item_id: str
    output_index: int
    sequence_number: int


class Searching(Struct, frozen=True, tag="response.file_search_call.searching"):
    """Files are being searched."""

    item_id: str
    output_index: int
    sequence_number: int


class Searched(Struct, frozen=True, tag="response.file_search_call.completed"):
    """Files were searched."""

    item_id: str
    output_index: int
    sequence_number: int


class ArgumentsDelta(Struct, frozen=True, tag="response.function_call_arguments.delta"):
    """A piece of a call's arguments."""

    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class ArgumentsDone(Struct, frozen=True, tag="response.function_call_arguments.done"):
    """The whole arguments of a call."""

    arguments: str
    item_id: str
    name: str
    output_index: int
    sequence_number: int


class InputDelta(Struct, frozen=True, tag="response.custom_tool_call_input.delta"):
    """A piece of the input of a custom tool's call."""

    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class InputDone(Struct, frozen=True, tag="response.custom_tool_call_input.done"):
    """The whole input of a custom tool's call."""

    input: str
    item_id: str
    output_index: int
    sequence_number: int


class RefusalDelta(Struct, frozen=True, tag="response.refusal.delta"):
    """A piece of a refusal."""

    content_index: int
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class RefusalDone(Struct, frozen=True, tag="response.refusal.done"):
    """The whole refusal of a part."""

    content_index: int
    item_id: str
    output_index: int
    refusal: str
    sequence_number: int


class ThoughtDelta(Struct, frozen=True, tag="response.reasoning_text.delta"):
    """A piece of what the model thinks."""

    content_index: int
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class ThoughtDone(Struct, frozen=True, tag="response.reasoning_text.done"):
    """A whole thought."""

    content_index: int
    item_id: str
    output_index: int
    sequence_number: int
    text: str


class SummaryAdded(Struct, frozen=True, tag="response.reasoning_summary_part.added"):
    """A part of a thought's summary begins."""

    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int


class SummaryDelta(Struct, frozen=True, tag="response.reasoning_summary_text.delta"):
    """A piece of a thought's summary."""

    item_id: str
    output_index: int
    summary_index: int
    delta: str
    sequence_number: int
    obfuscation: str | UnsetType = UNSET


class SummaryTextDone(Struct, frozen=True, tag="response.reasoning_summary_text.done"):
    """The whole text of a part of a thought's summary."""

    item_id: str
    output_index: int
    summary_index: int
    text: str
    sequence_number: int


class SummaryDone(Struct, frozen=True, tag="response.reasoning_summary_part.done"):
    """A part of a thought's summary is final."""

    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int


class Compacting(Struct, frozen=True, tag="response.compaction.compacting"):
    """The conversation is being compacted."""

    item_id: str
    output_index: int
    sequence_number: int


class Compacted(Struct, frozen=True, kw_only=True):
    """A conversation that was compacted: what to send instead of it."""

    id: str
    object: Literal["response.compaction"] = "response.compaction"
    created_at: int
    output: tuple[Item, ...]
    usage: ResponseUsage


_encoder = msgspec.json.Encoder()
EVENTS: tuple[type[Struct], ...] = (
    Created,
    Queued,
    InProgress,
    Completed,
    Incomplete,
    Failed,
    ItemAdded,
    ItemDone,
    PartAdded,
    PartDone,
    TextDelta,
    TextDone,
    AnnotationAdded,
    SearchBegun,
    Searching,
    Searched,
    ArgumentsDelta,
    ArgumentsDone,
    InputDelta,
    InputDone,
    RefusalDelta,
    RefusalDone,
    ThoughtDelta,
    ThoughtDone,
    SummaryAdded,
    SummaryDelta,
    SummaryTextDone,
    SummaryDone,
    Compacting,
)
"""Every kind of stream event that is sent."""

_heads: dict[type, bytes] = {
    kind: b"event: " + str(kind.__struct_config__.tag).encode() + b"\ndata: " for kind in EVENTS
}


def frame(event: Struct) -> bytes:
    """One stream event as server-sent event bytes: an `event:` and a `data:` line."""
    return _heads[type(event)] + _encoder.encode(event) + b"\n\n"
