"""A client of the WebSocket mode that speaks ASGI to a server in the test's own process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from freehold.http.app import App
from tests.house import KEY

Json = dict[str, Any]
LAST = ("response.completed", "response.incomplete", "response.failed", "error")


class Peer:
    """The client's end of one connection. `answer` is what the server said to the upgrade."""

    def __init__(self, app: App, key: str | None = KEY, path: str = "/v1/responses") -> None:
        headers = [] if key is None else [(b"authorization", b"Bearer " + key.encode())]
        self._scope = {"type": "websocket", "path": path, "headers": headers, "extensions": {}}
        self._app = app
        self._to_server: asyncio.Queue[Json] = asyncio.Queue()
        self._to_client: asyncio.Queue[Json] = asyncio.Queue()
        self._gone = False
        self.answer: Json = {}

    async def run(self) -> None:
        """Be served until the connection ends."""
        self._to_server.put_nowait({"type": "websocket.connect"})
        await self._app(self._scope, self._to_server.get, self._take)

    async def _take(self, message: Any) -> None:
        if self._gone:
            raise OSError("the client has gone")
        self._to_client.put_nowait(dict(message))
        if message["type"] == "websocket.close":
            self.leave(message["code"])

    async def opened(self) -> None:
        """Wait for the answer to the upgrade."""
        self.answer = await self._to_client.get()

    def send(self, event: Json) -> None:
        """Send an event as text."""
        self._to_server.put_nowait({"type": "websocket.receive", "text": json.dumps(event), "bytes": None})

    def send_raw(self, content: bytes) -> None:
        """Send any bytes, as binary."""
        self._to_server.put_nowait({"type": "websocket.receive", "text": None, "bytes": content})

    def create(self, text: str, **more: Any) -> None:
        """Ask for a response."""
        self.send({"type": "response.create", "model": "gpt-5", "input": text, **more})

    async def text(self) -> str:
        """The next message, as it stands on the wire. Raises AssertionError for anything else."""
        message = await self._to_client.get()
        assert message["type"] == "websocket.send", message
        return message["text"]

    async def event(self) -> Json:
        """The next event."""
        return json.loads(await self.text())

    async def until(self, *kinds: str) -> list[Json]:
        """The events up to the next one of one of the types."""
        events = [await self.event()]
        while events[-1]["type"] not in kinds:
            events.append(await self.event())
        return events

    async def turn(self, text: str, **more: Any) -> list[Json]:
        """Ask for a response and return its events, to the last one."""
        self.create(text, **more)
        return await self.until(*LAST)

    async def refusal(self) -> Json:
        """The body of an answer that refused the upgrade."""
        message = await self._to_client.get()
        assert message["type"] == "websocket.http.response.body", message
        return json.loads(message["body"])

    async def closed(self) -> int:
        """Wait for the server to end the connection; return the code that it ends with."""
        message = await self._to_client.get()
        assert message["type"] == "websocket.close", message
        return message["code"]

    def leave(self, code: int = 1006) -> None:
        """Be gone; whatever the server sends then fails."""
        self._gone = True
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": code})


@asynccontextmanager
async def connected(app: App, key: str | None = KEY, path: str = "/v1/responses") -> AsyncIterator[Peer]:
    """Yield a client that is connected, or refused; it leaves at the end."""
    peer = Peer(app, key, path)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(peer.run())
        await peer.opened()
        try:
            yield peer
        finally:
            peer.leave()
