"""Items are found wherever they are kept, and by their own project only."""

import asyncio
from pathlib import Path

from freehold.storage.database import open_database
from freehold.storage.repos.conversations import ConversationRow, ConversationRows
from freehold.storage.repos.items import ItemRow, ItemRows
from freehold.storage.repos.responses import ResponseRow, ResponseRows
from tests.databases import database_url


def test_items_of_responses_and_conversations_are_found_by_their_project(tmp_path: Path) -> None:
    response = ResponseRow(id="r", project="p", previous=None, created=1, status="completed", model="m", body=b"{}")
    conversation = ConversationRow(id="c", project="p", created=1, metadata=b"{}")

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            await ResponseRows(database).add(response, [ItemRow("in", b"1")], [ItemRow("out", b"2")])
            await ConversationRows(database).add(conversation, [ItemRow("said", b"3")])
            rows = ItemRows(database)
            found = await rows.find("p", ["out", "said", "unknown"])
            assert sorted(found, key=lambda row: row.id) == [ItemRow("out", b"2"), ItemRow("said", b"3")]
            assert await rows.find("q", ["in", "out", "said"]) == []
            assert await rows.find("p", []) == []

    asyncio.run(main())
