"""What the rows of blobs know of the blob store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import StorageFailed
from freehold.storage.database import Database, open_database
from freehold.storage.repos.blobs import BlobRows, doom, keep
from tests.databases import database_url


def with_rows(folder: Path, work: Callable[[BlobRows, Database], Awaitable[None]]) -> None:
    """Run `work` on the blobs of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(BlobRows(database), database)

    asyncio.run(main())


def test_a_blob_is_pending_then_kept_then_doomed_then_forgotten(tmp_path: Path) -> None:
    async def work(rows: BlobRows, database: Database) -> None:
        await rows.reserve("a", 1.0)
        await rows.reserve("b", 1.0)
        await database.write(lambda connection: keep(connection, "a"))
        await rows.give_up(["a", "b"], 2.0)
        assert await rows.doomed(2.0, 10) == ["b"]
        await database.write(lambda connection: doom(connection, ["a"], 3.0))
        assert await rows.doomed(2.0, 10) == ["b"]
        assert await rows.doomed(3.0, 10) == ["b", "a"]
        assert await rows.doomed(3.0, 1) == ["b"]
        await rows.forget(["b"])
        assert await rows.doomed(3.0, 10) == ["a"]

    with_rows(tmp_path, work)


def test_only_a_pending_blob_can_be_kept(tmp_path: Path) -> None:
    async def work(rows: BlobRows, database: Database) -> None:
        await rows.reserve("a", 1.0)
        await rows.give_up(["a"], 2.0)
        for blob_id in ("a", "unknown"):
            with pytest.raises(StorageFailed, match="took too long"):
                await database.write(lambda connection, blob_id=blob_id: keep(connection, blob_id))

    with_rows(tmp_path, work)


def test_what_is_pending_for_too_long_is_given_up(tmp_path: Path) -> None:
    async def work(rows: BlobRows, database: Database) -> None:
        for blob_id, since in (("old", 1.0), ("kept", 1.0), ("new", 3.0)):
            await rows.reserve(blob_id, since)
        await database.write(lambda connection: keep(connection, "kept"))
        await rows.give_up_older(2.0)
        assert await rows.doomed(9.0, 10) == ["old"]

    with_rows(tmp_path, work)
