"""Everything that an engine can say while it works on a prompt."""

from typing import Literal

from msgspec import Struct

from freehold.core.items import Logprob

StopReason = Literal["stop", "length"]


class Usage(Struct, frozen=True, kw_only=True):
    """Token counts as the engine made them. `cached` is the part of `input` that was reused, not computed again."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
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
