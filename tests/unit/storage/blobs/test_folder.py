"""Blobs in a folder: whole or not at all, whatever happens."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from hashlib import md5, sha256
from pathlib import Path

import pytest

from freehold.core.errors import StorageFailed
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.blobs.writing import PIECE


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for place in range(0, len(content), size):
        yield content[place : place + size]


async def got(blobs: FolderBlobs, blob_id: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.get(blob_id, start, end)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, 2 * PIECE + 1])
def test_a_blob_comes_back_as_it_was(tmp_path: Path, size: int) -> None:
    async def main() -> None:
        blobs = FolderBlobs(tmp_path)
        content = (bytes(range(256)) * (size // 256 + 1))[:size]
        digest = await blobs.put("blob_1", pieces(content, 100_000))
        assert (digest.bytes, digest.sha256) == (size, sha256(content).digest())
        assert digest.md5 == md5(content, usedforsecurity=False).digest()
        assert names(tmp_path) == ["blob_1"]
        assert await got(blobs, "blob_1") == content
        for start, end in ((0, size), (1, 2), (PIECE - 2, PIECE + 2), (size, None), (5, 5)):
            assert await got(blobs, "blob_1", start, end) == content[start:end]
        await blobs.delete("blob_1")
        await blobs.delete("blob_1")
        assert names(tmp_path) == []

    asyncio.run(main())


def test_nothing_has_the_name_before_the_whole_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async def watched() -> AsyncIterator[bytes]:
            for _ in range(4):
                yield bytes(PIECE)
                assert not (tmp_path / "blob_1").exists()

        await FolderBlobs(tmp_path).put("blob_1", watched())
        assert (tmp_path / "blob_1").stat().st_size == 4 * PIECE

    asyncio.run(main())


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_the_chunks_raise_leaves_nothing(tmp_path: Path, after: int) -> None:
    async def failing() -> AsyncIterator[bytes]:
        for _ in range(after):
            yield bytes(PIECE)
        raise ConnectionError("the client left")

    with pytest.raises(ConnectionError):
        asyncio.run(FolderBlobs(tmp_path).put("blob_1", failing()))
    assert names(tmp_path) == []


def test_a_put_that_is_cancelled_at_any_step_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        for steps in range(0, 60, 3):
            putting = asyncio.create_task(FolderBlobs(tmp_path).put("blob_1", pieces(bytes(3 * PIECE), PIECE)))
            for _ in range(steps):
                await asyncio.sleep(0.0002)
            if putting.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await putting
            else:
                (tmp_path / "blob_1").unlink()
            assert names(tmp_path) == []

    asyncio.run(main())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFailed, match="disk is full"):
        asyncio.run(FolderBlobs(tmp_path).put("blob_1", pieces(b"x", 1)))
    assert names(tmp_path) == []


def test_what_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot be read now: No such file"):
        asyncio.run(got(FolderBlobs(tmp_path), "blob_1"))


WRITE = """
import asyncio, sys
from pathlib import Path
from freehold.storage.blobs.folder import FolderBlobs

async def chunks():
    for number in range(400):
        yield bytes([number % 256]) * 100_000

async def main():
    blobs = FolderBlobs(Path(sys.argv[1]))
    print("ready", flush=True)
    for number in range(10_000):
        await blobs.put(f"blob_{number}", chunks())

asyncio.run(main())
"""


@pytest.mark.parametrize("milliseconds", [20, 130, 333])
def test_a_process_killed_at_any_moment_leaves_the_whole_or_nothing(tmp_path: Path, milliseconds: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
    unfinished = [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    assert len(unfinished) <= 1
    for path in set(tmp_path.iterdir()) - set(unfinished):
        assert path.stat().st_size == 400 * 100_000

    async def main() -> None:
        for path in unfinished:
            await FolderBlobs(tmp_path).delete(path.stem)

    asyncio.run(main())
    assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == []
