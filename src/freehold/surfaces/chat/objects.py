"""The chat.completion object and its chunks, as they stand on the wire."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from freehold.core.items import Logprob
from freehold.surfaces.errors import Envelope

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class PromptDetails(Struct, frozen=True):
    """What of the prompt was audio, and what was read from or written to the prompt cache; in tokens."""

    cached_tokens: int = 0
    audio_tokens: int = 0
    cache_write_tokens: int = 0


class CompletionDetails(Struct, frozen=True):
    """What the completion's tokens were."""

    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class ChatUsage(Struct, frozen=True):
    """Token counts of a completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class CalledFunction(Struct, frozen=True):
    """The function of a call; its arguments are JSON."""

    name: str
    arguments: str


class ToolCall(Struct, frozen=True):
    """A call that the client is asked to make."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class CalledTool(Struct, frozen=True):
    """The custom tool of a call and its input."""

    name: str
    input: str


class CustomCall(Struct, frozen=True):
    """A call of a custom tool that the client is asked to make."""

    id: str
    custom: CalledTool
    type: Literal["custom"] = "custom"


class ChoiceLogprobs(Struct, frozen=True):
    """The log-probabilities of the tokens of an answer, or of a piece of it."""

    content: tuple[Logprob, ...] | None
    refusal: tuple[Logprob, ...] | None = None


class AssistantAnswer(Struct, frozen=True):
    """The message of a choice."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None = None
    annotations: tuple[Any, ...] = ()
    tool_calls: tuple[ToolCall | CustomCall, ...] | UnsetType = UNSET
    function_call: CalledFunction | UnsetType = UNSET


class Choice(Struct, frozen=True):
    """One answer."""

    index: int
    message: AssistantAnswer
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """A chat.completion with all the keys that it always carries."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: ChatUsage
    service_tier: str = "default"
    system_fingerprint: str


class CallPiece(Struct, frozen=True):
    """A piece of a call's function."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class InputPiece(Struct, frozen=True):
    """A piece of a custom tool's call."""

    name: str | UnsetType = UNSET
    input: str | UnsetType = UNSET


class ToolCallPiece(Struct, frozen=True):
    """A piece of the call number `index`."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function", "custom"] | UnsetType = UNSET
    function: CallPiece | UnsetType = UNSET
    custom: InputPiece | UnsetType = UNSET


class ChunkDelta(Struct, frozen=True):
    """What a chunk adds."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    tool_calls: tuple[ToolCallPiece, ...] | UnsetType = UNSET
    function_call: CallPiece | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True):
    """A piece of one choice."""

    index: int
    delta: ChunkDelta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: FinishReason | None = None


class Chunk(Struct, frozen=True):
    """A chat.completion.chunk with all its keys; `obfuscation` is left out where it was declined."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    service_tier: str
    system_fingerprint: str
    choices: tuple[ChunkChoice, ...]
    usage: ChatUsage | None = None
    obfuscation: str | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def frame(chunk: Chunk | Envelope) -> bytes:
    """One chunk as server-sent event bytes: a `data:` line."""
    return b"data: " + _encoder.encode(chunk) + b"\n\n"
