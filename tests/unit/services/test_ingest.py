"""Taking files in: what comes of each kind, and a worker that dies at every step."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from freehold.core.errors import EngineBusy, EngineFailed
from freehold.core.ports import Vectors
from freehold.engines.embedding.script import ScriptEmbedder
from freehold.services import ingest
from freehold.services.jobs import Claimed
from freehold.storage.repos.jobs import LeaseLost
from freehold.storage.tables import chunks, jobs, parsed_files
from freehold.surfaces.vector_store_files import AddFileBody, Static, StaticChunking
from tests.library import OURS, Library, in_library
from tests.papers import docx, pdf

LONG = "\n\n".join(f"Paragraph {number} tells of thing {number} and of nothing else at all." for number in range(400))
SMALL = StaticChunking(Static(max_chunk_size_tokens=100, chunk_overlap_tokens=20))


class Dying(ScriptEmbedder):
    """An embedder that breaks at the call `at`."""

    def __init__(self, at: int) -> None:
        self.calls, self.at = 0, at

    async def embed(self, model: str, texts: Sequence[object], batch: bool = False) -> Vectors:
        self.calls += 1
        if self.calls == self.at:
            raise asyncio.CancelledError
        return await super().embed(model, texts, batch)  # type: ignore[arg-type]


async def positions(library: Library) -> list[int]:
    read = select(chunks.c.position).order_by(chunks.c.position)
    return await library.database.read(lambda connection: list(connection.execute(read).scalars()))


async def left(library: Library) -> int:
    return await library.database.read(
        lambda connection: connection.execute(select(func.count(jobs.c.id))).scalar_one()
    )


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.txt", "größer".encode(), "größer"),
        ("a.md", b"# One\n\ntwo", "# One\n\ntwo"),
        ("a.csv", b"a,b\n1,2", "a,b\n1,2"),
        ("a.json", b'{"a": 1}', '{"a": 1}'),
        ("a.py", b"# no heading\nx = 1", "# no heading\nx = 1"),
        ("a.pdf", pdf("The bridge", "is red."), "The bridge\n\nis red."),
        ("a.docx", docx("The bridge is red."), "The bridge is red."),
        ("a.html", b"<h1>Bridge</h1><p>It is red.</p><script>x()</script>", "# Bridge\n\nIt is red."),
        (
            "a.eml",
            b"From: a@b.c\r\nSubject: Bridge\r\n\r\nIt is red.\r\n",
            "**Subject**: Bridge\n\n**From**: a@b.c\n\nIt is red.",
        ),
        ("wrong.txt", pdf("It is a PDF."), "It is a PDF."),
    ],
)
def test_files_of_many_kinds_are_taken_in(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, name, data)
        shown = await library.inside.retrieve(OURS, store, file_id)
        assert (shown.status, shown.last_error) == ("completed", None)
        assert shown.usage_bytes > len(text)
        assert (await library.inside.content(OURS, store, file_id)).data[0].text == text

    in_library(tmp_path, work)


@pytest.mark.parametrize(
    ("name", "data", "code", "reason"),
    [
        ("a.bin", b"\0\1\2", "unsupported_file", "none of the types"),
        ("a.txt", b" \n ", "invalid_file", "no text"),
        ("a.pdf", pdf("secret", encrypted=True), "invalid_file", "encrypted"),
        ("a.pdf", b"%PDF-1.4 nothing else", "invalid_file", "damaged"),
        ("a.pdf", pdf(""), "invalid_file", "no text"),
        ("a.docx", docx(b"A" * 110_000_000), "invalid_file", "unpacks to more"),
        ("a.docx", b"not a zip", "invalid_file", "damaged"),
    ],
    ids=["binary", "blank", "encrypted", "damaged", "empty pdf", "bomb", "wrong ending"],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, code: str, reason: str) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, name, data)
        shown = await library.inside.retrieve(OURS, store, file_id)
        assert shown.status == "failed"
        assert shown.last_error is not None
        assert shown.last_error.code == code
        assert reason in shown.last_error.message
        assert await positions(library) == []
        assert await left(library) == 0
        await library.put(store, "good.txt", "Brown eggs.")
        assert await library.found(store, "eggs") == ["good.txt"]

    in_library(tmp_path, work)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_one_that_dies_is_gone_on_with_by_another(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "AT_ONCE", 8)

    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("long.txt", LONG.encode())
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id, chunking_strategy=SMALL))
        encoding = library.encoders.find("script-embedding")
        assert encoding is not None
        dying = Dying(at)
        library.encoders._found["script-embedding"] = type(encoding)(encoding.name, encoding.encoder, dying)
        (job,) = await library.claim(lease=1.0)
        with pytest.raises(asyncio.CancelledError):
            await library.ingest.run(Claimed(job))
        assert await library.found(store, "thing") == []
        half = await positions(library)
        assert half == list(range(8 * (at - 1)))
        library.now[0] += 2.0
        (again,) = await library.claim()
        with pytest.raises(LeaseLost):
            await library.ingest._database.write(lambda connection: ingest.hold(connection, job))
        await library.ingest.run(Claimed(again))
        every = await positions(library)
        assert every == list(range(len(every)))
        assert len(every) > 24
        assert (await library.stores.retrieve(OURS, store)).file_counts.completed == 1
        assert len(await library.found(store, "thing 399")) == 10

    in_library(tmp_path, work)


def test_pieces_are_the_same_however_often_it_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "AT_ONCE", 3)

    async def work(library: Library) -> None:
        store = await library.store()
        whole = await library.put(store, "whole.txt", LONG, chunking_strategy=SMALL)
        file_id = await library.upload("cut.txt", LONG.encode())
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id, chunking_strategy=SMALL))
        encoding = library.encoders.find("script-embedding")
        assert encoding is not None
        for at in (2, 1, 3):
            dying = type(encoding)(encoding.name, encoding.encoder, Dying(at))
            library.encoders._found["script-embedding"] = dying
            (job,) = await library.claim(lease=1.0)
            with pytest.raises(asyncio.CancelledError):
                await library.ingest.run(Claimed(job))
            library.now[0] += 2.0
        await library.work()
        texts = [await library.inside.content(OURS, store, one) for one in (whole, file_id)]
        assert texts[0] == texts[1]

    in_library(tmp_path, work)


def test_a_file_or_store_that_is_gone_ends_its_job(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        await library.files.delete(OURS, file_id)
        assert await left(library) == 0
        other = await library.upload("b.txt", b"Brown eggs.")
        await library.inside.add(OURS, store, AddFileBody(file_id=other))
        (job,) = await library.claim()
        await library.stores.delete(OURS, store)
        assert await left(library) == 0
        with pytest.raises(LeaseLost):
            await library.ingest.run(Claimed(job))

    in_library(tmp_path, work)


class Busy(ScriptEmbedder):
    """An embedder that never has the time."""

    async def embed(self, model: str, texts: Sequence[object], batch: bool = False) -> Vectors:
        raise EngineBusy("later")


def test_what_may_go_well_later_is_tried_again_then_given_up(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        encoding = library.encoders.find("script-embedding")
        assert encoding is not None
        library.encoders._found["script-embedding"] = type(encoding)(encoding.name, encoding.encoder, Busy())
        (job,) = await library.claim()
        with pytest.raises(EngineBusy):
            await library.ingest.run(Claimed(job))
        await library.ingest.give_up(job, "EngineBusy: later")
        shown = await library.inside.retrieve(OURS, store, file_id)
        assert shown.last_error is not None
        assert (shown.status, shown.last_error.code) == ("failed", "server_error")
        library.encoders._found["script-embedding"] = encoding
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        await library.work()
        assert (await library.inside.retrieve(OURS, store, file_id)).status == "completed"

    in_library(tmp_path, work)


def test_a_model_that_is_not_served_is_no_fault_of_the_file(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.upload("a.txt", b"Brown eggs.")
        await library.inside.add(OURS, store, AddFileBody(file_id=file_id))
        library.encoders.withdraw("script-embedding")
        (job,) = await library.claim()
        with pytest.raises(EngineFailed):
            await library.ingest.run(Claimed(job))

    in_library(tmp_path, work)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        one, two = await library.store(), await library.store()
        file_id = await library.put(one, "a.docx", docx("Brown eggs."))
        count = select(func.count(parsed_files.c.file))
        assert await library.database.read(lambda connection: connection.execute(count).scalar_one()) == 1
        library.parsed._reading = None  # type: ignore[assignment]
        await library.inside.add(OURS, two, AddFileBody(file_id=file_id))
        await library.work()
        assert await library.found(two, "eggs") == ["a.docx"]
        await library.files.delete(OURS, file_id)
        assert await library.database.read(lambda connection: connection.execute(count).scalar_one()) == 0

    in_library(tmp_path, work)
