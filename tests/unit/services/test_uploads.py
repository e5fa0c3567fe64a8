"""Uploads: their states, their expiry, and two that end one at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid, NotFound
from freehold.core.principal import Principal
from freehold.services.blobs import Shelf
from freehold.services.files import Files
from freehold.services.uploads import Uploads
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import open_database
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRows
from freehold.storage.repos.uploads import UploadRows
from freehold.surfaces.uploads import CompleteUploadBody, CreateUploadBody
from tests.databases import database_url
from tests.house import fixed_chance

WHO, STRANGER = Principal("proj_1", "key_1"), Principal("proj_2", "key_2")
BODY = CreateUploadBody(filename="a.txt", purpose="user_data", bytes=6, mime_type="text/plain")
DAY = 24 * 3600


class Held(FolderBlobs):
    """A folder whose reads wait while it is held."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.go = asyncio.Event()
        self.go.set()
        self.waiting = 0

    async def get(self, blob_id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        self.waiting += 1
        await self.go.wait()
        async for piece in super().get(blob_id, start, end):
            yield piece


class House:
    """Uploads over a new database, with a clock that stands still until it is set."""

    now = 1000.0

    def __init__(self, uploads: Uploads, files: Files, shelf: Shelf, blobs: Held) -> None:
        self.uploads = uploads
        self.files = files
        self.shelf = shelf
        self.blobs = blobs

    async def begin(self, *parts: bytes) -> tuple[str, list[str]]:
        """Begin an upload of 6 bytes and add the parts."""
        upload = await self.uploads.create(WHO, BODY)
        return upload.id, [await self.add(upload.id, part) for part in parts]

    async def add(self, upload_id: str, part: bytes) -> str:
        async with self.shelf.receiving() as receive:
            return (await self.uploads.add_part(WHO, upload_id, await receive(chunk(part)))).id

    async def sweep(self) -> None:
        for sweep in (self.files.sweep, self.uploads.sweep, self.shelf.sweep):
            await sweep(self.now)

    def stored(self) -> int:
        return len(list(self.blobs.folder.iterdir()))


async def chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content


def with_house(folder: Path, work: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            blobs, mint = Held(folder / "blobs"), fixed_chance().mint
            shelf = Shelf(BlobRows(database), blobs, mint, lambda: house.now)
            files = Files(FileRows(database), shelf, mint, lambda: house.now)
            house = House(Uploads(UploadRows(database), files, shelf, mint, lambda: house.now), files, shelf, blobs)
            await work(house)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_of_a_completed_upload_only_the_file_is_left(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abc", b"spare", b"def")
        done = await house.uploads.complete(WHO, upload_id, CompleteUploadBody(part_ids=[parts[2], parts[0]]))
        assert done.file is not None
        _, content = await house.files.open(WHO, done.file.id)
        assert [piece async for piece in content] == [b"defabc"]
        house.now += 100
        await house.sweep()
        assert house.stored() == 1

    with_house(tmp_path, work)


def test_an_upload_expires_with_its_parts(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abc", b"def")
        house.now += 3600
        for call in (house.uploads.expect_part(WHO, upload_id), house.uploads.cancel(WHO, upload_id)):
            with pytest.raises(Invalid, match="is expired"):
                await call
        await house.sweep()
        with pytest.raises(Invalid, match="is expired"):
            await house.uploads.complete(WHO, upload_id, CompleteUploadBody(part_ids=parts))
        house.now += 100
        await house.sweep()
        assert house.stored() == 0
        house.now += DAY
        await house.sweep()
        with pytest.raises(NotFound):
            await house.uploads.cancel(WHO, upload_id)

    with_house(tmp_path, work)


def test_two_completions_at_once_give_one_file(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abc", b"def")
        house.blobs.go.clear()
        body = CompleteUploadBody(part_ids=parts)
        both = [asyncio.ensure_future(house.uploads.complete(WHO, upload_id, body)) for _ in range(2)]
        while house.blobs.waiting < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        house.blobs.go.set()
        one, other = await asyncio.gather(*both)
        assert one == other
        assert len((await house.files.list(WHO, None, None, 10, "asc")).data) == 1
        house.now += 100
        await house.sweep()
        assert house.stored() == 1

    with_house(tmp_path, work)


def test_an_upload_that_is_cancelled_while_it_is_completed_has_no_file(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abc", b"def")
        house.blobs.go.clear()
        completing = asyncio.ensure_future(house.uploads.complete(WHO, upload_id, CompleteUploadBody(part_ids=parts)))
        while not house.blobs.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert (await house.uploads.cancel(WHO, upload_id)).status == "cancelled"
        house.blobs.go.set()
        with pytest.raises(Invalid, match="is cancelled"):
            await completing
        house.now += 100
        await house.sweep()
        assert house.stored() == 0

    with_house(tmp_path, work)


@pytest.mark.parametrize(
    ("part_ids", "param"),
    [([], "part_ids"), ([0], "part_ids"), ([0, 0], "part_ids[1]"), ([0, 1, 1], "part_ids[2]"), ([0, 2], "part_ids")],
)
def test_parts_that_do_not_add_up_are_refused_before_they_are_read(
    tmp_path: Path, part_ids: list[int], param: str
) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abc", b"def", b"too much")
        with pytest.raises(Invalid) as caught:
            await house.uploads.complete(
                WHO, upload_id, CompleteUploadBody(part_ids=[parts[place] for place in part_ids])
            )
        assert (caught.value.param, house.blobs.waiting) == (param, 0)

    with_house(tmp_path, work)


def test_an_empty_part_and_an_empty_upload_are_refused(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, _ = await house.begin()
        with pytest.raises(Invalid, match="the part is empty"):
            await house.add(upload_id, b"")
        empty = await house.uploads.create(WHO, CreateUploadBody(filename="a", purpose="vision", bytes=0, mime_type=""))
        with pytest.raises(Invalid, match="File is empty"):
            await house.uploads.complete(WHO, empty.id, CompleteUploadBody(part_ids=[]))

    with_house(tmp_path, work)


def test_another_project_sees_nothing(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        upload_id, parts = await house.begin(b"abcdef")
        body = CompleteUploadBody(part_ids=parts)
        for call in (
            house.uploads.expect_part(STRANGER, upload_id),
            house.uploads.complete(STRANGER, upload_id, body),
            house.uploads.cancel(STRANGER, upload_id),
        ):
            with pytest.raises(NotFound, match=f"No such Upload object: {upload_id}"):
                await call
        assert (await house.uploads.complete(WHO, upload_id, body)).status == "completed"

    with_house(tmp_path, work)
