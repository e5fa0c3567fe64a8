"""OpenAI's error envelope, and the only table of statuses."""

from collections.abc import Mapping

from msgspec import Struct

from freehold.core import errors
from freehold.core.errors import Denied, EngineBusy, EngineFailed, Fault, Limited, StorageFailed

STATUS: Mapping[type[Fault], int] = {
    errors.Invalid: 400,
    errors.Unsupported: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Denied: 401,
    errors.TooLarge: 413,
    errors.Limited: 429,
    errors.EngineBusy: 503,
    errors.EngineFailed: 500,
    errors.RemoteFailed: 502,
    errors.StorageFailed: 503,
}


LONGEST = 2_000
"""What a caller sent is not given back at length: more characters of a fault are left out."""


class ErrorBody(Struct, frozen=True):
    """The inside of the envelope."""

    message: str
    type: str
    param: str | None
    code: str | None


class Envelope(Struct, frozen=True):
    """What every failed request is answered with."""

    error: ErrorBody


def envelope(fault: Fault) -> Envelope:
    """Render a fault as OpenAI does; `type` follows from its place in the tree."""
    if isinstance(fault, EngineFailed | EngineBusy | StorageFailed):
        kind = "server_error"
    elif isinstance(fault, Limited):
        kind = "requests"
    elif isinstance(fault, Denied) and fault.code == "insufficient_permissions":
        kind = "permission_error"
    else:
        kind = "invalid_request_error"
    param = None if fault.param is None else _short(fault.param)
    return Envelope(ErrorBody(_short(fault.message), kind, param, fault.code))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def status(fault: Fault) -> int:
    """The HTTP status of a fault."""
    if fault.code == "insufficient_permissions":
        return 403
    if fault.code == "method_not_supported":
        return 405
    return STATUS[type(fault)]
