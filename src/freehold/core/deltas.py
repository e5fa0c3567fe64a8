"""Everything that an engine can say while it works on a prompt."""

from typing import Literal

from msgspec import Struct

from freehold.core.items import Logprob

StopReason = Literal["stop", "length", "content_filter"]


class Usage(Struct, frozen=True, kw_only=True):
    """Token counts as the engine made them. `cached` is the part of `input` that was reused, not computed again.

    `written` is the part of `input` that was kept for others to reuse; None where that is all that was not reused. Of
    tokens that were guessed ahead, from the request's prediction, so many were `accepted` and `rejected`.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    written: int | None = None
    accepted: int = 0
    rejected: int = 0

    @property
    def cache_write(self) -> int:
        """The tokens of the input that were kept for others to reuse."""
        return self.input - self.cached if self.written is None else self.written

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            written=None if self.written is other.written is None else self.cache_write + other.cache_write,
            accepted=self.accepted + other.accepted,
            rejected=self.rejected + other.rejected,
        )


class Text(Struct, frozen=True):
    """A piece of the visible answer; never cut inside a character. `logprobs` where they were asked for."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


class Thought(Struct, frozen=True):
    """A piece of what the model thinks before it answers."""

    text: str


class Declined(Struct, frozen=True):
    """A piece of the model's explanation of why it declines."""

    text: str


class CallStart(Struct, frozen=True):
    """The model begins to call a function or custom tool; its arguments follow until a delta that is none of them."""

    name: str


class CallArgs(Struct, frozen=True):
    """A piece of the arguments' JSON, or of a custom tool's input, of the call that began last."""

    text: str


class Stop(Struct, frozen=True):
    """The last delta of every turn: why the engine stopped, and what it counted."""

    reason: StopReason
    usage: Usage


Delta = Text | Thought | Declined | CallStart | CallArgs | Stop
