"""The jobs that take files into vector stores: read, cut, embedded, written.

What was written is not done again after a crash: chunks are written in their order, each write holds the job, and the
one that makes the file findable is the last.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import EngineBusy, EngineFailed, Fault, Invalid, NotFound, StorageFailed, Unsupported
from freehold.core.ids import Clock
from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.services.files import Files
from freehold.services.jobs import Claimed
from freehold.services.parsed import ParsedFiles
from freehold.services.vector_store_files import KIND, Task
from freehold.services.vector_stores import active
from freehold.storage.database import Database
from freehold.storage.repos import chunks as chunk_rows
from freehold.storage.repos import vector_stores
from freehold.storage.repos.chunks import ChunkRow
from freehold.storage.repos.files import FileRow
from freehold.storage.repos.jobs import JobRow, finish, hold
from freehold.storage.repos.vector_store_files import COMPLETED, EntryRow, get, renew
from freehold.storage.repos.vector_stores import StoreRow, bump, change, has_expired
from freehold.surfaces.vector_store_files import ErrorCode, LastError, Static
from freehold.tools.chunks import Chunk, chunks
from freehold.tools.sections import lines
from freehold.tools.terms import packed

AT_ONCE = 16
"""How many pieces are embedded and written together."""
_OF_THE_CONTEXT = 0.7
"""The part of what the model reads that a piece may fill: its length is only estimated."""
_SHORTEST = 16
_INPUT = re.compile(r"input\[(\d+)\]")
_TRANSIENT = (EngineBusy, EngineFailed, StorageFailed)


class Ingest:
    """Takes files into stores. Those that cannot be read say why."""

    kind = KIND
    most_at_once = 2
    most_attempts = 5

    def __init__(self, database: Database, files: Files, parsed: ParsedFiles, encoders: Encoders, clock: Clock) -> None:
        self._database = database
        self._files = files
        self._parsed = parsed
        self._encoders = encoders
        self._clock = clock

    async def run(self, job: Claimed) -> None:
        """Take a file in, or what is left of it. Raises LeaseLost, and what may go well another time."""
        row = job.row
        found = await self._database.read(lambda connection: _entry(connection, row))
        if found is None:
            return await self._database.write(lambda connection: finish(connection, row))
        entry, store = found
        try:
            file = await self._files.find(self._who(row), entry.file)
            count = await self._write(row, entry, store, file)
        except _TRANSIENT:
            raise
        except (Invalid, Unsupported, NotFound) as fault:
            return await self._fail(row, _error(fault))
        if not count:
            return await self._fail(row, LastError("invalid_file", "The file holds no text that can be read."))
        await self._database.write(lambda connection: self._complete(connection, row))

    async def give_up(self, job: JobRow, reason: str) -> None:
        """Write that a file could not be taken in."""
        message = "The file could not be processed: the server had errors each time it tried. Add it again later."
        await self._fail(job, LastError("server_error", message))

    async def _write(self, job: JobRow, entry: EntryRow, store: StoreRow, file: FileRow) -> int:
        """Write the pieces of a file that are not there yet, and return how many it has."""
        encoding = self._encoders.find(store.model)
        if encoding is None:
            raise EngineFailed(f"the embedding model {store.model!r} is not served")
        parsed = await self._parsed.of(file)
        static = msgspec.json.decode(entry.chunking, type=Static)
        most = min(static.max_chunk_size_tokens, int(encoding.encoder.context * _OF_THE_CONTEXT))
        overlap = min(static.chunk_overlap_tokens, most // 2)
        pieces = chunks(lines(parsed), most, overlap)
        done = await self._database.read(lambda connection: chunk_rows.written(connection, entry.number))
        await asyncio.to_thread(_pass_over, pieces, done)
        while some := await asyncio.to_thread(list, islice(pieces, AT_ONCE)):
            vectors = await self._embedded(store.model, file.filename, some)
            rows = await asyncio.to_thread(_rows, entry, done, some, vectors)
            await self._database.write(lambda connection, rows=rows: _add(connection, job, rows))
            done += len(some)
        return done

    async def _embedded(self, model: str, filename: str, some: Sequence[Chunk]) -> tuple[bytes, ...]:
        """Embed pieces below the file's name and their headings; what the model cannot read to its end is cut."""
        texts = ["\n".join((" > ".join((filename, *chunk.headings)), chunk.text)) for chunk in some]
        while True:
            try:
                return (await self._encoders.vectors(model, texts, "document", batch=True)).rows
            except Invalid as fault:
                found = _INPUT.fullmatch(fault.param or "")
                place = int(found[1]) if found else 0
                if found is None or fault.code != "context_length_exceeded" or len(texts[place]) < _SHORTEST:
                    raise EngineFailed(fault.message) from fault
                texts[place] = texts[place][: len(texts[place]) * 3 // 4]

    def _complete(self, connection: Connection, job: JobRow) -> None:
        """Make a file findable, and finish the job."""
        found = _entry(connection, job, lock=True)
        finish(connection, job)
        if found is None:
            return
        entry, store = found
        now = self._clock()
        if has_expired(store, now):
            return
        bump(connection, store.id)
        change(connection, active(store, now))
        size = chunk_rows.size(connection, entry.number)
        renew(connection, replace(entry, status=COMPLETED, bytes=size, error=None, mark=store.version + 1))

    async def _fail(self, job: JobRow, error: LastError) -> None:
        def work(connection: Connection) -> None:
            found = _entry(connection, job, lock=True)
            finish(connection, job)
            if found is not None:
                chunk_rows.clear(connection, found[0].number)
                renew(connection, replace(found[0], status="failed", bytes=0, error=msgspec.json.encode(error)))

        await self._database.write(work)

    @staticmethod
    def _who(job: JobRow) -> Principal:
        return Principal(job.project, msgspec.json.decode(job.payload, type=Task).key)


def _entry(connection: Connection, job: JobRow, *, lock: bool = False) -> tuple[EntryRow, StoreRow] | None:
    """The file that a job is about, and its store; with `lock`, nobody else changes them until the write ends."""
    number = int(job.subject.removeprefix("vsf_"))
    entry = get(connection, number)
    store = None if entry is None else vector_stores.find(connection, job.project, entry.store, lock=lock)
    if lock:
        entry = get(connection, number)  # as it is once nobody else can change it
    return None if entry is None or store is None else (entry, store)


def _add(connection: Connection, job: JobRow, rows: Sequence[ChunkRow]) -> None:
    hold(connection, job)
    chunk_rows.add(connection, rows)


def _pass_over(pieces: Iterator[Chunk], count: int) -> None:
    for _ in islice(pieces, count):
        continue


def _rows(entry: EntryRow, start: int, some: Sequence[Chunk], vectors: Sequence[bytes]) -> list[ChunkRow]:
    return [
        ChunkRow(
            entry=entry.number,
            store=entry.store,
            position=position,
            page=chunk.page,
            text=chunk.text,
            vector=vector,
            terms=packed("\n".join((*chunk.headings, chunk.text))),
        )
        for position, (chunk, vector) in enumerate(zip(some, vectors, strict=True), start=start)
    ]


def _error(fault: Fault) -> LastError:
    code: ErrorCode = "unsupported_file" if fault.code in ("unsupported_file", "unsupported_value") else "invalid_file"
    return LastError(code, fault.message)
