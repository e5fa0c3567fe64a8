"""`/v1/responses`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.errors import Unsupported
from freehold.core.principal import Principal
from freehold.http.app import Path
from freehold.http.endpoint import generation, json_object
from freehold.http.query import read_query
from freehold.services.answering import Answering
from freehold.services.responses import Responses
from freehold.surfaces.responses import RESPONSES
from freehold.surfaces.responses.request import Include


class RetrieveQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `responses.retrieve` takes."""

    include: list[Include] | None = None
    include_obfuscation: bool | None = None
    starting_after: Annotated[int, Meta(ge=0)] | None = None
    stream: bool | None = None


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `responses.input_items.list` takes."""

    after: str | None = None
    include: list[Include] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


def paths(answering: Answering, responses: Responses, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""

    async def retrieve(request: Request, who: Principal) -> Response:
        query = read_query(request, RetrieveQuery)
        for name in ("stream", "starting_after"):
            if getattr(query, name):
                raise Unsupported(
                    f"Unsupported parameter: '{name}'. Only a response that was created with background set to true "
                    "can be streamed again.",
                    name,
                )
        return json_object(await responses.retrieve(who, request.path_params["response_id"]))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await responses.delete(who, request.path_params["response_id"]))

    async def cancel(request: Request, who: Principal) -> Response:
        return json_object(await responses.cancel(who, request.path_params["response_id"], answering.running))

    async def input_items(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        page = await responses.input_items(
            who, request.path_params["response_id"], query.after, query.limit, query.order
        )
        return json_object(page)

    return [
        Path("POST", "/v1/responses", generation(RESPONSES, answering, max_body)),
        Path("GET", "/v1/responses/{response_id}", retrieve),
        Path("DELETE", "/v1/responses/{response_id}", delete),
        Path("POST", "/v1/responses/{response_id}/cancel", cancel),
        Path("GET", "/v1/responses/{response_id}/input_items", input_items),
    ]
