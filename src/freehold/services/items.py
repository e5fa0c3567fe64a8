"""Items as they are stored: written, read, and found again by what refers to them."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from freehold.core.errors import NotFound
from freehold.core.ids import Mint
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    Item,
    ItemReference,
    Message,
    Reasoning,
)
from freehold.core.principal import Principal
from freehold.services.sealing import Seals
from freehold.storage.repos.items import ItemRow, ItemRows
from freehold.surfaces.responses.include import THOUGHTS, shown, without_results

_PREFIX: dict[type, str] = {
    Message: "msg_",
    FunctionCall: "fc_",
    FunctionCallOutput: "fco_",
    CustomToolCall: "ctc_",
    CustomToolCallOutput: "ctco_",
    FileSearchCall: "fs_",
    Reasoning: "rs_",
    Compaction: "cmp_",
}


class Items:
    """Turns items into rows and back. An item that came without an id is given one when it is written."""

    def __init__(self, rows: ItemRows, seals: Seals, mint: Mint) -> None:
        self._rows = rows
        self._seals = seals
        self._mint = mint
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Item).decode

    def write(self, items: Sequence[Item]) -> list[ItemRow]:
        """Return the rows of items, none of them a reference."""
        rows: list[ItemRow] = []
        for item in items:
            named = item if item.id else replace(item, id=self._mint(_PREFIX[type(item)]))
            rows.append(ItemRow(id=named.id or "", body=self._encode(named)))
        return rows

    def read(self, rows: Sequence[ItemRow]) -> tuple[Item, ...]:
        """Return the items of rows."""
        return tuple(self._decode(row.body) for row in rows)

    def show(self, who: Principal, rows: Sequence[ItemRow], include: Collection[str]) -> tuple[Item, ...]:
        """Return the items of rows with what `include` names, and without what it does not."""
        return tuple(shown(item, include) for item in self.sealed(who, self.read(rows), include))

    def sealed(self, who: Principal, items: tuple[Item, ...], include: Collection[str]) -> tuple[Item, ...]:
        """Return the items, with thoughts encrypted and results of searches where `include` asks for them."""
        items = tuple(without_results(item, include) for item in items)
        if THOUGHTS not in include:
            return items
        return tuple(
            self._seals.seal_thought(who.project, item)
            if isinstance(item, Reasoning) and item.content and not item.encrypted_content
            else item
            for item in items
        )

    async def follow(self, who: Principal, items: tuple[Item, ...], param: str) -> tuple[Item, ...]:
        """Return the items with each reference replaced by what it refers to.

        Raises NotFound that names `param` for one that is not there.
        """
        wanted = [item.id for item in items if isinstance(item, ItemReference)]
        if not wanted:
            return items
        found = {row.id: self._decode(row.body) for row in await self._rows.find(who.project, wanted)}
        for item_id in wanted:
            if item_id not in found:
                raise NotFound(f"Item with id '{item_id}' not found.", None, param)
        return tuple(found[item.id] if isinstance(item, ItemReference) else item for item in items)
