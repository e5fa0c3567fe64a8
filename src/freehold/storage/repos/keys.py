"""The rows of API keys. The secret is never here, only its hash."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select, update

from freehold.storage.database import Database
from freehold.storage.tables import keys


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key as stored: `hash` is HMAC-SHA256 of the secret, `hint` its last characters, times are unix seconds."""

    id: str
    project: str
    name: str
    hash: bytes
    hint: str
    owner: bool
    created: int
    revoked: int | None = None


_BY_HASH = select(keys).where(keys.c.hash == bindparam("hash"))


class KeyRows:
    """The stored keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: KeyRow) -> None:
        """Store a key."""
        values = {name: getattr(row, name) for name in row.__struct_fields__}
        await self._database.insert((insert(keys), [values]))

    async def find(self, hash: bytes) -> KeyRow | None:
        """Return the key with this hash, revoked or not."""

        def work(connection: Connection) -> KeyRow | None:
            found = connection.execute(_BY_HASH, {"hash": hash}).mappings().first()
            return None if found is None else KeyRow(**found)

        return await self._database.read(work)

    async def list(self) -> list[KeyRow]:
        """Return every key, oldest first."""
        statement = select(keys).order_by(keys.c.created, keys.c.id)
        return await self._database.read(
            lambda connection: [KeyRow(**row) for row in connection.execute(statement).mappings()]
        )

    async def revoke(self, key_id: str, now: int) -> bool:
        """Revoke a key; one that is revoked stays so. False when there is no such key."""

        def work(connection: Connection) -> bool:
            known = connection.execute(select(keys.c.id).where(keys.c.id == key_id)).first() is not None
            connection.execute(update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None)).values(revoked=now))
            return known

        return await self._database.write(work)
