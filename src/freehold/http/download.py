"""The content of a file as an answer: whole or a range of it, streamed in constant memory."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from freehold.core.errors import Invalid
from freehold.http.sse import WhileConnected
from freehold.surfaces.errors import envelope

Read = Callable[[int, int], AsyncGenerator[bytes, None]]

BINARY = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Content(NamedTuple):
    """What is downloaded: its size in bytes, what tells it from any other content, and how its bytes are read."""

    name: str
    size: int
    tag: str
    read: Read


async def download(request: Request, content: Content) -> Response:
    """Answer with the content, or with the one range that the request asks for.

    The first bytes are read at once: raises what reading them raises.
    """
    etag = f'"{content.tag}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "content-disposition": _disposition(content.name),
        "x-content-type-options": "nosniff",
    }
    if etag in (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    status, start, end = 200, 0, content.size
    if request.headers.get("if-range", etag) == etag and (span := _range(request.headers.get("range"), content.size)):
        start, end = span
        if start >= end:
            fault = Invalid(f"The range is outside of the file's {content.size} bytes.", "invalid_range", "range")
            return Response(
                msgspec.json.encode(envelope(fault)),
                416,
                {"content-range": f"bytes */{content.size}", "accept-ranges": "bytes"},
                "application/json",
            )
        status = 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{content.size}"
    pieces = content.read(start, end)
    first = await anext(pieces, b"")
    return _Stream(status, {**headers, "content-length": str(end - start)}, first, pieces)


def _range(asked: str | None, size: int) -> tuple[int, int] | None:
    """The places of the first byte and behind the last one; None where not one range is asked for."""
    found = _RANGE.fullmatch((asked or "").replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _disposition(name: str) -> str:
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


class _Stream(Response):
    media_type = BINARY

    def __init__(self, status: int, headers: dict[str, str], first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        super().__init__(None, status, headers)
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the bytes as they are read; stop when the client goes away."""
        async with aclosing(self._rest) as rest:
            with WhileConnected(receive):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": self._first, "more_body": True})
                async for piece in rest:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
