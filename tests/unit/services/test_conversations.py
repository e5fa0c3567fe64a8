"""Conversations as their operations see them: what is answered, what is hidden, and what is not there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, NotFound
from freehold.core.items import Compaction, InputText, Message, Reasoning
from freehold.core.principal import Principal
from freehold.services.conversations import Conversations
from freehold.services.items import Items
from freehold.services.sealing import Seals
from freehold.storage.database import open_database
from freehold.storage.repos.conversations import ConversationRows
from freehold.storage.repos.items import ItemRows
from freehold.surfaces.conversations import Conversation, ConversationDeleted
from tests.databases import database_url
from tests.house import NOW, fixed_chance

WHO = Principal("p", "key")
HELLO = Message(role="user", content=(InputText("Hello."),))
SEALS = Seals(b"secret")
THOUGHT = Reasoning(encrypted_content=SEALS.seal("p", "reasoning", "[]"))


def with_conversations(folder: Path, work: Callable[[Conversations], Awaitable[None]]) -> None:
    """Run `work` on the conversations of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            chance = fixed_chance()
            items = Items(ItemRows(database), SEALS, chance.mint)
            await work(Conversations(ConversationRows(database), items, SEALS, chance.mint, chance.clock))

    asyncio.run(main())


def test_a_conversation_is_made_changed_and_deleted(tmp_path: Path) -> None:
    async def work(conversations: Conversations) -> None:
        made = await conversations.create(WHO, {"k": "v"}, (HELLO,))
        assert made == Conversation(id="conv_1", created_at=NOW, metadata={"k": "v"})
        assert await conversations.retrieve(WHO, "conv_1") == made
        changed = await conversations.update(WHO, "conv_1", {})
        assert changed == Conversation(id="conv_1", created_at=NOW, metadata={})
        assert await conversations.delete(WHO, "conv_1") == ConversationDeleted("conv_1")
        with pytest.raises(NotFound):
            await conversations.delete(WHO, "conv_1")

    with_conversations(tmp_path, work)


def test_items_are_added_listed_and_removed(tmp_path: Path) -> None:
    async def work(conversations: Conversations) -> None:
        await conversations.create(WHO, {}, ())
        empty = await conversations.list_items(WHO, "conv_1", None, 20, "desc", ())
        assert (empty.data, empty.first_id, empty.last_id, empty.has_more) == ((), None, None, False)
        added = await conversations.add_items(WHO, "conv_1", (HELLO, THOUGHT), ())
        assert (added.first_id, added.last_id, added.has_more) == ("msg_1", "rs_1", False)
        page = await conversations.list_items(WHO, "conv_1", None, 1, "desc", ())
        assert (page.data, page.has_more) == (added.data[1:], True)
        with pytest.raises(Invalid, match="already in this conversation"):
            await conversations.add_items(WHO, "conv_1", added.data[:1], ())
        assert (await conversations.delete_item(WHO, "conv_1", "msg_1")).id == "conv_1"
        assert [item.id for item in await conversations.history(WHO, "conv_1")] == ["rs_1"]

    with_conversations(tmp_path, work)


def test_what_is_sealed_is_shown_on_demand_and_always_remembered(tmp_path: Path) -> None:
    async def work(conversations: Conversations) -> None:
        await conversations.create(WHO, {}, (THOUGHT,))
        sealed = Reasoning(id="rs_1", encrypted_content=THOUGHT.encrypted_content)
        include = ["reasoning.encrypted_content"]
        assert await conversations.retrieve_item(WHO, "conv_1", "rs_1", ()) == Reasoning(id="rs_1")
        assert await conversations.retrieve_item(WHO, "conv_1", "rs_1", include) == sealed
        assert (await conversations.list_items(WHO, "conv_1", None, 20, "asc", include)).data == (sealed,)
        assert await conversations.history(WHO, "conv_1") == (sealed,)

    with_conversations(tmp_path, work)


def test_a_missing_item_is_told_from_a_missing_conversation(tmp_path: Path) -> None:
    async def work(conversations: Conversations) -> None:
        await conversations.create(WHO, {}, (HELLO,))
        stranger = Principal("q", "key")
        with pytest.raises(NotFound, match="Item with id 'msg_9' not found in conversation 'conv_1'"):
            await conversations.retrieve_item(WHO, "conv_1", "msg_9", ())
        with pytest.raises(NotFound, match="Item with id 'msg_9' not found in conversation 'conv_1'"):
            await conversations.delete_item(WHO, "conv_1", "msg_9")
        calls: list[Awaitable[object]] = [
            conversations.retrieve_item(stranger, "conv_1", "msg_1", ()),
            conversations.delete_item(stranger, "conv_1", "msg_1"),
            conversations.add_items(stranger, "conv_1", (HELLO,), ()),
            conversations.list_items(stranger, "conv_1", None, 20, "asc", ()),
            conversations.update(stranger, "conv_1", {}),
            conversations.history(stranger, "conv_1"),
        ]
        for call in calls:
            with pytest.raises(NotFound, match="Conversation with id 'conv_1' not found"):
                await call

    with_conversations(tmp_path, work)


def test_items_with_a_seal_that_is_not_ours_are_refused(tmp_path: Path) -> None:
    async def work(conversations: Conversations) -> None:
        forged = (Compaction(encrypted_content="AAAA"),)
        with pytest.raises(Invalid) as refused:
            await conversations.create(WHO, {}, forged)
        assert refused.value.param == "items[0].encrypted_content"

    with_conversations(tmp_path, work)
