"""The rows of conversations and their items.

What is added goes to the end as one block: two turns that end together stand one after the other.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.repos.items import ItemRow
from freehold.storage.tables import conversation_items, conversations


class ConversationRow(Struct, frozen=True, kw_only=True):
    """A conversation without its items; `created` is a unix time, `metadata` the JSON."""

    id: str
    project: str
    created: int
    metadata: bytes


_items = conversation_items.c
_inside = _items.conversation == bindparam("id")
_one = (conversations.c.id == bindparam("id"), conversations.c.project == bindparam("project"))
_GET = select(*(conversations.c[name] for name in ConversationRow.__struct_fields__)).where(*_one)
_HOLD = _GET.with_for_update(key_share=True)  # or two that add items at once would put them into the same places
_ADD = insert(conversations)
_UPDATE = (
    update(conversations)
    .where(conversations.c.id == bindparam("its_id"), conversations.c.project == bindparam("its_project"))
    .values(metadata=bindparam("new"))
)
_DELETE = delete(conversations).where(*_one)
_ADD_ITEMS = insert(conversation_items)
_LAST = select(func.max(_items.position)).where(_inside)
_KNOWN = select(_items.id).where(_inside, _items.id.in_(bindparam("ids", expanding=True)))
_ALL = select(_items.id, _items.body).where(_inside).order_by(_items.position)
_ITEM = select(_items.position, _items.body).where(_inside, _items.id == bindparam("item"))
_REMOVE = delete(conversation_items).where(_inside, _items.id == bindparam("item"))


def append(connection: Connection, project: str, conversation_id: str, rows: Sequence[ItemRow]) -> None:
    """Add items behind all others, as part of a write; those that are there already stay where they are.

    A conversation that is not there, because it was deleted meanwhile, is left so.
    """
    if connection.execute(_HOLD, {"id": conversation_id, "project": project}).first() is None:
        return
    new = {row.id: row for row in rows}
    for known in connection.execute(_KNOWN, {"id": conversation_id, "ids": list(new)}).scalars():
        del new[known]
    _put(connection, conversation_id, list(new.values()))


class ConversationRows:
    """The stored conversations; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: ConversationRow, rows: Sequence[ItemRow]) -> None:
        """Store a conversation with its first items. Raises Invalid when two of them have one id."""
        values = {name: getattr(row, name) for name in ConversationRow.__struct_fields__}

        def work(connection: Connection) -> None:
            connection.execute(_ADD, values)
            _refuse_known(connection, row.id, rows)
            _put(connection, row.id, rows)

        await self._database.write(work)

    async def get(self, project: str, conversation_id: str) -> ConversationRow | None:
        """Return a conversation."""
        sought = {"id": conversation_id, "project": project}
        return await self._database.read(lambda connection: _get(connection, sought))

    async def update(self, project: str, conversation_id: str, metadata: bytes) -> ConversationRow | None:
        """Replace the metadata and return the conversation; None when there is none."""
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> ConversationRow | None:
            connection.execute(_UPDATE, {"its_id": conversation_id, "its_project": project, "new": metadata})
            return _get(connection, sought)

        return await self._database.write(work)

    async def delete(self, project: str, conversation_id: str) -> bool:
        """Delete a conversation and its list of items; False when there is none."""
        sought = {"id": conversation_id, "project": project}
        return await self._database.write(lambda connection: connection.execute(_DELETE, sought).rowcount > 0)

    async def add_items(self, project: str, conversation_id: str, rows: Sequence[ItemRow]) -> bool:
        """Add items behind all others; False when there is no such conversation.

        Raises Invalid for an id that is in the conversation already.
        """
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> bool:
            if connection.execute(_HOLD, sought).first() is None:
                return False
            _refuse_known(connection, conversation_id, rows)
            _put(connection, conversation_id, rows)
            return True

        return await self._database.write(work)

    async def items(self, project: str, conversation_id: str) -> list[ItemRow] | None:
        """Return every item, oldest first; None when there is no such conversation."""
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> list[ItemRow] | None:
            if _get(connection, sought) is None:
                return None
            return [ItemRow(item_id, body) for item_id, body in connection.execute(_ALL, {"id": conversation_id})]

        return await self._database.read(work)

    async def page(
        self, project: str, conversation_id: str, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> tuple[list[ItemRow], bool] | None:
        """Return a page of the items, and whether there is more; None when there is no such conversation.

        Raises Invalid when `after` is none of them.
        """
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> tuple[list[ItemRow], bool] | None:
            if _get(connection, sought) is None:
                return None
            statement = select(_items.id, _items.body).where(_inside)
            if after is not None:
                found = connection.execute(_ITEM, {"id": conversation_id, "item": after}).first()
                if found is None:
                    raise Invalid(
                        f"No item with id '{after}' found in the conversation '{conversation_id}'.",
                        "invalid_value",
                        "after",
                    )
                ahead = _items.position > found.position if order == "asc" else _items.position < found.position
                statement = statement.where(ahead)
            statement = statement.order_by(_items.position if order == "asc" else _items.position.desc())
            rows = connection.execute(statement.limit(limit + 1), {"id": conversation_id}).all()
            return [ItemRow(item_id, body) for item_id, body in rows[:limit]], len(rows) > limit

        return await self._database.read(work)

    async def item(self, project: str, conversation_id: str, item_id: str) -> ItemRow | None:
        """Return one item; None when it, or the conversation, is not there."""
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> ItemRow | None:
            if _get(connection, sought) is None:
                return None
            found = connection.execute(_ITEM, {"id": conversation_id, "item": item_id}).first()
            return None if found is None else ItemRow(item_id, found.body)

        return await self._database.read(work)

    async def remove(self, project: str, conversation_id: str, item_id: str) -> ConversationRow | None:
        """Take one item out and return the conversation; None when either is not there."""
        sought = {"id": conversation_id, "project": project}

        def work(connection: Connection) -> ConversationRow | None:
            row = _get(connection, sought)
            if row is None:
                return None
            removed = connection.execute(_REMOVE, {"id": conversation_id, "item": item_id}).rowcount > 0
            return row if removed else None

        return await self._database.write(work)


def _get(connection: Connection, sought: dict[str, str]) -> ConversationRow | None:
    found = connection.execute(_GET, sought).mappings().first()
    return None if found is None else ConversationRow(**found)


def _refuse_known(connection: Connection, conversation_id: str, rows: Sequence[ItemRow]) -> None:
    ids = [row.id for row in rows]
    known = set(connection.execute(_KNOWN, {"id": conversation_id, "ids": ids}).scalars())
    for place, item_id in enumerate(ids):
        if item_id in known:
            raise Invalid(
                f"An item with id '{item_id}' is already in this conversation. Leave its 'id' out to add it again.",
                "invalid_value",
                f"items[{place}].id",
            )
        known.add(item_id)


def _put(connection: Connection, conversation_id: str, rows: Sequence[ItemRow]) -> None:
    if not rows:
        return
    last = connection.execute(_LAST, {"id": conversation_id}).scalar()
    first = 0 if last is None else last + 1
    values = [
        {"conversation": conversation_id, "position": position, "id": row.id, "body": row.body}
        for position, row in enumerate(rows, first)
    ]
    connection.execute(_ADD_ITEMS, values)
