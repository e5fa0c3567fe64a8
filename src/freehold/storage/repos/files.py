"""The rows of files. A file that has expired is not there, also before it is swept."""

from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.repos import parsed_files, vector_store_files
from freehold.storage.repos.blobs import doom, keep
from freehold.storage.tables import files


class FileRow(Struct, frozen=True, kw_only=True):
    """A file; `created` and `expires` are unix times, `blob` is where its content is."""

    id: str
    project: str
    created: int
    expires: int | None
    purpose: str
    filename: str
    sha256: bytes
    bytes: int
    blob: str


_columns = [files.c[name] for name in FileRow.__struct_fields__]
_own = (files.c.project == bindparam("project"), or_(files.c.expires.is_(None), files.c.expires > bindparam("now")))
_ADD = insert(files)
_GET = select(files.c.number, *_columns).where(files.c.id == bindparam("id"), *_own)
_LIST = select(*_columns).where(*_own)
_EXPIRED = (
    select(files.c.number, files.c.id, files.c.project, files.c.blob)
    .where(files.c.expires <= bindparam("now"))
    .limit(bindparam("most"))
)
_REMOVE = delete(files).where(files.c.number.in_(bindparam("numbers", expanding=True)))


def add(connection: Connection, row: FileRow) -> None:
    """Add a file and keep its blob, as part of a write. Raises StorageFailed when the blob was given up meanwhile."""
    keep(connection, row.blob)
    connection.execute(_ADD, {name: getattr(row, name) for name in FileRow.__struct_fields__})


class FileRows:
    """The files of every project; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: FileRow) -> None:
        """Store a file, durable when this returns. Raises StorageFailed when its blob was given up meanwhile."""
        await self._database.write(lambda connection: add(connection, row))

    async def get(self, project: str, file_id: str, now: float) -> FileRow | None:
        """Return a file."""
        sought = {"id": file_id, "project": project, "now": now}

        def work(connection: Connection) -> FileRow | None:
            found = connection.execute(_GET, sought).mappings().first()
            return None if found is None else FileRow(**{name: found[name] for name in FileRow.__struct_fields__})

        return await self._database.read(work)

    async def delete(self, project: str, file_id: str, now: float) -> bool:
        """Delete a file and doom its blob; False when there is none."""
        sought = {"id": file_id, "project": project, "now": now}

        def work(connection: Connection) -> bool:
            found = connection.execute(_GET, sought).first()
            if found is None or connection.execute(_REMOVE, {"numbers": [found.number]}).rowcount == 0:
                return False
            _forget(connection, project, file_id)
            doom(connection, [found.blob], now)
            return True

        return await self._database.write(work)

    async def page(
        self,
        project: str,
        purpose: str | None,
        after: str | None,
        limit: int,
        order: Literal["asc", "desc"],
        now: float,
    ) -> tuple[list[FileRow], bool]:
        """Return a page of the files of a purpose, or of all, in the order of storing; and whether there is more.

        Raises Invalid when `after` is no file of the project.
        """
        number = files.c.number
        chosen = _LIST if purpose is None else _LIST.where(files.c.purpose == purpose)
        chosen = chosen.order_by(number if order == "asc" else number.desc()).limit(limit + 1)

        def work(connection: Connection) -> tuple[list[FileRow], bool]:
            statement = chosen
            if after is not None:
                found = connection.execute(_GET, {"id": after, "project": project, "now": now}).first()
                if found is None:
                    raise Invalid(f"No file found with id '{after}'.", "invalid_value", "after")
                statement = statement.where(number > found.number if order == "asc" else number < found.number)
            rows = connection.execute(statement, {"project": project, "now": now}).mappings().all()
            return [FileRow(**row) for row in rows[:limit]], len(rows) > limit

        return await self._database.read(work)

    async def remove_expired(self, now: float, most: int) -> int:
        """Delete up to `most` files that have expired, doom their blobs, and return how many they were."""

        def work(connection: Connection) -> int:
            found = connection.execute(_EXPIRED, {"now": now, "most": most}).all()
            if not found:
                return 0
            removed = connection.execute(_REMOVE, {"numbers": [row.number for row in found]}).rowcount
            for row in found:
                _forget(connection, row.project, row.id)
            doom(connection, [row.blob for row in found], now)
            return removed

        return await self._database.write(work)


def _forget(connection: Connection, project: str, file_id: str) -> None:
    """Delete what was read in a file, and what of it can be found, as part of the write that deletes it."""
    parsed_files.forget(connection, [file_id])
    vector_store_files.forget_file(connection, project, file_id)
