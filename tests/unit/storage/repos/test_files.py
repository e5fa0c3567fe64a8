"""Stored files: lists chosen by purpose, expiry, and projects that do not see each other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, StorageFailed
from freehold.storage.database import open_database
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRow, FileRows
from tests.databases import database_url

NOW = 100.0


def with_rows(folder: Path, work: Callable[[FileRows, BlobRows], Awaitable[None]]) -> None:
    """Run `work` on the files of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(FileRows(database), BlobRows(database))

    asyncio.run(main())


def file(name: str, project: str = "p", purpose: str = "batch", expires: int | None = None) -> FileRow:
    return FileRow(
        id=name,
        project=project,
        created=1,
        expires=expires,
        purpose=purpose,
        filename="a.jsonl",
        bytes=2**33,
        sha256=b"\0" * 32,
        blob="blob_" + name,
    )


async def add(rows: FileRows, blobs: BlobRows, *files: FileRow) -> None:
    for one in files:
        await blobs.reserve(one.blob, 1.0)
        await rows.add(one)


def test_a_file_is_stored_with_its_blob_and_dooms_it_when_it_goes(tmp_path: Path) -> None:
    async def work(rows: FileRows, blobs: BlobRows) -> None:
        await add(rows, blobs, file("a"))
        assert await rows.get("p", "a", NOW) == file("a")
        assert await blobs.doomed(NOW, 10) == []
        assert await rows.delete("p", "a", NOW)
        assert await blobs.doomed(NOW, 10) == ["blob_a"]
        assert not await rows.delete("p", "a", NOW)
        assert await rows.get("p", "a", NOW) is None

    with_rows(tmp_path, work)


def test_a_file_without_its_blob_is_not_stored(tmp_path: Path) -> None:
    async def work(rows: FileRows, blobs: BlobRows) -> None:
        with pytest.raises(StorageFailed):
            await rows.add(file("a"))
        assert await rows.get("p", "a", NOW) is None

    with_rows(tmp_path, work)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_in_the_order_of_storing(tmp_path: Path, limit: int, order: str) -> None:
    given = ["e", "b", "d", "a", "c"]

    async def work(rows: FileRows, blobs: BlobRows) -> None:
        await add(rows, blobs, *map(file, given), file("x", purpose="vision"), file("y", project="q"))
        listed: list[str] = []
        has_more = True
        while has_more:
            after = listed[-1] if listed else None
            found, has_more = await rows.page("p", "batch", after, limit, order, NOW)  # type: ignore[arg-type]
            listed += [one.id for one in found]
            assert has_more == (len(listed) < len(given))
        assert listed == (given if order == "asc" else given[::-1])
        every, _ = await rows.page("p", None, None, 10, "asc", NOW)
        assert [one.id for one in every] == [*given, "x"]

    with_rows(tmp_path, work)


def test_a_file_that_has_expired_is_gone_before_it_is_swept(tmp_path: Path) -> None:
    async def work(rows: FileRows, blobs: BlobRows) -> None:
        await add(
            rows, blobs, file("old", expires=100), file("older", expires=99), file("young", expires=101), file("a")
        )
        for name in ("old", "older"):
            assert await rows.get("p", name, NOW) is None
            assert not await rows.delete("p", name, NOW)
            with pytest.raises(Invalid):
                await rows.page("p", None, name, 10, "asc", NOW)
        assert [one.id for one in (await rows.page("p", None, None, 10, "asc", NOW))[0]] == ["young", "a"]
        assert await rows.remove_expired(NOW, 1) == 1
        assert await rows.remove_expired(NOW, 10) == 1
        assert await rows.remove_expired(NOW, 10) == 0
        assert sorted(await blobs.doomed(NOW, 10)) == ["blob_old", "blob_older"]

    with_rows(tmp_path, work)


def test_another_project_sees_and_changes_nothing(tmp_path: Path) -> None:
    async def work(rows: FileRows, blobs: BlobRows) -> None:
        await add(rows, blobs, file("a"))
        assert await rows.get("q", "a", NOW) is None
        assert not await rows.delete("q", "a", NOW)
        assert await rows.page("q", None, None, 10, "asc", NOW) == ([], False)
        with pytest.raises(Invalid, match="No file found with id 'a'"):
            await rows.page("q", None, "a", 10, "asc", NOW)
        assert await rows.get("p", "a", NOW) == file("a")

    with_rows(tmp_path, work)
