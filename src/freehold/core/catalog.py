"""The catalogue: which names clients may use, and which served model stands behind each."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from freehold.core.ports import Served

Kind = Literal["chat", "image"]


class Known(Struct, frozen=True, kw_only=True):
    """A model name of the real API: what kind it is and what it promises there.

    `efforts` are the reasoning efforts that the name takes; `context` is the real model's, in tokens: what is served
    behind the name decides what really fits.
    """

    kind: Kind = "chat"
    context: int = 128_000
    efforts: tuple[str, ...] = ()
    vision: bool = False


_GPT5 = Known(context=1_000_000, efforts=("minimal", "low", "medium", "high"), vision=True)
_GPT51 = Known(context=1_000_000, efforts=("none", "low", "medium", "high"), vision=True)
_GPT52 = Known(context=1_000_000, efforts=("none", "low", "medium", "high", "xhigh"), vision=True)
_GPT41 = Known(context=1_000_000, vision=True)
_GPT4O = Known(context=128_000, vision=True)
_O = Known(context=200_000, efforts=("low", "medium", "high"), vision=True)
_IMAGE = Known(kind="image", context=0)

KNOWN: Mapping[str, Known] = {
    "gpt-5": _GPT5,
    "gpt-5-mini": _GPT5,
    "gpt-5-nano": _GPT5,
    "gpt-5.1": _GPT51,
    "gpt-5.2": _GPT52,
    "gpt-5.2-pro": Known(context=1_000_000, efforts=("low", "medium", "high", "xhigh"), vision=True),
    "gpt-5.2-codex": _GPT52,
    "gpt-4.1": _GPT41,
    "gpt-4.1-mini": _GPT41,
    "gpt-4.1-nano": _GPT41,
    "gpt-4o": _GPT4O,
    "gpt-4o-mini": _GPT4O,
    "gpt-4-turbo": _GPT4O,
    "gpt-4": Known(context=8_192),
    "gpt-3.5-turbo": Known(context=16_385),
    "o3": _O,
    "o4-mini": _O,
    "gpt-image-1": _IMAGE,
    "dall-e-3": _IMAGE,
    "dall-e-2": _IMAGE,
}
"""The names of the API reference that the project implements, and those that older code still asks for."""


class Entry(Struct, frozen=True, kw_only=True):
    """A name that answers: the served model behind it and, for a name of the real API, what that name promises."""

    name: str
    served: Served
    engine: str
    known: Known | None = None


class Catalog:
    """Resolves model names. Built once, from what the engines really serve."""

    def __init__(self, served: Mapping[str, Iterable[Served]], aliases: Mapping[str, str], default: str) -> None:
        """`served` maps engine names to their models, `aliases` maps names to served names.

        Every chat name of `KNOWN` that has no alias of its own means `default`, a served name.
        Raises ValueError for an alias of something that is not served.
        """
        self._entries: dict[str, Entry] = {}
        for engine, models in served.items():
            for model in models:
                self._entries.setdefault(model.name, Entry(name=model.name, served=model, engine=engine))
        own = dict(self._entries)
        wanted = {name: default for name, known in KNOWN.items() if known.kind == "chat"} | dict(aliases)
        for name, target in wanted.items():
            if target not in own:
                raise ValueError(f"alias {name!r} means {target!r}, which no engine serves (served: {sorted(own)})")
            if name not in own:
                entry = own[target]
                self._entries[name] = Entry(name=name, served=entry.served, engine=entry.engine, known=KNOWN.get(name))

    def find(self, name: str) -> Entry | None:
        """Return the entry behind `name`, or None when nothing answers to it."""
        return self._entries.get(name)

    def withdraw(self, name: str) -> bool:
        """Stop answering to `name`; False when nothing answered to it."""
        return self._entries.pop(name, None) is not None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    @staticmethod
    def why_missing(name: str) -> str:
        """Say why nothing answers to `name`, in a sentence for the caller."""
        known = KNOWN.get(name)
        if known is not None and known.kind != "chat":
            return f"The model `{name}` is an {known.kind} model, and no engine of this server makes {known.kind}s."
        return f"The model `{name}` does not exist or you do not have access to it."
