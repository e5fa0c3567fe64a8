"""The model names of the real API, and what each promises there."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from freehold.core.prompt import Effort

Kind = Literal["chat", "image", "embedding"]


class Known(Struct, frozen=True, kw_only=True):
    """A model name of the real API: what kind it is and what it promises there.

    `efforts` are the reasoning efforts that the name takes; `context` is the real model's, in tokens: what is served
    behind the name decides what really fits.
    """

    kind: Kind = "chat"
    context: int = 128_000
    efforts: tuple[Effort, ...] = ()
    vision: bool = False


def _names(names: str, known: Known) -> Iterable[tuple[str, Known]]:
    return ((name, known) for name in names.split())


_BASIC: tuple[Effort, ...] = ("low", "medium", "high")
_TABLE: Iterable[tuple[str, Known]] = (
    *_names(
        "gpt-6-astra gpt-6.2-astra gpt-6-sol gpt-6.1-sol gpt-6.2-sol gpt-6.1-terra gpt-6-luna",
        Known(context=1_000_000, efforts=("none", *_BASIC, "xhigh", "max"), vision=True),
    ),
    *_names(
        "gpt-5.2 gpt-5.2-codex gpt-5.2-chat-latest gpt-5.3-chat-latest gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.5 "
        "gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna",
        Known(context=1_000_000, efforts=("none", *_BASIC, "xhigh"), vision=True),
    ),
    *_names("gpt-5.2-pro gpt-5.5-pro", Known(context=1_000_000, efforts=(*_BASIC, "xhigh"), vision=True)),
    *_names(
        "gpt-5.1 gpt-5.1-mini gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-chat-latest",
        Known(context=1_000_000, efforts=("none", *_BASIC), vision=True),
    ),
    *_names(
        "gpt-5 gpt-5-mini gpt-5-nano gpt-5-codex gpt-5-chat-latest",
        Known(context=1_000_000, efforts=("minimal", *_BASIC), vision=True),
    ),
    *_names("gpt-5-pro", Known(context=1_000_000, efforts=("high",), vision=True)),
    *_names("gpt-4.1 gpt-4.1-mini gpt-4.1-nano", Known(context=1_000_000, vision=True)),
    *_names("gpt-4o gpt-4o-mini chatgpt-4o-latest gpt-4-turbo gpt-4-turbo-preview", Known(vision=True)),
    *_names(
        "o1 o1-pro o3 o3-pro o3-mini o4-mini codex-mini-latest", Known(context=200_000, efforts=_BASIC, vision=True)
    ),
    *_names("o1-mini o1-preview", Known(efforts=_BASIC)),
    *_names("gpt-4 gpt-4-0314 gpt-4-0613", Known(context=8_192)),
    *_names("gpt-4-0125-preview gpt-4-1106-preview", Known()),
    *_names("gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613", Known(context=32_768)),
    *_names(
        "gpt-3.5-turbo gpt-3.5-turbo-16k gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 gpt-3.5-turbo-1106 gpt-3.5-turbo-0125 "
        "gpt-3.5-turbo-16k-0613",
        Known(context=16_385),
    ),
    *_names("gpt-3.5-turbo-instruct davinci-002 babbage-002", Known(context=4_096)),
    *_names(
        "text-embedding-3-small text-embedding-3-large text-embedding-ada-002", Known(kind="embedding", context=8_192)
    ),
    *_names("gpt-image-1 dall-e-3 dall-e-2", Known(kind="image", context=0)),
)

KNOWN: Mapping[str, Known] = dict(_TABLE)
"""By name, without the dates of snapshots. Names that promise a search, audio or a computer are left out: text alone
would not keep that promise."""

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def without_date(name: str) -> str:
    """The name that a dated snapshot, such as `gpt-4o-2024-08-06`, is of."""
    return _DATE.sub("", name)
