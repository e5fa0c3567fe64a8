"""A server that speaks the OpenAI API badly or well, as a test tells it to: in the test's own loop, on loopback."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Asked:
    """A request that came in; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """What came in, and what is answered to it: by path, one after the other, the last one for ever."""

    url: str = ""
    answers: dict[str, list[Answering]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    def at(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [one for one in self.asked if one.path == path]

    def answer(self, path: str, *answers: Answering) -> None:
        """Set what a path answers from now on."""
        self.answers[path] = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection's requests; `left` is set when the client leaves in the middle of an answer."""
        self.connections += 1
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                known = self.answers.get(asked.path, [reply({"error": {"message": "no such path"}}, 404)])
                answering = asyncio.ensure_future((known.pop(0) if len(known) > 1 else known[0])(writer))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    self.left.set()
                    answering.cancel()
                    await asyncio.wait([answering])
                    return
                answering.result()
                if writer.is_closing() or await _ended(reader, gone):
                    return
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
        finally:
            writer.close()


async def _ended(reader: asyncio.StreamReader, gone: asyncio.Future[bytes]) -> bool:
    """Whether the client has hung up; the first byte of its next request is put back."""
    first = await gone
    reader._buffer[:0] = first  # type: ignore[attr-defined]
    return not first


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *fields = head.rstrip("\r\n").split("\r\n")
    method, path, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def upstream(dialect: str = "nobody", tls: ssl.SSLContext | None = None, **model: Any) -> AsyncIterator[Upstream]:
    """Run an upstream with one model, `m`, owned by what `dialect` says; `model` is what else its list tells of it."""
    up = Upstream()
    listed = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": dialect, **model}]}
    up.answer("/v1/models", reply(listed))
    server = await asyncio.start_server(up.serve, "127.0.0.1", 0, ssl=tls)
    up.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield up
    finally:
        server.close()


def reply(body: object, status: int = 200, **headers: str) -> Answering:
    """Answer with JSON, or with text as it is."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = headers.pop("content_type", "application/json")
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{fields}\r\n"
    return write(head.encode() + data)


def write(data: bytes, close: bool = False) -> Answering:
    """Answer with bytes as they are, and hang up after them where that is asked for."""

    async def answering(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answering


async def hang(writer: asyncio.StreamWriter) -> None:
    """Do not answer."""
    await asyncio.Event().wait()


def stream(*chunks: object, done: bool = True, then: str = "end") -> Answering:
    """Answer with a stream of chunks, each an event; then `end` it, `cut` the connection, or `hang`."""

    async def answering(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for one in chunks:
            writer.write(_chunk(event(one)))
            await writer.drain()
            await asyncio.sleep(0)
        if then == "hang":
            await hang(writer)
        if then == "cut":
            return writer.close()
        writer.write((_chunk(b"data: [DONE]\n\n") if done else b"") + b"0\r\n\r\n")
        await writer.drain()

    return answering


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def event(one: object) -> bytes:
    """A chunk as an event; bytes stand as they are."""
    return one if isinstance(one, bytes) else b"data: " + json.dumps(one).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def said(reason: str | None = None, logprobs: object = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a chat."""
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": logprobs}],
    }


def used(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    """The chunk that tells the usage."""
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}}


def words(*texts: str) -> Iterable[dict[str, Any]]:
    """The chunks of an answer of some pieces."""
    return (*(said(content=text) for text in texts), said("stop"), used(3, len(texts)))
