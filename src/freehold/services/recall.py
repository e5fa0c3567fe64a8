"""Everything that a model is to read: history and input, with what stands for something else put in its place."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace

from freehold.core.items import Compaction, Item, Reasoning
from freehold.core.principal import Principal
from freehold.core.prompt import Ask
from freehold.services.memory import Memory
from freehold.services.sealing import COMPACTED, Seals


class Compacted(Struct, frozen=True):
    """What is left of a conversation that was compacted."""

    items: tuple[Item, ...]


class Recall:
    """Puts together what was said before and what is said now."""

    def __init__(self, memory: Memory, seals: Seals) -> None:
        self._memory = memory
        self._seals = seals
        self._compacted = json.Decoder(Compacted).decode

    async def follow(self, who: Principal, ask: Ask) -> Ask:
        """Return the ask with the items that it refers to. Raises NotFound for one that is not there."""
        items = await self._memory.follow(who, ask.items)
        return ask if items is ask.items else replace(ask, items=items)

    async def items(self, who: Principal, ask: Ask) -> tuple[Item, ...]:
        """Return the conversation, oldest first, with thoughts and compactions opened.

        Raises Invalid or NotFound for a history that is not there, and Invalid for a seal that is not ours.
        """
        history = await self._memory.history(who, ask)
        items = [*self._opened_thoughts(who, (*history, *ask.before)), *self._seals.open_items(who.project, ask.items)]
        last = max((place for place, item in enumerate(items) if isinstance(item, Compaction)), default=None)
        if last is None:
            return tuple(items)
        return (*self.opened(who, items[last]), *items[last + 1 :])

    def opened(self, who: Principal, item: Any) -> tuple[Item, ...]:
        """Return what a compaction stands for. Raises Invalid for one that is not ours."""
        text = self._seals.open(who.project, COMPACTED, item.encrypted_content, "input")
        return self._compacted(text).items

    def seal_thought(self, who: Principal, thought: Reasoning) -> Reasoning:
        """Return a thought that also carries itself encrypted."""
        return self._seals.seal_thought(who.project, thought)

    def seal_compaction(self, who: Principal, item_id: str, items: Sequence[Item]) -> Compaction:
        """Return a compaction that stands for `items`."""
        text = json.encode(Compacted(tuple(items))).decode()
        return Compaction(id=item_id, encrypted_content=self._seals.seal(who.project, COMPACTED, text))

    def _opened_thoughts(self, who: Principal, items: Sequence[Item]) -> Iterator[Item]:
        """Open the thoughts that were stored sealed, as a client had sent them."""
        for item in items:
            sealed = isinstance(item, Reasoning) and not item.content and isinstance(item.encrypted_content, str)
            yield from self._seals.open_items(who.project, (item,)) if sealed else (item,)
