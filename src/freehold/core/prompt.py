"""What a run asks of an engine, and what every surface's request comes down to."""

from typing import Any, Literal

from msgspec import Struct

from freehold.core.items import Item

Speaker = Literal["system", "user", "assistant", "tool"]
ChoiceMode = Literal["none", "auto", "required"]


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are chosen and when to stop. None means the engine's own default; `max_tokens` counts tokens."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


class Function(Struct, frozen=True, kw_only=True):
    """A function that the model may ask for. `parameters` is the JSON Schema of its arguments.

    `strict` makes the arguments validate against it, always.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}
    strict: bool = False


class Choice(Struct, frozen=True):
    """Whether the model may or must call functions, and which: those of `names`, or any where there are none."""

    mode: ChoiceMode = "auto"
    names: tuple[str, ...] = ()


class JsonFormat(Struct, frozen=True, kw_only=True):
    """The answer is JSON: an object, or what `schema` says. `strict` makes it validate, always."""

    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool = False


class Call(Struct, frozen=True):
    """A function call that was made earlier; `arguments` is JSON."""

    id: str
    name: str
    arguments: str


class Turn(Struct, frozen=True):
    """One speaker's text. An assistant's may end in calls; a tool's is the result of the call `call_id`."""

    speaker: Speaker
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str | None = None


class Prompt(Struct, frozen=True, kw_only=True):
    """One engine turn: it knows nothing of HTTP, items or hosted tools.

    `model` is the served model's name. `tokens` is empty until `Engine.admit` has filled in what the engine will read;
    an engine that cannot count (a remote one) leaves it so.
    """

    model: str
    turns: tuple[Turn, ...]
    sampling: Sampling = Sampling()
    functions: tuple[Function, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    format: JsonFormat | None = None
    tokens: tuple[int, ...] = ()


class Ask(Struct, frozen=True, kw_only=True):
    """What every surface's request comes down to. `model` is the name that the client used, None for the default."""

    model: str | None
    items: tuple[Item, ...]
    instructions: str | None = None
    sampling: Sampling = Sampling()
    functions: tuple[Function, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    format: JsonFormat | None = None
    previous: str | None = None
    keep: bool = False
