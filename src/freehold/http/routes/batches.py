"""`/v1/batches`."""

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.services.batches import Batches
from freehold.surfaces.batches import CreateBody
from freehold.surfaces.decode import Decoder


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `batches.list` takes."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


def paths(batches: Batches, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    decode_create = Decoder(CreateBody)

    async def create(request: Request, who: Principal) -> Response:
        return json_object(await batches.create(who, decode_create(await read_json(request, max_body))))

    async def list_batches(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        return json_object(await batches.list(who, query.after, query.limit))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await batches.retrieve(who, request.path_params["batch_id"]))

    async def cancel(request: Request, who: Principal) -> Response:
        return json_object(await batches.cancel(who, request.path_params["batch_id"]))

    return [
        Path("POST", "/v1/batches", create, CreateBody),
        Path("GET", "/v1/batches", list_batches, query=ListQuery),
        Path("GET", "/v1/batches/{batch_id}", retrieve),
        Path("POST", "/v1/batches/{batch_id}/cancel", cancel),
    ]
