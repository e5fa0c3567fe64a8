"""Blobs in a bucket of S3, or of a server that speaks its protocol. An object is there once it is whole.

The calls of obstore that block are used, on threads: its asynchronous ones may abort a process that exits soon after. A
process that is killed while it uploads leaves parts that no list of objects shows; a rule of the bucket removes them
(`AbortIncompleteMultipartUpload`).
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from msgspec.structs import asdict
from obstore.exceptions import BaseError
from obstore.store import S3Store

from freehold.core.errors import StorageFailed
from freehold.core.ports import Digest
from freehold.storage.blobs.access import S3Access
from freehold.storage.blobs.writing import in_thread, write

if TYPE_CHECKING:  # these are names for types only
    from obstore import WritableFile

log = logging.getLogger(__name__)

PART = 8 * 1024 * 1024
"""The bytes that one request sends or fetches."""
_SENT_AT_ONCE = 2
_PROBE = "probe"
_FAILURES = (BaseError, OSError, ValueError)


class S3Blobs:
    """Keeps each blob as an object; a blob's id is its name below the prefix."""

    def __init__(self, bucket: str, prefix: str, access: S3Access) -> None:
        """Open the bucket, and see that it can be written. Blocks. Raises StorageFailed."""
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config={key: value for key, value in asdict(access).items() if value is not None},  # type: ignore[arg-type]
            client_options={
                "allow_http": (access.endpoint or "").startswith("http:"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
        )
        try:
            obstore.put(self._store, _PROBE, b"")
            obstore.delete(self._store, _PROBE)
        except _FAILURES as error:
            reason = str(error).partition("\n")[0]
            raise StorageFailed(f"The bucket {bucket!r} cannot be written: {reason}.") from error

    async def put(self, blob_id: str, chunks: AsyncIterable[bytes]) -> Digest:
        """Keep the chunks as a blob. Raises StorageFailed, and what the chunks raise."""
        return await write(_S3Writing(self._store, blob_id), chunks)

    async def get(self, blob_id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to before `end`. Raises StorageFailed."""
        if end is None:
            with _translated("read"):
                end = (await in_thread(obstore.head, self._store, blob_id))["size"]
        while start < end:
            stop = min(start + PART, end)
            with _translated("read"):
                fetched = await in_thread(_fetch, self._store, blob_id, start, stop)
            yield fetched
            start = stop

    async def delete(self, blob_id: str) -> None:
        """Remove a blob. Raises StorageFailed."""
        with _translated("changed"):
            await in_thread(obstore.delete, self._store, blob_id)


class _S3Writing:
    def __init__(self, store: S3Store, blob_id: str) -> None:
        self._store = store
        self._blob_id = blob_id
        self._file: WritableFile | None = None

    def begin(self) -> None:
        with _translated("written"):
            self._file = obstore.open_writer(
                self._store, self._blob_id, buffer_size=PART, max_concurrency=_SENT_AT_ONCE
            )

    def add(self, piece: bytes) -> None:
        with _translated("written"):
            self._opened().write(piece)

    def finish(self) -> None:
        with _translated("written"):
            self._opened().close()

    def undo(self) -> None:
        if self._file is None:
            return
        with _translated("changed"):
            if not self._file.closed():
                self._file.__exit__(StorageFailed, StorageFailed("undone"), None)
            obstore.delete(self._store, self._blob_id)

    def _opened(self) -> "WritableFile":
        if self._file is None:
            raise RuntimeError("the blob was not begun")
        return self._file


def _fetch(store: S3Store, blob_id: str, start: int, end: int) -> bytes:
    fetched = bytes(obstore.get_range(store, blob_id, start=start, end=end))
    if len(fetched) < end - start:
        raise StorageFailed("A file is shorter in the blob store than it was when it was stored.")
    return fetched


@contextmanager
def _translated(done: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        log.error("the blob store failed", exc_info=error)  # its words name the bucket: nothing for a client to read
        raise StorageFailed(f"The blob store cannot be {done} now. Please retry your request.") from error
