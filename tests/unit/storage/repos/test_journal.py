"""The journal's rows: all or nothing at the beginning and the end, fenced in between, and one project's only."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from freehold.core.errors import StorageFailed
from freehold.storage.database import Database, open_database
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.jobs import JobRow, JobRows, LeaseLost
from freehold.storage.repos.journal import Begun, Ending, JournalRows, Page
from freehold.storage.repos.responses import ResponseRow, ResponseRows
from freehold.storage.tables import frames, items, jobs, responses
from tests.databases import database_url

NOW = 1000.0
ROW = ResponseRow(id="r", project="p", previous=None, created=900, status="queued", model="m", body=b"{}")
JOB = JobRow(id="j", kind="response", subject="r", project="p", created=NOW)
INPUT = ItemRow("in", b'"in"')
FIRST = [b"0", b"1"]
QUEUED = Page("queued", FIRST, 1)


def nothing(connection: Connection) -> None:
    """Do no more than end the response."""


def end(first: int, status: str = "completed", also: Callable[[Connection], None] = nothing) -> Ending:
    outputs = [ItemRow("out", b'"out"')]
    return Ending(status=status, body=b"[]", outputs=outputs, first=first, frames=[b"last"], also=also)


def with_rows(folder: Path, work: Callable[[JournalRows, Database], Awaitable[None]]) -> None:
    """Run `work` on the journals of a new database, in which `r` has begun."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            rows = JournalRows(database)
            await rows.begin(ROW, [INPUT], FIRST, JOB)
            await work(rows, database)

    asyncio.run(main())


async def claimed(database: Database, now: float = NOW) -> JobRow:
    (job,) = await JobRows(database).claim("w", ["response"], now, 15.0, 1)
    return job


async def count(database: Database) -> dict[str, int]:
    tables = (responses, items, frames, jobs)
    return await database.read(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }
    )


def test_it_begins_whole_or_not_at_all(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        assert await rows.read("p", "r", -1, 10) == QUEUED
        assert await rows.get("p", "r") == Begun(ROW, FIRST)
        with pytest.raises(StorageFailed):
            await rows.begin(replace(ROW, id="s"), [], FIRST, JOB)
        assert await count(database) == {"responses": 1, "items": 1, "frames": 2, "jobs": 1}

    with_rows(tmp_path, work)


def test_another_project_sees_nothing(tmp_path: Path) -> None:
    async def work(rows: JournalRows, _: Database) -> None:
        assert await rows.read("q", "r", -1, 10) is None
        assert await rows.get("q", "r") is None
        assert not await rows.end_early("q", "r", "response", NOW, lambda begun: end(2))
        assert await rows.read("p", "r", -1, 10) == QUEUED

    with_rows(tmp_path, work)


def test_frames_are_added_read_from_anywhere_and_end_with_the_response(tmp_path: Path) -> None:
    told: list[str] = []

    async def work(rows: JournalRows, database: Database) -> None:
        job = await claimed(database)
        await rows.add(job, 2, [b"2", b"3"])
        assert await rows.read("p", "r", -1, 3) == Page("in_progress", [b"0", b"1", b"2"], 2)
        assert await rows.read("p", "r", 2, 3) == Page("in_progress", [b"3"], 3)
        await rows.end(job, end(4, also=lambda connection: told.append("told")))
        page = await rows.read("p", "r", 3, 3)
        assert page == Page("completed", [b"last"], 4) and page.ended
        assert await count(database) == {"responses": 1, "items": 2, "frames": 5, "jobs": 0}
        found = await ResponseRows(database).get("p", "r")
        assert found is not None
        assert (found[0].status, found[0].body, found[1]) == ("completed", b"[]", [ItemRow("out", b'"out"')])

    with_rows(tmp_path, work)
    assert told == ["told"]


def test_who_lost_the_lease_writes_nothing(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        stale = await claimed(database)
        job = await claimed(database, NOW + 20)
        for late in (rows.add(stale, 2, [b"x"]), rows.end(stale, end(2))):
            with pytest.raises(LeaseLost):
                await late
        assert await rows.read("p", "r", -1, 10) == QUEUED
        await rows.add(job, 2, [b"2"])
        with pytest.raises(LeaseLost):
            await rows.end(stale, end(2))

    with_rows(tmp_path, work)


def test_what_fails_beside_the_end_undoes_it(tmp_path: Path) -> None:
    def broken(connection: Connection) -> None:
        raise ZeroDivisionError

    async def work(rows: JournalRows, database: Database) -> None:
        job = await claimed(database)
        with pytest.raises(ZeroDivisionError):
            await rows.end(job, end(2, also=broken))
        assert await rows.read("p", "r", -1, 10) == QUEUED
        await rows.end(job, end(2))

    with_rows(tmp_path, work)


def test_one_that_nobody_has_is_ended_at_once(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        given: list[Begun] = []
        assert not await rows.end_early(
            "p", "r", "response", NOW, lambda begun: given.append(begun) or end(2, "cancelled")
        )
        assert given == [Begun(ROW, FIRST)]
        assert await rows.read("p", "r", 1, 10) == Page("cancelled", [b"last"], 2)
        assert not await rows.end_early("p", "r", "response", NOW, lambda begun: end(3))
        assert (await count(database))["jobs"] == 0

    with_rows(tmp_path, work)


def test_one_that_a_worker_has_is_asked_to_end(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        await claimed(database)
        assert await rows.end_early("p", "r", "response", NOW, lambda begun: end(2))
        assert (await JobRows(database).look("w", ["j"])).stopping == {"j"}
        assert not await rows.end_early("p", "r", "response", NOW + 20, lambda begun: end(2, "cancelled"))
        assert await rows.read("p", "r", 1, 10) == Page("cancelled", [b"last"], 2)

    with_rows(tmp_path, work)


def test_a_deleted_response_takes_its_journal_and_job_along(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        job = await claimed(database)
        assert await ResponseRows(database).delete("p", "r")
        assert await count(database) == {"responses": 0, "items": 0, "frames": 0, "jobs": 0}
        with pytest.raises(LeaseLost):
            await rows.add(job, 2, [b"2"])
        assert await rows.get("p", "r") is None

    with_rows(tmp_path, work)


def test_only_journals_that_have_ended_are_forgotten(tmp_path: Path) -> None:
    async def work(rows: JournalRows, database: Database) -> None:
        assert await rows.forget(NOW) == 0
        await rows.end(await claimed(database), end(2))
        assert await rows.forget(900) == 0
        assert await rows.forget(NOW) == 1
        assert await rows.read("p", "r", -1, 10) == Page("completed", [], -1)
        assert await rows.forget(NOW) == 0

    with_rows(tmp_path, work)
