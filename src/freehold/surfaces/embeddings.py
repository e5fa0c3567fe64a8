"""`POST /v1/embeddings`: the body, and the object that answers it."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Invalid
from freehold.core.ports import Vectors
from freehold.core.prompt import Raw

PATH = "/v1/embeddings"
MOST_INPUTS = 2_048
MOST_TOKENS = 300_000
"""The most tokens of one request, over all its inputs."""

Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Tokens = Annotated[tuple[Token, ...], Meta(min_length=1)]
Inputs = Annotated[tuple[str | Token | Tokens, ...], Meta(min_length=1, max_length=MOST_INPUTS)]
_KINDS: dict[type, str] = {str: "a string", int: "an integer", tuple: "an array of integers"}


class EmbeddingBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `embeddings.create`."""

    input: str | Inputs
    model: str
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class Embedding(Struct, frozen=True, kw_only=True):
    """The vector of one input: numbers, or their bytes as little-endian 32-bit floats in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: tuple[float, ...] | str


class EmbeddingUsage(Struct, frozen=True, kw_only=True):
    """What was read, in tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct, frozen=True, kw_only=True):
    """The vectors of a request, in the order of its inputs."""

    object: Literal["list"] = "list"
    data: tuple[Embedding, ...]
    model: str
    usage: EmbeddingUsage


def texts(body: EmbeddingBody) -> tuple[Raw, ...]:
    """Return the inputs of a body. Raises Invalid for one that is empty, and for inputs of several kinds."""
    given = body.input
    if isinstance(given, str):
        found: tuple[Raw, ...] = (given,)
    else:
        kinds = {type(one) for one in given}
        if len(kinds) > 1:
            wrong = next(number for number, one in enumerate(given) if type(one) is not type(given[0]))
            raise Invalid(
                f"Invalid type for 'input[{wrong}]': expected {_KINDS[type(given[0])]}, as the first one is.",
                "invalid_type",
                f"input[{wrong}]",
            )
        found = (given,) if kinds == {int} else given  # type: ignore[assignment]
    for number, text in enumerate(found):
        if not text:
            where = "input" if isinstance(given, str) else f"input[{number}]"
            raise Invalid(f"Invalid '{where}': input cannot be an empty string.", "empty_string", where)
    return found


def rendered(name: str, vectors: Vectors, encoding: str | None) -> EmbeddingList:
    """Render vectors under the name that was asked for."""
    total = vectors.tokens
    return EmbeddingList(
        data=tuple(
            Embedding(index=index, embedding=b64encode(row).decode() if encoding == "base64" else numbers(row))
            for index, row in enumerate(vectors.rows)
        ),
        model=name,
        usage=EmbeddingUsage(prompt_tokens=total, total_tokens=total),
    )


def numbers(row: bytes) -> tuple[float, ...]:
    """Return the numbers of a vector, each to the bit."""
    return tuple(memoryview(row).cast("f"))


def check_total(tokens: Sequence[int]) -> None:
    """Refuse a request that has too many tokens in all. Raises Invalid."""
    if sum(tokens) > MOST_TOKENS:
        raise Invalid(
            f"Requested {sum(tokens)} tokens, max {MOST_TOKENS} tokens per request", "max_tokens_per_request", "input"
        )
