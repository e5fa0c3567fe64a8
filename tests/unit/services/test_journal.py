"""Following: what is there, then what comes, whoever writes it; and waiting for the end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from freehold.core.errors import NotFound
from freehold.core.principal import Principal
from freehold.services.journal import Journal, News
from freehold.storage.database import open_database
from freehold.storage.repos.jobs import JobRow, JobRows
from freehold.storage.repos.journal import Ending, JournalRows
from freehold.storage.repos.responses import ResponseRow
from tests.databases import database_url

WHO = Principal("p", "key")
ROW = ResponseRow(id="r", project="p", previous=None, created=1, status="queued", model="m", body=b"{}")


def nothing(connection: Connection) -> None:
    """Do no more than end the response."""


class Writer:
    """Writes the journal of `r`, and tells of it or not."""

    def __init__(self, rows: JournalRows, news: News, job: JobRow) -> None:
        self._rows = rows
        self._news = news
        self._job = job
        self._number = 2

    async def add(self, *frames: bytes, tell: bool = True) -> None:
        await self._rows.add(self._job, self._number, frames)
        self._number += len(frames)
        if tell:
            self._news.tell("r")

    async def end(self, tell: bool = True) -> None:
        ending = Ending(status="completed", body=b"", outputs=[], first=self._number, frames=[b"end"], also=nothing)
        await self._rows.end(self._job, ending)
        if tell:
            self._news.tell("r")


def with_journal(folder: Path, work: Callable[[Journal, Writer, News], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            rows, news = JournalRows(database), News()
            job = JobRow(id="j", kind="response", subject="r", project="p", created=1.0)
            await rows.begin(ROW, [], [b"0", b"1"], job)
            (claimed,) = await JobRows(database).claim("w", ["response"], 1.0, 15.0, 1)
            await work(Journal(rows, news), Writer(rows, news, claimed), news)
        assert not news._listening

    asyncio.run(main())


async def following(journal: Journal, after: int | None = None) -> AsyncGenerator[bytes, None]:
    frames = await journal.follow(WHO, "r", after)
    assert frames is not None
    return frames


@pytest.mark.parametrize("tell", [True, False])
def test_a_follower_sees_every_frame_once_and_the_end(tmp_path: Path, tell: bool) -> None:
    async def work(journal: Journal, writer: Writer, _: News) -> None:
        async def read(after: int | None) -> list[bytes]:
            return [frame async for frame in await following(journal, after)]

        readers = [asyncio.ensure_future(read(after)) for after in (None, 0, 3)]
        for number in range(2, 8):
            await writer.add(b"%d" % number, tell=tell)
            await asyncio.sleep(0.02)
        await writer.end(tell=tell)
        every = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"end"]
        assert await asyncio.gather(*readers) == [every, every[1:], every[4:]]
        assert await read(None) == every

    with_journal(tmp_path, work)


def test_many_frames_are_read_in_parts(tmp_path: Path) -> None:
    async def work(journal: Journal, writer: Writer, _: News) -> None:
        await writer.add(*(b"x" for _ in range(1_000)))
        await writer.end()
        assert len([frame async for frame in await following(journal)]) == 1_003

    with_journal(tmp_path, work)


def test_there_is_nothing_to_follow_behind_the_end(tmp_path: Path) -> None:
    async def work(journal: Journal, writer: Writer, _: News) -> None:
        await writer.end()
        assert await journal.follow(WHO, "r", 2) is None
        assert await journal.follow(WHO, "r", 1) is not None

    with_journal(tmp_path, work)


def test_a_stranger_finds_nothing(tmp_path: Path) -> None:
    async def work(journal: Journal, writer: Writer, _: News) -> None:
        with pytest.raises(NotFound):
            await journal.follow(Principal("q", "key"), "r", None)

    with_journal(tmp_path, work)


def test_the_end_is_waited_for_with_patience(tmp_path: Path) -> None:
    async def work(journal: Journal, writer: Writer, _: News) -> None:
        assert not await journal.ended(WHO, "r", 0.05)
        waiting = asyncio.ensure_future(journal.ended(WHO, "r", 10.0))
        await asyncio.sleep(0.01)
        await writer.end()
        assert await waiting

    with_journal(tmp_path, work)


def test_news_reach_those_who_listen_and_nobody_else() -> None:
    news = News()
    news.tell("a")
    with news.listening("a") as first, news.listening("b") as second:
        news.tell("a")
        assert first.is_set() and not second.is_set()
