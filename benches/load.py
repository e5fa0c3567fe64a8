"""A small load generator over raw sockets: it costs far less than what it measures, and reads every byte."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil


@dataclass
class Load:
    """What a run of requests showed: seconds of each, the server's CPU seconds, and the bodies' bytes."""

    seconds: list[float] = field(default_factory=list)
    first_byte: list[float] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0
    body: bytes = b""
    refused: int = 0


def cpu_seconds(pid: int) -> float:
    """User and system CPU of one process, without its children."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def request_bytes(path: str, body: bytes, key: str) -> bytes:
    """An HTTP/1.1 POST as it stands on the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Reply(NamedTuple):
    """An answer as it stood on the wire, its head in lower case, and the seconds to the start of its body."""

    status: int
    head: bytes
    body: bytes
    first: float


async def ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    hear: Callable[[bytes], None] = lambda chunk: None,
) -> Reply:
    """Send one request on an open connection and read the whole answer; `hear` is given each chunk as it comes."""
    started = time.perf_counter()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" not in head:
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        return Reply(status, head, body, time.perf_counter() - started)
    chunks: list[bytes] = []
    first = 0.0
    while True:
        size = int(await reader.readline(), 16)
        first = first or time.perf_counter() - started
        chunk = await reader.readexactly(size + 2)
        hear(chunk)
        if size == 0:
            return Reply(status, head, b"".join(chunks), first)
        chunks.append(chunk[:-2])


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes, float]:
    """Send one request on an open connection and read the whole answer; returns status, body and time to its start."""
    reply = await ask(reader, writer, request)
    return reply.status, reply.body, reply.first


async def run_load(port: int, pid: int, request: bytes, total: int, connections: int) -> Load:
    """Send `request` `total` times over `connections` keep-alive connections; measure the process `pid`."""
    load = Load()
    left = iter(range(total))

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        for _ in left:
            started = time.perf_counter()
            status, body, first = await exchange(reader, writer, request)
            if status == 200:
                load.seconds.append(time.perf_counter() - started)
                load.first_byte.append(first)
                load.body = body
            else:
                load.refused += 1
        writer.close()
        await writer.wait_closed()

    before, started = cpu_seconds(pid), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one_connection())
    load.cpu, load.wall = cpu_seconds(pid) - before, time.perf_counter() - started
    return load
