"""One HTTP/1.1 connection to an upstream. It is ours because it carries every piece of every answer: it costs a
microsecond a piece where general clients cost fifty."""

import asyncio
import socket
from collections.abc import Callable

import httptools

from freehold.engines.remote.broken import Broken, Cut, Garbled, Silent

_MOST_HELD = 1 << 20
_TRAILING_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """Sends a request at a time and gives out the answer as it comes. One task uses it; see `Client`."""

    def __init__(self, park: Callable[["Connection"], None]) -> None:
        """`park` is given the connection when it is free for another request."""
        self._park = park
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._broken: Broken | None = None
        self._released = False
        self._used = False
        self._between = 0.0
        self.closed = False
        self._begin(0.0)

    def _begin(self, seconds: float) -> None:
        self._limit = seconds
        self._held: list[bytes] = []
        self._size = 0
        self._paused = False
        self._headed = self._complete = self._framed = self._lasting = False
        self._heard = self._loop.time()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def send(self, request: bytes, first: float, between: float) -> None:
        """Send a request and wait for the head of its answer: `first` seconds; then for each piece, so long
        until it has `begun`, and `between` after that.

        Raises Silent, Cut and Garbled.
        """
        old, self._used = self._used, True
        self._begin(first)
        self._between = between
        if self._transport is None or self.closed:
            raise Cut("the connection was closed", stale=old)
        self._transport.write(request)
        self._watch(first)
        try:
            while not self._headed:
                await self._wait()
        except Cut as cut:
            cut.stale = old and not self.headers and not self.status
            raise

    async def read(self) -> bytes:
        """Return what came since the last time; nothing when the answer is over. Raises Silent, Cut and Garbled."""
        while not self._held:
            if self._complete:
                return b""
            await self._wait()
        held = self._held
        data = held[0] if len(held) == 1 else b"".join(held)
        self._held, self._size = [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._heard = self._loop.time()
            self._transport.resume_reading()
        return data

    async def read_all(self, most: int) -> bytes:
        """Return the whole answer, or what is not more than `most` bytes of it and a piece."""
        pieces, size = [], 0
        while size < most and (piece := await self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def begun(self) -> None:
        """Say that the answer has begun: from now on, the pieces are waited for as long as `between` says."""
        if self._limit != self._between:
            self._limit = self._between
            if not self._complete:
                self._watch(self._limit)

    def release(self) -> None:
        """Say that the answer was read: the connection may be used again, as soon as its last bytes are here."""
        self._released = True
        if self._complete:
            self._free()
        elif not self.closed:
            self._loop.call_later(_TRAILING_SECONDS, self._unless_complete)

    def hurry(self, milliseconds: int) -> None:
        """Have the system end the connection where the other side does not even say that it got what was sent."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def close(self) -> None:
        """Hang up at once: the upstream stops working on the answer."""
        self.closed = True
        self._stop_watching()
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._broken is not None and not self._held:
            raise self._broken

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _watch(self, seconds: float) -> None:
        """Look after so many seconds, or before: the timer of an earlier request does as well."""
        due = self._loop.time() + seconds
        if self._timer is None or self._due > due:
            self._stop_watching()
            self._timer, self._due = self._loop.call_later(seconds, self._look), due

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """See whether the upstream was silent for too long; one timer does for all pieces of an answer."""
        self._timer = None
        if self._complete or self.closed:
            return
        silent = self._loop.time() - self._heard if self._waiter is not None and not self._paused else 0.0
        if silent >= self._limit:
            self._fail(Silent(f"it said nothing for {self._limit:g} seconds"))
        else:
            self._watch(max(0.001, self._limit - silent))

    def _fail(self, broken: Broken) -> None:
        if self._broken is None:
            self._broken = broken
        self.close()
        self._wake()

    def _free(self) -> None:
        if self.closed or not self._lasting:
            self.close()
        else:
            self._released = False
            self._park(self)

    def _unless_complete(self) -> None:
        if self._released and not self._complete:
            self.close()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]  of a stream, it is one

    def data_received(self, data: bytes) -> None:
        """Parse what came, and wake who waits for it."""
        self._heard = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Garbled("it answered with something that is not HTTP"))
            return
        if self._size > _MOST_HELD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up, or we did; an answer without a length ends so."""
        self.closed = True
        self._stop_watching()
        if self._headed and not self._framed and exc is None and self._broken is None:
            self._complete = True
        elif not self._complete and self._broken is None:
            self._broken = Cut("the connection ended in the middle of the answer")
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is here; an interim one is followed by another."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = {}
            return
        self.status = status
        self._headed = True
        self._lasting = self._parser.should_keep_alive()
        self._framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if not self._released:
            self._held.append(body)
            self._size += len(body)

    def on_message_complete(self) -> None:
        """The answer is over."""
        if self._headed:
            self._complete = True
            if self._released:
                self._free()
