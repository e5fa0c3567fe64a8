"""What a run asks of an engine, and what every surface's request comes down to."""

from typing import Any, Literal

from msgspec import Struct

from freehold.core.filters import Filter
from freehold.core.items import Given, InputFile, InputImage, Item

Speaker = Literal["system", "user", "assistant", "tool"]
ChoiceMode = Literal["none", "auto", "required"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Tier = Literal["flex", "default", "priority"]
"""Who goes first where several wait for an engine: the last of these."""


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are chosen and when to stop. None means the engine's own default; `max_tokens` counts tokens.

    `logit_bias` is by token of the served model, -100 to 100. `logprobs` asks for the log-probability of each token of
    the answer, and of that many alternatives to it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}
    logprobs: int | None = None


class Function(Struct, frozen=True, kw_only=True):
    """A function that the model may ask for. `parameters` is the JSON Schema of its arguments.

    `strict` makes the arguments validate against it, always. With `free`, it is a custom tool: its input is text, which
    follows that syntax's `definition` where there is one.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}
    strict: bool = False
    free: Literal["text", "lark", "regex"] | None = None
    definition: str = ""


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
    """A call that was made earlier; `arguments` is JSON, or any text in a call of a custom tool, which is `free`."""

    id: str
    name: str
    arguments: str
    free: bool = False


class Image(Struct, frozen=True):
    """A picture as a model sees it: the bytes of a PNG or JPEG file."""

    data: bytes


IMAGE = "\ufffc"
"""Stands in a turn's text where an image belongs."""


class Turn(Struct, frozen=True):
    """One speaker's text. An assistant's may end in calls; a tool's is the result of the call `call_id`.

    `thought` is what the assistant thought before it spoke. `images` belong, in order, where `IMAGE` is in the text.
    """

    speaker: Speaker
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    thought: str = ""
    images: tuple[Image, ...] = ()


class Begun(Struct, frozen=True, kw_only=True):
    """The beginning of an answer, which the engine goes on with word for word.

    `thought` is what was thought; with `thinking`, that is not over yet, and nothing was said. `said` are the texts and
    calls after it, in their order; of a text, all that was given out, of a call, the whole.
    """

    thought: str = ""
    thinking: bool = False
    said: tuple[str | Call, ...] = ()


NOTHING = Begun()


class Caching(Struct, frozen=True, kw_only=True):
    """What an engine may reuse of the prompts that it has read: of those of the same `owner`, a project, and no other.

    A `family` names prompts that begin alike, so that they are kept together. A `lasting` one is kept for 24 hours,
    also where the server is started again meanwhile.
    """

    owner: str = ""
    family: str | None = None
    lasting: bool = False


UNKEPT = Caching()


Raw = str | tuple[int, ...]
"""A text that is continued as it is, or its tokens."""


class Prompt(Struct, frozen=True, kw_only=True):
    """One engine turn: it knows nothing of HTTP, items or hosted tools.

    `model` is the served model's name. `tokens` is empty until `Engine.admit` has filled in what the engine will read;
    an engine that cannot count (a remote one) leaves it so. `thinking` is the most tokens that the model may think
    before it answers; None leaves that to the model. Where there is a `raw` text, the model goes on with it as it is,
    without turns, and up to the `suffix` where there is one; tokens given as `raw` are text once they are admitted.
    What was `begun` is part of the answer: it counts in usage and in limits, and is not given out again. One of a
    `batch` waits until the engine has nothing better to do; of the others, those of a higher `tier` go first, and the
    projects (`caching.owner`) of a tier take turns. `predicted` is what much of the answer is expected to be. `effort`
    is what the request itself says of thinking, for engines that are told it by name. With `counted`, its
    tokens are needed before it is answered; else they may be left out where counting costs a trip.
    """

    model: str
    turns: tuple[Turn, ...]
    raw: Raw | None = None
    suffix: str | None = None
    sampling: Sampling = Sampling()
    functions: tuple[Function, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    format: JsonFormat | None = None
    thinking: int = 0
    tokens: tuple[int, ...] = ()
    begun: Begun = NOTHING
    batch: bool = False
    tier: Tier = "default"
    caching: Caching = UNKEPT
    predicted: str = ""
    effort: Effort | None = None
    counted: bool = False


Summary = Literal["auto", "concise", "detailed"]
Verbosity = Literal["low", "medium", "high"]


class Thoughts(Struct, frozen=True, kw_only=True):
    """How much the model thinks before it answers, and what is shown of that.

    `effort` None is the model's own; `sealed` thoughts are also given encrypted, for clients that keep the state. With
    `every`, the model reads its thoughts of all turns again, not only those of the current one.
    """

    effort: Effort | None = None
    summary: Summary | None = None
    sealed: bool = False
    every: bool = False


class Template(Struct, frozen=True, kw_only=True):
    """A stored prompt that the ask begins with; `version` None means its newest."""

    id: str
    version: str | None = None
    variables: dict[str, str | Given] = {}


class FileSearching(Struct, frozen=True, kw_only=True):
    """Where the model may search: in vector stores, for at most `most` passages a search.

    It may search `calls` times an answer, None where the request does not say. `filters` and `ranking` are for the
    search itself; `path` is where in the request the stores stand. Where `most` is what is `usual`, a small model may
    be shown fewer.
    """

    stores: tuple[str, ...]
    most: int
    calls: int | None = None
    usual: bool = False
    filters: Filter | None = None
    ranking: Any = None
    path: str = ""


class Ask(Struct, frozen=True, kw_only=True):
    """What every surface's request comes down to. `model` is the name that the client used, None for the default.

    Each of the `raw` texts is continued as it is, up to the `suffix` where there is one; then there are no items.
    `choices` answers are given side by side, to each of the texts. With `truncate`, the oldest turns are left out where
    the conversation does not fit the model's context; over `compact_at` tokens, it is compacted before it is answered.
    `before` was said after `previous` and is stored nowhere. With `warm`, the model only reads, and says nothing.
    `places` are where in the request the images and files of `items` stand. With `batch`, nobody waits for the answer.
    `tier`, `caching` and `predicted` are those of its prompts. With `count`, nothing but its tokens is wanted.
    """

    model: str | None
    items: tuple[Item, ...]
    raw: tuple[Raw, ...] = ()
    suffix: str | None = None
    instructions: str | None = None
    sampling: Sampling = Sampling()
    functions: tuple[Function, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    format: JsonFormat | None = None
    search: FileSearching | None = None
    thoughts: Thoughts = Thoughts()
    verbosity: Verbosity | None = None
    template: Template | None = None
    choices: int = 1
    truncate: bool = False
    compact_at: int | None = None
    previous: str | None = None
    before: tuple[Item, ...] = ()
    places: dict[InputImage | InputFile, str] = {}
    conversation: str | None = None
    keep: bool = False
    warm: bool = False
    batch: bool = False
    tier: Tier = "default"
    caching: Caching = UNKEPT
    predicted: str = ""
    count: bool = False
