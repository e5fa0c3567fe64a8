"""OpenAI's error envelope."""

from msgspec import Struct

from freehold.core.errors import Denied, EngineBusy, EngineFailed, Fault, Limited, StorageFailed


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
    return Envelope(ErrorBody(fault.message, kind, fault.param, fault.code))
