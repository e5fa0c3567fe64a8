"""Batches are begun, found and cancelled by their own project only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from freehold.core.errors import Conflict, Fault, Invalid, NotFound, Unsupported
from freehold.core.principal import Principal
from freehold.services.batches import Batches, Task, as_row
from freehold.services.blobs import Shelf
from freehold.services.files import Files, NewFile
from freehold.services.jobs import Bell
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import open_database
from freehold.storage.repos.batches import BatchRows
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRows
from freehold.storage.repos.jobs import JobRow, JobRows
from freehold.surfaces.batches import CreateBody, RequestCounts, Status
from freehold.surfaces.files import ExpiresAfter
from tests.databases import database_url
from tests.house import NOW, fixed_chance

OURS, THEIRS = Principal("p", "key of ours"), Principal("q", "key of theirs")
CHAT = "/v1/chat/completions"


class Room(NamedTuple):
    """Batches, and what is around them."""

    batches: Batches
    rows: BatchRows
    files: Files
    jobs: JobRows

    async def input(self, who: Principal = OURS, purpose: str = "batch") -> str:
        """Store a file and return its id."""

        async def content() -> AsyncIterator[bytes]:
            yield b"{}\n"

        return (await self.files.add(who, NewFile(filename="a.jsonl", purpose=purpose), content())).id

    async def claimed(self) -> JobRow:
        """Claim the only job there is."""
        (job,) = await self.jobs.claim("w", ["batch"], NOW, 15.0, 2)
        return job


def in_room(folder: Path, work: Callable[[Room], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            chance, rows = fixed_chance(), BatchRows(database)
            shelf = Shelf(BlobRows(database), FolderBlobs(folder / "blobs"), chance.mint, chance.clock)
            files = Files(FileRows(database), shelf, chance.mint, chance.clock)
            batches = Batches(rows, files, (CHAT,), chance.mint, chance.clock, Bell())
            await work(Room(batches, rows, files, JobRows(database)))

    asyncio.run(main())


def body(file_id: str, **more: Any) -> CreateBody:
    given: dict[str, Any] = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", **more}
    return CreateBody(**given)


def test_a_batch_begins_with_its_job(tmp_path: Path) -> None:
    async def work(room: Room) -> None:
        expiry = ExpiresAfter(anchor="created_at", seconds=3600)
        given = body(await room.input(), metadata={"k": "v"}, output_expires_after=expiry)
        batch = await room.batches.create(OURS, given)
        assert (batch.id, batch.status, batch.metadata) == ("batch_1", "validating", {"k": "v"})
        assert (batch.created_at, batch.expires_at) == (NOW, NOW + 24 * 3600)
        assert await room.batches.retrieve(OURS, batch.id) == batch
        job = await room.claimed()
        assert (job.kind, job.subject, job.project) == ("batch", batch.id, "p")
        assert msgspec.json.decode(job.payload, type=Task) == Task("key of ours", 3600)

    in_room(tmp_path, work)


def test_what_cannot_be_a_batch_is_refused(tmp_path: Path) -> None:
    async def work(room: Room) -> None:
        good, other, foreign = await room.input(), await room.input(purpose="user_data"), await room.input(THEIRS)
        cases: list[tuple[CreateBody, type[Fault], str, str]] = [
            (body(good, endpoint="/v1/embeddings"), Unsupported, "endpoint", "'/v1/embeddings' on this server"),
            (body("file-none"), Invalid, "input_file_id", "No such File object: file-none"),
            (body(foreign), Invalid, "input_file_id", f"No such File object: {foreign}"),
            (body(other), Invalid, "input_file_id", "has the purpose 'user_data'"),
        ]
        for given, fault, param, message in cases:
            with pytest.raises(fault, match=message) as refused:
                await room.batches.create(OURS, given)
            assert refused.value.param == param
        assert (await room.batches.list(OURS, None, 10)).data == ()
        assert await room.jobs.due(["batch"], NOW) == set()

    in_room(tmp_path, work)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(room: Room) -> None:
        monkeypatch.setattr("freehold.services.batches.MOST_BYTES", 2)
        with pytest.raises(Invalid, match=r"has 3 bytes\. A batch takes up to 2") as refused:
            await room.batches.create(OURS, body(await room.input()))
        assert (refused.value.code, refused.value.param) == ("file_too_large", "input_file_id")

    in_room(tmp_path, work)


def test_other_projects_see_nothing(tmp_path: Path) -> None:
    async def work(room: Room) -> None:
        batch = await room.batches.create(OURS, body(await room.input()))
        with pytest.raises(NotFound, match=f"No batch found with id '{batch.id}'"):
            await room.batches.retrieve(THEIRS, batch.id)
        with pytest.raises(NotFound):
            await room.batches.cancel(THEIRS, batch.id)
        with pytest.raises(Invalid, match="No batch found"):
            await room.batches.list(THEIRS, batch.id, 10)
        assert (await room.batches.list(THEIRS, None, 10)).data == ()
        assert (await room.batches.retrieve(OURS, batch.id)).status == "validating"

    in_room(tmp_path, work)


def test_lists_are_newest_first(tmp_path: Path) -> None:
    async def work(room: Room) -> None:
        made = [await room.batches.create(OURS, body(await room.input())) for _ in range(3)]
        page = await room.batches.list(OURS, None, 2)
        assert page.data == (made[2], made[1])
        assert (page.first_id, page.last_id, page.has_more) == (made[2].id, made[1].id, True)
        page = await room.batches.list(OURS, made[1].id, 2)
        assert (page.data, page.has_more) == ((made[0],), False)

    in_room(tmp_path, work)


def test_to_cancel_stops_the_job_and_can_be_repeated(tmp_path: Path) -> None:
    async def work(room: Room) -> None:
        batch = await room.batches.create(OURS, body(await room.input()))
        cancelled = await room.batches.cancel(OURS, batch.id)
        assert (cancelled.status, cancelled.cancelling_at) == ("cancelling", NOW)
        assert await room.batches.cancel(OURS, batch.id) == cancelled
        assert (await room.claimed()).stop

    in_room(tmp_path, work)


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled", "finalizing", "completed"])
def test_a_batch_that_has_ended_is_not_cancelled(tmp_path: Path, status: Status) -> None:
    async def work(room: Room) -> None:
        batch = await room.batches.create(OURS, body(await room.input()))
        ended = replace(batch, status=status, request_counts=RequestCounts(total=0))
        await room.rows.move(await room.claimed(), lambda _, row: as_row(row.project, ended))
        if status in ("finalizing", "completed"):
            with pytest.raises(Conflict, match=f"Cannot cancel a batch with status '{status}'"):
                await room.batches.cancel(OURS, batch.id)
        else:
            assert await room.batches.cancel(OURS, batch.id) == ended
        assert (await room.batches.retrieve(OURS, batch.id)).status == status

    in_room(tmp_path, work)
