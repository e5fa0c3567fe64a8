"""The ports: what the inside asks of the outside world, as Protocols."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from freehold.core.deltas import Delta
from freehold.core.items import FileSearchCall
from freehold.core.principal import Principal
from freehold.core.prompt import Prompt, Raw

Vision = Literal["none", "ocr", "native"]
"""How a model sees: not at all, through text that was read in the picture, or by itself."""


class Served(Struct, frozen=True, kw_only=True):
    """A model that an engine really serves. `context` and `max_output` are in tokens; `created` is a unix time.

    `backend` names the program behind it for people, e.g. `llama.cpp b11549`; `fingerprint` changes whenever answers to
    the same request with the same seed may change. `temperature` and `top_p` are used where a request names none.
    A `constrained` model can be held to a schema or a function; one with `logprobs` tells them, and takes biases.
    `thinking` before it answers may be something that it was trained to do, or that it must be prompted to. A `lasting`
    one keeps prompts for 24 hours where it is asked to. What is wrong with a request to a `remote` one may be known
    only when it answers.
    """

    name: str
    context: int
    max_output: int
    created: int
    owned_by: str = "freehold"
    backend: str = ""
    fingerprint: str = ""
    vision: Vision = "none"
    constrained: bool = False
    logprobs: bool = False
    lasting: bool = False
    remote: bool = False
    thinking: Literal["none", "prompted", "trained"] = "none"
    temperature: float = 1.0
    top_p: float = 1.0


class Load(Struct, frozen=True, kw_only=True):
    """How full an engine is: requests running, waiting, and the most that it takes at once (running and waiting).

    `slots` is how many it runs at once. Batch requests that wait are not counted: they take nobody's place.
    """

    running: int
    waiting: int
    limit: int
    slots: int = 1


class Generating(Protocol):
    """What answers an admitted prompt."""

    def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield deltas, `Stop` last. Closing the generator cancels the work: there is no other cancel.

        Raises EngineBusy before the first delta, EngineFailed at any time.
        """
        ...


class Engine(Generating, Protocol):
    """Turns a prompt into deltas. It knows nothing of HTTP, items, hosted tools or storage."""

    @property
    def models(self) -> tuple[Served, ...]:
        """The models that answer now."""
        ...

    @property
    def load(self) -> Load:
        """How full the engine is."""
        ...

    async def admit(self, prompt: Prompt) -> Prompt:
        """Check that the prompt can be answered and return it with its tokens filled in.

        Raises Invalid (`context_length_exceeded`) when the prompt does not fit the model's context, EngineBusy when the
        queue is full, EngineFailed when the engine is down, Unsupported for `counted` where it cannot count. Nothing is
        reserved.
        """
        ...


@runtime_checkable
class Changing(Protocol):
    """An engine whose models may become known, or better known, while it is open."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever `models` says something else than before."""
        ...


class Tool(Protocol):
    """A tool that the server carries out itself, for one request: what it may see is settled."""

    def begin(self, item_id: str, arguments: str) -> FileSearchCall:
        """Return the item of a call, in progress. Raises EngineFailed for arguments that are none."""
        ...

    async def carry_out(self, call: FileSearchCall) -> FileSearchCall:
        """Return the call with what came of it, completed. Raises the fault that it fails with."""
        ...


class Encoder(Struct, frozen=True, kw_only=True):
    """A model that an embedder really serves: `dimensions` numbers a vector, at most `context` tokens an input.

    One that can be cut keeps its meaning in as few as `shortest` of them (Matryoshka). `query` and `document` are what
    it was trained to read before a text that is sought with, and before one that is sought. `created` is a unix time,
    `backend` names the program behind it for people.
    """

    name: str
    dimensions: int
    context: int
    created: int
    owned_by: str = "freehold"
    backend: str = ""
    shortest: int | None = None
    query: str = ""
    document: str = ""


class Vectors(Struct, frozen=True):
    """The vectors of texts: each of length 1, as little-endian 32-bit floats; and the tokens that were read in all."""

    rows: tuple[bytes, ...]
    tokens: int


Use = Literal["plain", "query", "document"]
"""What a text is embedded for: as it is, to seek with it, or to be found."""


class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def models(self) -> tuple[Encoder, ...]:
        """The models that answer."""
        ...

    async def embed(self, model: str, texts: Sequence[Raw], batch: bool = False) -> Vectors:
        """Return the vectors of texts, or of their tokens, in their order. Those of a `batch` let others go first.

        Raises Invalid that names `input[N]` for one that is empty or longer than the model's context, EngineBusy when
        the queue is full, EngineFailed when the engine is down. Cancelling it stops the work.
        """
        ...


class Digest(Struct, frozen=True, kw_only=True):
    """What a blob turned out to be: its size in bytes, and the hashes of its content."""

    sha256: bytes
    md5: bytes
    bytes: int


class Blobs(Protocol):
    """Keeps the contents of files. Under a blob's name there is either nothing or the whole, whatever happens."""

    async def put(self, blob_id: str, chunks: AsyncIterable[bytes]) -> Digest:
        """Keep the chunks, in constant memory; the blob is durable when this returns, and not there when it raises.

        Raises StorageFailed, and what the chunks raise.
        """
        ...

    def get(self, blob_id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to before `end`, or to the last. Raises StorageFailed, also for no such blob."""
        ...

    async def delete(self, blob_id: str) -> None:
        """Remove a blob and all that an unfinished `put` left of it; nothing happens when there is none.

        Raises StorageFailed.
        """
        ...


class Reranker(Protocol):
    """Reads passages again, and says how well each answers a query."""

    async def rank(self, who: Principal, query: str, texts: Sequence[str]) -> list[float] | None:
        """Return a score from 0 to 1 for each of the texts; None where it cannot do so now."""
        ...
