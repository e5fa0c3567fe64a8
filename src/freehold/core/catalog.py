"""The catalogue: which names clients may use, and which served model stands behind each."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.known import KNOWN, Known, without_date
from freehold.core.ports import Served


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
        self._default = default
        self._entries: dict[str, Entry] = {}
        self._known: dict[str, set[str]] = {}
        for engine, models in served.items():
            for model in models:
                self._known.setdefault(engine, set()).add(model.name)
                self._entries.setdefault(model.name, Entry(name=model.name, served=model, engine=engine))
        self._aliases: dict[str, list[str]] = {}
        own = dict(self._entries)
        wanted = {name: default for name, known in KNOWN.items() if known.kind == "chat"} | dict(aliases)
        for name, target in wanted.items():
            if target not in own:
                raise ValueError(f"alias {name!r} means {target!r}, which no engine serves (served: {sorted(own)})")
            if name not in own:
                entry = own[target]
                self._aliases.setdefault(target, []).append(name)
                self._entries[name] = Entry(name=name, served=entry.served, engine=entry.engine, known=KNOWN.get(name))

    def find(self, name: str) -> Entry | None:
        """Return the entry behind `name`, or behind the name without its date; None when nothing answers to it."""
        return self._entries.get(name) or self._entries.get(without_date(name))

    @property
    def default(self) -> str:
        """The served name behind every chat name that has no alias of its own."""
        return self._default

    def renew(self, engine: str, served: Iterable[Served]) -> None:
        """Take what is known by now of an engine's models. One that is new gets its own name, and no others."""
        self._known.setdefault(engine, set())
        for model in served:
            new = model.name not in self._known[engine]
            if new and model.name not in self._entries:
                self._entries[model.name] = Entry(name=model.name, served=model, engine=engine)
            self._known[engine].add(model.name)
            for name in (model.name, *self._aliases.get(model.name, ())):
                entry = self._entries.get(name)
                if entry is not None and entry.engine == engine:
                    self._entries[name] = replace(entry, served=model)

    def withdraw(self, name: str) -> bool:
        """Stop answering to `name`; False when nothing answered to it."""
        return self._entries.pop(name, None) is not None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    @staticmethod
    def why_missing(name: str) -> str:
        """Say why nothing answers to `name`, in a sentence for the caller."""
        known = KNOWN.get(without_date(name))
        if known is not None and known.kind == "embedding":
            return f"The model `{name}` is an embedding model: it answers `/v1/embeddings` only."
        if known is not None and known.kind != "chat":
            return f"The model `{name}` is an {known.kind} model, and no engine of this server makes {known.kind}s."
        return f"The model `{name}` does not exist or you do not have access to it."
