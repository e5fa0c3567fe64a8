"""`/v1/conversations`: the bodies, and the objects as they stand on the wire."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.core.items import Item
from freehold.surfaces.common import Metadata
from freehold.surfaces.responses.request import GivenItem, parse_items

MOST_ITEMS = 20
"""How many items may be added at once."""

GivenItems = Annotated[list[GivenItem], Meta(max_length=MOST_ITEMS)]


class CreateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `conversations.create`."""

    items: GivenItems | None = None
    metadata: Metadata | None = None


class UpdateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `conversations.update`."""

    metadata: Metadata | None


class AddBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `conversations.items.create`."""

    items: GivenItems


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation; `created_at` is a unix time."""

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: dict[str, str]


class ConversationDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True


def parse_create(body: CreateBody) -> tuple[Item, ...]:
    """The items that a conversation begins with. Raises what `parse_items` raises."""
    return parse_items(body.items, "items") if body.items else ()


def parse_add(body: AddBody) -> tuple[Item, ...]:
    """The items that are added. Raises what `parse_items` raises."""
    return parse_items(body.items, "items")
