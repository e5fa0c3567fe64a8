"""One answer of one upstream, from its request to its last byte."""

import logging
from collections.abc import Sequence

from freehold.core.deltas import Delta
from freehold.core.errors import Fault, RemoteFailed
from freehold.engines.remote.broken import Broken
from freehold.engines.remote.client import Client
from freehold.engines.remote.connection import Connection
from freehold.engines.remote.faults import refused
from freehold.engines.remote.read import Reader
from freehold.engines.remote.request import Request
from freehold.engines.remote.sse import Events, TooLong

_MOST_ERROR = 1 << 16
_MOST_WHOLE = 64 << 20
_BUSY_SECONDS = 1.0
_LONGEST_BUSY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Exchange:
    """Reads the deltas of an answer; closing it before its end hangs up, which stops the upstream."""

    def __init__(self, connection: Connection, reader: Reader, where: str) -> None:
        """`where` is the upstream, for the log."""
        self._where = where
        self._connection = connection
        self._events = Events()
        self._fault: Fault | None = None
        self.reader = reader
        self.over = False

    async def take(self) -> Sequence[Delta]:
        """Return the deltas that came since the last time; `over` says that they are the last but `Stop`.

        Raises RemoteFailed, and the faults of the reader.
        """
        if self._fault is not None:
            raise self._fault
        try:
            data = await self._connection.read()
        except Broken as broken:
            raise failed(broken, self._where) from None
        return self._told(data, last=not data)

    def _told(self, data: bytes, last: bool) -> Sequence[Delta]:
        """Return what bytes hold. A fault among them is raised when what came before it is taken."""
        found: list[Delta] = []
        reader = self.reader
        try:
            events = self._events.feed(data)
            for event in events if not last else (*events, *self._events.end()):
                reader.read(event, found)
                if reader.over:
                    break
            if reader.over or last:
                found += reader.end()
                self.over = True
        except Fault as fault:
            if not found:
                raise
            self._fault = fault
        except TooLong:
            raise RemoteFailed("The server of this model sent an event without an end.") from None
        if found:
            self._connection.begun()
        return found

    def close(self) -> None:
        """Give the connection back, or hang up where the answer is not over."""
        if self.over:
            self._connection.release()
        else:
            self._connection.close()


def failed(broken: Broken, where: str) -> RemoteFailed:
    """The fault for an exchange that broke; the log says where, in a line that needs no trace of calls."""
    _log.warning("%s failed: %s", where, broken.why)
    return RemoteFailed(f"The server of this model did not answer as it should: {broken.why}.")


async def open_exchange(client: Client, request: Request, reader: Reader) -> Exchange:
    """Ask an upstream. Raises RemoteFailed where it does not answer, and the fault for an answer that is none."""
    where = client.where
    try:
        connection = await client.ask("POST", client.address.path + request.path, request.body)
    except Broken as broken:
        raise failed(broken, where) from None
    try:
        await _check(client, connection)
        kind = connection.headers.get(b"content-type", b"").lower()
        if not kind.startswith(b"text/event-stream"):
            return await _whole(client, connection, kind, reader)
    except Broken as broken:
        connection.close()
        raise failed(broken, where) from None
    except BaseException:
        connection.close()
        raise
    return Exchange(connection, reader, where)


async def _check(client: Client, connection: Connection) -> None:
    """Raise the fault for a status that is no success."""
    if connection.status == 200:
        return
    where = client.where
    after = _seconds(connection.headers.get(b"retry-after", b""))
    try:
        body = await connection.read_all(_MOST_ERROR)
    except Broken:
        body = b""
    raise refused(connection.status, body, after, where)


async def _whole(client: Client, connection: Connection, kind: bytes, reader: Reader) -> Exchange:
    """Read an answer that is no stream: some servers know none. A page, or anything else, is no answer."""
    if kind.startswith(b"text/html"):
        raise RemoteFailed(
            "The server of this model answered with a web page: its url must be that of an OpenAI-compatible API."
        )
    body = (await connection.read_all(_MOST_WHOLE)).strip()
    if body.startswith(b"data:"):  # a stream that is not called one
        return _Read(connection, reader, client.where, body + b"\n\n")
    return _Read(connection, reader, client.where, b"data: " + body.replace(b"\n", b" ") + b"\n\n")


class _Read(Exchange):
    """An answer that is here already."""

    def __init__(self, connection: Connection, reader: Reader, where: str, body: bytes) -> None:
        super().__init__(connection, reader, where)
        self._body = body

    async def take(self) -> Sequence[Delta]:
        if self._fault is not None:
            raise self._fault
        return self._told(self._body, last=True)


def _seconds(header: bytes) -> float:
    """What a `retry-after` says, where it says seconds, within reason."""
    try:
        seconds = float(header)
    except ValueError:
        return _BUSY_SECONDS
    return min(max(seconds, _BUSY_SECONDS), _LONGEST_BUSY_SECONDS)
