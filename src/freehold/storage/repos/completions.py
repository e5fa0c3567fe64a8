"""The rows of stored chat completions. Their metadata has rows of its own, because lists are chosen by it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select

from freehold.core.errors import Invalid
from freehold.storage.database import Database, Rows
from freehold.storage.tables import completion_metadata, completions


class CompletionRow(Struct, frozen=True, kw_only=True):
    """A completion without its metadata; `messages` and `body` are JSON."""

    id: str
    project: str
    model: str
    messages: bytes
    body: bytes


class Kept(Struct, frozen=True):
    """A completion's JSON, and its metadata in the order of the keys."""

    body: bytes
    metadata: dict[str, str]


_own = completion_metadata.c
_one = (completions.c.id == bindparam("id"), completions.c.project == bindparam("project"))
_ADD = insert(completions)
_ADD_METADATA = insert(completion_metadata)
_GET = select(completions.c.number, completions.c.body).where(*_one)
_HOLD = _GET.with_for_update(key_share=True)  # or two that replace the metadata at once would both add theirs
_MESSAGES = select(completions.c.messages).where(*_one)
_METADATA = (
    select(_own.completion, _own.key, _own.value)
    .where(_own.completion.in_(bindparam("ids", expanding=True)))
    .order_by(_own.key)
)
_DELETE = delete(completions).where(*_one)
_DELETE_METADATA = delete(completion_metadata).where(_own.completion == bindparam("id"))


class CompletionRows:
    """The stored chat completions; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: CompletionRow, metadata: Mapping[str, str]) -> None:
        """Store a completion, durable when this returns."""
        values = {name: getattr(row, name) for name in CompletionRow.__struct_fields__}
        await self._database.insert((_ADD, [values]), *_metadata_rows(row.id, metadata))

    async def get(self, project: str, completion_id: str) -> Kept | None:
        """Return a completion."""
        return await self._database.read(lambda connection: _get(connection, project, completion_id))

    async def messages(self, project: str, completion_id: str) -> bytes | None:
        """Return the JSON of the messages that a completion answers."""
        sought = {"id": completion_id, "project": project}
        return await self._database.read(lambda connection: connection.execute(_MESSAGES, sought).scalar())

    async def update(self, project: str, completion_id: str, metadata: Mapping[str, str]) -> Kept | None:
        """Replace the metadata and return the completion; None when there is none."""

        def work(connection: Connection) -> Kept | None:
            if connection.execute(_HOLD, {"id": completion_id, "project": project}).first() is None:
                return None
            connection.execute(_DELETE_METADATA, {"id": completion_id})
            for statement, rows in _metadata_rows(completion_id, metadata):
                connection.execute(statement, rows)
            return _get(connection, project, completion_id)

        return await self._database.write(work)

    async def delete(self, project: str, completion_id: str) -> bool:
        """Delete a completion with its messages and metadata; False when there is none."""
        sought = {"id": completion_id, "project": project}
        return await self._database.write(lambda connection: connection.execute(_DELETE, sought).rowcount > 0)

    async def page(
        self,
        project: str,
        model: str | None,
        metadata: Mapping[str, str],
        after: str | None,
        limit: int,
        order: Literal["asc", "desc"],
    ) -> tuple[list[Kept], bool]:
        """Return a page of the completions of a model, or of all, that have all of the metadata; and if there is more.

        They are in the order in which they were stored. Raises Invalid when `after` is no completion of the project.
        """
        number = completions.c.number
        chosen = select(completions.c.id, completions.c.body).where(completions.c.project == project)
        if model is not None:
            chosen = chosen.where(completions.c.model == model)
        for key, value in metadata.items():
            having = (_own.completion == completions.c.id, _own.key == key, _own.value == value)
            chosen = chosen.where(select(_own.key).where(*having).exists())
        chosen = chosen.order_by(number if order == "asc" else number.desc()).limit(limit + 1)

        def work(connection: Connection) -> tuple[list[Kept], bool]:
            statement = chosen
            if after is not None:
                found = connection.execute(_GET, {"id": after, "project": project}).first()
                if found is None:
                    raise Invalid(f"No chat completion found with id '{after}'.", "invalid_value", "after")
                statement = statement.where(number > found.number if order == "asc" else number < found.number)
            rows = connection.execute(statement).all()
            known = _metadata(connection, [row.id for row in rows[:limit]])
            return [Kept(body, known[one]) for one, body in rows[:limit]], len(rows) > limit

        return await self._database.read(work)


def _get(connection: Connection, project: str, completion_id: str) -> Kept | None:
    found = connection.execute(_GET, {"id": completion_id, "project": project}).first()
    return None if found is None else Kept(found.body, _metadata(connection, [completion_id])[completion_id])


def _metadata(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = {one: {} for one in ids}
    for completion, key, value in connection.execute(_METADATA, {"ids": list(ids)}):
        known[completion][key] = value
    return known


def _metadata_rows(completion_id: str, metadata: Mapping[str, str]) -> list[Rows]:
    rows = [{"completion": completion_id, "key": key, "value": value} for key, value in metadata.items()]
    return [(_ADD_METADATA, rows)] if rows else []
