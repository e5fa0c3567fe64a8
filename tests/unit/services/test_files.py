"""Files, from the upload to the sweep, over a real database and folder."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, NotFound
from freehold.core.principal import Principal
from freehold.services.blobs import Shelf
from freehold.services.files import Files, NewFile
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import open_database
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRows
from tests.databases import database_url
from tests.house import fixed_chance

WHO, STRANGER = Principal("proj_1", "key_1"), Principal("proj_2", "key_2")
NOTE = NewFile(filename="note.txt", purpose="user_data")


class Clock:
    """Stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for one in given:
        yield one


def with_files(folder: Path, work: Callable[[Files, Shelf, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            clock, mint = Clock(), fixed_chance().mint
            shelf = Shelf(BlobRows(database), FolderBlobs(folder / "blobs"), mint, clock)
            await work(Files(FileRows(database), shelf, mint, clock), shelf, clock)

    asyncio.run(main())


def blobs(folder: Path) -> list[str]:
    return [path.name for path in (folder / "blobs").iterdir()]


def test_a_file_is_stored_and_read_in_any_range(tmp_path: Path) -> None:
    async def work(files: Files, shelf: Shelf, clock: Clock) -> None:
        made = await files.add(WHO, NOTE, chunks(b"Buy ", b"milk"))
        assert (made.id, made.bytes, made.filename, made.expires_at) == ("file-1", 8, "note.txt", None)
        assert await files.retrieve(WHO, made.id) == made
        row, content = await files.open(WHO, made.id)
        assert (row.bytes, b"".join([piece async for piece in content])) == (8, b"Buy milk")
        _, content = await files.open(WHO, made.id, 4, 6)
        assert b"".join([piece async for piece in content]) == b"mi"

    with_files(tmp_path, work)


def test_an_empty_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def work(files: Files, shelf: Shelf, clock: Clock) -> None:
        with pytest.raises(Invalid, match="File is empty") as caught:
            await files.add(WHO, NOTE, chunks())
        assert (caught.value.code, caught.value.param) == ("empty_file", "file")
        clock.now += 100
        await shelf.sweep(clock.now)
        assert blobs(tmp_path) == []

    with_files(tmp_path, work)


def test_a_deleted_file_is_gone_at_once_and_its_content_soon(tmp_path: Path) -> None:
    async def work(files: Files, shelf: Shelf, clock: Clock) -> None:
        made = await files.add(WHO, NOTE, chunks(b"x"))
        _, reading = await files.open(WHO, made.id)
        assert (await files.delete(WHO, made.id)).deleted
        with pytest.raises(NotFound, match=f"No such File object: {made.id}"):
            await files.open(WHO, made.id)
        await shelf.sweep(clock.now)
        assert [piece async for piece in reading] == [b"x"], "who reads it already may go on"
        clock.now += 100
        await shelf.sweep(clock.now)
        assert blobs(tmp_path) == []

    with_files(tmp_path, work)


def test_a_file_that_expires_is_gone_at_that_second(tmp_path: Path) -> None:
    async def work(files: Files, shelf: Shelf, clock: Clock) -> None:
        made = await files.add(WHO, NewFile(filename="a", purpose="vision", lifetime=3600), chunks(b"x"))
        stays = await files.add(WHO, NOTE, chunks(b"x"))
        assert made.expires_at == 4600
        clock.now = 4599
        await files.retrieve(WHO, made.id)
        clock.now = 4600
        with pytest.raises(NotFound):
            await files.retrieve(WHO, made.id)
        assert (await files.list(WHO, None, None, 10, "desc")).data == (stays,)
        await files.sweep(clock.now)
        await shelf.sweep(clock.now + 100)
        assert len(blobs(tmp_path)) == 1

    with_files(tmp_path, work)


def test_another_project_sees_nothing(tmp_path: Path) -> None:
    async def work(files: Files, shelf: Shelf, clock: Clock) -> None:
        made = await files.add(WHO, NOTE, chunks(b"x"))
        for call in (files.retrieve, files.open, files.delete):
            with pytest.raises(NotFound):
                await call(STRANGER, made.id)
        assert (await files.list(STRANGER, None, None, 10, "desc")).data == ()
        page = await files.list(WHO, "user_data", None, 10, "desc")
        assert (page.data, page.first_id, page.last_id, page.has_more) == ((made,), made.id, made.id, False)

    with_files(tmp_path, work)
