"""The rows of stored responses and their items.

A response links to the one before it; a turn stores only its own items. The history of a turn is one recursive query
over the links, so turn 1,000 stores no more than turn 2.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, String, bindparam, delete, func, insert, literal, not_, or_, select, tuple_

from freehold.core.errors import Conflict, Invalid
from freehold.storage.among import Among, listed
from freehold.storage.database import Database, Rows
from freehold.storage.repos.conversations import append
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.jobs import drop
from freehold.storage.tables import items, responses


class ResponseRow(Struct, frozen=True, kw_only=True):
    """A response without its items; `created` is a unix time, `body` the JSON."""

    id: str
    project: str
    previous: str | None
    created: int
    status: str
    model: str
    body: bytes


class Link(Struct, frozen=True):
    """A response in a chain, the one before it, and its items, what it was given first; None where these are known."""

    response: str
    previous: str | None
    items: list[ItemRow] | None


class _Broken(Exception):
    """A response of a chain is not there."""


_NOTHING: Mapping[str, str | None] = {}
UNDER_WAY = ("queued", "in_progress")
"""What a response is that has not ended."""

_one = (responses.c.id == bindparam("id"), responses.c.project == bindparam("project"))
_before = responses.alias("before")
_chain = (
    select(responses.c.id, responses.c.previous, literal(0).label("back")).where(*_one).cte("chain", recursive=True)
)
_chain = _chain.union_all(
    select(_before.c.id, _before.c.previous, _chain.c.back + 1).where(
        _before.c.id == _chain.c.previous, _before.c.project == bindparam("project")
    )
)
_in_order = (_chain.c.back.desc(), items.c.position)

# An outer join: a link without items still tells whether the chain is whole, and that the response exists.
_CHAIN = (
    select(_chain.c.id, _chain.c.previous, items.c.id.label("item"), items.c.body)
    .select_from(_chain.outerjoin(items, items.c.response == _chain.c.id))
    .order_by(*_in_order)
)
_LINK = select(responses.c.previous, responses.c.status).where(*_one)
_COUNT = select(func.count()).where(
    Among(responses.c.id, bindparam("ids", type_=String)), responses.c.project == bindparam("project")
)
_FEW = 4
"""So many links are followed one by one, before the whole chain is read."""
_GIVEN = (
    select(items.c.id, items.c.response, items.c.position)
    .select_from(
        _chain.outerjoin(items, (items.c.response == _chain.c.id) & or_(_chain.c.back > 0, not_(items.c.output)))
    )
    .order_by(*_in_order)
)
_AT = select(items.c.response, items.c.position, items.c.body).where(
    tuple_(items.c.response, items.c.position).in_(bindparam("places", expanding=True))
)
_GET = select(*(responses.c[name] for name in ResponseRow.__struct_fields__)).where(*_one)
_ITEMS = select(items.c.id, items.c.body).where(items.c.response == bindparam("id")).order_by(items.c.position)
_OUTPUT = (
    select(items.c.id, items.c.body)
    .where(items.c.response == bindparam("id"), items.c.output)
    .order_by(items.c.position)
)
_ADD = insert(responses)
_ADD_ITEMS = insert(items)
_DELETE = delete(responses).where(*_one)


class ResponseRows:
    """The stored responses; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: ResponseRow, inputs: Sequence[ItemRow], outputs: Sequence[ItemRow]) -> None:
        """Store a response with its items, durable when this returns.

        Nothing checks `previous`: one that was deleted meanwhile leaves a link that `history` reports as broken.
        """
        await self._database.insert(*rows_of(row, inputs, outputs))

    async def add_turn(
        self, row: ResponseRow, inputs: Sequence[ItemRow], outputs: Sequence[ItemRow], conversation: str, stored: bool
    ) -> None:
        """Add a response's items to a conversation and, where it is `stored`, store it too: all or nothing.

        A conversation that was deleted meanwhile takes nothing.
        """

        def work(connection: Connection) -> None:
            append(connection, row.project, conversation, [*inputs, *outputs])
            for statement, values in rows_of(row, inputs, outputs) if stored else ():
                connection.execute(statement, values)

        await self._database.write(work)

    async def get(self, project: str, response_id: str) -> tuple[ResponseRow, list[ItemRow]] | None:
        """Return a response and its output items."""
        sought = {"id": response_id, "project": project}

        def work(connection: Connection) -> tuple[ResponseRow, list[ItemRow]] | None:
            found = connection.execute(_GET, sought).mappings().first()
            if found is None:
                return None
            output = connection.execute(_OUTPUT, {"id": response_id})
            return ResponseRow(**found), [ItemRow(item_id, body) for item_id, body in output]

        return await self._database.read(work)

    async def delete(self, project: str, response_id: str) -> bool:
        """Delete a response, its items, its journal and the job that makes it; False when there is none."""
        sought = {"id": response_id, "project": project}

        def work(connection: Connection) -> bool:
            drop(connection, project, response_id)
            return connection.execute(_DELETE, sought).rowcount > 0

        return await self._database.write(work)

    async def history(
        self, project: str, response_id: str, known: Mapping[str, str | None] = _NOTHING
    ) -> list[Link] | None:
        """Return the chain that ends at a response, oldest first; those that are `known` without their items.

        `known` says of responses that have ended which one is before each. None when the response, or one before it, is
        not there. Raises Conflict when it has not ended.
        """

        def work(connection: Connection) -> list[Link] | None:
            links = _walk(connection, project, response_id, known)
            return _whole(connection, project, response_id) if links is None else links

        try:
            return await self._database.read(work)
        except _Broken:
            return None

    async def page_inputs(
        self, project: str, response_id: str, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> tuple[list[ItemRow], bool] | None:
        """Return a page of what a response was given, and whether there is more; None when there is no response.

        What it was given is the chain before it, as far as that is still there, and its own input. Raises Invalid when
        `after` is none of these items.
        """
        sought = {"id": response_id, "project": project}

        def work(connection: Connection) -> tuple[list[ItemRow], bool] | None:
            found = connection.execute(_GIVEN, sought).all()
            if not found:
                return None
            # An item that the client sent back is listed once: a cursor that is not unique could lead in circles.
            places: dict[str, tuple[str, int]] = {}
            for item_id, response, position in found:
                if item_id is not None:
                    places.setdefault(item_id, (response, position))
            ids = list(places)
            if order == "desc":
                ids.reverse()
            start = _start(ids, after)
            page = ids[start : start + limit]
            bodies = {
                (response, position): body
                for response, position, body in connection.execute(_AT, {"places": [places[one] for one in page]})
            }
            return [ItemRow(one, bodies[places[one]]) for one in page], len(ids) > start + limit

        return await self._database.read(work)


def rows_of(row: ResponseRow, inputs: Sequence[ItemRow], outputs: Sequence[ItemRow]) -> list[Rows]:
    """What is to be inserted to store a response with its items."""
    values = {name: getattr(row, name) for name in ResponseRow.__struct_fields__}
    kept = [
        {"response": row.id, "position": position, "output": output, "id": item.id, "body": item.body}
        for position, (output, item) in enumerate([(False, i) for i in inputs] + [(True, o) for o in outputs])
    ]
    return [(_ADD, [values]), *([(_ADD_ITEMS, kept)] if kept else [])]


def _walk(connection: Connection, project: str, response_id: str, known: Mapping[str, str | None]) -> list[Link] | None:
    """Return the chain as `history` does, for one of which nearly all is known; None for another. Raises _Broken."""
    links: list[Link] = []
    trusted: list[str] = []
    at: str | None = response_id
    while at is not None:
        if at in known:
            links.append(Link(at, known[at], None))
            trusted.append(at)
        elif len(links) - len(trusted) < _FEW and (known or not links):
            found = connection.execute(_LINK, {"id": at, "project": project}).first()
            if found is None:
                raise _Broken
            _check_ended(at, found.status)
            rows = connection.execute(_ITEMS, {"id": at})
            links.append(Link(at, found.previous, [ItemRow(item_id, body) for item_id, body in rows]))
        else:
            return None
        at = links[-1].previous
    # Those that are known may have been deleted meanwhile.
    if trusted and connection.execute(_COUNT, {"ids": listed(trusted), "project": project}).scalar() != len(trusted):
        raise _Broken
    return links[::-1]


def _whole(connection: Connection, project: str, response_id: str) -> list[Link]:
    """Return the chain as `history` does, all of it read. Raises _Broken."""
    found = connection.execute(_CHAIN, {"id": response_id, "project": project}).all()
    if not found or found[0].previous is not None:
        raise _Broken
    links: list[Link] = []
    rows: list[ItemRow] = []
    for one, previous, item_id, body in found:
        if not links or links[-1].response != one:
            rows = []
            links.append(Link(one, previous, rows))
        if item_id is not None:
            rows.append(ItemRow(item_id, body))
    return links


def _check_ended(response_id: str, status: str) -> None:
    if status in UNDER_WAY:
        raise Conflict(
            f"Previous response with id '{response_id}' has not ended yet: wait until it is neither queued nor "
            "in progress.",
            "previous_response_in_progress",
            "previous_response_id",
        )


def _start(ids: Sequence[str], after: str | None) -> int:
    if after is None:
        return 0
    if after not in ids:
        raise Invalid(f"No item with id '{after}' found in this response's input.", "invalid_value", "after")
    return ids.index(after) + 1
