"""Everything that a worker process and its client say to each other: the whole contract between them.

Each message travels as msgpack in a frame of its own. `id` is the client's number for one request; a `Failed` with id 0
is about the worker as a whole. The client opens with `Open`, the worker answers `Ready` or `Failed`; from then on each
`Tokenize` or `TokenizeRaw` is answered by `Tokens` or `Failed`, and each `Generate` by any number of `Piece`, then
`Done` or `Failed`.
"""

from msgspec import Struct, msgpack

from freehold.core.items import Logprob
from freehold.core.prompt import UNKEPT, Caching, Raw, Turn


class Refused(Exception):
    """A backend will not work on a request because of its content; the message says why."""


class Open(Struct, frozen=True, kw_only=True, array_like=True, tag=1):
    """The first message to a worker: which backend ("module:class") to load with which file.

    `folder` is an empty folder that only this user may enter, for the worker's own use. In the `background`, it
    computes only while nothing else does. Where there is a folder `kept`, prompts are kept in it for 24 hours. One that
    `speculates` guesses ahead, as one with a `draft` model does. The other settings are those of EngineSpec.
    """

    backend: str
    path: str
    folder: str
    slots: int
    context: int | None
    pool: int | None
    threads: int | None
    projector: str | None = None
    background: bool = False
    cache_mb: int = 0
    kept: str = ""
    kept_mb: int = 0
    shared_prefixes: bool = False
    speculates: bool = False
    draft: str | None = None

    @property
    def guesses(self) -> bool:
        """Whether tokens are guessed ahead, by whatever."""
        return self.speculates or self.draft is not None


class Tokenize(Struct, frozen=True, array_like=True, tag=2):
    """Render the turns with the model's chat template and count them, with what the answer is to begin with."""

    id: int
    turns: tuple[Turn, ...]
    begun: str = ""


class TokenizeRaw(Struct, frozen=True, array_like=True, tag=6):
    """Count a text that is continued as it is, up to the suffix where there is one; tokens are told as text."""

    id: int
    raw: Raw
    suffix: str | None = None


class Thinking(Struct, frozen=True, array_like=True):
    """Before it answers, the model thinks for at most `limit` tokens, or until it writes `ending`.

    Then `closing` is written for it, after `hurried` where the limit cut the thought, and the answer follows. In place
    of an `ending` before the thought has its `least` tokens, `doubt` is written, and the model thinks on; a few times.
    """

    limit: int
    ending: str
    closing: str
    hurried: str = ""
    least: int = 0
    doubt: str = ""


class Earlier(Struct, frozen=True, array_like=True):
    """The beginning of an answer that is gone on with: what was thought, whether that goes on, and what was written."""

    thought: str = ""
    thinking: bool = False
    written: str = ""


class Generate(Struct, frozen=True, kw_only=True, array_like=True, tag=3):
    """Answer these tokens with at most `limit` more, thoughts included; None leaves a setting to the model.

    `grammar` is what the answer may be, in the notation that the backend reads; empty for any text. `logprobs` asks for
    those of each token of the answer and of that many alternatives. Where there are images, the `turns`, and what the
    answer begins with, are what is read, and `tokens` only count it. An answer that has an `earlier` beginning goes on
    behind it; that counts in `limit` and in `Done`, and is not told again. A `grammar` is that of what follows it. With
    a `limit` of 0, it is only counted. `caching` says what may be reused for it, and `predicted` is what much of the
    answer is expected to be.
    """

    id: int
    tokens: tuple[int, ...]
    limit: int
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    seed: int | None
    presence_penalty: float
    frequency_penalty: float
    grammar: str = ""
    thinking: Thinking | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None
    turns: tuple[Turn, ...] = ()
    begun: str = ""
    earlier: Earlier = Earlier()
    caching: Caching = UNKEPT
    predicted: str = ""


class Cancel(Struct, frozen=True, array_like=True, tag=4):
    """Stop the work on a request; it still ends with `Done` or `Failed`."""

    id: int


class Shutdown(Struct, frozen=True, array_like=True, tag=5):
    """Leave everything and exit."""


class Embed(Struct, frozen=True, array_like=True, tag=7):
    """Turn texts, or their tokens, into vectors."""

    id: int
    texts: tuple[Raw, ...]


class Ready(Struct, frozen=True, kw_only=True, array_like=True, tag=11):
    """The model is loaded. `context` and `pool` are in tokens, `created` is a unix time.

    `temperature` and `top_p` are the model's own, for requests that name none. `vocabulary` counts its tokens,
    `template` is its chat template. One that `sees` takes images, one with `logprobs` tells them, one with `biases`
    takes them, a `lasting` one keeps prompts.
    """

    context: int
    pool: int
    created: int
    backend: str
    fingerprint: str
    temperature: float
    top_p: float
    vocabulary: int = 0
    template: str = ""
    tokenizer: str = ""
    sees: bool = False
    logprobs: bool = True
    biases: bool = True
    lasting: bool = True


class Tokens(Struct, frozen=True, array_like=True, tag=12):
    """What the model will read for the turns of a `Tokenize`, or for the `text` of a `TokenizeRaw`."""

    id: int
    tokens: tuple[int, ...]
    text: str = ""


class Piece(Struct, frozen=True, array_like=True, tag=13):
    """The next piece of an answer, or of the thought before it."""

    id: int
    text: str
    thought: bool = False
    logprobs: tuple[Logprob, ...] = ()


class Done(Struct, frozen=True, array_like=True, tag=14):
    """The end of an answer: `stop`, `length` or, when it was asked for, `cancelled`; with the token counts.

    `reasoning` is the part of `output` that was thought. Of tokens that were guessed ahead, so many were `accepted` and
    `rejected`. `written` are those of the input that are kept to go on from; None is for all that was not `cached`.
    """

    id: int
    reason: str
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    accepted: int = 0
    rejected: int = 0
    written: int | None = None


class Embedded(Struct, frozen=True, array_like=True, tag=16):
    """The vectors of an `Embed`, of length 1, as little-endian 32-bit floats, and the tokens of all its texts.

    Where a text is `too_long`, that is its number, `tokens` are its own, and there are no vectors.
    """

    id: int
    rows: tuple[bytes, ...]
    tokens: int
    too_long: int | None = None


class Failed(Struct, frozen=True, array_like=True, tag=15):
    """A request that could not be answered; `refused` when its content is the reason, not a defect."""

    id: int
    message: str
    refused: bool = False


ToWorker = Open | Tokenize | TokenizeRaw | Embed | Generate | Cancel | Shutdown
FromWorker = Ready | Tokens | Embedded | Piece | Done | Failed


def to_worker() -> msgpack.Decoder[ToWorker]:
    """Return a decoder of what a worker receives; it raises msgspec.DecodeError."""
    return msgpack.Decoder(ToWorker)


def from_worker() -> msgpack.Decoder[FromWorker]:
    """Return a decoder of what a client receives; it raises msgspec.DecodeError."""
    return msgpack.Decoder(FromWorker)
