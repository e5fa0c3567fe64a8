"""How a stream of chunks becomes a blob: in large pieces, hashed on the way, on threads; all of it or nothing."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import Protocol, TypeVar

from freehold.core.errors import StorageFailed
from freehold.core.ports import Digest

log = logging.getLogger(__name__)

T = TypeVar("T")

PIECE = 1024 * 1024
"""The bytes that are gathered before they are written."""


class Writing(Protocol):
    """A blob that is being written. Its methods block, and are called one at a time."""

    def begin(self) -> None:
        """Get ready to write. Raises StorageFailed."""
        ...

    def add(self, piece: bytes) -> None:
        """Write more. Raises StorageFailed."""
        ...

    def finish(self) -> None:
        """Make the blob durable under its name. Raises StorageFailed."""
        ...

    def undo(self) -> None:
        """Leave nothing behind, however far the others came. Raises StorageFailed."""
        ...


async def write(writing: Writing, chunks: AsyncIterable[bytes]) -> Digest:
    """Write all of the chunks and return what they were; nothing is left behind when this raises.

    Raises StorageFailed, and what the chunks raise.
    """
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def add(piece: bytes) -> None:
        sha256.update(piece)
        md5.update(piece)
        writing.add(piece)

    try:
        await in_thread(writing.begin)
        async with aclosing(_pieces(chunks)) as pieces:
            async for piece in pieces:
                size += len(piece)
                await in_thread(add, piece)
        await in_thread(writing.finish)
    except BaseException:
        try:
            await in_thread(writing.undo)
        except StorageFailed:
            log.exception("what an unfinished blob left behind could not be removed; the sweep will try again")
        raise
    return Digest(bytes=size, sha256=sha256.digest(), md5=md5.digest())


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Run `work` on a thread. A caller that is cancelled is so only once `work` has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _pieces(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    gathered: list[bytes] = []
    size = 0
    async for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if size:
        yield b"".join(gathered)
