"""The rows of items, whatever holds them: a stored response, or a conversation."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import bindparam, select, union_all

from freehold.storage.database import Database
from freehold.storage.tables import conversation_items, conversations, items, responses


class ItemRow(Struct, frozen=True):
    """An item: its id and its JSON."""

    id: str
    body: bytes


_ids = bindparam("ids", expanding=True)
_project = bindparam("project")
_FIND = union_all(
    select(items.c.id, items.c.body)
    .join(responses, responses.c.id == items.c.response)
    .where(items.c.id.in_(_ids), responses.c.project == _project),
    select(conversation_items.c.id, conversation_items.c.body)
    .join(conversations, conversations.c.id == conversation_items.c.conversation)
    .where(conversation_items.c.id.in_(_ids), conversations.c.project == _project),
)


class ItemRows:
    """The stored items; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, project: str, ids: Sequence[str]) -> list[ItemRow]:
        """Return those of the items that a response or a conversation of the project holds, some more than once."""
        sought = {"project": project, "ids": list(ids)}
        return await self._database.read(
            lambda connection: [ItemRow(item_id, body) for item_id, body in connection.execute(_FIND, sought)]
        )
