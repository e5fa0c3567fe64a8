"""The text_completion object, as it stands on the wire: whole, and in the pieces of a stream."""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from freehold.surfaces.errors import Envelope

FinishReason = Literal["stop", "length", "content_filter"]


class CompletionUsage(Struct, frozen=True):
    """Token counts of a completion: those of each prompt once, those of all that was written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class LegacyLogprobs(Struct, frozen=True):
    """The log-probabilities of the tokens of a text, or of a piece of it.

    `text_offset` is where each token begins, in characters from the beginning of the prompt. `top_logprobs` holds the
    alternatives to each token and the token itself.
    """

    tokens: tuple[str, ...]
    token_logprobs: tuple[float, ...]
    top_logprobs: tuple[dict[str, float], ...]
    text_offset: tuple[int, ...]


class TextChoice(Struct, frozen=True):
    """One text, or a piece of it; `finish_reason` is null until the last piece."""

    text: str
    index: int
    logprobs: LegacyLogprobs | None = None
    finish_reason: FinishReason | None = None


class TextCompletion(Struct, frozen=True, kw_only=True):
    """A text_completion, or a chunk of one: `usage` and `obfuscation` are left out where they were not asked for."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: tuple[TextChoice, ...]
    usage: CompletionUsage | UnsetType | None = UNSET
    obfuscation: str | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def frame(chunk: TextCompletion | Envelope) -> bytes:
    """One chunk as server-sent event bytes: a `data:` line."""
    return b"data: " + _encoder.encode(chunk) + b"\n\n"
