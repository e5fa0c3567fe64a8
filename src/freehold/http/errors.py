"""Faults to HTTP answers."""

import math

import msgspec
from starlette.responses import Response

from freehold.core.errors import EngineBusy, Fault, Limited
from freehold.surfaces.errors import envelope, status


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
