"""Items written and read, and references followed."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from freehold.core.errors import NotFound
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    ItemReference,
    Message,
    Reasoning,
    ReasoningText,
)
from freehold.core.principal import Principal
from freehold.services.items import Items
from freehold.services.sealing import THOUGHT, Seals
from freehold.storage.database import Database, open_database
from freehold.storage.repos.conversations import ConversationRow, ConversationRows
from freehold.storage.repos.items import ItemRows
from freehold.surfaces.responses.include import THOUGHTS
from tests.databases import database_url

WHO = Principal("p", "key")
SEALS = Seals(b"secret")


def counting() -> dict[str, int]:
    return defaultdict(int)


def items_on(database: Database) -> Items:
    counts = counting()

    def mint(prefix: str) -> str:
        counts[prefix] += 1
        return f"{prefix}{counts[prefix]}"

    return Items(ItemRows(database), SEALS, mint)


def user(text: str, item_id: str | None = None) -> Message:
    return Message(id=item_id, role="user", content=(InputText(text),))


KINDS: list[tuple[Item, str]] = [
    (user("hello"), "msg_1"),
    (FunctionCall(call_id="c", name="f", arguments="{}"), "fc_1"),
    (FunctionCallOutput(call_id="c", output="1"), "fco_1"),
    (CustomToolCall(call_id="c", name="f", input="x"), "ctc_1"),
    (CustomToolCallOutput(call_id="c", output=(InputText("x"),)), "ctco_1"),
    (Reasoning(), "rs_1"),
    (Compaction(encrypted_content="x"), "cmp_1"),
]


def test_every_kind_of_item_is_written_with_an_id_of_its_own_and_reads_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            items = items_on(database)
            rows = items.write([item for item, _ in KINDS])
            assert [row.id for row in rows] == [wanted for _, wanted in KINDS]
            read = items.read(rows)
            assert [(type(item), item.id) for item in read] == [(type(item), wanted) for item, wanted in KINDS]
            assert items.read(items.write(read)) == read

    asyncio.run(main())


def test_references_are_followed_in_their_own_project(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            items = items_on(database)
            said = user("hello", "msg_said")
            row = ConversationRow(id="c", project="p", created=1, metadata=b"{}")
            await ConversationRows(database).add(row, items.write([said]))
            given = (user("first"), ItemReference("msg_said"), ItemReference("msg_said"))
            assert await items.follow(WHO, given, "input") == (given[0], said, said)
            with pytest.raises(NotFound, match="Item with id 'msg_said' not found") as caught:
                await items.follow(Principal("q", "key"), given, "items")
            assert caught.value.param == "items"

    asyncio.run(main())


def test_thoughts_are_shown_encrypted_to_those_who_ask(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            items = items_on(database)
            thought = Reasoning(content=(ReasoningText("I think."),))
            rows = items.write([thought, user("hello"), Reasoning()])
            assert items.show(WHO, rows, ()) == items.read(rows)
            shown, said, empty = items.show(WHO, rows, [THOUGHTS])
            assert (said, empty) == items.read(rows)[1:]
            assert isinstance(shown, Reasoning) and isinstance(shown.encrypted_content, str)
            assert SEALS.open("p", THOUGHT, shown.encrypted_content, "p") == '["I think."]'

    asyncio.run(main())
