"""Faults to HTTP answers: the only table of statuses."""

import math

import msgspec
from starlette.responses import Response

from freehold.core import errors
from freehold.core.errors import EngineBusy, Fault, Limited
from freehold.surfaces.errors import envelope

STATUS: dict[type[Fault], int] = {
    errors.Invalid: 400,
    errors.Unsupported: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Denied: 401,
    errors.TooLarge: 413,
    errors.Limited: 429,
    errors.EngineBusy: 503,
    errors.EngineFailed: 500,
    errors.StorageFailed: 503,
}


def status(fault: Fault) -> int:
    """The HTTP status of a fault."""
    if fault.code == "insufficient_permissions":
        return 403
    if fault.code == "method_not_supported":
        return 405
    return STATUS[type(fault)]


def answer(fault: Fault) -> Response:
    """Answer with OpenAI's envelope; a fault that passes says when to come back."""
    response = Response(msgspec.json.encode(envelope(fault)), status(fault), media_type="application/json")
    for name, value in waiting(fault).items():
        response.headers[name] = value
    return response


def waiting(fault: Fault) -> dict[str, str]:
    """The headers that say when to come back; none for a fault that does not pass."""
    if not isinstance(fault, EngineBusy | Limited):
        return {}
    return {"retry-after": str(math.ceil(fault.retry_after)), "retry-after-ms": str(int(fault.retry_after * 1000))}
