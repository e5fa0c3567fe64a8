"""Request bodies: read whole, bounded, and of a type that is understood."""

from starlette.requests import Request
from starlette.types import Receive

from freehold.core.errors import Invalid, TooLarge

MOST_VALUES = 1_000_000
_JSON = "application/json"


class ClientGone(Exception):
    """The client closed its connection: nobody is there to be answered."""


async def read_json(request: Request, limit: int) -> bytes:
    """Return the body. Raises TooLarge over `limit` bytes or MOST_VALUES, Invalid when it is not declared as JSON."""
    kind, declared = _declared(request)
    if kind not in (None, _JSON) and kind.partition(";")[0].strip().lower() != _JSON:
        raise Invalid(
            f"Unsupported content type: '{kind.partition(';')[0].strip()}'. This API method only accepts "
            "'application/json' requests, but you specified the header 'Content-Type: "
            f"{kind}'. Please try again with a supported content type.",
            "unsupported_content_type",
        )
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = await _read(request.receive, limit)
    check_values(body)
    return body


def check_values(body: bytes) -> None:
    """Raise TooLarge for JSON that may hold more than MOST_VALUES values.

    Each costs a hundred bytes and more once it is decoded, however short it is. Only what stands before values is
    counted, also inside of strings: no text of so many commas and brackets fits the context of a model.
    """
    if len(body) > MOST_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise TooLarge(
            f"Request body is too large: this server takes at most {MOST_VALUES} values in one.", "request_too_large"
        )


def _declared(request: Request) -> tuple[str | None, str]:
    """The content type, and the length as it is written; in one look through the headers, for every request pays it."""
    kind, length = None, ""
    for name, value in request.scope["headers"]:
        if name == b"content-type" and kind is None:
            kind = value.decode("latin-1")
        elif name == b"content-length" and not length:
            length = value.decode("latin-1")
    return kind, length


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"Request body is too large: this server takes at most {limit} bytes (setting server.max_body).",
        "request_too_large",
    )
