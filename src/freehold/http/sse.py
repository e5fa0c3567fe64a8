"""Streams and long answers that end when the client goes away.

No server or framework does the second for an answer that is not a stream: Starlette lets such a handler run to its end
for nobody. Both are one thing here: a watcher that cancels the working task when the connection closes.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from contextlib import aclosing
from typing import TypeVar
from weakref import WeakKeyDictionary

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from freehold.http.body import ClientGone

T = TypeVar("T")

SOON_SECONDS = 0.05
"""Work that is done so soon is not watched: the watcher would cost more than what it may save."""


class _Early:
    """What is not watched yet, on one event loop: one timer begins to watch all of it that has become old enough."""

    def __init__(self) -> None:
        self._timed = False
        self._older: dict[WhileConnected, None] = {}
        self._newer: dict[WhileConnected, None] = {}

    def add(self, work: "WhileConnected", loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch work after SOON_SECONDS, or up to twice as many."""
        self._newer[work] = None
        if not self._timed:
            self._timed = True
            loop.call_later(SOON_SECONDS, self._look, loop)

    def drop(self, work: "WhileConnected") -> None:
        """Watch work that is done no more."""
        self._newer.pop(work, None)
        self._older.pop(work, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for work in self._older:
            work.begin()
        self._older, self._newer = self._newer, {}
        self._timed = bool(self._older)
        if self._timed:
            loop.call_later(SOON_SECONDS, self._look, loop)


_EARLY = WeakKeyDictionary[asyncio.AbstractEventLoop, _Early]()
"""By event loop: a process has one, save in tests."""


class WhileConnected:
    """Cancel the block when the client closes its connection. Raises ClientGone instead of the cancellation."""

    __slots__ = ("_early", "_gone", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        """Begin to watch soon. Raises RuntimeError outside of a task."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("WhileConnected needs a running task")
        self._task = task
        self._early = _EARLY.get(loop) or _EARLY.setdefault(loop, _Early())
        self._early.add(self, loop)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the watch."""
        self._early.drop(self)
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and kind is not None and issubclass(kind, asyncio.CancelledError):
            self._task.uncancel()
            raise ClientGone from None

    def begin(self) -> None:
        """Watch from now on."""
        self._watcher = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Await `work`, cancelled when the client closes its connection. Raises ClientGone then."""
    with WhileConnected(receive):
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
            with WhileConnected(receive):
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
