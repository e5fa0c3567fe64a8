"""The rows of chunks: pieces of files in vector stores, and how they are found."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, insert, not_, or_, select

from freehold.core.filters import Filter, Value
from freehold.storage.database import Database
from freehold.storage.repos import vector_stores
from freehold.storage.repos.vector_store_files import COMPLETED
from freehold.storage.repos.vector_stores import StoreRow
from freehold.storage.tables import chunks, files, vector_store_attributes, vector_store_files
from freehold.storage.vectors.segment import ChunkVector


class ChunkRow(Struct, frozen=True, kw_only=True):
    """A piece of the file `entry` of a store; `page` is where it begins, `terms` are its words, packed."""

    entry: int
    store: str
    position: int
    page: int | None
    text: str
    vector: bytes
    terms: bytes


class Passage(Struct, frozen=True, kw_only=True):
    """A chunk as it was found; `attributes` is JSON."""

    number: int
    store: str
    file_id: str
    filename: str
    attributes: bytes
    page: int | None
    text: str


class State(Struct, frozen=True):
    """A store, the marks of its files that can be searched, and those of them that a filter keeps, if there is one.

    There are no marks where the version of the store is known.
    """

    row: StoreRow
    marks: Mapping[int, int] | None
    kept: frozenset[int] | None


_entry = vector_store_files.c
_ADD = insert(chunks)
_LAST = select(func.max(chunks.c.position)).where(chunks.c.entry == bindparam("its_entry"))
_SIZE = select(func.sum(func.octet_length(chunks.c.text) + func.length(chunks.c.vector))).where(
    chunks.c.entry == bindparam("its_entry")
)
_DELETE = delete(chunks).where(chunks.c.entry == bindparam("its_entry"))
_MARKS = select(_entry.number, _entry.mark).where(_entry.store == bindparam("store"), _entry.status == COMPLETED)
_LOAD = (
    select(chunks.c.number, chunks.c.entry, chunks.c.vector, chunks.c.terms)
    .where(chunks.c.entry.in_(bindparam("entries", expanding=True)))
    .order_by(chunks.c.number)
)
_PASSAGES = (
    select(
        chunks.c.number,
        chunks.c.store,
        _entry.file.label("file_id"),
        files.c.filename,
        _entry.attributes,
        chunks.c.page,
        chunks.c.text,
    )
    .join(vector_store_files, _entry.number == chunks.c.entry)
    .join(files, files.c.id == _entry.file)
    .where(
        chunks.c.number.in_(bindparam("numbers", expanding=True)),
        files.c.project == bindparam("project"),
        or_(files.c.expires.is_(None), files.c.expires > bindparam("now")),
    )
)


def add(connection: Connection, rows: Sequence[ChunkRow]) -> None:
    """Add chunks, as part of a write."""
    connection.execute(_ADD, [{name: getattr(row, name) for name in ChunkRow.__struct_fields__} for row in rows])


def written(connection: Connection, entry: int) -> int:
    """How many chunks of a file are there already: they are written in their order."""
    last = connection.execute(_LAST, {"its_entry": entry}).scalar()
    return 0 if last is None else last + 1


def size(connection: Connection, entry: int) -> int:
    """The bytes that the chunks of a file take."""
    return int(connection.execute(_SIZE, {"its_entry": entry}).scalar() or 0)


def clear(connection: Connection, entry: int) -> None:
    """Delete the chunks of a file, as part of a write."""
    connection.execute(_DELETE, {"its_entry": entry})


class ChunkRows:
    """The chunks of every project's stores; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(
        self, project: str, store_id: str, narrowed: Filter | None, known: int | None = None
    ) -> State | None:
        """Return what of a store can be searched now, in one snapshot; None when there is no store.

        The version `known` is one whose marks the caller has.
        """

        def work(connection: Connection) -> State | None:
            row = vector_stores.find(connection, project, store_id)
            if row is None:
                return None
            marks = None if row.version == known else _marks(connection, store_id)
            if narrowed is None:
                return State(row, marks, None)
            kept = _MARKS.where(_keeping(narrowed))
            return State(row, marks, frozenset(connection.execute(kept, {"store": store_id}).scalars()))

        return await self._database.read(work)

    async def load(self, entries: Sequence[int]) -> list[ChunkVector]:
        """Return the chunks of files as they are searched."""
        return await self._database.read(
            lambda connection: [ChunkVector(*row) for row in connection.execute(_LOAD, {"entries": list(entries)})]
        )

    async def passages(self, project: str, numbers: Sequence[int], now: float) -> dict[int, Passage]:
        """Return chunks by their numbers; those that are gone, or whose file has expired, are missing."""
        sought = {"project": project, "numbers": list(numbers), "now": now}

        def work(connection: Connection) -> dict[int, Passage]:
            return {row["number"]: Passage(**row) for row in connection.execute(_PASSAGES, sought).mappings()}

        return await self._database.read(work)


def _marks(connection: Connection, store_id: str) -> dict[int, int]:
    return {row.number: row.mark for row in connection.execute(_MARKS, {"store": store_id})}


def _keeping(narrowed: Filter) -> ColumnElement[bool]:
    """The condition that a filter makes of the row of a file in a store."""
    if narrowed.filters is not None:
        parts = [_keeping(one) for one in narrowed.filters]
        return and_(*parts) if narrowed.type == "and" else or_(*parts)
    if narrowed.type in ("ne", "nin"):
        return not_(_holding(narrowed))
    return _holding(narrowed)


def _holding(narrowed: Filter) -> ColumnElement[bool]:
    """Whether a file has the attribute of a comparison, and it fits; `ne` and `nin` are what is not equal or in."""
    own, value = vector_store_attributes.c, narrowed.value
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    fits: ColumnElement[bool]
    match narrowed.type:
        case "gt":
            fits = own.value > value
        case "gte":
            fits = own.value >= value
        case "lt":
            fits = own.value < value
        case "lte":
            fits = own.value <= value
        case _:
            fits = _among(values)
    return exists().where(own.entry == _entry.number, own.key == narrowed.key, fits)


def _among(values: Sequence[Value]) -> ColumnElement[bool]:
    """Whether an attribute is one of the values."""
    own = vector_store_attributes.c
    flags = [one for one in values if isinstance(one, bool)]
    texts = [one for one in values if isinstance(one, str)]
    numbers = [float(one) for one in values if not isinstance(one, bool | str)]
    return or_(own.flag.in_(flags), own.text.in_(texts), own.value.in_(numbers))
