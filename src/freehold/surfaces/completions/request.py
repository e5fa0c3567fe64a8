"""`POST /v1/completions`: the body, and what it asks for."""

from typing import Annotated

from msgspec import Meta, Struct

from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.prompt import Ask, Raw, Sampling
from freehold.surfaces.chat.request import StreamOptions
from freehold.surfaces.common import Bias, Penalty, Temperature, TopP, biases, refuse_stream_options

MOST_CHOICES = 2_048
"""The most texts that one request may have written, over all its prompts."""

_MAX_TOKENS = 16
_KINDS: dict[type, str] = {str: "a string", int: "an integer", tuple: "an array of integers"}

Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Tokens = Annotated[tuple[Token, ...], Meta(min_length=1)]
Prompts = Annotated[tuple[str | Token | Tokens, ...], Meta(min_length=1)]


class CompletionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `completions.create`."""

    model: str
    prompt: str | Prompts | None
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Bias] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | Annotated[tuple[str, ...], Meta(min_length=1, max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    user: str | None = None


def parse(body: CompletionBody) -> Ask:
    """Read a body. Raises Invalid or Unsupported that names the parameter."""
    refuse_stream_options(body.stream, body.stream_options)
    raw, choices = _raw(body.prompt), _candidates(body)
    if len(raw) * choices > MOST_CHOICES:
        raise Invalid(
            f"Too many completions: {len(raw)} prompts with {choices} completions each, and one request may have at "
            f"most {MOST_CHOICES}.",
            "invalid_value",
            "prompt" if len(raw) > choices else "n",
        )
    if body.echo and body.logprobs is not None:
        raise Unsupported(
            "Unsupported parameter: 'echo' is not supported together with 'logprobs', because the log-probabilities of "
            "the prompt are not told.",
            "echo",
        )
    return Ask(
        model=body.model,
        items=(),
        raw=raw,
        suffix=body.suffix or None,
        choices=choices,
        sampling=Sampling(
            temperature=body.temperature,
            top_p=body.top_p,
            max_tokens=_MAX_TOKENS if body.max_tokens is None else body.max_tokens,
            stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
            seed=body.seed,
            presence_penalty=body.presence_penalty or 0.0,
            frequency_penalty=body.frequency_penalty or 0.0,
            logit_bias=biases(body.logit_bias or {}),
            logprobs=0 if body.logprobs is None and choices > wanted(body) else body.logprobs,
        ),
    )


def wanted(body: CompletionBody) -> int:
    """How many completions of each prompt are to be given."""
    return body.n or 1


def unknown_model(name: str, why: str) -> Fault:
    """On this surface an unknown model is a 404 that names no parameter."""
    return NotFound(why, "model_not_found")


def _candidates(body: CompletionBody) -> int:
    """How many completions of each prompt are written."""
    if body.best_of is None:
        return wanted(body)
    if body.best_of < wanted(body):
        raise Invalid(
            "You requested that the server return more choices than it will generate (HINT: you must set 'n' "
            f"(currently {wanted(body)}) to be at most 'best_of' (currently {body.best_of}), or omit either parameter "
            "if you don't specifically want to use them.)",
            "invalid_value",
            "best_of",
        )
    if body.stream and body.best_of > wanted(body):
        raise Invalid(
            "Results of 'best_of' cannot be streamed: which are the best is known when all are written.",
            "invalid_value",
            "best_of",
        )
    return body.best_of


def _raw(prompt: str | tuple[str | int | tuple[int, ...], ...] | None) -> tuple[Raw, ...]:
    """The texts to continue. No prompt is the beginning of a document."""
    if prompt is None or isinstance(prompt, str):
        return (prompt or "",)
    kind = type(prompt[0])
    for index, one in enumerate(prompt):
        if type(one) is not kind:
            raise Invalid(
                f"Invalid type for 'prompt[{index}]': expected {_KINDS[kind]}, but got {_KINDS[type(one)]} instead.",
                "invalid_type",
                f"prompt[{index}]",
            )
    tokens = tuple(one for one in prompt if isinstance(one, int))
    return (tokens,) if tokens else tuple(one for one in prompt if not isinstance(one, int))
