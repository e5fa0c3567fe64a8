"""`/v1/webhook_endpoints`: the bodies, the objects as they stand on the wire, and the events with their signatures."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

EventType = Literal[
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
]
"""The events that happen on this server; the other names of the real API are refused, for nothing would ever come."""

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
PREFIX = "whsec_"

EventTypes = Annotated[tuple[EventType, ...], Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]


class CreateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `webhooks.create`."""

    event_types: EventTypes
    name: Name
    url: str


class UpdateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `webhooks.update`; what is left out stays as it is."""

    event_types: EventTypes | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    url: str | UnsetType = UNSET


class RotateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `webhooks.rotate_secret`."""

    keep_old_secret_active_for_24_hours: bool = False


class TryBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `webhooks.test`."""

    event_type: EventType


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where events are sent; times are unix times, the hint is the secret with all but its end masked."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    name: str
    url: str
    event_types: tuple[EventType, ...]
    signing_secret_hint: str


class EndpointWithSecret(Endpoint, frozen=True, kw_only=True):
    """An endpoint and its signing secret, which is shown when it is made and never again."""

    signing_secret: str


class EndpointPage(Struct, frozen=True, kw_only=True):
    """A page of the endpoints, the newest first."""

    object: Literal["list"] = "list"
    data: tuple[Endpoint, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class EndpointDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: bool = True


class Tried(Struct, frozen=True, kw_only=True):
    """The answer to a test: `success` says that the endpoint answered, `status_code` what."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: EventType
    status_code: int
    success: Literal[True] = True


class EventTypeList(Struct, frozen=True, kw_only=True):
    """The events that an endpoint can be sent."""

    object: Literal["list"] = "list"
    data: tuple[EventType, ...] = EVENT_TYPES


class About(Struct, frozen=True):
    """The object that an event is about."""

    id: str


class Event(Struct, frozen=True, kw_only=True):
    """What an endpoint is sent; `created_at` is a unix time."""

    id: str
    object: Literal["event"] = "event"
    created_at: int
    type: EventType
    data: About


def hint(secret: str) -> str:
    """The secret with all but its last four characters masked."""
    return f"{PREFIX}...{secret[-4:]}"


def signed(body: bytes, delivery_id: str, now: int, secrets: Sequence[str]) -> Mapping[str, str]:
    """The headers of a delivery, as Standard Webhooks has them: a signature for each secret; `now` is a unix time."""
    message = f"{delivery_id}.{now}.".encode() + body
    signatures = []
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix(PREFIX))
        signatures.append("v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode())
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }
