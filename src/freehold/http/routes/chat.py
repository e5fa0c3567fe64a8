"""`/v1/chat/completions`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import generation, json_object
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.services.answering import Answering
from freehold.services.completions import Completions
from freehold.surfaces.chat import CHAT
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.chat.stored import UpdateBody
from freehold.surfaces.common import Metadata
from freehold.surfaces.decode import Decoder


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `chat.completions.list` takes."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    metadata: Metadata | None = None
    model: str | None = None
    order: Literal["asc", "desc"] = "asc"


class MessagesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `chat.completions.messages.list` takes."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "asc"


def paths(answering: Answering, completions: Completions, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    decode_update = Decoder(UpdateBody)

    async def list_completions(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        page = await completions.list(who, query.model, query.metadata or {}, query.after, query.limit, query.order)
        return json_object(page)

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await completions.retrieve(who, request.path_params["completion_id"]))

    async def update(request: Request, who: Principal) -> Response:
        body = decode_update(await read_json(request, max_body))
        return json_object(await completions.update(who, request.path_params["completion_id"], body.metadata or {}))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await completions.delete(who, request.path_params["completion_id"]))

    async def messages(request: Request, who: Principal) -> Response:
        query = read_query(request, MessagesQuery)
        page = await completions.messages(
            who, request.path_params["completion_id"], query.after, query.limit, query.order
        )
        return json_object(page)

    return [
        Path("POST", "/v1/chat/completions", generation(CHAT, answering, max_body), ChatBody),
        Path("GET", "/v1/chat/completions", list_completions, query=ListQuery),
        Path("GET", "/v1/chat/completions/{completion_id}", retrieve),
        Path("POST", "/v1/chat/completions/{completion_id}", update, UpdateBody),
        Path("DELETE", "/v1/chat/completions/{completion_id}", delete),
        Path("GET", "/v1/chat/completions/{completion_id}/messages", messages, query=MessagesQuery),
    ]
