"""Blobs in a bucket of a private S3 server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from hashlib import md5, sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold.core.errors import StorageFailed
from freehold.core.ports import Blobs
from freehold.storage.blobs.open import open_blobs
from freehold.storage.blobs.s3 import PART
from tests.buckets import BUCKET, Bucket, running_bucket

URL = f"s3://{BUCKET}/some/prefix"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with running_bucket(tmp_path_factory.mktemp("s3")) as running:
        yield running


async def opened(bucket: Bucket) -> Blobs:
    return await open_blobs(URL, Path("unused"), bucket.access)


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for place in range(0, len(content), size):
        yield content[place : place + size]


async def got(blobs: Blobs, blob_id: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.get(blob_id, start, end)])


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, 2 * PART + 1])
def test_a_blob_comes_back_as_it_was(bucket: Bucket, size: int) -> None:
    async def main() -> None:
        blobs = await opened(bucket)
        content = bytes(range(256)) * (size // 256 + 1)
        content = content[:size]
        digest = await blobs.put(f"blob_{size}", pieces(content, 100_000))
        assert (digest.bytes, digest.sha256) == (size, sha256(content).digest())
        assert digest.md5 == md5(content, usedforsecurity=False).digest()
        assert await got(blobs, f"blob_{size}") == content
        assert await got(blobs, f"blob_{size}", 0, size) == content
        end = min(PART + 2, size)
        assert await got(blobs, f"blob_{size}", PART - 2, end) == content[PART - 2 : end]
        assert f"some/prefix/blob_{size}" in bucket.names()
        await blobs.delete(f"blob_{size}")
        await blobs.delete(f"blob_{size}")
        assert bucket.names() == []

    asyncio.run(main())


def test_what_is_not_finished_leaves_nothing(bucket: Bucket) -> None:
    async def failing(after: int) -> AsyncIterator[bytes]:
        for _ in range(after):
            yield bytes(1_000_000)
        raise ConnectionError("the client left")

    async def main() -> None:
        blobs = await opened(bucket)
        for after in (0, 1, 20):
            with pytest.raises(ConnectionError):
                await blobs.put("blob_1", failing(after))
        assert (bucket.names(), bucket.unfinished()) == ([], [])

    asyncio.run(main())


def test_a_put_that_is_cancelled_leaves_nothing(bucket: Bucket) -> None:
    async def main() -> None:
        blobs = await opened(bucket)
        sent = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            for number in range(10**6):
                yield bytes(1_000_000)
                if number == 20:
                    sent.set()
                    await asyncio.Event().wait()

        putting = asyncio.create_task(blobs.put("blob_1", endless()))
        await sent.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert (bucket.names(), bucket.unfinished()) == ([], [])

    asyncio.run(main())


def test_what_is_not_there_is_a_fault(bucket: Bucket) -> None:
    async def main() -> None:
        blobs = await opened(bucket)
        for end in (None, 10):
            with pytest.raises(StorageFailed, match="cannot be read now"):
                await got(blobs, "blob_none", 0, end)
        await blobs.put("blob_1", pieces(b"short", 5))
        with pytest.raises(StorageFailed, match="shorter"):
            await got(blobs, "blob_1", 0, 10)
        await blobs.delete("blob_1")

    asyncio.run(main())


def test_a_bucket_that_cannot_be_used_is_a_fault_at_once(bucket: Bucket) -> None:
    async def main() -> None:
        with pytest.raises(StorageFailed, match="'no-such-bucket'") as caught:
            await open_blobs("s3://no-such-bucket", Path("unused"), bucket.access)
        assert "test-secret" not in caught.value.message
        nowhere = replace(bucket.access, endpoint="http://127.0.0.1:9")
        with pytest.raises(StorageFailed, match=f"'{BUCKET}'"):
            await open_blobs(URL, Path("unused"), nowhere)

    asyncio.run(asyncio.wait_for(main(), 60))
