"""Files in stores, and their batches: what is put in again, emptied and cancelled at the wrong time."""

from pathlib import Path

import pytest

from freehold.services.jobs import Claimed
from freehold.storage.repos.jobs import LeaseLost
from freehold.storage.repos.windows import Window
from freehold.surfaces.vector_store_files import AddBatchBody, AddFileBody, Static, StaticChunking
from tests.library import OURS, Library, in_library

STATIC = StaticChunking(Static(max_chunk_size_tokens=100, chunk_overlap_tokens=50))


def test_one_that_is_added_with_another_chunking_before_it_is_in_is_taken_in_so(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs. " * 100)
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        again = await library.inside.add(OURS, store, AddFileBody(file_id=file_id, chunking_strategy=STATIC))
        assert again.status == "in_progress"
        await library.work()
        shown = await library.inside.retrieve(OURS, store, file_id)
        assert (shown.status, shown.chunking_strategy) == ("completed", STATIC)
        assert len((await library.inside.content(OURS, store, file_id)).data) > 1

    in_library(tmp_path, work)


def test_whoever_takes_it_in_as_it_was_before_is_stopped(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs. " * 100)
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        (before,) = await library.claim()
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id, chunking_strategy=STATIC))
        with pytest.raises(LeaseLost):
            await library.ingest.run(Claimed(before))
        with pytest.raises(LeaseLost):
            await library.ingest.give_up(before, "no more attempts")
        assert (await library.inside.content(OURS, store, file_id)).data == ()
        await library.work()
        assert (await library.inside.retrieve(OURS, store, file_id)).status == "completed"

    in_library(tmp_path, work)


def test_a_batch_keeps_a_file_that_is_added_again_alone(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        batch = await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(file_id,)))
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        await library.work()
        shown = await library.inside.batch(OURS, store, batch.id)
        assert (shown.status, shown.file_counts.completed) == ("completed", 1)
        inside = await library.inside.list(OURS, store, Window(), None, batch.id)
        assert [one.id for one in inside.data] == [file_id]

    in_library(tmp_path, work)


def test_a_batch_whose_files_were_all_taken_out_has_not_failed(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        bad = await library.upload("bad.bin", b"\0\1")
        batch = await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(file_id, bad)))
        await library.work()
        await library.inside.delete(OURS, store, file_id)
        assert (await library.inside.batch(OURS, store, batch.id)).status == "failed"
        await library.inside.delete(OURS, store, bad)
        shown = await library.inside.batch(OURS, store, batch.id)
        assert (shown.status, shown.file_counts.total) == ("completed", 0)

    in_library(tmp_path, work)


def test_a_batch_that_is_done_cannot_be_cancelled_any_more(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        batch = await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(file_id,)))
        await library.work()
        assert (await library.inside.cancel(OURS, store, batch.id)).status == "completed"
        assert await library.found(store, "eggs") == ["a.txt"]

    in_library(tmp_path, work)


def test_a_file_is_taken_out_of_all_stores_when_it_is_deleted(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        stores = [await library.store() for _ in range(3)]
        file_id = await library.upload("a.txt", b"Brown eggs.")
        for store in stores:
            await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        (first, *_) = await library.claim()
        await library.ingest.run(Claimed(first))
        await library.files.delete(OURS, file_id)
        for store in stores:
            assert (await library.inside.list(OURS, store, Window(), None)).data == ()
            assert await library.found(store, "eggs") == []
        assert await library.claim() == []

    in_library(tmp_path, work)
