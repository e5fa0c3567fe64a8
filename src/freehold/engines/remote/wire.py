"""What upstreams send, as far as it is read: every field may be missing, and what is not known is passed over."""

from typing import Any

from msgspec import Struct, json


class FunctionPiece(Struct, gc=False):
    """A piece of a call's function; some send the arguments as an object, and whole."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CustomPiece(Struct, gc=False):
    """A piece of a call of a custom tool."""

    name: str | None = None
    input: str | None = None


class CallPiece(Struct, gc=False):
    """A piece of a call; calls side by side are told apart by their index, or else by their id."""

    index: int | None = None
    id: str | None = None
    function: FunctionPiece | None = None
    custom: CustomPiece | None = None


class Piece(Struct, gc=False):
    """What a chunk adds to the answer, or a whole message. Thoughts have two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallPiece] | None = None


class Likely(Struct):
    """A token that could have stood in a place."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Token(Struct):
    """A token of the answer, with its log-probability."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[Likely] | None = None


class Logprobs(Struct):
    """The log-probabilities of a piece: as chats tell them, or as legacy completions do."""

    content: list[Token] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class Choice(Struct, gc=False):
    """One answer: a piece of it (`delta`, `text`), or the whole (`message`)."""

    delta: Piece | None = None
    message: Piece | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(Struct):
    """What became of the tokens that were read."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Struct):
    """What the tokens of the answer were."""

    reasoning_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Usage(Struct):
    """The token counts, in the dialects that there are."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: OutputDetails | None = None


class Timings(Struct):
    """What llama-server counts: the tokens that it read, found in its cache, and wrote."""

    prompt_n: int | None = None
    cache_n: int | None = None
    predicted_n: int | None = None


class Chunk(Struct, gc=False):
    """A chunk of a stream, or a whole completion."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    object: Any = None
    error: Any = None
    message: Any = None


class Mistake(Struct):
    """An error as upstreams tell it, inside an envelope or without one."""

    message: Any = None
    code: Any = None
    type: Any = None
    param: Any = None


class ListedModel(Struct):
    """A model as an upstream lists it, with what the servers that are known add."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    meta: dict[str, Any] | None = None
    freehold: dict[str, Any] | None = None


class Listed(Struct):
    """The models that an upstream lists."""

    data: list[ListedModel] | None = None


class Vector(Struct):
    """The vector of a text: numbers, or base64 of 32-bit floats."""

    embedding: list[float] | str
    index: int | None = None


class Embedded(Struct):
    """The vectors of texts."""

    data: list[Vector]
    usage: Usage | None = None


read_chunk = json.Decoder(Chunk).decode
read_models = json.Decoder(Listed).decode
read_vectors = json.Decoder(Embedded).decode
