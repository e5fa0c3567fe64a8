"""Files: what was uploaded, and what the server makes for its clients."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection

from freehold.core.errors import Invalid, NotFound
from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.blobs import Received, Shelf
from freehold.storage.repos import files as rows_of
from freehold.storage.repos.files import FileRow, FileRows
from freehold.surfaces.files import File, FileDeleted, FilePage

_AT_ONCE = 500


class NewFile(Struct, frozen=True, kw_only=True):
    """What is known of a file beside its content; it expires `lifetime` seconds after it is made, or never."""

    filename: str
    purpose: str
    lifetime: int | None = None


class Files:
    """The files of every project, each seen by its own only."""

    def __init__(self, rows: FileRows, shelf: Shelf, mint: Mint, clock: Clock) -> None:
        self._rows = rows
        self._shelf = shelf
        self._mint = mint
        self._clock = clock

    async def add(self, who: Principal, new: NewFile, chunks: AsyncIterable[bytes]) -> File:
        """Store a file; when this returns, it survives a crash. Raises StorageFailed, and what the chunks raise."""
        async with self._shelf.receiving() as receive:
            return await self.keep(who, new, await receive(chunks))

    async def keep(self, who: Principal, new: NewFile, received: Received) -> File:
        """Make a file of a blob that was received; when this returns, it survives a crash.

        Raises Invalid when it is empty, StorageFailed.
        """
        if received.digest.bytes == 0:
            raise Invalid("File is empty.", "empty_file", "file")
        row = self.made(who.project, new, received)
        await self._rows.add(row)
        return shown(row)

    def made(self, project: str, new: NewFile, received: Received) -> FileRow:
        """Return the row of a file that is made of a blob that was received; to store it is the caller's."""
        now = int(self._clock())
        return FileRow(
            id=self._mint("file-"),
            project=project,
            created=now,
            expires=None if new.lifetime is None else now + new.lifetime,
            purpose=new.purpose,
            filename=new.filename,
            bytes=received.digest.bytes,
            sha256=received.digest.sha256,
            blob=received.blob,
        )

    def adopt(self, connection: Connection, project: str, new: NewFile, received: Received) -> FileRow:
        """Make a file of a blob that was received, as part of a write, and return its row. Raises StorageFailed."""
        row = self.made(project, new, received)
        rows_of.add(connection, row)
        return row

    async def find(self, who: Principal, file_id: str) -> FileRow:
        """Return the row of a file. Raises NotFound."""
        row = await self._rows.get(who.project, file_id, self._clock())
        if row is None:
            raise missing(file_id)
        return row

    async def open(
        self, who: Principal, file_id: str, start: int = 0, end: int | None = None
    ) -> tuple[FileRow, AsyncGenerator[bytes, None]]:
        """Return the row of a file, and its bytes from `start` to before `end`. Raises NotFound."""
        row = await self.find(who, file_id)
        return row, self.content(row, start, end)

    def content(self, row: FileRow, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file from `start` to before `end`. Raises StorageFailed."""
        return self._shelf.read(row.blob, start, row.bytes if end is None else end)

    async def retrieve(self, who: Principal, file_id: str) -> File:
        """Return a file. Raises NotFound."""
        return shown(await self.find(who, file_id))

    async def list(
        self, who: Principal, purpose: str | None, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> FilePage:
        """Return a page of the files. Raises Invalid when `after` is not among them."""
        rows, has_more = await self._rows.page(who.project, purpose, after, limit, order, self._clock())
        return FilePage(
            data=tuple(map(shown, rows)),
            first_id=rows[0].id if rows else None,
            last_id=rows[-1].id if rows else None,
            has_more=has_more,
        )

    async def delete(self, who: Principal, file_id: str) -> FileDeleted:
        """Delete a file; its content is removed soon after. Raises NotFound."""
        if not await self._rows.delete(who.project, file_id, self._clock()):
            raise missing(file_id)
        return FileDeleted(file_id)

    async def sweep(self, now: float) -> None:
        """Delete the files that have expired."""
        while await self._rows.remove_expired(now, _AT_ONCE) == _AT_ONCE:
            pass


def shown(row: FileRow) -> File:
    """A file as it stands on the wire."""
    return File(
        id=row.id,
        purpose=row.purpose,
        filename=row.filename,
        bytes=row.bytes,
        created_at=row.created,
        expires_at=row.expires,
    )


def missing(file_id: str) -> NotFound:
    """The fault for a file that this project does not have."""
    return NotFound(f"No such File object: {file_id}", None, "id")
