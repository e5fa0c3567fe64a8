"""The projects that own anything, and the end of one."""

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from freehold.storage.database import Database
from freehold.storage.tables import blobs, files, metadata, parsed_files, upload_parts, uploads

OWNED = tuple(table for table in metadata.sorted_tables if "project" in table.c)
"""The tables whose rows belong to a project. What else there is of a project hangs on these, and goes with them."""

_ITS_FILES = select(files.c.id).where(files.c.project == bindparam("project"))
_ITS_BLOBS = (
    select(files.c.blob).where(files.c.project == bindparam("project")),
    select(upload_parts.c.blob)
    .join(uploads, uploads.c.id == upload_parts.c.upload)
    .where(uploads.c.project == bindparam("project")),
)
_DOOM = (
    update(blobs).where(or_(*(blobs.c.id.in_(its) for its in _ITS_BLOBS))).values(state="doomed", since=bindparam("at"))
)
_FORGET_PARSED = delete(parsed_files).where(parsed_files.c.file.in_(_ITS_FILES))
_COUNTS = {table.name: select(table.c.project, func.count()).group_by(table.c.project) for table in OWNED}
_DELETES = {table.name: delete(table).where(table.c.project == bindparam("project")) for table in reversed(OWNED)}

Counts = dict[str, int]
"""How many rows there are, by table."""


class ProjectRows:
    """Every project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> dict[str, Counts]:
        """Return what each project owns, by its name; a project is there while it owns something."""

        def work(connection: Connection) -> dict[str, Counts]:
            found: dict[str, Counts] = {}
            for name, statement in _COUNTS.items():
                for project, count in connection.execute(statement):
                    found.setdefault(project, {})[name] = count
            return dict(sorted(found.items()))

        return await self._database.read(work)

    async def delete(self, project: str, now: float) -> Counts:
        """Delete all that a project owns, in one transaction, and doom its blobs; return how much that was."""

        def work(connection: Connection) -> Counts:
            connection.execute(_DOOM, {"project": project, "at": now})
            connection.execute(_FORGET_PARSED, {"project": project})
            gone = {name: connection.execute(one, {"project": project}).rowcount for name, one in _DELETES.items()}
            return {name: count for name, count in gone.items() if count}

        return await self._database.write(work)
