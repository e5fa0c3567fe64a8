"""WebSockets: the upgrade, messages in and out, and what a handler is given to work with."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from freehold.core.errors import Invalid
from freehold.core.principal import Principal
from freehold.http.body import ClientGone

GOING_AWAY = 1001


class Socket:
    """One connection, from its upgrade to its end. Messages are bytes, whether they came as text or as binary."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Answer the upgrade. Raises ClientGone when nobody waits for that."""
        if (await self._receive())["type"] != "websocket.connect":
            raise ClientGone
        await self._tell({"type": "websocket.accept", "headers": headers})

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Yield the client's messages until the connection ends, whoever ends it."""
        while (message := await self._receive())["type"] == "websocket.receive":
            text = message.get("text")
            yield message["bytes"] if text is None else text.encode()

    async def send(self, message: bytes) -> None:
        """Send UTF-8 as a text message. Raises ClientGone when the connection has ended."""
        await self._tell({"type": "websocket.send", "text": message.decode()})

    async def close(self, code: int) -> None:
        """End the connection; `messages` ends with it."""
        await self._tell({"type": "websocket.close", "code": code})

    async def _tell(self, message: dict[str, object]) -> None:
        try:
            await self._send(message)
        except OSError:  # what ASGI servers raise for a connection that has ended
            raise ClientGone from None


class Connection(NamedTuple):
    """An accepted socket, who is at its other end, and whether the server is about to stop.

    `authenticate` asks again: a key may be revoked while the connection lasts.
    """

    socket: Socket
    authenticate: Callable[[], Awaitable[Principal]]
    draining: Callable[[], bool]


SocketHandler = Callable[[Connection], Awaitable[None]]


class SocketPath(NamedTuple):
    """A path where a GET may ask for a WebSocket."""

    path: str
    handler: SocketHandler


def check_upgrade(scope: Scope) -> None:
    """Refuse a GET that asked for a WebSocket and came as HTTP all the same, which the server could not upgrade."""
    if any(name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"]):
        raise Invalid(
            "This server was installed without WebSockets. Run `pip install 'freehold[websocket]'` and start it again, "
            "or use the same path over HTTP.",
            "websocket_not_installed",
        )
