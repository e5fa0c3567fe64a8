"""Blobs in a folder: written under another name, renamed once they are whole and on the disk."""

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.core.errors import StorageFailed
from freehold.core.ports import Digest
from freehold.storage.blobs.writing import PIECE, in_thread, write

_UNFINISHED = ".part"


class FolderBlobs:
    """Keeps each blob as a file; a blob's id is its name."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing. Raises StorageFailed."""
        self._folder = folder
        with _translated("opened"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(folder.parent)

    async def put(self, blob_id: str, chunks: AsyncIterable[bytes]) -> Digest:
        """Keep the chunks as a blob. Raises StorageFailed, and what the chunks raise."""
        return await write(_FolderWriting(self._folder, blob_id), chunks)

    async def get(self, blob_id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to before `end`. Raises StorageFailed."""
        with _translated("read"):
            file = (self._folder / blob_id).open("rb", buffering=0)
        with file:
            place = start
            while end is None or place < end:
                most = PIECE if end is None else min(PIECE, end - place)
                with _translated("read"):
                    piece = await in_thread(os.pread, file.fileno(), most, place)
                if not piece:
                    return
                place += len(piece)
                yield piece

    async def delete(self, blob_id: str) -> None:
        """Remove a blob. Raises StorageFailed."""
        with _translated("changed"):
            await in_thread(_remove, self._folder, blob_id)


class _FolderWriting:
    def __init__(self, folder: Path, blob_id: str) -> None:
        self._folder = folder
        self._blob_id = blob_id
        self._file = -1

    def begin(self) -> None:
        with _translated("written"):
            unfinished = self._folder / (self._blob_id + _UNFINISHED)
            self._file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def add(self, piece: bytes) -> None:
        rest = memoryview(piece)
        with _translated("written"):
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def finish(self) -> None:
        with _translated("written"):
            os.fsync(self._file)
            self._close()
            (self._folder / (self._blob_id + _UNFINISHED)).rename(self._folder / self._blob_id)
            _sync(self._folder)

    def undo(self) -> None:
        with _translated("changed"):
            self._close()
            _remove(self._folder, self._blob_id)

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _remove(folder: Path, blob_id: str) -> None:
    for name in (blob_id, blob_id + _UNFINISHED):
        (folder / name).unlink(missing_ok=True)
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the folder's list of names durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _translated(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFailed("The server's disk is full: the file cannot be stored.") from error
        raise StorageFailed(f"The blob store cannot be {done} now: {error.strerror}.") from error
