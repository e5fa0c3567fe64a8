"""No blob is ever lost sight of."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import StorageFailed
from freehold.services.blobs import ABANDONED_SECONDS, LINGER_SECONDS, Shelf
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import Database, open_database
from freehold.storage.repos.blobs import BlobRows, keep
from tests.databases import database_url
from tests.house import NOW, fixed_chance


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for one in given:
        yield one


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").iterdir())


def with_shelf(folder: Path, work: Callable[[Shelf, Database], Awaitable[None]]) -> None:
    """Run `work` on an empty shelf whose blobs are in the folder `blobs`."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            chance = fixed_chance()
            shelf = Shelf(BlobRows(database), FolderBlobs(folder / "blobs"), chance.mint, chance.clock)
            await work(shelf, database)

    asyncio.run(main())


def test_what_is_received_and_kept_stays(tmp_path: Path) -> None:
    async def work(shelf: Shelf, database: Database) -> None:
        async with shelf.receiving() as receive:
            received = await receive(chunks(b"Buy ", b"milk"))
            await database.write(lambda connection: keep(connection, received.blob))
        await shelf.sweep(NOW + 2 * ABANDONED_SECONDS)
        assert names(tmp_path) == [received.blob]
        assert [piece async for piece in shelf.read(received.blob, 4, 8)] == [b"milk"]

    with_shelf(tmp_path, work)


def test_what_a_failed_block_received_is_removed_but_not_what_was_kept(tmp_path: Path) -> None:
    async def work(shelf: Shelf, database: Database) -> None:
        with pytest.raises(KeyError):
            async with shelf.receiving() as receive:
                kept = (await receive(chunks(b"a"))).blob
                await database.write(lambda connection: keep(connection, kept))
                await receive(chunks(b"b"))
                raise KeyError
        await shelf.sweep(NOW)
        assert len(names(tmp_path)) == 2, "somebody may still be reading it"
        await shelf.sweep(NOW + LINGER_SECONDS)
        assert names(tmp_path) == ["blob_1"]

    with_shelf(tmp_path, work)


def test_what_nobody_finished_is_removed_after_a_day(tmp_path: Path) -> None:
    async def work(shelf: Shelf, database: Database) -> None:
        async with shelf.receiving() as receive:
            received = await receive(chunks(b"a"))
        (tmp_path / "blobs/blob_2.part").write_bytes(b"unfinished")
        await BlobRows(database).reserve("blob_2", NOW)
        await shelf.sweep(NOW + ABANDONED_SECONDS - 1)
        assert len(names(tmp_path)) == 2
        await shelf.sweep(NOW + ABANDONED_SECONDS)
        assert names(tmp_path) == []
        with pytest.raises(StorageFailed):
            await database.write(lambda connection: keep(connection, received.blob))

    with_shelf(tmp_path, work)


def test_a_blob_that_the_store_does_not_remove_is_remembered(tmp_path: Path) -> None:
    async def work(shelf: Shelf, database: Database) -> None:
        rows = BlobRows(database)
        await rows.reserve("blob_1", NOW)
        await rows.give_up(["blob_1"], NOW)
        (tmp_path / "blobs/blob_1").mkdir()
        with pytest.raises(StorageFailed):
            await shelf.sweep(NOW + LINGER_SECONDS)
        assert await rows.doomed(NOW, 10) == ["blob_1"]
        (tmp_path / "blobs/blob_1").rmdir()
        await shelf.sweep(NOW + LINGER_SECONDS)
        assert await rows.doomed(NOW, 10) == []

    with_shelf(tmp_path, work)


def test_more_than_one_round_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.services.blobs._AT_ONCE", 2)

    async def work(shelf: Shelf, database: Database) -> None:
        with pytest.raises(KeyError):
            async with shelf.receiving() as receive:
                for _ in range(5):
                    await receive(chunks(b"a"))
                raise KeyError
        await shelf.sweep(NOW + LINGER_SECONDS)
        assert names(tmp_path) == []

    with_shelf(tmp_path, work)
