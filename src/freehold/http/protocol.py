"""uvicorn's HTTP/1.1 protocol, with an end to what a client may send slowly, at length or malformed, or not read."""

import asyncio
import fcntl
import sys
import termios
from typing import Literal, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from freehold.core.errors import Invalid
from freehold.surfaces.errors import envelope

LONGEST_HEAD = 65_536
PATIENCE = 30.0
UNREAD = 60.0
"""The seconds after which a client that reads nothing of what waits for it is disconnected."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CHUNKING = 8  # bytes, at most, that a byte of the body takes: six where each is a chunk


class _Together:
    """A transport of one answer that writes its head with the first of its body: a packet and a system call less.

    `written` counts its bytes.
    """

    __slots__ = ("_head", "_transport", "close", "is_closing", "written")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.written = 0
        self._transport = transport
        self._head: bytes | None = None
        self.close, self.is_closing = transport.close, transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, or hold what comes first: the head, which is never all of an answer."""
        if self._head:
            data, self._head = self._head + data, b""
        elif self._head is None and data != _CONTINUE:
            self._head = data
            return
        self.written += len(data)
        self._transport.write(data)


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    The head of a request has at most LONGEST_HEAD bytes (and what a read brings beyond them) and is complete within
    PATIENCE seconds; of its body, something comes every PATIENCE seconds, and what stands around its chunks is no
    longer than the head may be. What is no HTTP is answered with a 400 in OpenAI's envelope. A client that reads
    nothing for UNREAD seconds, or PATIENCE more, while something waits for it, is disconnected; that ends the answer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._reading: Literal["head", "body", "nothing", "in vain"] = "head"
        self._length = self._taken = self._read = 0
        self._answer: _Together | None = None
        self._since = self._moved = self._idle = self.loop.time()
        self._watch = self.loop.call_later(PATIENCE, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._reading == "in vain":
            return
        before = self._reading
        super().data_received(data)
        self._length += len(data) if self._reading == before else 0
        if self._length - _CHUNKING * self._taken > LONGEST_HEAD:
            if self._reading == "head":
                self._refuse(431, "Request Header Fields Too Large", "The URL and headers of the request are too long.")
            elif self._reading == "body":
                self._refuse(400, "Bad Request", "There is too much between the chunks of the request's body.")

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to another protocol."""
        self._reading = "nothing"
        self._watch.cancel()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read."""
        self._refuse(400, "Bad Request", msg)

    def on_message_begin(self) -> None:
        """The first byte of a request was read."""
        super().on_message_begin()
        self._reading, self._length, self._taken, self._since = "head", 0, 0, self.loop.time()

    def on_headers_complete(self) -> None:
        """The whole head of a request was read."""
        self._reading, self._length = "body", 0
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.scope["method"] != "HEAD":
            self._answer = _Together(self.transport)
            self.cycle.transport = cast(asyncio.Transport, self._answer)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header was read; what comes behind the body as one is nothing to anybody."""
        if self._reading == "head":
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of the body was read."""
        self._taken += len(body)
        if not self.cycle.response_complete:
            self._since = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request was read."""
        self._reading = "nothing"
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is over; after `timeout_keep_alive` without another request, `_check` ends the connection.

        uvicorn sets a timer of its own for each answer, which every one of them pays for.
        """
        self._idle = self.loop.time()
        if self.pipeline or self.transport.is_closing():
            return super().on_response_complete()
        self.server_state.total_requests += 1
        self.flow.resume_reading()

    def _check(self) -> None:
        now = self.loop.time()
        self._watch = self.loop.call_later(PATIENCE, self._check)
        if self.flow.read_paused:
            self._since = now
        if self._unread(now):
            self.transport.abort()
        elif self._silent(now):
            self.transport.close()

    def _silent(self, now: float) -> bool:
        """Whether the client says nothing for too long: of a request that it began, or after its last was answered."""
        if self._reading != "nothing":
            return now - self._since >= PATIENCE
        unused = self.cycle is None or self.cycle.response_complete
        return unused and now - self._idle >= self.timeout_keep_alive

    def _unread(self, now: float) -> bool:
        """Whether bytes wait for the client, and it has taken none for too long."""
        waiting = self.transport.get_write_buffer_size() + _queued(self.transport)
        read = (0 if self._answer is None else self._answer.written) - waiting
        if not waiting or read != self._read:
            self._read, self._moved = read, now
        return now - self._moved >= UNREAD

    def _refuse(self, status: int, reason: str, message: str) -> None:
        """Answer the request that is being read, unless another answer comes first, and end the connection."""
        busy = self.cycle is not None and not self.cycle.response_complete
        second = busy and (bool(self.pipeline) or self._reading != "body" or self.cycle.response_started)
        self._reading = "in vain"
        if second:
            self.transport.close()
            return
        if busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = msgspec.json.encode(envelope(Invalid(message, "invalid_request")))
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.write_eof()  # closed with more to read, it would be reset, and the answer lost


def _queued(transport: asyncio.Transport) -> int:
    """The bytes that the kernel still holds for a client; 0 where it does not say."""
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
