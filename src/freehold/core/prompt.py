"""What a run asks of an engine, and what every surface's request comes down to."""

from typing import Literal

from msgspec import Struct

from freehold.core.items import Item

Speaker = Literal["system", "user", "assistant"]


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are chosen and when to stop. None means the engine's own default; `max_tokens` counts tokens."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


class Turn(Struct, frozen=True):
    """One speaker's text, as a chat template takes it."""

    speaker: Speaker
    text: str


class Prompt(Struct, frozen=True, kw_only=True):
    """One engine turn: it knows nothing of HTTP, items or hosted tools.

    `model` is the served model's name. `tokens` is empty until `Engine.admit` has filled in what the engine will read;
    an engine that cannot count (a remote one) leaves it so.
    """

    model: str
    turns: tuple[Turn, ...]
    sampling: Sampling = Sampling()
    tokens: tuple[int, ...] = ()


class Ask(Struct, frozen=True, kw_only=True):
    """What every surface's request comes down to. `model` is the name that the client used, None for the default."""

    model: str | None
    items: tuple[Item, ...]
    instructions: str | None = None
    sampling: Sampling = Sampling()
    previous: str | None = None
    keep: bool = False
