"""Stored uploads and their parts: how they end, and what becomes of their blobs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.storage.database import open_database
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRow, FileRows
from freehold.storage.repos.uploads import NotPending, PartRow, UploadRow, UploadRows
from tests.databases import database_url

NOW = 100.0
UPLOAD = UploadRow(
    id="u",
    project="p",
    created=1,
    expires=200,
    status="pending",
    purpose="vision",
    filename="a.png",
    bytes=2**33,
    mime_type="image/png",
    lifetime=None,
)
FILE = FileRow(
    id="f",
    project="p",
    created=1,
    expires=None,
    purpose="vision",
    filename="a.png",
    bytes=4,
    sha256=b"",
    blob="whole",
)


class Rows:
    """The rows of a new database that holds one upload."""

    def __init__(self, uploads: UploadRows, blobs: BlobRows, files: FileRows) -> None:
        self.uploads = uploads
        self.blobs = blobs
        self.files = files

    async def add(self, name: str, now: float = NOW, size: int = 2, most: int = 100) -> bool:
        await self.blobs.reserve("blob_" + name, 1.0)
        part = PartRow(id=name, upload="u", created=1, bytes=size, blob="blob_" + name)
        return await self.uploads.add_part(part, now, most)

    async def doomed(self) -> list[str]:
        return sorted(await self.blobs.doomed(1000.0, 100))

    async def status(self) -> str | None:
        found = await self.uploads.get("p", "u")
        return None if found is None else found.status


def with_rows(folder: Path, work: Callable[[Rows], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            rows = Rows(UploadRows(database), BlobRows(database), FileRows(database))
            await rows.uploads.add(UPLOAD)
            await work(rows)

    asyncio.run(main())


def test_a_completed_upload_keeps_its_file_and_the_places_of_its_parts(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        assert await rows.uploads.get("p", "u") == UPLOAD
        for name in "abc":
            assert await rows.add(name)
        await rows.blobs.reserve("whole", 1.0)
        await rows.uploads.complete("u", FILE, ["c", "a"], NOW)
        found = await rows.uploads.get("p", "u")
        assert found is not None
        assert (found.status, found.file) == ("completed", "f")
        assert await rows.files.get("p", "f", NOW) == FILE
        assert {part.id: part.position for part in await rows.uploads.parts("u")} == {"c": 0, "a": 1}
        assert await rows.doomed() == ["blob_a", "blob_b", "blob_c"]
        with pytest.raises(NotPending):
            await rows.uploads.complete("u", FILE, ["c", "a"], NOW)

    with_rows(tmp_path, work)


def test_a_completion_that_fails_changes_nothing(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        await rows.add("a")
        with pytest.raises(Exception, match="took too long"):  # the file's blob was never reserved
            await rows.uploads.complete("u", FILE, ["a"], NOW)
        assert await rows.status() == "pending"
        assert await rows.doomed() == []
        assert [part.position for part in await rows.uploads.parts("u")] == [None]

    with_rows(tmp_path, work)


def test_an_upload_has_its_largest_size(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        assert await rows.add("a", size=60)
        assert not await rows.add("b", size=41)
        assert await rows.add("c", size=40)

    with_rows(tmp_path, work)


def test_after_its_end_nothing_is_added(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        with pytest.raises(NotPending):
            await rows.add("late", now=200.0)
        await rows.add("a")
        await rows.uploads.cancel("u", NOW)
        assert (await rows.status(), await rows.doomed(), await rows.uploads.parts("u")) == (
            "cancelled",
            ["blob_a"],
            [],
        )
        for ended in (rows.add("b"), rows.uploads.cancel("u", NOW), rows.uploads.complete("u", FILE, [], NOW)):
            with pytest.raises(NotPending):
                await ended

    with_rows(tmp_path, work)


def test_what_has_expired_is_ended_and_in_the_end_forgotten(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        await rows.add("a")
        assert await rows.uploads.remove_expired(199.0, 10) == 0
        assert await rows.uploads.remove_expired(200.0, 10) == 1
        assert await rows.uploads.remove_expired(200.0, 10) == 0
        assert (await rows.status(), await rows.doomed(), await rows.uploads.parts("u")) == ("expired", ["blob_a"], [])
        await rows.uploads.forget(199.0)
        assert await rows.status() == "expired"
        await rows.uploads.forget(200.0)
        assert await rows.status() is None

    with_rows(tmp_path, work)


def test_another_project_does_not_see_it(tmp_path: Path) -> None:
    async def work(rows: Rows) -> None:
        assert await rows.uploads.get("q", "u") is None

    with_rows(tmp_path, work)
