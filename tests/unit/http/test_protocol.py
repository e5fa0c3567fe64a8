"""Bytes over a real connection to a server that answers everything with what it read."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from freehold.http import protocol
from freehold.http.protocol import LONGEST_HEAD, HttpProtocol

PATIENCE = 0.2
PIECE = b"x" * 65_536
GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, unless the path says not to, and answer with its length."""
    size, more = 0, scope["path"] != "/hasty"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(app: ASGIApp = answer, kept: int = 5) -> AsyncIterator[Client]:
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=kept)
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


def talk(use: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    async def main() -> None:
        async with connected() as (reader, writer):
            await use(reader, writer)

    asyncio.run(asyncio.wait_for(main(), 20))


class Endless:
    """Answers with more than anybody reads, and notes how that ended. `waits` says that the client reads too slowly."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client is gone."""
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sending = asyncio.create_task(self._send(send))
        self.end.set_result((await receive())["type"])
        sending.cancel()

    async def _send(self, send: Send) -> None:
        while True:
            sent = asyncio.ensure_future(send({"type": "http.response.body", "body": PIECE, "more_body": True}))
            done, _ = await asyncio.wait([sent], timeout=PATIENCE / 10)
            if not done:
                self.waits.set()
                await sent


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", PATIENCE)
    monkeypatch.setattr(protocol, "UNREAD", 5 * PATIENCE)


def fault(answered: bytes) -> tuple[bytes, str]:
    head, _, body = answered.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head and b"connection: close" in head
    return head.split(b"\r\n")[0], json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"GET /" + b"x" * 2 * LONGEST_HEAD, id="url"),
        pytest.param(GET[:-2] + b"a: " + b"x" * 2 * LONGEST_HEAD, id="header"),
        pytest.param(GET[:-2] + b"a: b\r\n" * LONGEST_HEAD, id="headers"),
    ],
)
def test_a_head_without_end_is_a_431(begun: bytes) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        line, message = fault(await reader.read())
        assert line == b"HTTP/1.1 431 Request Header Fields Too Large"
        assert "too long" in message

    talk(use)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"GET /x HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", GET[:-2] + b": x\r\n\r\n"]
)
def test_what_is_no_http_is_a_400_in_the_envelope(sent: bytes) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        line, message = fault(await reader.read())
        assert (line, message) == (b"HTTP/1.1 400 Bad Request", "Invalid HTTP request received.")

    talk(use)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"GET /x HT", GET[:-2], POST, POST + b"5\r\nab"])
def test_a_client_that_falls_silent_is_hung_up_on(sent: bytes) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 10 * PATIENCE) == b""

    talk(use)


@pytest.mark.usefixtures("impatient")
def test_a_head_in_drops_is_not_waited_for() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dropping = asyncio.create_task(_drop(writer))
        assert await asyncio.wait_for(reader.read(), 10 * PATIENCE) == b""
        dropping.cancel()

    talk(use)


async def _drop(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /")
    while True:
        writer.write(b"x")
        await asyncio.sleep(PATIENCE / 10)


@pytest.mark.usefixtures("impatient")
def test_a_connection_is_kept_for_a_while_behind_its_last_answer_and_not_for_ever() -> None:
    async def main() -> None:
        async with connected(kept=1) as (reader, writer):
            for pause in (3 * PATIENCE, 3 * PATIENCE, 0):
                writer.write(GET)
                assert await reader.readuntil(b"\r\n\r\n0")
                await asyncio.sleep(pause)
            answered = asyncio.get_running_loop().time()
            assert await reader.read() == b""
            assert 1 <= asyncio.get_running_loop().time() - answered < 1 + 3 * PATIENCE

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_takes_its_time_ends_no_connection() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(8 * PATIENCE)
        await answer(scope, receive, send)

    async def main() -> None:
        async with connected(slow, kept=1) as (reader, writer):
            writer.write(GET)
            assert await reader.readuntil(b"\r\n\r\n0")

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.usefixtures("impatient")
def test_a_body_may_take_its_time() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(POST)
        for _ in range(20):
            writer.write(b"2\r\nab\r\n")
            await asyncio.sleep(PATIENCE / 5)
        writer.write(b"0\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n40")
        await asyncio.sleep(3 * PATIENCE)
        writer.write(GET)  # the connection was kept, though nothing was said on it for a while
        assert await reader.readuntil(b"\r\n\r\n0")

    talk(use)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_reads_nothing_is_disconnected() -> None:
    async def main() -> None:
        app = Endless()
        async with connected(app) as (reader, writer):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            assert await app.end == "http.disconnect"
            assert app.waits.is_set()
            last = b""
            with suppress(ConnectionError):
                while piece := await reader.read(len(PIECE)):
                    last = piece
            assert not last.endswith(b"0\r\n\r\n")

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.usefixtures("impatient")
def test_a_client_that_reads_slowly_is_waited_for() -> None:
    async def main() -> None:
        app = Endless()
        async with connected(app) as (reader, writer):
            writer.write(GET)
            await app.waits.wait()
            for _ in range(20):
                await reader.readexactly(4 * len(PIECE))
                await asyncio.sleep(PATIENCE / 2)
            assert not app.end.done()

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.usefixtures("impatient")
def test_a_body_that_goes_on_after_its_answer_is_cut() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(POST.replace(b"/x", b"/hasty"))
        assert await reader.readuntil(b"\r\n\r\n0")
        with pytest.raises(ConnectionError):
            for _ in range(100):
                writer.write(b"2\r\nab\r\n")
                await writer.drain()
                await asyncio.sleep(PATIENCE / 5)

    talk(use)


def test_nonsense_behind_a_request_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET + b"\x00\x01\r\n\r\n")
        assert await reader.read() == b""

    talk(use)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        pytest.param(POST + b"1;" + b"x" * 10 * LONGEST_HEAD, "too much between the chunks", id="extension"),
        pytest.param(POST + b"0\r\na: " + b"x" * 10 * LONGEST_HEAD, "too much between the chunks", id="trailer"),
        pytest.param(POST + b"0\r\n" + b"a: b\r\n" * 2 * LONGEST_HEAD, "too much between the chunks", id="trailers"),
        pytest.param(POST + b"zz\r\n", "Invalid HTTP request", id="no length"),
    ],
)
def test_what_surrounds_chunks_is_bounded(begun: bytes, words: str, caplog: pytest.LogCaptureFixture) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        line, message = fault(await reader.read())
        assert line == b"HTTP/1.1 400 Bad Request"
        assert words in message

    talk(use)
    assert "Traceback" not in caplog.text


def test_a_body_may_come_in_single_bytes() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(POST + b"1\r\nx\r\n" * LONGEST_HEAD + b"0\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n%d" % LONGEST_HEAD)

    talk(use)


def test_a_second_request_may_begin_in_the_same_breath() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        long = b"%x\r\n%s\r\n0\r\n\r\n" % (2 * LONGEST_HEAD, b"x" * 2 * LONGEST_HEAD)
        for _ in range(3):
            writer.write(POST + long + GET[:9])
            await writer.drain()
            assert await reader.readuntil(b"\r\n\r\n%d" % (2 * LONGEST_HEAD))
            writer.write(GET[9:])
            assert await reader.readuntil(b"\r\n\r\n0")

    talk(use)
