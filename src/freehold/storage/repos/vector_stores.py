"""The rows of vector stores."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.repos import jobs
from freehold.storage.repos.windows import Window, seen_through
from freehold.storage.tables import vector_store_files, vector_stores


class StoreRow(Struct, frozen=True, kw_only=True):
    """A store; `expires` is a unix time, `model` is what its texts are embedded with, `body` the JSON of its object.

    `version` grows whenever what can be found changes.
    """

    id: str
    project: str
    expires: int | None
    model: str
    version: int = 0
    body: bytes


class Tally(Struct, frozen=True):
    """How many files are in each state, and the bytes of all of them."""

    counts: dict[str, int]
    bytes: int


Found = tuple[StoreRow, Tally]
Change = Callable[[StoreRow], StoreRow]
"""Makes a new row of a store's row, as part of the write."""

_own = vector_stores.c
_files = vector_store_files.c
_columns = [_own[name] for name in StoreRow.__struct_fields__]
_one = (_own.id == bindparam("id"), _own.project == bindparam("project"))
_ADD = insert(vector_stores)
_GET = select(_own.number, *_columns).where(*_one)
_LOCK = _GET.with_for_update(key_share=True)
_CHANGE = (
    update(vector_stores)
    .where(_own.id == bindparam("its_id"))
    .values(expires=bindparam("new_expires"), body=bindparam("new_body"))
)
_BUMP = update(vector_stores).where(_own.id == bindparam("its_id")).values(version=_own.version + 1)
_DELETE = delete(vector_stores).where(*_one)
_TALLY = (
    select(_files.store, _files.status, func.count(), func.sum(_files.bytes))
    .where(_files.store.in_(bindparam("ids", expanding=True)))
    .group_by(_files.store, _files.status)
)
_ENTRIES = select(_files.number).where(_files.store == bindparam("store"))
_EXPIRED = (
    select(_own.id, _own.project)
    .where(_own.expires <= bindparam("now"), select(_files.number).where(_files.store == _own.id).exists())
    .limit(bindparam("most"))
)
_EMPTY = delete(vector_store_files).where(_files.store == bindparam("store"))


def find(connection: Connection, project: str, store_id: str, *, lock: bool = False) -> StoreRow | None:
    """Return a store, as part of a work; with `lock`, nobody else changes it until the write ends."""
    found = connection.execute(_LOCK if lock else _GET, {"id": store_id, "project": project}).mappings().first()
    return None if found is None else _row(found)


def has_expired(row: StoreRow, now: float) -> bool:
    """Whether a store has expired at the unix time `now`."""
    return row.expires is not None and row.expires <= now


def check_alive(row: StoreRow, now: float) -> None:
    """Raise Invalid for a store that has expired at the unix time `now`."""
    if has_expired(row, now):
        message = f"Vector store '{row.id}' has expired. Make a new one, and put the files into that."
        raise Invalid(message, "vector_store_expired", "vector_store_id")


def bump(connection: Connection, store_id: str) -> None:
    """Say that what can be found in a store has changed, as part of the write that changes it."""
    connection.execute(_BUMP, {"its_id": store_id})


def change(connection: Connection, row: StoreRow) -> None:
    """Write a store's object and expiry, as part of a write."""
    connection.execute(_CHANGE, {"its_id": row.id, "new_expires": row.expires, "new_body": row.body})


def subject(entry: int) -> str:
    """What the jobs of a file in a store are about."""
    return f"vsf_{entry}"


class StoreRows:
    """The stores of every project; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: StoreRow, then: Callable[[Connection], None]) -> Found:
        """Store a store and, in the same write, do what comes `then`; return it with its tally."""

        def work(connection: Connection) -> Found:
            connection.execute(_ADD, {name: getattr(row, name) for name in StoreRow.__struct_fields__})
            then(connection)
            return row, _tallies(connection, [row.id])[row.id]

        return await self._database.write(work)

    async def get(self, project: str, store_id: str) -> Found | None:
        """Return a store with its tally."""

        def work(connection: Connection) -> Found | None:
            row = find(connection, project, store_id)
            return None if row is None else (row, _tallies(connection, [store_id])[store_id])

        return await self._database.read(work)

    async def known(self, project: str, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stores of the project."""
        chosen = select(_own.id).where(_own.project == project, _own.id.in_(ids))
        return await self._database.read(lambda connection: set(connection.execute(chosen).scalars()))

    async def page(self, project: str, window: Window) -> tuple[list[Found], bool]:
        """Return a page of the stores. Raises Invalid when `after` or `before` is none of them."""
        chosen = select(*_columns).where(_own.project == project)

        def work(connection: Connection) -> tuple[list[Found], bool]:
            after, before = (_number(connection, project, name, window) for name in ("after", "before"))
            found, more = seen_through(connection, chosen, _own.number, window, after, before)
            rows = [_row(one) for one in found]
            tallies = _tallies(connection, [row.id for row in rows])
            return [(row, tallies[row.id]) for row in rows], more

        return await self._database.read(work)

    async def update(self, project: str, store_id: str, new: Change) -> Found | None:
        """Change a store and return it; None when there is none."""

        def work(connection: Connection) -> Found | None:
            row = find(connection, project, store_id, lock=True)
            if row is None:
                return None
            row = new(row)
            change(connection, row)
            return row, _tallies(connection, [store_id])[store_id]

        return await self._database.write(work)

    async def delete(self, project: str, store_id: str) -> bool:
        """Delete a store with all that is in it, and the jobs of that; False when there is none."""

        def work(connection: Connection) -> bool:
            if find(connection, project, store_id, lock=True) is None:
                return False
            _drop_jobs(connection, project, store_id)
            return connection.execute(_DELETE, {"id": store_id, "project": project}).rowcount > 0

        return await self._database.write(work)

    async def empty_expired(self, now: float, most: int) -> int:
        """Take all files out of up to `most` stores that have expired, and return how many those are."""

        def work(connection: Connection) -> int:
            found = connection.execute(_EXPIRED, {"now": now, "most": most}).all()
            for row in found:
                _drop_jobs(connection, row.project, row.id)
                connection.execute(_EMPTY, {"store": row.id})
                bump(connection, row.id)
            return len(found)

        return await self._database.write(work)


def _drop_jobs(connection: Connection, project: str, store_id: str) -> None:
    for entry in connection.execute(_ENTRIES, {"store": store_id}).scalars().all():
        jobs.drop(connection, project, subject(entry))


def _number(connection: Connection, project: str, name: str, window: Window) -> int | None:
    cursor = getattr(window, name)
    if cursor is None:
        return None
    found = connection.execute(_GET, {"id": cursor, "project": project}).first()
    if found is None:
        raise Invalid(f"No vector store found with id '{cursor}'.", "invalid_value", name)
    return found.number


def _tallies(connection: Connection, ids: Sequence[str]) -> dict[str, Tally]:
    found: dict[str, Tally] = {one: Tally({}, 0) for one in ids}
    for store, status, count, size in connection.execute(_TALLY, {"ids": list(ids)}):
        before = found[store]
        found[store] = Tally({**before.counts, status: count}, before.bytes + int(size))
    return found


def _row(found: object) -> StoreRow:
    return StoreRow(**{name: found[name] for name in StoreRow.__struct_fields__})  # type: ignore[index]
