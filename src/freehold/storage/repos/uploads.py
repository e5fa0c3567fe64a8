"""The rows of uploads and their parts."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from freehold.storage.database import Database
from freehold.storage.repos import files
from freehold.storage.repos.blobs import doom, keep
from freehold.storage.repos.files import FileRow
from freehold.storage.tables import upload_parts, uploads

Status = Literal["pending", "completed", "cancelled", "expired"]


class NotPending(Exception):
    """The upload ended before this could be written."""


class UploadRow(Struct, frozen=True, kw_only=True):
    """An upload; `created` and `expires` are unix times, `lifetime` is the seconds that its file will stay."""

    id: str
    project: str
    created: int
    expires: int
    status: Status
    purpose: str
    filename: str
    bytes: int
    mime_type: str
    lifetime: int | None
    file: str | None = None


class PartRow(Struct, frozen=True, kw_only=True):
    """A part; of a completed upload it has a `position`, and its blob is gone."""

    id: str
    upload: str
    created: int
    bytes: int
    blob: str
    position: int | None = None


_own = uploads.c
_parts = upload_parts.c
_this = _own.id == bindparam("its_id")
_inside = _parts.upload == bindparam("its_id")
_ADD = insert(uploads)
_GET = select(*(_own[name] for name in UploadRow.__struct_fields__)).where(
    _this, _own.project == bindparam("its_project")
)
_OPEN = select(_own.id).where(_this, _own.status == "pending", _own.expires > bindparam("now")).with_for_update()
_END = update(uploads).where(_this).values(status=bindparam("its_status"), file=bindparam("its_file"))
_LATE = (
    select(_own.id)
    .where(_own.status == "pending", _own.expires <= bindparam("now"))
    .limit(bindparam("most"))
    .with_for_update()
)
_FORGET = delete(uploads).where(_own.status != "pending", _own.expires <= bindparam("before"))
_ADD_PART = insert(upload_parts)
_SIZE = select(func.coalesce(func.sum(_parts.bytes), 0)).where(_inside)
_PARTS = select(*(_parts[name] for name in PartRow.__struct_fields__)).where(_inside)
_BLOBS = select(_parts.blob).where(_inside)
_PLACE = update(upload_parts).where(_parts.id == bindparam("its_part")).values(position=bindparam("its_position"))
_DROP_UNPLACED = delete(upload_parts).where(_inside, _parts.position.is_(None))


class UploadRows:
    """The uploads of every project; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: UploadRow) -> None:
        """Store an upload, durable when this returns."""
        await self._database.insert((_ADD, [{name: getattr(row, name) for name in UploadRow.__struct_fields__}]))

    async def get(self, project: str, upload_id: str) -> UploadRow | None:
        """Return an upload."""
        sought = {"its_id": upload_id, "its_project": project}

        def work(connection: Connection) -> UploadRow | None:
            found = connection.execute(_GET, sought).mappings().first()
            return None if found is None else UploadRow(**found)

        return await self._database.read(work)

    async def parts(self, upload_id: str) -> list[PartRow]:
        """Return every part of an upload, in no order."""

        def work(connection: Connection) -> list[PartRow]:
            return [PartRow(**row) for row in connection.execute(_PARTS, {"its_id": upload_id}).mappings()]

        return await self._database.read(work)

    async def add_part(self, part: PartRow, now: float, most_bytes: int) -> bool:
        """Add a part to an upload; False when all would be more than `most_bytes`.

        Raises NotPending, and StorageFailed when the part's blob was given up meanwhile.
        """

        def work(connection: Connection) -> bool:
            _hold(connection, part.upload, now)
            if connection.execute(_SIZE, {"its_id": part.upload}).scalar_one() + part.bytes > most_bytes:
                return False
            keep(connection, part.blob)
            connection.execute(_ADD_PART, {name: getattr(part, name) for name in PartRow.__struct_fields__})
            return True

        return await self._database.write(work)

    async def complete(self, upload_id: str, file: FileRow, part_ids: Sequence[str], now: float) -> None:
        """Make `file` of an upload and of these of its parts; the contents of the parts are needed no more.

        Raises NotPending, and StorageFailed when the file's blob was given up meanwhile.
        """
        placed = [{"its_part": part_id, "its_position": place} for place, part_id in enumerate(part_ids)]

        def work(connection: Connection) -> None:
            _hold(connection, upload_id, now)
            files.add(connection, file)
            connection.execute(_PLACE, placed)
            _end(connection, upload_id, "completed", now, file.id)

        await self._database.write(work)

    async def cancel(self, upload_id: str, now: float) -> None:
        """End an upload without a file. Raises NotPending."""

        def work(connection: Connection) -> None:
            _hold(connection, upload_id, now)
            _end(connection, upload_id, "cancelled", now)

        await self._database.write(work)

    async def remove_expired(self, now: float, most: int) -> int:
        """End up to `most` uploads that have expired, and return how many they were."""

        def work(connection: Connection) -> int:
            late = connection.execute(_LATE, {"now": now, "most": most}).scalars().all()
            for upload_id in late:
                _end(connection, upload_id, "expired", now)
            return len(late)

        return await self._database.write(work)

    async def forget(self, before: float) -> None:
        """Delete the uploads that have ended, and would have expired until `before`."""
        await self._database.write(lambda connection: connection.execute(_FORGET, {"before": before}))


def _hold(connection: Connection, upload_id: str, now: float) -> None:
    if connection.execute(_OPEN, {"its_id": upload_id, "now": now}).first() is None:
        raise NotPending


def _end(connection: Connection, upload_id: str, status: Status, now: float, file_id: str | None = None) -> None:
    doom(connection, connection.execute(_BLOBS, {"its_id": upload_id}).scalars().all(), now)
    connection.execute(_DROP_UNPLACED, {"its_id": upload_id})
    connection.execute(_END, {"its_id": upload_id, "its_status": status, "its_file": file_id})
