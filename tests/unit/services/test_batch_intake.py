"""The input of a batch on its way into rows: in constant memory, and as often as it takes."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from freehold.services import batch_intake
from freehold.services.batch_intake import MOST_ERRORS, take_in
from freehold.services.jobs import Claimed
from freehold.storage.database import open_database
from freehold.storage.repos.batches import BatchRow, BatchRows, LineRow
from freehold.storage.repos.jobs import JobRow, JobRows
from tests.databases import database_url

CHAT = "/v1/chat/completions"
LONGEST = 1000


def with_rows(folder: Path, work: Callable[[BatchRows, Claimed], Awaitable[None]]) -> None:
    """Run `work` on a batch without lines, and the job behind it."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            rows = BatchRows(database)
            row = BatchRow(id="b", project="p", status="validating", expires=100, body=b"{}")
            await rows.begin(row, JobRow(id="j", kind="batch", subject="b", project="p", created=0.0))
            (job,) = await JobRows(database).claim("w", ["batch"], 1.0, 15.0, 1)
            await work(rows, Claimed(job))

    asyncio.run(main())


def content(count: int) -> bytes:
    line = {"method": "POST", "url": CHAT, "body": {"model": "m", "messages": []}}
    return b"".join(json.dumps({"custom_id": f"c{number}", **line}).encode() + b"\n" for number in range(count))


async def chunks(given: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(given), size):
        yield given[start : start + size]


async def stored(rows: BatchRows) -> list[LineRow]:
    return sorted(await rows.pending("b", None, 10_000), key=lambda line: line.number)


@pytest.mark.parametrize("size", [7, 1000, 10**6])
def test_every_line_is_stored_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    async def work(rows: BatchRows, job: Claimed) -> None:
        monkeypatch.setattr(batch_intake, "_AT_ONCE", 10)
        given = content(25)
        taken = await take_in(rows, job, CHAT, chunks(given, size), LONGEST)
        assert (taken.model, taken.errors) == ("m", ())
        lines = await stored(rows)
        assert [line.custom_id for line in lines] == [f"c{number}" for number in range(25)]
        places = [given[line.start : line.start + line.length] for line in lines]
        assert places == given.splitlines()

    with_rows(tmp_path, work)


def test_what_is_stored_already_is_not_stored_again(tmp_path: Path) -> None:
    async def work(rows: BatchRows, job: Claimed) -> None:
        given = content(20)
        lines = given.splitlines(keepends=True)
        assert (await take_in(rows, job, CHAT, chunks(b"".join(lines[:7]), 99), LONGEST)).errors == ()
        assert (await take_in(rows, job, CHAT, chunks(given, 99), LONGEST)).errors == ()
        assert (await take_in(rows, job, CHAT, chunks(given, 99), LONGEST)).errors == ()
        assert len(await stored(rows)) == 20

    with_rows(tmp_path, work)


def test_a_duplicate_is_found_among_what_is_stored_already(tmp_path: Path) -> None:
    async def work(rows: BatchRows, job: Claimed) -> None:
        await take_in(rows, job, CHAT, chunks(content(3), 99), LONGEST)
        taken = await take_in(rows, job, CHAT, chunks(content(3) + content(1), 99), LONGEST)
        assert [(error.code, error.line) for error in taken.errors] == [("duplicate_custom_id", 4)]

    with_rows(tmp_path, work)


def test_after_so_many_errors_it_reads_no_more(tmp_path: Path) -> None:
    async def work(rows: BatchRows, job: Claimed) -> None:
        read = 0

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal read
            while read < 1000:
                read += 1
                yield b"bad\n"

        taken = await take_in(rows, job, CHAT, counted(), LONGEST)
        assert len(taken.errors) == MOST_ERRORS
        assert read < MOST_ERRORS + 3
        assert await stored(rows) == []

    with_rows(tmp_path, work)


def test_a_job_that_is_asked_to_stop_does(tmp_path: Path) -> None:
    async def work(rows: BatchRows, job: Claimed) -> None:
        async def stopping() -> AsyncGenerator[bytes, None]:
            yield content(2)
            job.ask_to_stop()
            while True:
                yield b"bad\n"

        assert (await take_in(rows, job, CHAT, stopping(), LONGEST)).errors == ()

    with_rows(tmp_path, work)
