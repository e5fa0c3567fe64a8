"""The endpoint of every generating surface: decode, prepare, then a stream or one object."""

import logging
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.core.surface import Surface
from freehold.http.body import read_json
from freehold.http.paths import Handler
from freehold.http.sse import EventStream, unless_gone
from freehold.services.answering import Answer, Answering
from freehold.services.background import Background
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.include import RESULTS

log = logging.getLogger(__name__)

B = TypeVar("B")


def generation(
    surface: Surface[Any], answering: Answering, max_body: int, background: Background | None = None
) -> Handler:
    """Make the handler of a surface's POST. `max_body` is in bytes; `background` takes what no client waits for."""
    decode: Decoder[Any] = Decoder(surface.body)

    async def handle(request: Request, who: Principal) -> Response:
        body = decode(await read_json(request, max_body))
        answer = await answering.prepare(who, surface, body)
        if background is not None and body.background:
            response = await _queued(background, who, body, answer)
        elif body.stream:
            response = EventStream(answer.frames())
        else:
            response = json_bytes(await unless_gone(request.receive, answer.result()))
        response.raw_headers += _headers(answer)
        return response

    return handle


async def _queued(background: Background, who: Principal, body: Any, answer: Answer) -> Response:
    """Answer with a response that is queued, or with its stream: a client that leaves that stops nothing."""
    queued = await background.start(who, body, answer)
    found = RESULTS in (body.include or ())
    frames = await background.journal.follow(who, queued.id, None, found=found) if body.stream else None
    return json_object(queued) if frames is None else EventStream(frames)


def json_bytes(encoded: bytes) -> Response:
    """Answer with JSON that is encoded already."""
    return _Json(encoded)


def json_object(value: Any) -> Response:
    """Answer with a wire struct."""
    return json_bytes(msgspec.json.encode(value))


class _Json(Response):
    """JSON that is encoded already, with a 200: its two headers are known, and every answer pays for making them."""

    def __init__(self, encoded: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = encoded
        self.raw_headers = [(b"content-length", b"%d" % len(encoded)), (b"content-type", b"application/json")]


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    load = answer.load
    free = max(0, load.limit - load.running - load.waiting)
    seen = [(b"x-freehold-vision", b"ocr")] if answer.ocr else []
    return [
        *seen,
        (b"x-ratelimit-limit-requests", str(load.limit).encode()),
        (b"x-ratelimit-remaining-requests", str(free).encode()),
        (b"x-ratelimit-reset-requests", b"0s" if free else b"1s"),
        (b"x-freehold-model", answer.served.name.encode("ascii", "replace")),
    ]
