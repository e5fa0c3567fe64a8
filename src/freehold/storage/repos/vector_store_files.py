"""The rows of files in vector stores, and of the batches in which they were put there."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from freehold.core.errors import Invalid, NotFound
from freehold.core.filters import Value
from freehold.storage.database import Database
from freehold.storage.repos import jobs, vector_stores
from freehold.storage.repos.jobs import JobRow
from freehold.storage.repos.vector_stores import StoreRow, bump, check_alive, subject
from freehold.storage.repos.windows import Window, seen_through
from freehold.storage.tables import chunks, files, vector_store_attributes, vector_store_batches, vector_store_files
from freehold.storage.tables import vector_stores as stores_table

IN_PROGRESS = "in_progress"
COMPLETED = "completed"


class EntryRow(Struct, frozen=True, kw_only=True):
    """A file in a store. `bytes` are those of its chunks; `attributes`, `chunking` and `error` are JSON."""

    number: int = 0
    store: str
    file: str
    batch: str | None
    created: int
    status: str = IN_PROGRESS
    attributes: bytes
    chunking: bytes
    error: bytes | None = None
    mark: int = 0
    bytes: int = 0


class Wanted(Struct, frozen=True, kw_only=True):
    """A file that is to be in a store: its row, its attributes, and the job that takes it in, without a subject.

    `path` names it in the request.
    """

    row: EntryRow
    attributes: Mapping[str, Value]
    job: JobRow
    path: str


class BatchRow(Struct, frozen=True, kw_only=True):
    """Files that were put into a store together."""

    id: str
    store: str
    created: int
    cancelled: bool = False


_own = vector_store_files.c
_columns = [_own[name] for name in EntryRow.__struct_fields__]
_ADD = insert(vector_store_files).returning(_own.number)
_GET = select(*_columns).where(_own.store == bindparam("store"), _own.file == bindparam("file"))
_BY_NUMBER = select(*_columns).where(_own.number == bindparam("number"))
_RENEW = (
    update(vector_store_files)
    .where(_own.number == bindparam("its_number"))
    .values(
        batch=bindparam("new_batch"),
        status=bindparam("new_status"),
        bytes=bindparam("new_bytes"),
        attributes=bindparam("new_attributes"),
        chunking=bindparam("new_chunking"),
        error=bindparam("new_error"),
        mark=bindparam("new_mark"),
    )
)
_DELETE = delete(vector_store_files).where(_own.number == bindparam("its_number"))
_ADD_ATTRIBUTE = insert(vector_store_attributes)
_DELETE_ATTRIBUTES = delete(vector_store_attributes).where(vector_store_attributes.c.entry == bindparam("its_entry"))
_DELETE_CHUNKS = delete(chunks).where(chunks.c.entry == bindparam("its_entry"))
_CONTENT = select(chunks.c.text).where(chunks.c.entry == bindparam("its_entry")).order_by(chunks.c.position)
_HERE = (
    select(files.c.id)
    .where(
        files.c.project == bindparam("project"),
        files.c.id.in_(bindparam("ids", expanding=True)),
        or_(files.c.expires.is_(None), files.c.expires > bindparam("now")),
    )
    .order_by(files.c.number)
    .with_for_update(read=True, key_share=True)  # or one that is deleted now would stay in the store
)
_OF_FILE = (
    select(_own.number, _own.store)
    .join(stores_table, stores_table.c.id == _own.store)
    .where(_own.file == bindparam("file"), stores_table.c.project == bindparam("project"))
    .order_by(_own.store)
)
_batch = vector_store_batches.c
_ADD_BATCH = insert(vector_store_batches)
_GET_BATCH = select(*[_batch[name] for name in BatchRow.__struct_fields__]).where(
    _batch.id == bindparam("id"), _batch.store == bindparam("store")
)
_CANCEL_BATCH = update(vector_store_batches).where(_batch.id == bindparam("its_id")).values(cancelled=True)
_COUNT = select(_own.status, func.count()).where(_own.batch == bindparam("batch")).group_by(_own.status)
_PENDING = select(_own.number).where(_own.batch == bindparam("batch"), _own.status == IN_PROGRESS)


def put(connection: Connection, project: str, now: float, wanted: Sequence[Wanted]) -> list[EntryRow]:
    """Put files into a store, each with the job that takes it in, as part of a write; return their rows.

    A file that is there already, with the same chunking, is only given its new attributes and batch. Raises NotFound
    for a store or a file that the project does not have, Invalid for a store that has expired.
    """
    ids = [one.row.file for one in wanted]
    here = set(connection.execute(_HERE, {"project": project, "ids": ids, "now": now}).scalars())
    for store_id in {one.row.store for one in wanted}:
        check_alive(store_of(connection, project, store_id, lock=True), now)
    rows = []
    for one in wanted:
        if one.row.file not in here:
            raise NotFound(f"No such File object: {one.row.file}", None, one.path)
        rows.append(_put(connection, project, one))
    return rows


def get(connection: Connection, number: int) -> EntryRow | None:
    """Return the row of a file in a store, as part of a work."""
    found = connection.execute(_BY_NUMBER, {"number": number}).mappings().first()
    return None if found is None else EntryRow(**found)


def renew(connection: Connection, row: EntryRow) -> None:
    """Write a file's row, as part of a write."""
    connection.execute(_RENEW, {"its_number": row.number, **_new(row)})


def forget_file(connection: Connection, project: str, file_id: str) -> None:
    """Take a file out of all stores, as part of the write that deletes it."""
    for entry in connection.execute(_OF_FILE, {"file": file_id, "project": project}).all():
        vector_stores.find(connection, project, entry.store, lock=True)  # before its job, as all others lock them
        _remove(connection, project, entry.number, entry.store)


class EntryRows:
    """The files in the stores of every project; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, project: str, store_id: str, now: float, wanted: Sequence[Wanted], batch: BatchRow | None = None
    ) -> list[EntryRow]:
        """Put files into a store, each with the job that takes it in: all or nothing. Raises NotFound."""

        def work(connection: Connection) -> list[EntryRow]:
            store_of(connection, project, store_id)
            rows = put(connection, project, now, wanted)
            if batch is not None:
                connection.execute(_ADD_BATCH, {name: getattr(batch, name) for name in BatchRow.__struct_fields__})
            return rows

        return await self._database.write(work)

    async def get(self, project: str, store_id: str, file_id: str) -> EntryRow:
        """Return a file in a store. Raises NotFound."""

        def work(connection: Connection) -> EntryRow:
            return _find(connection, project, store_id, file_id)

        return await self._database.read(work)

    async def page(
        self, project: str, store_id: str, window: Window, status: str | None, batch: str | None = None
    ) -> tuple[list[EntryRow], bool]:
        """Return a page of the files in a store, or in a batch of it. Raises NotFound, and Invalid for a cursor."""
        chosen = select(*_columns).where(_own.store == store_id)
        chosen = chosen if status is None else chosen.where(_own.status == status)
        chosen = chosen if batch is None else chosen.where(_own.batch == batch)

        def work(connection: Connection) -> tuple[list[EntryRow], bool]:
            store_of(connection, project, store_id)
            if batch is not None:
                _batch_of(connection, store_id, batch)
            after, before = (_number(connection, store_id, name, window) for name in ("after", "before"))
            found, more = seen_through(connection, chosen, _own.number, window, after, before)
            return [EntryRow(**one) for one in found], more

        return await self._database.read(work)

    async def set_attributes(
        self, project: str, store_id: str, file_id: str, attributes: Mapping[str, Value], encoded: bytes
    ) -> EntryRow:
        """Replace the attributes of a file, `encoded` as JSON too, and return it. Raises NotFound."""

        def work(connection: Connection) -> EntryRow:
            row = _find(connection, project, store_id, file_id, lock=True)
            connection.execute(_RENEW, {"its_number": row.number, **_new(row, attributes=encoded)})
            _set_attributes(connection, row.number, attributes)
            return _find(connection, project, store_id, file_id)

        return await self._database.write(work)

    async def delete(self, project: str, store_id: str, file_id: str) -> None:
        """Take a file out of a store, with its chunks and its job. Raises NotFound."""

        def work(connection: Connection) -> None:
            row = _find(connection, project, store_id, file_id, lock=True)
            _remove(connection, project, row.number, store_id)

        await self._database.write(work)

    async def content(self, project: str, store_id: str, file_id: str) -> list[str]:
        """Return the texts of a file's chunks in their order. Raises NotFound."""

        def work(connection: Connection) -> list[str]:
            row = _find(connection, project, store_id, file_id)
            return list(connection.execute(_CONTENT, {"its_entry": row.number}).scalars())

        return await self._database.read(work)

    async def batch(self, project: str, store_id: str, batch_id: str) -> tuple[BatchRow, dict[str, int]]:
        """Return a batch, and how many of its files are in each state. Raises NotFound."""

        def work(connection: Connection) -> tuple[BatchRow, dict[str, int]]:
            store_of(connection, project, store_id)
            return _batch_of(connection, store_id, batch_id), _count(connection, batch_id)

        return await self._database.read(work)

    async def cancel(self, project: str, store_id: str, batch_id: str) -> tuple[BatchRow, dict[str, int]]:
        """Have the files of a batch that are not taken in yet stay out, and return the batch. Raises NotFound."""

        def work(connection: Connection) -> tuple[BatchRow, dict[str, int]]:
            store_of(connection, project, store_id, lock=True)
            _batch_of(connection, store_id, batch_id)
            pending = connection.execute(_PENDING, {"batch": batch_id}).scalars().all()
            for number in pending:
                jobs.drop(connection, project, subject(number))
                connection.execute(_DELETE_CHUNKS, {"its_entry": number})
                row = get(connection, number)
                if row is not None:
                    connection.execute(_RENEW, {"its_number": number, **_new(row, status="cancelled")})
            if pending:
                connection.execute(_CANCEL_BATCH, {"its_id": batch_id})
                bump(connection, store_id)
            return _batch_of(connection, store_id, batch_id), _count(connection, batch_id)

        return await self._database.write(work)


def store_of(connection: Connection, project: str, store_id: str, *, lock: bool = False) -> StoreRow:
    """Return a store, as part of a work. Raises NotFound."""
    row = vector_stores.find(connection, project, store_id, lock=lock)
    if row is None:
        raise NotFound(f"No vector store found with id '{store_id}'.", None, "vector_store_id")
    return row


def _put(connection: Connection, project: str, wanted: Wanted) -> EntryRow:
    new = wanted.row
    there = connection.execute(_GET, {"store": new.store, "file": new.file}).mappings().first()
    again = True
    if there is None:
        values = {name: getattr(new, name) for name in EntryRow.__struct_fields__ if name != "number"}
        number = connection.execute(_ADD, values).scalar_one()
    else:
        old = EntryRow(**there)
        number = old.number
        again = old.status not in (IN_PROGRESS, COMPLETED) or old.chunking != new.chunking
        state = {"status": IN_PROGRESS, "bytes": 0, "error": None} if again else {}
        if again:
            jobs.drop(connection, project, subject(number))
            connection.execute(_DELETE_CHUNKS, {"its_entry": number})
            bump(connection, new.store)
        batch = new.batch or old.batch
        kept = _new(old, batch=batch, attributes=new.attributes, chunking=new.chunking, **state)
        connection.execute(_RENEW, {"its_number": number, **kept})
    _set_attributes(connection, number, wanted.attributes)
    row = get(connection, number)
    if row is None:
        raise RuntimeError(f"entry {number} was written, and is not there")
    if again:
        _enqueue(connection, wanted.job, number)
    return row


def _enqueue(connection: Connection, job: JobRow, number: int) -> None:
    values = {name: getattr(job, name) for name in JobRow.__struct_fields__}
    jobs.enqueue(connection, JobRow(**{**values, "subject": subject(number)}))


def _new(row: EntryRow, **changed: Any) -> dict[str, Any]:
    names = ("batch", "status", "bytes", "attributes", "chunking", "error", "mark")
    return {f"new_{name}": changed.get(name, getattr(row, name)) for name in names}


def _set_attributes(connection: Connection, entry: int, attributes: Mapping[str, Value]) -> None:
    connection.execute(_DELETE_ATTRIBUTES, {"its_entry": entry})
    rows = [{"entry": entry, "key": key, **_typed(value)} for key, value in attributes.items()]
    if rows:
        connection.execute(_ADD_ATTRIBUTE, rows)


def _typed(value: Value) -> dict[str, object]:
    if isinstance(value, bool):
        return {"text": None, "value": None, "flag": value}
    if isinstance(value, str):
        return {"text": value, "value": None, "flag": None}
    return {"text": None, "value": float(value), "flag": None}


def _remove(connection: Connection, project: str, number: int, store_id: str) -> None:
    jobs.drop(connection, project, subject(number))
    connection.execute(_DELETE, {"its_number": number})
    bump(connection, store_id)


def _find(connection: Connection, project: str, store_id: str, file_id: str, *, lock: bool = False) -> EntryRow:
    store_of(connection, project, store_id, lock=lock)
    found = connection.execute(_GET, {"store": store_id, "file": file_id}).mappings().first()
    if found is None:
        raise NotFound(f"No file found with id '{file_id}' in vector store '{store_id}'.", None, "file_id")
    return EntryRow(**found)


def _batch_of(connection: Connection, store_id: str, batch_id: str) -> BatchRow:
    found = connection.execute(_GET_BATCH, {"id": batch_id, "store": store_id}).mappings().first()
    if found is None:
        raise NotFound(f"No file batch found with id '{batch_id}' in vector store '{store_id}'.", None, "batch_id")
    return BatchRow(**found)


def _count(connection: Connection, batch_id: str) -> dict[str, int]:
    return {row.status: row[1] for row in connection.execute(_COUNT, {"batch": batch_id})}


def _number(connection: Connection, store_id: str, name: str, window: Window) -> int | None:
    cursor = getattr(window, name)
    if cursor is None:
        return None
    found = connection.execute(_GET, {"store": store_id, "file": cursor}).mappings().first()
    if found is None:
        raise Invalid(f"No file found with id '{cursor}' in the vector store.", "invalid_value", name)
    return found["number"]
