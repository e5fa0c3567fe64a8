"""`/v1/conversations`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.services.conversations import Conversations
from freehold.surfaces.conversations import AddBody, CreateBody, UpdateBody, parse_add, parse_create
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.request import Include


class IncludeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `conversations.items.create` and `.retrieve` take."""

    include: list[Include] | None = None


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `conversations.items.list` takes."""

    after: str | None = None
    include: list[Include] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


def paths(conversations: Conversations, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [*_whole(conversations, max_body), *_items(conversations, max_body)]


def _whole(conversations: Conversations, max_body: int) -> list[Path]:
    decode_create, decode_update = Decoder(CreateBody), Decoder(UpdateBody)

    async def create(request: Request, who: Principal) -> Response:
        body = decode_create(await read_json(request, max_body) or b"{}")
        return json_object(await conversations.create(who, body.metadata or {}, parse_create(body)))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await conversations.retrieve(who, request.path_params["conversation_id"]))

    async def update(request: Request, who: Principal) -> Response:
        body = decode_update(await read_json(request, max_body))
        conversation_id = request.path_params["conversation_id"]
        return json_object(await conversations.update(who, conversation_id, body.metadata or {}))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await conversations.delete(who, request.path_params["conversation_id"]))

    return [
        Path("POST", "/v1/conversations", create, CreateBody),
        Path("GET", "/v1/conversations/{conversation_id}", retrieve),
        Path("POST", "/v1/conversations/{conversation_id}", update, UpdateBody),
        Path("DELETE", "/v1/conversations/{conversation_id}", delete),
    ]


def _items(conversations: Conversations, max_body: int) -> list[Path]:
    decode_add = Decoder(AddBody)

    async def add(request: Request, who: Principal) -> Response:
        include = read_query(request, IncludeQuery).include or ()
        items = parse_add(decode_add(await read_json(request, max_body)))
        return json_object(await conversations.add_items(who, request.path_params["conversation_id"], items, include))

    async def list_items(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        page = await conversations.list_items(
            who, request.path_params["conversation_id"], query.after, query.limit, query.order, query.include or ()
        )
        return json_object(page)

    async def retrieve(request: Request, who: Principal) -> Response:
        include = read_query(request, IncludeQuery).include or ()
        return json_object(await conversations.retrieve_item(who, *_ids(request), include))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await conversations.delete_item(who, *_ids(request)))

    return [
        Path("POST", "/v1/conversations/{conversation_id}/items", add, AddBody, IncludeQuery),
        Path("GET", "/v1/conversations/{conversation_id}/items", list_items, query=ListQuery),
        Path("GET", "/v1/conversations/{conversation_id}/items/{item_id}", retrieve, query=IncludeQuery),
        Path("DELETE", "/v1/conversations/{conversation_id}/items/{item_id}", delete),
    ]


def _ids(request: Request) -> tuple[str, str]:
    return request.path_params["conversation_id"], request.path_params["item_id"]
