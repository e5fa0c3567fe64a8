import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from freehold.core.principal import Principal
from freehold.http.app import App
from freehold.http.body import ClientGone
from freehold.http.websocket import Connection, Socket, SocketPath
from tests.house import house
from tests.sockets import connected


def socket_over(messages: Iterable[dict[str, Any]]) -> Socket:
    """A socket to a client that says these messages, and takes none."""
    coming = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(coming)

    async def send(message: Any) -> None:
        raise OSError("gone")

    return Socket(receive, send)


def test_messages_are_bytes_and_end_with_the_connection() -> None:
    socket = socket_over(
        [
            {"type": "websocket.receive", "text": "é"},
            {"type": "websocket.receive", "bytes": b"\x00", "text": None},
            {"type": "websocket.disconnect", "code": 1001},
        ]
    )

    async def main() -> list[bytes]:
        return [message async for message in socket.messages()]

    assert asyncio.run(main()) == ["é".encode(), b"\x00"]


def test_a_client_that_left_is_told_nothing() -> None:
    async def main() -> None:
        for message in ({"type": "websocket.connect"}, {"type": "websocket.disconnect"}):
            with pytest.raises(ClientGone):
                await socket_over([message]).accept([])
        with pytest.raises(ClientGone):
            await socket_over([]).send(b"a")
        with pytest.raises(ClientGone):
            await socket_over([]).close(1000)

    asyncio.run(main())


def test_without_the_library_the_upgrade_is_a_400_that_names_the_extra(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (_, client):
            headers = {"connection": "Upgrade", "upgrade": "WebSocket", "sec-websocket-version": "13"}
            answer = await client.get("/responses", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "websocket_not_installed")
            assert "pip install 'freehold[websocket]'" in answer.json()["error"]["message"]
            assert (await client.get("/responses")).status_code == 405
            assert (await client.get("/chat/completions/none", headers=headers)).status_code == 404

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_handler_that_breaks_ends_the_connection_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def anyone(secret: str | None) -> Principal:
        return Principal("default", "key_1")

    async def broken(connection: Connection) -> None:
        assert await connection.authenticate() == Principal("default", "key_1")
        assert connection.draining() is False
        raise RuntimeError("a bug")

    async def main() -> None:
        app = App([], [SocketPath("/v1/x", broken)], anyone, str)
        async with connected(app, path="/v1/x") as peer:
            assert peer.answer["type"] == "websocket.accept"
            assert dict(peer.answer["headers"])[b"x-request-id"] == b"req_"
            assert await peer.closed() == 1011

    asyncio.run(asyncio.wait_for(main(), 5))
    assert "a bug" in caplog.text
