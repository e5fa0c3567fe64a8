"""Stored conversations: their metadata and their items."""

from collections.abc import Collection
from typing import Literal

import msgspec

from freehold.core.errors import NotFound
from freehold.core.ids import Clock, Mint
from freehold.core.items import Item
from freehold.core.principal import Principal
from freehold.services.items import Items
from freehold.services.sealing import Seals
from freehold.storage.repos.conversations import ConversationRow, ConversationRows
from freehold.storage.repos.items import ItemRow
from freehold.surfaces.conversations import Conversation, ConversationDeleted
from freehold.surfaces.responses.objects import ItemPage


class Conversations:
    """The conversations of every project, each seen by its own only."""

    def __init__(self, rows: ConversationRows, items: Items, seals: Seals, mint: Mint, clock: Clock) -> None:
        self._rows = rows
        self._items = items
        self._seals = seals
        self._mint = mint
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._metadata = msgspec.json.Decoder(dict[str, str]).decode

    async def history(self, who: Principal, conversation_id: str) -> tuple[Item, ...]:
        """Return every item of a conversation, oldest first. Raises NotFound."""
        rows = await self._rows.items(who.project, conversation_id)
        if rows is None:
            raise missing(conversation_id)
        return self._items.read(rows)

    async def create(self, who: Principal, metadata: dict[str, str], items: tuple[Item, ...]) -> Conversation:
        """Store a conversation with its first items.

        Raises NotFound for a reference that leads nowhere, Invalid for two items with one id and for a seal that is not
        ours.
        """
        items = await self._items.follow(who, items, "items")
        self._seals.check_items(who.project, items, "items")
        row = ConversationRow(
            id=self._mint("conv_"),
            project=who.project,
            created=int(self._clock()),
            metadata=self._encode(metadata),
        )
        await self._rows.add(row, self._items.write(items))
        return self._shown(row)

    async def retrieve(self, who: Principal, conversation_id: str) -> Conversation:
        """Return a conversation. Raises NotFound."""
        row = await self._rows.get(who.project, conversation_id)
        if row is None:
            raise missing(conversation_id)
        return self._shown(row)

    async def update(self, who: Principal, conversation_id: str, metadata: dict[str, str]) -> Conversation:
        """Replace a conversation's metadata. Raises NotFound."""
        row = await self._rows.update(who.project, conversation_id, self._encode(metadata))
        if row is None:
            raise missing(conversation_id)
        return self._shown(row)

    async def delete(self, who: Principal, conversation_id: str) -> ConversationDeleted:
        """Delete a conversation; the responses that were given in it stay. Raises NotFound."""
        if not await self._rows.delete(who.project, conversation_id):
            raise missing(conversation_id)
        return ConversationDeleted(conversation_id)

    async def add_items(
        self, who: Principal, conversation_id: str, items: tuple[Item, ...], include: Collection[str]
    ) -> ItemPage:
        """Add items at the end and return them.

        Raises NotFound for the conversation and for a reference that leads nowhere, Invalid for an item that is there
        and for a seal that is not ours.
        """
        items = await self._items.follow(who, items, "items")
        self._seals.check_items(who.project, items, "items")
        rows = self._items.write(items)
        if not await self._rows.add_items(who.project, conversation_id, rows):
            raise missing(conversation_id)
        return self._page(who, rows, False, include)

    async def list_items(
        self,
        who: Principal,
        conversation_id: str,
        after: str | None,
        limit: int,
        order: Literal["asc", "desc"],
        include: Collection[str],
    ) -> ItemPage:
        """Return a page of the items. Raises NotFound, and Invalid when `after` is not among them."""
        page = await self._rows.page(who.project, conversation_id, after, limit, order)
        if page is None:
            raise missing(conversation_id)
        rows, has_more = page
        return self._page(who, rows, has_more, include)

    async def retrieve_item(self, who: Principal, conversation_id: str, item_id: str, include: Collection[str]) -> Item:
        """Return one item. Raises NotFound for the item or the conversation."""
        row = await self._rows.item(who.project, conversation_id, item_id)
        if row is None:
            raise await self._missing_item(who, conversation_id, item_id)
        return self._items.show(who, [row], include)[0]

    async def delete_item(self, who: Principal, conversation_id: str, item_id: str) -> Conversation:
        """Take one item out and return the conversation. Raises NotFound for the item or the conversation."""
        row = await self._rows.remove(who.project, conversation_id, item_id)
        if row is None:
            raise await self._missing_item(who, conversation_id, item_id)
        return self._shown(row)

    async def _missing_item(self, who: Principal, conversation_id: str, item_id: str) -> NotFound:
        if await self._rows.get(who.project, conversation_id) is None:
            return missing(conversation_id)
        return NotFound(f"Item with id '{item_id}' not found in conversation '{conversation_id}'.")

    def _shown(self, row: ConversationRow) -> Conversation:
        return Conversation(id=row.id, created_at=row.created, metadata=self._metadata(row.metadata))

    def _page(self, who: Principal, rows: list[ItemRow], has_more: bool, include: Collection[str]) -> ItemPage:
        return ItemPage(
            data=self._items.show(who, rows, include),
            first_id=rows[0].id if rows else None,
            last_id=rows[-1].id if rows else None,
            has_more=has_more,
        )


def missing(conversation_id: str) -> NotFound:
    """The fault for a conversation that this project does not have."""
    return NotFound(f"Conversation with id '{conversation_id}' not found.")
