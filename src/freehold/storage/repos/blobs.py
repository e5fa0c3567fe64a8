"""The rows of blobs: what the blob store holds, and what of that nobody needs any more.

A blob is `pending` before its first byte is stored, `kept` in the transaction of the row that refers to it, and
`doomed` in the one that deletes that row. What is doomed, or pending for too long, is removed from the store, and then
from here: so no crash leaves a blob that nobody knows of, or a row whose blob is gone.
"""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from freehold.core.errors import StorageFailed
from freehold.storage.database import Database
from freehold.storage.tables import blobs

_these = blobs.c.id.in_(bindparam("ids", expanding=True))
_pending = blobs.c.state == "pending"
_RESERVE = insert(blobs)
_KEEP = update(blobs).where(blobs.c.id == bindparam("blob"), _pending).values(state="kept")
_DOOM = update(blobs).where(_these).values(state="doomed", since=bindparam("at"))
_GIVE_UP = update(blobs).where(_these, _pending).values(state="doomed", since=bindparam("at"))
_ABANDONED = update(blobs).where(_pending, blobs.c.since <= bindparam("before")).values(state="doomed")
_DOOMED = (
    select(blobs.c.id)
    .where(blobs.c.state == "doomed", blobs.c.since <= bindparam("before"))
    .order_by(blobs.c.since)
    .limit(bindparam("most"))
)
_FORGET = delete(blobs).where(_these)


def keep(connection: Connection, blob_id: str) -> None:
    """Note that a row refers to a blob, as part of the write of that row.

    Raises StorageFailed when the blob was given up meanwhile.
    """
    if connection.execute(_KEEP, {"blob": blob_id}).rowcount == 0:
        raise StorageFailed("The upload took too long and was given up. Please retry your request.")


def doom(connection: Connection, blob_ids: Collection[str], now: float) -> None:
    """Note that no row refers to the blobs any more, as part of the write that deletes those rows."""
    if blob_ids:
        connection.execute(_DOOM, {"ids": list(blob_ids), "at": now})


class BlobRows:
    """What the blob store holds, for every project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, blob_id: str, now: float) -> None:
        """Note that a blob is about to be stored, durable when this returns."""
        await self._database.insert((_RESERVE, [{"id": blob_id, "state": "pending", "since": now}]))

    async def give_up(self, blob_ids: Collection[str], now: float) -> None:
        """Doom those of the blobs that no row refers to yet."""
        given_up = {"ids": list(blob_ids), "at": now}
        await self._database.write(lambda connection: connection.execute(_GIVE_UP, given_up))

    async def give_up_older(self, before: float) -> None:
        """Doom the blobs that have been pending since `before`, or longer: their writers are gone."""
        await self._database.write(lambda connection: connection.execute(_ABANDONED, {"before": before}))

    async def doomed(self, before: float, most: int) -> list[str]:
        """Return up to `most` blobs that were doomed until `before`, oldest first."""
        sought = {"before": before, "most": most}
        return await self._database.read(lambda connection: list(connection.execute(_DOOMED, sought).scalars()))

    async def forget(self, blob_ids: Collection[str]) -> None:
        """Delete the rows of blobs that are no longer in the store."""
        await self._database.write(lambda connection: connection.execute(_FORGET, {"ids": list(blob_ids)}))
