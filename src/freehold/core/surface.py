"""A wire protocol as a value made of pure functions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from freehold.core.errors import Fault
from freehold.core.events import Event
from freehold.core.ids import Clock
from freehold.core.ports import Served
from freehold.core.prompt import Ask, Effort

B = TypeVar("B")


class Stamp(Struct, frozen=True):
    """What a projection needs beside the request.

    `id` is the object's, `created` its unix time, `served` the model behind the name, `pad` random characters from
    which the deltas' obfuscation is cut; `effort` is that with which the model thinks. `ocr` says that it
    reads the text of images instead of seeing them. `raw` are the texts that are continued as they are.
    """

    id: str
    created: int
    served: Served
    clock: Clock
    pad: str
    effort: Effort | None = None
    ocr: bool = False
    raw: tuple[str, ...] = ()


class Projection(Protocol):
    """A fold over events that also says what to send at each step."""

    def start(self) -> Iterable[Any]:
        """The frames that open the stream."""
        ...

    def push(self, event: Event) -> Iterable[Any]:
        """Fold one event, at once, and return its frames.

        `Grew` only makes frames; the fold lives of `Closed`, which carries the whole item. The last frames may be made
        when they are read.
        """
        ...

    def result(self) -> Any:
        """The fold's value so far; after `Ended`, the final object."""
        ...

    def kept(self) -> Any:
        """The same as it is stored: also what the client did not ask to see."""
        ...


@dataclass(frozen=True)
class Surface(Generic[B]):
    """One wire protocol: how its requests are read and its answers written.

    `prefix` begins the ids of its objects; `conversation` is the parameter that holds what was said, `format` the one
    that says how the answer is to be written, `effort` how much is thought, `logprobs` that log-probabilities are told;
    a surface without such a parameter leaves its name empty. `unknown_model` makes the fault for a model name that
    nothing serves; `last` is sent after the last frame of a stream.
    """

    path: str
    prefix: str
    conversation: str
    format: str
    effort: str
    logprobs: str
    body: type[B]
    parse: Callable[[B], Ask]
    project: Callable[[B, Stamp], Projection]
    frame: Callable[[Any], bytes]
    unknown_model: Callable[[str, str], Fault]
    last: bytes = b""

    def parameter(self, name: str) -> str:
        """What a parameter of the engines' port is called here."""
        named = {"input": self.conversation, "format": self.format, "reasoning_effort": self.effort}
        return named.get(name, name)
