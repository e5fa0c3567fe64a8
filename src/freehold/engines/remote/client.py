"""The connections to one upstream, kept and used again."""

import asyncio
import ssl
import time

from msgspec import Struct

from freehold.core.secret import Secret
from freehold.engines.remote.address import Address
from freehold.engines.remote.broken import Broken, Unreachable
from freehold.engines.remote.connection import Connection

_IDLE_SECONDS = 30.0
_MOST_IDLE = 1_024
_UNHEARD_MS = 30_000


class Patience(Struct, frozen=True, kw_only=True):
    """How long an upstream may take, in seconds: to take a connection, to begin its answer, between two pieces."""

    connect: float
    first: float
    between: float


class Client:
    """Asks one upstream. It belongs to one event loop."""

    def __init__(self, address: Address, key: Secret | None, patience: Patience) -> None:
        """Raises ValueError, without the key, for one that no header can carry."""
        if key is not None and not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ValueError("its key is none: it has characters that no key has")
        self.address = address
        self.where = str(address)
        self.patience = patience
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        secret = f"authorization: Bearer {key.reveal()}\r\n" if key is not None else ""
        self._headers = (
            f"host: {address.authority}\r\n{secret}user-agent: freehold\r\n"
            "accept: application/json, text/event-stream\r\n"
        )
        self._idle: list[tuple[float, Connection]] = []

    async def ask(self, method: str, path: str, body: bytes = b"", patience: Patience | None = None) -> Connection:
        """Send a request and return the connection on which its answer comes, whose head is here.

        Release or close it. `path` is the whole path. Raises Broken.
        """
        kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
        request = f"{method} {path} HTTP/1.1\r\n{self._headers}{kind}\r\n".encode("latin-1") + body
        patience = patience or self.patience
        while (connection := self._kept()) is not None:
            try:
                return await self._send(connection, request, patience)
            except Broken as broken:
                if not broken.stale:
                    raise
        return await self._send(await self._connect(patience), request, patience)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _send(self, connection: Connection, request: bytes, patience: Patience) -> Connection:
        try:
            await connection.send(request, patience.first, patience.between)
        except BaseException:
            connection.close()
            raise
        return connection

    def _kept(self) -> Connection | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        while self._idle:
            since, connection = self._idle.pop()
            if not connection.closed and since > oldest:
                return connection
            connection.close()
        return None

    def _park(self, connection: Connection) -> None:
        if len(self._idle) < _MOST_IDLE:
            self._idle.append((time.monotonic(), connection))
        else:
            connection.close()

    async def _connect(self, patience: Patience) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience.connect):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._park), self.address.host, self.address.port, ssl=self._tls
                )
        except TimeoutError:
            raise Unreachable(f"it took no connection within {patience.connect:g} seconds") from None
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(f"no connection could be made ({error.strerror or error})") from error
        connection.hurry(_UNHEARD_MS)
        return connection
