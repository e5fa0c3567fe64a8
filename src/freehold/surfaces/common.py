"""Parameters that several surfaces share: their types, and how the ones that cannot work yet are refused."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from freehold.core.errors import Invalid, Unsupported
from freehold.core.prompt import Caching, Tier

Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Identifier = Annotated[str, Meta(max_length=64)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]

_LONGEST_TOKEN_ID = 9
_TIERS: Mapping[str, Tier] = {"flex": "flex", "priority": "priority", "fast": "priority", "ultrafast": "priority"}

OBFUSCATION = 16
"""Deltas are padded to a multiple of this many characters, so that their sizes tell nothing of the text."""


def refuse(body: object, inert: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse each parameter of `inert` whose value is not one of those that change nothing.

    Raises Unsupported that names the parameter and, where there are such values, the ones that are taken.
    """
    for name, allowed in inert.items():
        value = getattr(body, name)
        if value is None or value in allowed:
            continue
        if allowed:
            taken = " or ".join(msgspec.json.encode(one).decode() for one in allowed)
            raise Unsupported(
                f"Unsupported value: '{name}' is only supported here as {taken}.", name, "unsupported_value"
            )
        raise Unsupported(f"Unsupported parameter: '{name}' is not supported by this server.", name)


def refuse_stream_options(stream: bool | None, options: object | None) -> None:
    """Refuse `stream_options` on a request that does not stream, as the real API does."""
    if options is not None and not stream:
        raise Invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None, "stream_options"
        )


def tier_of(given: str | None) -> Tier:
    """The tier in which a request with this `service_tier` is answered; the answer tells it."""
    return _TIERS.get(given or "", "default")


def caching_of(key: str | None, retention: str | None) -> Caching:
    """What `prompt_cache_key` and `prompt_cache_retention` ask for."""
    return Caching(family=key, lasting=retention == "24h")


def biases(given: Mapping[str, Bias]) -> dict[int, float]:
    """Read `logit_bias`: by token. Raises Invalid for a key that is none."""
    for token in given:
        if not token.isdecimal() or len(token) > _LONGEST_TOKEN_ID:
            raise Invalid(
                f"Invalid key in 'logit_bias': {token}. You should only be submitting non-negative integers.",
                "invalid_value",
                "logit_bias",
            )
    return {int(token): bias for token, bias in given.items()}


def padding(pad: str, length: int) -> str:
    """The obfuscation for a delta of `length` characters, cut from the stream's random `pad`."""
    return pad[: OBFUSCATION - length % OBFUSCATION]
