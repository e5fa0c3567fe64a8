"""Everything that an engine can say while it works on a prompt."""

from typing import Literal

from msgspec import Struct

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
    """A piece of the visible answer; never cut inside a character."""

    text: str


class CallStart(Struct, frozen=True):
    """The model begins to call a function; its arguments follow, until the next delta that is none of them."""

    name: str


class CallArgs(Struct, frozen=True):
    """A piece of the arguments' JSON of the call that began last."""

    json: str


class Stop(Struct, frozen=True):
    """The last delta of every turn: why the engine stopped, and what it counted."""

    reason: StopReason
    usage: Usage


Delta = Text | CallStart | CallArgs | Stop
