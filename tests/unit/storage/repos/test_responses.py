"""Stored responses: chains, their history, pages of it, and projects that do not see each other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, StorageFailed
from freehold.storage.database import open_database
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRow, ResponseRows
from tests.chains import history
from tests.databases import database_url


def with_rows(folder: Path, work: Callable[[ResponseRows], Awaitable[None]]) -> None:
    """Run `work` on the responses of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(ResponseRows(database))

    asyncio.run(main())


def response(name: str, previous: str | None = None, project: str = "p") -> ResponseRow:
    body = b'{"id":"%s"}' % name.encode()
    return ResponseRow(id=name, project=project, previous=previous, created=7, status="completed", model="m", body=body)


def item(name: str) -> ItemRow:
    return ItemRow(name, b'{"item":"%s"}' % name.encode())


async def add_chain(rows: ResponseRows, length: int) -> None:
    """Add responses r0 … with the items in0, out0, in1, out1 …"""
    for n in range(length):
        await rows.add(response(f"r{n}", f"r{n - 1}" if n else None), [item(f"in{n}")], [item(f"out{n}")])


def turns(*numbers: int) -> list[ItemRow]:
    return [item(f"{side}{n}") for n in numbers for side in ("in", "out")]


@pytest.mark.parametrize("length", [3, 40])
def test_what_is_known_is_not_read_again(tmp_path: Path, length: int) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, length)
        last = f"r{length - 1}"
        known = {f"r{n}": f"r{n - 1}" if n else None for n in range(length - 2)} | {"elsewhere": "r0"}
        links = await rows.history("p", last, known)
        assert links is not None and [link.response for link in links] == [f"r{n}" for n in range(length)]
        news = (turns(n) for n in range(length - 2, length))
        assert [link.items for link in links] == [*(None for _ in range(length - 2)), *news]
        assert await rows.history("q", last, known) is None
        assert await rows.delete("p", "r0")
        assert await rows.history("p", last, known) is None


def test_what_is_known_of_the_middle_does_not_hide_a_chain_that_is_mostly_unknown(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 30)
        links = await rows.history("p", "r29", {"r15": "r14"})
        assert links == await rows.history("p", "r29")

    with_rows(tmp_path, work)


def test_get_returns_the_row_and_its_output_in_order(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        output = [item("z"), item("a"), item("m")]
        await rows.add(response("r"), [item("in")], output)
        assert await rows.get("p", "r") == (response("r"), output)
        assert await rows.get("p", "other") is None

    with_rows(tmp_path, work)


def test_history_is_the_whole_chain_oldest_first(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 3)
        await rows.add(response("fork", "r0"), [item("other")], [])
        assert await history(rows, "r2") == turns(0, 1, 2)
        assert await history(rows, "r0") == turns(0)
        assert await history(rows, "fork") == [*turns(0), item("other")]
        assert await history(rows, "unknown") is None

    with_rows(tmp_path, work)


def test_history_of_a_thousand_turns(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        # No `add` looks at another row, so the whole chain may be written in any order, many to a commit.
        await asyncio.gather(
            *(
                rows.add(response(f"r{n}", f"r{n - 1}" if n else None), [item(f"in{n}")], [item(f"out{n}")])
                for n in range(1000)
            )
        )
        assert await history(rows, "r999") == turns(*range(1000))
        assert await history(rows, "r500") == turns(*range(501))

    with_rows(tmp_path, work)


def test_history_goes_through_a_turn_without_items(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await rows.add(response("first"), [], [])
        await rows.add(response("second", "first"), [item("in")], [])
        assert await history(rows, "first") == []
        assert await history(rows, "second") == [item("in")]
        assert await rows.page_inputs("p", "first", None, 20, "asc") == ([], False)

    with_rows(tmp_path, work)


def test_an_item_sent_back_with_its_id_is_in_the_history_twice(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await rows.add(response("r0"), [item("in0")], [item("out0")])
        await rows.add(response("r1", "r0"), [item("out0"), item("in1")], [item("out1")])
        assert await history(rows, "r1") == [item(n) for n in ("in0", "out0", "out0", "in1", "out1")]

    with_rows(tmp_path, work)


def test_a_deleted_response_takes_its_items_along_and_breaks_the_chain(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 4)
        assert await rows.delete("p", "r1")
        assert not await rows.delete("p", "r1")
        assert await rows.get("p", "r1") is None
        assert await history(rows, "r3") is None
        assert await history(rows, "r2") is None
        assert await history(rows, "r0") == turns(0)
        assert await rows.get("p", "r2") == (response("r2", "r1"), [item("out2")])
        # What is still there of what r3 was given can be listed.
        assert await rows.page_inputs("p", "r3", None, 20, "asc") == ([*turns(2), item("in3")], False)

    with_rows(tmp_path, work)


def test_a_response_whose_previous_was_deleted_while_it_was_made_has_no_history(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await rows.add(response("orphan", "gone"), [item("in")], [])
        assert await rows.get("p", "orphan") is not None
        assert await history(rows, "orphan") is None

    with_rows(tmp_path, work)


def test_another_project_sees_nothing_and_cannot_delete(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 2)
        await rows.add(response("theirs", "r1", project="q"), [item("spy")], [])
        assert await rows.get("q", "r1") is None
        assert await rows.history("q", "r1") is None
        assert await rows.page_inputs("q", "r1", None, 20, "asc") is None
        assert not await rows.delete("q", "r1")
        # A link into another project leads nowhere.
        assert await rows.history("q", "theirs") is None
        assert await rows.page_inputs("q", "theirs", None, 20, "asc") == ([item("spy")], False)
        assert await history(rows, "r1") == turns(0, 1)

    with_rows(tmp_path, work)


def test_an_id_cannot_be_used_twice(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await rows.add(response("r"), [item("in")], [])
        with pytest.raises(StorageFailed):
            await rows.add(response("r"), [item("other")], [])
        assert await history(rows, "r") == [item("in")]

    with_rows(tmp_path, work)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_without_gap_or_repetition(tmp_path: Path, limit: int, order: str) -> None:
    given = [*turns(0, 1), item("in2")]

    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 3)
        listed: list[ItemRow] = []
        has_more = True
        while has_more:
            page = await rows.page_inputs("p", "r2", listed[-1].id if listed else None, limit, order)
            assert page is not None
            found, has_more = page
            listed += found
            assert len(found) == limit or not has_more
            assert has_more == (len(listed) < len(given))
        assert listed == (given if order == "asc" else given[::-1])

    with_rows(tmp_path, work)


def test_an_item_that_was_sent_back_is_listed_once(tmp_path: Path) -> None:
    async def work(rows: ResponseRows) -> None:
        await rows.add(response("r0"), [item("in0")], [item("out0")])
        await rows.add(response("r1", "r0"), [item("out0"), item("in1")], [])
        assert await rows.page_inputs("p", "r1", None, 20, "asc") == ([item("in0"), item("out0"), item("in1")], False)
        assert await rows.page_inputs("p", "r1", "out0", 20, "asc") == ([item("in1")], False)
        assert await rows.page_inputs("p", "r1", "out0", 20, "desc") == ([item("in0")], False)

    with_rows(tmp_path, work)


@pytest.mark.parametrize("after", ["nonsense", "out1", ""])
def test_a_page_after_an_item_that_was_not_given_is_refused(tmp_path: Path, after: str) -> None:
    async def work(rows: ResponseRows) -> None:
        await add_chain(rows, 2)
        with pytest.raises(Invalid, match=f"No item with id '{after}'") as caught:
            await rows.page_inputs("p", "r1", after, 20, "asc")
        assert caught.value.param == "after"

    with_rows(tmp_path, work)
