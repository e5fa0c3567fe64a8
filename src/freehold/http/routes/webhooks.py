"""`/v1/webhook_endpoints` and `/v1/webhook_event_types`."""

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.services.webhooks import Webhooks
from freehold.surfaces.decode import Decoder
from freehold.surfaces.webhooks import CreateBody, RotateBody, TryBody, UpdateBody


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `webhooks.list` takes."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


def paths(webhooks: Webhooks, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [*_endpoints(webhooks, max_body), *_actions(webhooks, max_body)]


def _endpoints(webhooks: Webhooks, max_body: int) -> list[Path]:
    decode_create, decode_update = Decoder(CreateBody), Decoder(UpdateBody)

    async def create(request: Request, who: Principal) -> Response:
        return json_object(await webhooks.create(who, decode_create(await read_json(request, max_body))))

    async def list_endpoints(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        return json_object(await webhooks.list(who, query.after, query.limit))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await webhooks.retrieve(who, _id(request)))

    async def update(request: Request, who: Principal) -> Response:
        body = decode_update(await read_json(request, max_body) or b"{}")
        return json_object(await webhooks.update(who, _id(request), body))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await webhooks.delete(who, _id(request)))

    return [
        Path("POST", "/v1/webhook_endpoints", create, CreateBody),
        Path("GET", "/v1/webhook_endpoints", list_endpoints, query=ListQuery),
        Path("GET", "/v1/webhook_endpoints/{webhook_endpoint_id}", retrieve),
        Path("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}", update, UpdateBody),
        Path("DELETE", "/v1/webhook_endpoints/{webhook_endpoint_id}", delete),
    ]


def _actions(webhooks: Webhooks, max_body: int) -> list[Path]:
    decode_rotate, decode_test = Decoder(RotateBody), Decoder(TryBody)

    async def rotate_secret(request: Request, who: Principal) -> Response:
        body = decode_rotate(await read_json(request, max_body) or b"{}")
        return json_object(await webhooks.rotate_secret(who, _id(request), body.keep_old_secret_active_for_24_hours))

    async def test(request: Request, who: Principal) -> Response:
        body = decode_test(await read_json(request, max_body))
        return json_object(await webhooks.test(who, _id(request), body.event_type))

    async def event_types(request: Request, who: Principal) -> Response:
        return json_object(webhooks.event_types())

    return [
        Path("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret", rotate_secret, RotateBody),
        Path("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/test", test, TryBody),
        Path("GET", "/v1/webhook_event_types", event_types),
    ]


def _id(request: Request) -> str:
    return request.path_params["webhook_endpoint_id"]
