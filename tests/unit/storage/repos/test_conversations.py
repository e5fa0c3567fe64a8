"""Stored conversations: blocks of items in order, pages, removal, and projects that do not see each other."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, StorageFailed
from freehold.storage.database import open_database
from freehold.storage.repos.conversations import ConversationRow, ConversationRows
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRow, ResponseRows
from tests.chains import history
from tests.databases import database_url


def with_rows(folder: Path, work: Callable[[ConversationRows, ResponseRows], Awaitable[None]]) -> None:
    """Run `work` on the conversations and responses of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(ConversationRows(database), ResponseRows(database))

    asyncio.run(main())


def conversation(name: str, project: str = "p", metadata: bytes = b"{}") -> ConversationRow:
    return ConversationRow(id=name, project=project, created=7, metadata=metadata)


def response(name: str, project: str = "p") -> ResponseRow:
    return ResponseRow(id=name, project=project, previous=None, created=7, status="completed", model="m", body=b"{}")


def items(*names: str) -> list[ItemRow]:
    return [ItemRow(name, b'{"item":"%s"}' % name.encode()) for name in names]


def test_a_conversation_is_kept_and_its_metadata_replaced(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, _: ResponseRows) -> None:
        await rows.add(conversation("c"), items("a", "b"))
        assert await rows.get("p", "c") == conversation("c")
        assert await rows.items("p", "c") == items("a", "b")
        changed = conversation("c", metadata=b'{"k":"v"}')
        assert await rows.update("p", "c", b'{"k":"v"}') == changed
        assert await rows.get("p", "c") == changed
        assert await rows.update("p", "unknown", b"{}") is None

    with_rows(tmp_path, work)


def test_items_are_added_at_the_end_also_after_the_last_was_removed(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, _: ResponseRows) -> None:
        await rows.add(conversation("c"), [])
        assert await rows.items("p", "c") == []
        assert await rows.add_items("p", "c", items("a", "b", "c"))
        assert await rows.remove("p", "c", "c") == conversation("c")
        assert await rows.remove("p", "c", "c") is None
        assert await rows.remove("p", "c", "a") == conversation("c")
        assert await rows.add_items("p", "c", items("d"))
        assert await rows.items("p", "c") == items("b", "d")
        assert await rows.item("p", "c", "d") == items("d")[0]
        assert await rows.item("p", "c", "a") is None

    with_rows(tmp_path, work)


def test_an_item_that_is_there_is_refused_and_nothing_is_added(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, _: ResponseRows) -> None:
        await rows.add(conversation("c"), items("a"))
        for given, param in ((items("b", "a"), "items[1].id"), (items("b", "c", "b"), "items[2].id")):
            with pytest.raises(Invalid, match="is already in this conversation") as caught:
                await rows.add_items("p", "c", given)
            assert caught.value.param == param
        with pytest.raises(Invalid):
            await rows.add(conversation("twins"), items("x", "x"))
        assert await rows.get("p", "twins") is None
        assert await rows.items("p", "c") == items("a")
        await rows.add(conversation("other"), items("a"))
        assert await rows.items("p", "other") == items("a")

    with_rows(tmp_path, work)


def test_turns_that_end_together_are_added_block_by_block(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, responses: ResponseRows) -> None:
        await rows.add(conversation("c"), items("first"))
        turns = range(40)
        await asyncio.gather(
            *(
                responses.add_turn(response(f"r{n}"), items(f"in{n}"), items(f"out{n}"), "c", stored=n % 2 == 0)
                for n in turns
            )
        )
        listed = await rows.items("p", "c")
        assert listed is not None
        names = [row.id for row in listed]
        assert names[0] == "first"
        assert sorted(names[1:]) == sorted([f"{side}{n}" for n in turns for side in ("in", "out")])
        assert all(b == a.replace("in", "out") for a, b in pairwise(names) if a.startswith("in"))
        stored = [await responses.get("p", f"r{n}") is not None for n in turns]
        assert stored == [n % 2 == 0 for n in turns]

    with_rows(tmp_path, work)


def test_a_turn_brings_no_item_twice_and_none_where_the_conversation_is_gone(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, responses: ResponseRows) -> None:
        await rows.add(conversation("c"), items("a"))
        await responses.add_turn(response("r"), items("a", "b", "b"), items("out"), "c", stored=True)
        assert await rows.items("p", "c") == items("a", "b", "out")
        assert await history(responses, "r") == items("a", "b", "b", "out")
        await rows.delete("p", "c")
        await responses.add_turn(response("late"), items("x"), items("y"), "c", stored=True)
        assert await history(responses, "late") == items("x", "y")
        assert await rows.items("p", "c") is None

    with_rows(tmp_path, work)


def test_a_turn_is_added_and_stored_or_neither(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, responses: ResponseRows) -> None:
        await rows.add(conversation("c"), [])
        await responses.add(response("r"), [], [])
        with pytest.raises(StorageFailed):
            await responses.add_turn(response("r"), items("x"), items("y"), "c", stored=True)
        assert await rows.items("p", "c") == []

    with_rows(tmp_path, work)


def test_deleting_takes_the_list_along_and_leaves_the_responses(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, responses: ResponseRows) -> None:
        await rows.add(conversation("c"), [])
        await responses.add_turn(response("r"), items("x"), items("y"), "c", stored=True)
        assert await rows.delete("p", "c")
        assert not await rows.delete("p", "c")
        assert await rows.page("p", "c", None, 20, "asc") is None
        assert await history(responses, "r") == items("x", "y")
        await rows.add(conversation("c"), [])
        assert await rows.items("p", "c") == []

    with_rows(tmp_path, work)


def test_another_project_sees_and_changes_nothing(tmp_path: Path) -> None:
    async def work(rows: ConversationRows, responses: ResponseRows) -> None:
        await rows.add(conversation("c"), items("a"))
        assert await rows.get("q", "c") is None
        assert await rows.items("q", "c") is None
        assert await rows.page("q", "c", None, 20, "asc") is None
        assert await rows.item("q", "c", "a") is None
        assert await rows.update("q", "c", b'{"spy":""}') is None
        assert await rows.remove("q", "c", "a") is None
        assert not await rows.add_items("q", "c", items("spy"))
        assert not await rows.delete("q", "c")
        await responses.add_turn(response("r", "q"), items("spy"), [], "c", stored=False)
        assert await rows.get("p", "c") == conversation("c")
        assert await rows.items("p", "c") == items("a")

    with_rows(tmp_path, work)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_without_gap_or_repetition(tmp_path: Path, limit: int, order: str) -> None:
    given = items("a", "b", "c", "d", "e")

    async def work(rows: ConversationRows, _: ResponseRows) -> None:
        await rows.add(conversation("c"), given)
        listed: list[ItemRow] = []
        has_more = True
        while has_more:
            page = await rows.page("p", "c", listed[-1].id if listed else None, limit, order)  # type: ignore[arg-type]
            assert page is not None
            found, has_more = page
            listed += found
            assert len(found) == limit or not has_more
            assert has_more == (len(listed) < len(given))
        assert listed == (given if order == "asc" else given[::-1])

    with_rows(tmp_path, work)


@pytest.mark.parametrize("after", ["nonsense", "elsewhere", ""])
def test_a_page_after_an_item_that_is_not_there_is_refused(tmp_path: Path, after: str) -> None:
    async def work(rows: ConversationRows, _: ResponseRows) -> None:
        await rows.add(conversation("c"), items("a"))
        await rows.add(conversation("other"), items("elsewhere"))
        with pytest.raises(Invalid, match=f"No item with id '{after}'") as caught:
            await rows.page("p", "c", after, 20, "asc")
        assert caught.value.param == "after"

    with_rows(tmp_path, work)
