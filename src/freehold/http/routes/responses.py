"""`/v1/responses`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.errors import Invalid
from freehold.core.ids import Mint, random_padding
from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import generation, json_object
from freehold.http.lanes import responses_socket
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.http.sse import EventStream, each, unless_gone
from freehold.http.websocket import SocketPath
from freehold.services.answering import Answering
from freehold.services.background import Background
from freehold.services.responses import Responses
from freehold.surfaces.common import OBFUSCATION
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses import RESPONSES
from freehold.surfaces.responses.include import RESULTS
from freehold.surfaces.responses.objects import InputTokens
from freehold.surfaces.responses.request import (
    CompactBody,
    CountBody,
    Include,
    ResponseBody,
    parse_compact,
    parse_count,
)


class RetrieveQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `responses.retrieve` takes."""

    include: list[Include] | None = None
    include_obfuscation: bool | None = None
    starting_after: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stream: bool | None = None


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `responses.input_items.list` takes."""

    after: str | None = None
    include: list[Include] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


def sockets(answering: Answering, mint: Mint, max_body: int) -> list[SocketPath]:
    """The WebSocket of the resource. `max_body` is in bytes."""
    return [SocketPath("/v1/responses", responses_socket(answering, mint, max_body))]


def paths(answering: Answering, responses: Responses, background: Background, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""

    async def retrieve(request: Request, who: Principal) -> Response:
        query = read_query(request, RetrieveQuery)
        response_id = request.path_params["response_id"]
        if query.stream:
            padded = query.include_obfuscation is not False
            found = RESULTS in (query.include or ())
            frames = await background.journal.follow(who, response_id, query.starting_after, padded, found)
            if frames is None:
                pad = random_padding()[:OBFUSCATION] if padded else None
                frames = each(await responses.replay(who, response_id, query.starting_after, pad))
            return EventStream(frames)
        if query.starting_after is not None:
            raise Invalid(
                "The 'starting_after' parameter is only allowed when 'stream' is enabled.", None, "starting_after"
            )
        return json_object(await responses.retrieve(who, response_id, query.include or ()))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await responses.delete(who, request.path_params["response_id"]))

    async def cancel(request: Request, who: Principal) -> Response:
        response_id = request.path_params["response_id"]
        await background.cancel(who, response_id)
        return json_object(await responses.cancel(who, response_id, answering.running))

    async def input_items(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        page = await responses.input_items(
            who, request.path_params["response_id"], query.after, query.limit, query.order, query.include or ()
        )
        return json_object(page)

    decode_count = Decoder(CountBody)

    async def input_tokens(request: Request, who: Principal) -> Response:
        ask = parse_count(decode_count(await read_json(request, max_body)))
        return json_object(InputTokens(await answering.count(who, RESPONSES, ask)))

    decode_compact = Decoder(CompactBody)

    async def compact(request: Request, who: Principal) -> Response:
        ask = parse_compact(decode_compact(await read_json(request, max_body)))
        return json_object(await unless_gone(request.receive, answering.compact(who, RESPONSES, ask)))

    return [
        Path("POST", "/v1/responses/compact", compact, CompactBody),
        Path("POST", "/v1/responses", generation(RESPONSES, answering, max_body, background), ResponseBody),
        Path("POST", "/v1/responses/input_tokens", input_tokens, CountBody),
        Path("GET", "/v1/responses/{response_id}", retrieve, query=RetrieveQuery),
        Path("DELETE", "/v1/responses/{response_id}", delete),
        Path("POST", "/v1/responses/{response_id}/cancel", cancel),
        Path("GET", "/v1/responses/{response_id}/input_items", input_items, query=ListQuery),
    ]
