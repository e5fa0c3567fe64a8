"""Streams and long answers that end when the client goes away.

No server or framework does the second for an answer that is not a stream: Starlette lets such a handler run to its end
for nobody. Both are one thing here: a watcher that cancels the working task when the connection closes.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from freehold.http.body import ClientGone

T = TypeVar("T")

SOON_SECONDS = 0.05
"""Work that is done so soon is not watched: the watcher would cost more than what it may save."""


@contextmanager
def while_connected(receive: Receive) -> Iterator[None]:
    """Cancel the block when the client closes its connection. Raises ClientGone instead of the cancellation."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("while_connected needs a running task")
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.ensure_future(watch())

    watcher: asyncio.Task[None] | None = None
    later = task.get_loop().call_later(SOON_SECONDS, begin)
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise ClientGone from None
    finally:
        later.cancel()
        if watcher is not None:
            watcher.cancel()


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Await `work`, cancelled when the client closes its connection. Raises ClientGone then."""
    with while_connected(receive):
        return await work


class EventStream(Response):
    """A server-sent event stream over frames that are bytes already."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self._frames = frames
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Set the stream's headers; it has no length."""
        super().init_headers(headers)
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames as they come; stop, and stop what makes them, when the client goes away.

        Raises the fault that is met before the first frame: nothing was sent then.
        """
        async with aclosing(self._frames) as frames:
            with while_connected(receive):
                first = await anext(frames, b"")
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": first, "more_body": True})
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def each(frames: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Frames that are there already, as a stream."""
    for frame in frames:
        yield frame
