"""The rows of stored responses and their items.

A response links to the one before it; a turn stores only its own items. The history of a turn is one recursive query
over the links, so turn 1,000 stores no more than turn 2.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, insert, literal, select

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.tables import items, responses


class ItemRow(Struct, frozen=True):
    """An item: its id and its JSON."""

    id: str
    body: bytes


class ResponseRow(Struct, frozen=True, kw_only=True):
    """A response without its items; `body` is its JSON."""

    id: str
    project: str
    previous: str | None
    created: int
    status: str
    model: str
    body: bytes


_link = responses.alias("link")
_chain = (
    select(_link.c.id, _link.c.previous, _link.c.depth, literal(0).label("back"))
    .where(_link.c.id == bindparam("id"), _link.c.project == bindparam("project"))
    .cte("chain", recursive=True)
)
_before = responses.alias("before")
_chain = _chain.union_all(
    select(_before.c.id, _before.c.previous, _before.c.depth, _chain.c.back + 1).where(
        _before.c.id == _chain.c.previous, _before.c.project == bindparam("project")
    )
)
_LINKS = select(_chain.c.id, _chain.c.depth, _chain.c.back)
_HISTORY = (
    select(items.c.response, items.c.output, items.c.id, items.c.body)
    .join(_chain, items.c.response == _chain.c.id)
    .order_by(_chain.c.back.desc(), items.c.position)
)
_GET = select(responses).where(responses.c.id == bindparam("id"), responses.c.project == bindparam("project"))
_OUTPUT = (
    select(items.c.id, items.c.body)
    .where(items.c.response == bindparam("id"), items.c.output)
    .order_by(items.c.position)
)
_DEPTH = select(responses.c.depth).where(responses.c.id == bindparam("id"), responses.c.project == bindparam("project"))


class ResponseRows:
    """The stored responses; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: ResponseRow, inputs: Sequence[ItemRow], outputs: Sequence[ItemRow]) -> None:
        """Store a response with its items, durable when this returns."""

        def work(connection: Connection) -> None:
            depth = 0
            if row.previous is not None:
                before = connection.execute(_DEPTH, {"id": row.previous, "project": row.project}).scalar()
                # Deleted while this turn was answered: the link stays, and reading the history says that it is broken.
                depth = 1 if before is None else before + 1
            connection.execute(
                insert(responses),
                {
                    "id": row.id,
                    "project": row.project,
                    "previous": row.previous,
                    "depth": depth,
                    "created": row.created,
                    "status": row.status,
                    "model": row.model,
                    "body": row.body,
                },
            )
            rows = [
                {"response": row.id, "position": position, "output": output, "id": item.id, "body": item.body}
                for position, (output, item) in enumerate([(False, i) for i in inputs] + [(True, o) for o in outputs])
            ]
            if rows:
                connection.execute(insert(items), rows)

        await self._database.write(work)

    async def get(self, project: str, response_id: str) -> tuple[ResponseRow, list[ItemRow]] | None:
        """Return a response and its output items."""

        def work(connection: Connection) -> tuple[ResponseRow, list[ItemRow]] | None:
            found = connection.execute(_GET, {"id": response_id, "project": project}).first()
            if found is None:
                return None
            output = connection.execute(_OUTPUT, {"id": response_id})
            return _response(found), [ItemRow(one.id, one.body) for one in output]

        return await self._database.read(work)

    async def delete(self, project: str, response_id: str) -> bool:
        """Delete a response and its items; False when there is none."""
        statement = delete(responses).where(responses.c.id == response_id, responses.c.project == project)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount > 0)

    async def history(self, project: str, response_id: str) -> list[ItemRow] | None:
        """Return every item of the chain that ends at a response, oldest first.

        None when the response, or one before it, is not there.
        """

        def work(connection: Connection) -> list[ItemRow] | None:
            if not _whole(connection, project, response_id):
                return None
            found = connection.execute(_HISTORY, {"id": response_id, "project": project})
            return [ItemRow(one.id, one.body) for one in found]

        return await self._database.read(work)

    async def page_inputs(
        self, project: str, response_id: str, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> tuple[list[ItemRow], bool] | None:
        """Return a page of what a response was given, and whether there is more; None when there is no response.

        What it was given is the chain before it, as far as that is still there, and its own input. Raises Invalid when
        `after` is none of these items.
        """

        def work(connection: Connection) -> list[ItemRow] | None:
            parameters = {"id": response_id, "project": project}
            if connection.execute(_DEPTH, parameters).first() is None:
                return None
            found = connection.execute(_HISTORY, parameters)
            return [ItemRow(one.id, one.body) for one in found if not (one.output and one.response == response_id)]

        given = await self._database.read(work)
        if given is None:
            return None
        if order == "desc":
            given.reverse()
        start = 0
        if after is not None:
            start = next((place for place, item in enumerate(given, 1) if item.id == after), 0)
            if not start:
                raise Invalid(f"No item with id '{after}' found in this response's input.", "invalid_value", "after")
        return given[start : start + limit], len(given) > start + limit


def _whole(connection: Connection, project: str, response_id: str) -> bool:
    links = connection.execute(_LINKS, {"id": response_id, "project": project}).all()
    return bool(links) and links[0].depth == len(links) - 1


def _response(row: Row) -> ResponseRow:
    return ResponseRow(
        id=row.id,
        project=row.project,
        previous=row.previous,
        created=row.created,
        status=row.status,
        model=row.model,
        body=row.body,
    )
