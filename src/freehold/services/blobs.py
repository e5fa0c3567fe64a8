"""The contents of files, from the first byte that arrives to the last that is removed."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from freehold.core.ids import Clock, Mint
from freehold.core.ports import Blobs, Digest
from freehold.storage.repos.blobs import BlobRows

LINGER_SECONDS = 60.0
"""How long a blob outlives its row, for those who are reading it."""
ABANDONED_SECONDS = 24 * 3600.0
_AT_ONCE = 500


class Received(Struct, frozen=True):
    """A blob that is stored, and that no row refers to yet."""

    blob: str
    digest: Digest


Receive = Callable[[AsyncIterable[bytes]], Awaitable[Received]]


class Shelf:
    """Stores blobs so that none is ever lost sight of: each has a row before it has a byte."""

    def __init__(self, rows: BlobRows, blobs: Blobs, mint: Mint, clock: Clock) -> None:
        self._rows = rows
        self._blobs = blobs
        self._mint = mint
        self._clock = clock

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Receive]:
        """Yield what stores chunks as a new blob. A block that raises gives up those that no row refers to yet.

        What stores raises StorageFailed, and what the chunks raise.
        """
        begun: list[str] = []

        async def receive(chunks: AsyncIterable[bytes]) -> Received:
            blob_id = self._mint("blob_")
            await self._rows.reserve(blob_id, self._clock())
            begun.append(blob_id)
            return Received(blob_id, await self._blobs.put(blob_id, chunks))

        try:
            yield receive
        except BaseException:
            if begun:
                await self._rows.give_up(begun, self._clock())
            raise

    def read(self, blob_id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes from `start` to before `end`. Raises StorageFailed."""
        return self._blobs.get(blob_id, start, end)

    async def sweep(self, now: float) -> None:
        """Remove the blobs that no row refers to any more, and those whose writers are gone. Raises StorageFailed."""
        await self._rows.give_up_older(now - ABANDONED_SECONDS)
        while doomed := await self._rows.doomed(now - LINGER_SECONDS, _AT_ONCE):
            for blob_id in doomed:
                await self._blobs.delete(blob_id)
            await self._rows.forget(doomed)
