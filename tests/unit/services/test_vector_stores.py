"""Stores and what is in them: each seen by its own project only."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Fault, Invalid, NotFound
from freehold.core.principal import Principal
from freehold.storage.repos.windows import Window
from freehold.surfaces.vector_store_files import AddBatchBody, AddFileBody, Static, StaticChunking
from freehold.surfaces.vector_stores import CreateBody, ExpiresAfter, SearchBody, UpdateBody
from tests.library import OURS, THEIRS, Library, in_library

STATIC = StaticChunking(Static(max_chunk_size_tokens=100, chunk_overlap_tokens=50))
Operation = Callable[[Library, Principal, str, str, str], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "retrieve": lambda library, who, store, file, batch: library.stores.retrieve(who, store),
    "update": lambda library, who, store, file, batch: library.stores.update(
        who, store, UpdateBody(name="x"), frozenset()
    ),
    "delete": lambda library, who, store, file, batch: library.stores.delete(who, store),
    "search": lambda library, who, store, file, batch: library.search.page(who, store, SearchBody(query="x")),
    "add": lambda library, who, store, file, batch: library.inside.add(who, store, AddFileBody(file_id=file)),
    "list files": lambda library, who, store, file, batch: library.inside.list(who, store, Window(), None),
    "retrieve file": lambda library, who, store, file, batch: library.inside.retrieve(who, store, file),
    "update file": lambda library, who, store, file, batch: library.inside.update(who, store, file, {"a": 1}),
    "delete file": lambda library, who, store, file, batch: library.inside.delete(who, store, file),
    "content": lambda library, who, store, file, batch: library.inside.content(who, store, file),
    "add batch": lambda library, who, store, file, batch: library.inside.add_batch(
        who, store, AddBatchBody(file_ids=(file,))
    ),
    "batch": lambda library, who, store, file, batch: library.inside.batch(who, store, batch),
    "cancel": lambda library, who, store, file, batch: library.inside.cancel(who, store, batch),
    "list batch": lambda library, who, store, file, batch: library.inside.list(who, store, Window(), None, batch),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_project_sees_nothing(tmp_path: Path, operation: str) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, "a.txt", "Brown eggs.")
        batch = await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(file_id,)))
        await library.work()
        with pytest.raises(NotFound):
            await OPERATIONS[operation](library, THEIRS, store, file_id, batch.id)
        assert await library.found(store, "eggs") == ["a.txt"]
        assert (await library.stores.list(THEIRS, Window())).data == ()
        assert await OPERATIONS[operation](library, OURS, store, file_id, batch.id) is not None

    in_library(tmp_path, work)


def test_a_file_of_another_project_cannot_be_put_in(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        theirs = await library.upload("a.txt", b"secret", THEIRS)
        store = await library.store()
        for put in (
            library.inside.add(OURS, store, AddFileBody(file_id=theirs)),
            library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(theirs,))),
            library.stores.create(OURS, CreateBody(file_ids=(theirs,))),
        ):
            with pytest.raises(NotFound, match="No such File object"):
                await put
        assert len((await library.stores.list(OURS, Window())).data) == 1

    in_library(tmp_path, work)


def test_counts_and_states_are_as_of_now(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        files = [await library.upload(f"{n}.txt", b"Brown eggs.") for n in range(3)]
        bad = await library.upload("bad.bin", b"\0\1")
        made = await library.stores.create(OURS, CreateBody(name="s", file_ids=(*files, bad, files[0])))
        assert (made.status, made.file_counts.in_progress, made.file_counts.total) == ("in_progress", 4, 4)
        await library.work()
        shown = await library.stores.retrieve(OURS, made.id)
        assert shown.status == "completed"
        assert (shown.file_counts.completed, shown.file_counts.failed, shown.usage_bytes > 0) == (3, 1, True)
        failed = await library.inside.list(OURS, made.id, Window(), "failed")
        assert [one.id for one in failed.data] == [bad]

    in_library(tmp_path, work)


def test_a_file_that_is_there_stays_one(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, "a.txt", "Brown eggs. " * 100)
        before = await library.inside.content(OURS, store, file_id)
        again = await library.inside.add(OURS, store, AddFileBody(file_id=file_id, attributes={"a": 1}))
        assert (again.status, again.attributes) == ("completed", {"a": 1})
        assert await library.claim() == []
        changed = await library.inside.add(OURS, store, AddFileBody(file_id=file_id, chunking_strategy=STATIC))
        assert (changed.status, changed.chunking_strategy) == ("in_progress", STATIC)
        assert await library.found(store, "eggs") == []
        await library.work()
        assert len((await library.inside.content(OURS, store, file_id)).data) > len(before.data)
        assert set(await library.found(store, "eggs")) == {"a.txt"}
        assert (await library.stores.retrieve(OURS, store)).file_counts.total == 1

    in_library(tmp_path, work)


def test_a_cancelled_batch_leaves_out_what_is_not_in(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        files = [await library.upload(f"{n}.txt", b"Brown eggs.") for n in range(3)]
        batch = await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=tuple(files)))
        assert (batch.status, batch.file_counts.in_progress) == ("in_progress", 3)
        (first,) = await library.jobs.claim("w", ["ingest"], library.now[0], 15.0, 1)
        await library.ingest.run(type("Job", (), {"row": first})())
        ended = await library.inside.cancel(OURS, store, batch.id)
        assert (ended.status, ended.file_counts.completed, ended.file_counts.cancelled) == ("cancelled", 1, 2)
        assert await library.claim() == []
        again = await library.inside.add(OURS, store, AddFileBody(file_id=files[2]))
        assert again.status == "in_progress"

    in_library(tmp_path, work)


def test_pages_go_both_ways(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        ids = [await library.store(name=str(n)) for n in range(5)]
        page = await library.stores.list(OURS, Window(limit=2))
        assert ([one.id for one in page.data], page.has_more) == (ids[:2:-1], True)
        after = await library.stores.list(OURS, Window(limit=2, after=ids[3]))
        assert [one.id for one in after.data] == [ids[2], ids[1]]
        before = await library.stores.list(OURS, Window(limit=2, before=ids[1]))
        assert [one.id for one in before.data] == [ids[3], ids[2]]
        up = await library.stores.list(OURS, Window(limit=9, order="asc", after=ids[0], before=ids[4]))
        assert ([one.id for one in up.data], up.has_more) == (ids[1:4], False)
        with pytest.raises(Invalid) as caught:
            await library.stores.list(OURS, Window(after="vs_none"))
        assert caught.value.param == "after"

    in_library(tmp_path, work)


def test_changes_and_null(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        days = ExpiresAfter(anchor="last_active_at", days=2)
        store = await library.store(name="a", expires_after=days, metadata={"k": "v"})
        kept = await library.stores.update(OURS, store, UpdateBody(name="b"), frozenset({"name"}))
        assert (kept.name, kept.expires_after, kept.metadata) == ("b", days, {"k": "v"})
        none = await library.stores.update(OURS, store, UpdateBody(), frozenset({"expires_after"}))
        assert (none.expires_after, none.expires_at, none.name) == (None, None, "b")

    in_library(tmp_path, work)


def test_a_store_that_has_expired_stays_so(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store(expires_after=ExpiresAfter(anchor="last_active_at", days=1))
        file_id = await library.upload("a.txt", b"Brown eggs.")
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        library.now[0] += 86_400
        with pytest.raises(Invalid, match="has expired"):
            await library.stores.update(OURS, store, UpdateBody(name="b"), frozenset({"name"}))
        with pytest.raises(Invalid, match="has expired"):
            await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        with pytest.raises(Invalid, match="has expired"):
            await library.inside.add_batch(OURS, store, AddBatchBody(file_ids=(file_id,)))
        await library.work()
        shown = await library.stores.retrieve(OURS, store)
        assert (shown.status, shown.file_counts.completed) == ("expired", 0)

    in_library(tmp_path, work)


def test_usage_is_in_bytes(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        plain = await library.put(store, "a.txt", "Voila: the cafe.")
        accented = await library.put(store, "b.txt", "Voilà: the café.")
        sizes = [(await library.inside.retrieve(OURS, store, one)).usage_bytes for one in (plain, accented)]
        assert sizes[1] - sizes[0] == 2
        assert (await library.stores.retrieve(OURS, store)).usage_bytes == sum(sizes)

    in_library(tmp_path, work)


@pytest.mark.parametrize(
    "body",
    [AddBatchBody(), AddBatchBody(file_ids=("f",), files=(AddFileBody(file_id="f"),))],
    ids=["neither", "both"],
)
def test_a_batch_names_its_files_once(tmp_path: Path, body: AddBatchBody) -> None:
    async def work(library: Library) -> None:
        with pytest.raises(Fault, match="'file_ids' or 'files'"):
            await library.inside.add_batch(OURS, await library.store(), body)

    in_library(tmp_path, work)
