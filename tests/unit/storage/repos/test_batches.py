"""The rows of batches: what a worker writes counts once, and only while it has the job."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from freehold.core.errors import Invalid
from freehold.storage.database import Database, open_database
from freehold.storage.repos.batches import BatchRow, BatchRows, LineRow, ResultRow
from freehold.storage.repos.jobs import JobRow, JobRows, LeaseLost
from freehold.storage.tables import batch_lines, jobs
from tests.databases import database_url


def with_rows(folder: Path, work: Callable[[BatchRows, Database], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(BatchRows(database), database)

    asyncio.run(main())


def batch(name: str, project: str = "p") -> BatchRow:
    return BatchRow(id=name, project=project, status="validating", expires=100, body=b"{}")


def line(number: int, prefix: bytes = b"p") -> LineRow:
    return LineRow(number=number, custom_id=f"c{number}", start=number * 10, length=9, prefix=prefix)


async def begun(rows: BatchRows, database: Database, name: str = "b") -> JobRow:
    """Store a batch, and return its job as the worker `w` has it."""
    await rows.begin(batch(name), JobRow(id=f"job of {name}", kind="batch", subject=name, project="p", created=0.0))
    (job,) = await JobRows(database).claim("w", ["batch"], 1.0, 15.0, 1)
    return job


def status(new: str) -> Callable[[Connection, BatchRow], BatchRow]:
    return lambda _, row: replace(row, status=new)


def test_lines_are_counted_by_their_states(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        job = await begun(rows, database)
        assert await rows.get("p", "b") == (batch("b"), {})
        assert await rows.get("q", "b") is None
        assert await rows.last_line("b") == 0
        await rows.add_lines(job, [line(number) for number in (1, 2, 4, 5)])
        assert await rows.last_line("b") == 5
        await rows.answer(job, 2, "completed", b"two")
        await rows.answer(job, 4, "failed", b"four")
        await rows.move(job, status("in_progress"))
        found = await rows.get("p", "b")
        assert found == (replace(batch("b"), status="in_progress"), {"pending": 2, "completed": 1, "failed": 1})
        assert await rows.close(job, "late") == {"late": 2, "completed": 1, "failed": 1}

    with_rows(tmp_path, work)


def test_a_line_is_answered_once(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        job = await begun(rows, database)
        await rows.add_lines(job, [line(1), line(2)])
        await rows.answer(job, 1, "completed", b"first")
        await rows.answer(job, 1, "failed", b"second")
        await rows.close(job, "late")
        await rows.answer(job, 2, "completed", b"too late")
        assert await rows.results("b", "completed", 0, 10) == [ResultRow(1, "c1", b"first")]
        assert await rows.results("b", "late", 0, 10) == [ResultRow(2, "c2", None)]
        assert await rows.results("b", "failed", 0, 10) == []

    with_rows(tmp_path, work)


def test_pending_lines_come_by_prefix_page_by_page(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        job = await begun(rows, database)
        await rows.add_lines(job, [line(1, b"\xff"), line(2, b"a"), line(3, b"\xff"), line(4, b"a"), line(5, b"a\x00")])
        await rows.answer(job, 4, "completed", b"")
        first = await rows.pending("b", None, 2)
        assert [one.number for one in first] == [2, 5]
        assert first[0] == line(2, b"a")
        second = await rows.pending("b", first[-1], 2)
        assert [one.number for one in second] == [1, 3]
        assert await rows.pending("b", second[-1], 2) == []

    with_rows(tmp_path, work)


def test_results_come_in_the_order_of_the_input_page_by_page(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        job = await begun(rows, database)
        await rows.add_lines(job, [line(number) for number in range(1, 6)])
        for number in (5, 1, 3):
            await rows.answer(job, number, "completed", b"%d" % number)
        first = await rows.results("b", "completed", 0, 2)
        assert [one.result for one in first] == [b"1", b"3"]
        assert [one.number for one in await rows.results("b", "completed", 3, 2)] == [5]

    with_rows(tmp_path, work)


def test_a_worker_that_lost_its_lease_writes_nothing(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        old = await begun(rows, database)
        await rows.add_lines(old, [line(1)])
        (job,) = await JobRows(database).claim("v", ["batch"], 100.0, 15.0, 1)
        for write in (
            lambda: rows.add_lines(old, [line(2)]),
            lambda: rows.answer(old, 1, "completed", b"old"),
            lambda: rows.close(old, "late"),
            lambda: rows.move(old, status("in_progress")),
            lambda: rows.end(old, status("completed")),
        ):
            with pytest.raises(LeaseLost):
                await write()
        assert await rows.get("p", "b") == (batch("b"), {"pending": 1})
        await rows.end(job, status("completed"))
        with pytest.raises(LeaseLost):
            await rows.answer(job, 1, "completed", b"after the end")

    with_rows(tmp_path, work)


def test_to_cancel_changes_the_row_and_stops_the_job(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        await begun(rows, database)
        stopping = select(jobs.c.stop)
        assert not await rows.cancel("q", "b", status("cancelling"))
        assert not await rows.cancel("p", "none", status("cancelling"))
        assert await database.read(lambda connection: connection.execute(stopping).scalar()) is False
        assert await rows.cancel("p", "b", status("cancelling"))
        assert await database.read(lambda connection: connection.execute(stopping).scalar()) is True
        found = await rows.get("p", "b")
        assert found is not None
        assert found[0].status == "cancelling"

        def refuse(_: Connection, row: BatchRow) -> BatchRow:
            raise Invalid(f"{row.id} is {row.status}")

        with pytest.raises(Invalid, match="b is cancelling"):
            await rows.cancel("p", "b", refuse)

    with_rows(tmp_path, work)


def test_pages_are_newest_first_with_counts_of_what_is_under_way(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        made = [await begun(rows, database, name) for name in "abc"]
        await rows.begin(batch("other", "q"), replace(made[0], id="j", subject="other", project="q"))
        for job in made:
            await rows.add_lines(job, [line(1)])
        await rows.end(made[1], status("completed"))
        page, more = await rows.page("p", None, 2)
        assert [(row.id, counts) for row, counts in page] == [("c", {"pending": 1}), ("b", {})]
        assert more
        page, more = await rows.page("p", "b", 2)
        assert ([row.id for row, _ in page], more) == (["a"], False)
        with pytest.raises(Invalid, match="No batch found with id 'other'"):
            await rows.page("p", "other", 2)

    with_rows(tmp_path, work)


def test_lines_are_forgotten_some_at_a_time_once_their_batch_has_ended(tmp_path: Path) -> None:
    async def work(rows: BatchRows, database: Database) -> None:
        ended, going = await begun(rows, database, "a"), await begun(rows, database, "b")
        for job in (ended, going):
            await rows.add_lines(job, [line(number) for number in range(5)])
        assert await rows.ended_with_lines() == []
        await rows.end(ended, status("failed"))
        assert await rows.ended_with_lines() == ["a"]
        assert [await rows.forget("a", 3) for _ in range(3)] == [True, True, False]
        assert await rows.ended_with_lines() == []
        left = select(func.count()).select_from(batch_lines)
        assert await database.read(lambda connection: connection.execute(left).scalar()) == 5

    with_rows(tmp_path, work)
