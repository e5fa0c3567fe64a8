"""Connections that are kept, lost and never made."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from freehold.core.secret import Secret
from freehold.engines.remote.address import address
from freehold.engines.remote.broken import Cut, Silent, Unreachable
from freehold.engines.remote.client import Client, Patience
from tests.upstream import CHAT, Upstream, hang, reply, stream, upstream, words, write

PATIENCE = Patience(connect=2.0, first=5.0, between=5.0)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


@asynccontextmanager
async def client(up: Upstream, key: Secret | None = None, patience: Patience = PATIENCE) -> AsyncIterator[Client]:
    opened = Client(address(up.url), key, patience)
    try:
        yield opened
    finally:
        opened.close()


async def ask(of: Client) -> bytes:
    connection = await of.ask("POST", CHAT, b"{}")
    found = await connection.read_all(1 << 20)
    connection.release()
    return found


@pytest.mark.parametrize("key", ["sk-a\r\nx: y", "sk-ä", "sk-\0"])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="its key is none") as found:
        Client(address("http://far/v1"), Secret(key), PATIENCE)
    assert key not in str(found.value)


def test_a_connection_is_kept_and_used_again() -> None:
    async def main() -> None:
        async with upstream() as up, client(up, Secret("sk-far")) as one:
            up.answer(CHAT, reply("a"))
            assert [await ask(one), await ask(one)] == [b"a", b"a"]
            assert up.connections == 1
            assert {asked.headers["authorization"] for asked in up.asked} == {"Bearer sk-far"}

    run(main)


def test_one_that_the_other_side_closed_is_made_anew() -> None:
    async def main() -> None:
        async with upstream() as up, client(up) as one:
            up.answer(CHAT, reply("a"), write(b"", close=True), reply("b"))
            assert [await ask(one), await ask(one)] == [b"a", b"b"]
            assert (up.connections, len(up.asked)) == (2, 3)
            up.answer(CHAT, write(b"", close=True))
            with pytest.raises(Cut):
                await ask(one)

    run(main)


def test_the_system_is_told_to_notice_when_nobody_hears() -> None:
    async def main() -> None:
        async with upstream() as up, client(up) as one:
            up.answer(CHAT, reply("a"))
            connection = await one.ask("POST", CHAT, b"{}")
            assert connection._transport is not None
            sock: socket.socket = connection._transport.get_extra_info("socket")
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            connection.close()

    run(main)


def test_until_the_answer_has_begun_the_first_limit_counts() -> None:
    async def main() -> None:
        patience = Patience(connect=2.0, first=0.2, between=60.0)
        async with upstream() as up, client(up, patience=patience) as one:
            up.answer(CHAT, hang)
            with pytest.raises(Silent, match=r"0\.2 seconds"):
                await ask(one)
            up.answer(CHAT, stream(*words("a"), then="hang"))
            connection = await one.ask("POST", CHAT, b"{}")
            with pytest.raises(Silent, match=r"0\.2 seconds"):
                await connection.read_all(1 << 20)
        patience = Patience(connect=2.0, first=60.0, between=0.2)
        async with upstream() as up, client(up, patience=patience) as one:
            up.answer(CHAT, stream(*words("a"), then="hang"))
            connection = await one.ask("POST", CHAT, b"{}")
            await connection.read()
            connection.begun()
            with pytest.raises(Silent, match=r"0\.2 seconds"):
                await connection.read_all(1 << 20)

    run(main)


def test_a_connection_that_is_used_again_is_given_as_long_as_the_first_time() -> None:
    async def main() -> None:
        patience = Patience(connect=2.0, first=0.4, between=0.4)
        async with upstream() as up, client(up, patience=patience) as one:
            up.answer(CHAT, reply("a"), hang)
            await ask(one)
            await asyncio.sleep(0.3)
            asked = asyncio.get_running_loop().time()
            with pytest.raises(Silent, match=r"0\.4 seconds"):
                await ask(one)
            assert asyncio.get_running_loop().time() - asked >= 0.4
            assert up.connections == 1

    run(main)


def test_nobody_listens() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            closed = Client(address(f"http://127.0.0.1:{port}/v1"), None, PATIENCE)
            with pytest.raises(Unreachable, match="no connection could be made"):
                await ask(closed)
        with pytest.raises(Unreachable, match="no connection could be made"):
            await ask(Client(address("http://no-such-host.invalid/v1"), None, PATIENCE))

    run(main)
