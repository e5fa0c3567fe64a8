"""What was read in files, kept so that each is read once. It goes with its file."""

from sqlalchemy import Connection, bindparam, delete, insert, select

from freehold.storage.database import Database
from freehold.storage.tables import files, parsed_files

_ADD = insert(parsed_files)
_GET = select(parsed_files.c.body).where(parsed_files.c.file == bindparam("file"))
_THERE = (
    select(files.c.id)
    .where(files.c.id == bindparam("file"))
    .with_for_update(key_share=True)  # or what was read in a file that is deleted now would stay
)
_DELETE = delete(parsed_files).where(parsed_files.c.file.in_(bindparam("files", expanding=True)))


def forget(connection: Connection, file_ids: list[str]) -> None:
    """Forget what was read in files, as part of the write that deletes them."""
    connection.execute(_DELETE, {"files": file_ids})


class ParsedRows:
    """What was read in the files of every project: who asks has found the file first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, file_id: str) -> bytes | None:
        """Return what was kept of a file."""
        return await self._database.read(lambda connection: connection.execute(_GET, {"file": file_id}).scalar())

    async def keep(self, file_id: str, body: bytes) -> None:
        """Keep what was read in a file, unless the file is gone; what is there already is replaced."""

        def work(connection: Connection) -> None:
            there = connection.execute(_THERE, {"file": file_id}).first() is not None
            forget(connection, [file_id])
            if there:
                connection.execute(_ADD, {"file": file_id, "body": body})

        await self._database.write(work)
