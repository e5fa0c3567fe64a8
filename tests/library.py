"""Vector stores over a database of their own, with the script embedder: what tests of retrieval share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from freehold.core.principal import Principal
from freehold.engines.embedding.script import ScriptEmbedder
from freehold.services.blobs import Shelf
from freehold.services.encoders import Encoders
from freehold.services.files import Files, NewFile
from freehold.services.indexes import Indexes
from freehold.services.ingest import Ingest
from freehold.services.jobs import Bell, Claimed
from freehold.services.parsed import ParsedFiles
from freehold.services.search import Search
from freehold.services.vector_store_files import StoreFiles
from freehold.services.vector_stores import VectorStores
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import Database, open_database
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.chunks import ChunkRows
from freehold.storage.repos.files import FileRows
from freehold.storage.repos.jobs import JobRow, JobRows
from freehold.storage.repos.parsed_files import ParsedRows
from freehold.storage.repos.vector_store_files import EntryRows
from freehold.storage.repos.vector_stores import StoreRows
from freehold.surfaces.vector_store_files import AddFileBody
from freehold.surfaces.vector_stores import CreateBody
from freehold.tools.reading import Reading
from tests.databases import database_url
from tests.house import NOW, fixed_chance

OURS, THEIRS = Principal("p", "key of ours"), Principal("q", "key of theirs")


class Library(NamedTuple):
    """Stores, and what is around them. `now` is what the clock says."""

    database: Database
    files: Files
    parsed: ParsedFiles
    encoders: Encoders
    rows: StoreRows
    entries: EntryRows
    chunks: ChunkRows
    stores: VectorStores
    inside: StoreFiles
    indexes: Indexes
    search: Search
    ingest: Ingest
    jobs: JobRows
    now: list[float]

    async def store(self, **more: object) -> str:
        """Make a store and return its id."""
        return (await self.stores.create(OURS, CreateBody(**more))).id  # type: ignore[arg-type]

    async def upload(self, name: str, data: bytes, who: Principal = OURS) -> str:
        """Store a file and return its id."""

        async def content() -> AsyncIterator[bytes]:
            yield data

        return (await self.files.add(who, NewFile(filename=name, purpose="assistants"), content())).id

    async def put(self, store: str, name: str, text: str | bytes, **more: object) -> str:
        """Put a new file into a store, have it taken in, and return its id."""
        file_id = await self.upload(name, text if isinstance(text, bytes) else text.encode())
        await self.inside.add(OURS, store, AddFileBody(file_id=file_id, **more))  # type: ignore[arg-type]
        await self.work()
        return file_id

    async def claim(self, lease: float = 15.0) -> list[JobRow]:
        """Claim all that is to be taken in."""
        return await self.jobs.claim("w", ["ingest"], self.now[0], lease, 100)

    async def work(self) -> None:
        """Take in all that is to be taken in."""
        for job in await self.claim():
            await self.ingest.run(Claimed(job))

    async def found(self, store: str, query: str, **more: object) -> list[str]:
        """Search, and return the names of the files."""
        given = {"filters": None, "ranking": None, "most": 10, "rewrite": False, **more}
        return [hit.filename for hit in await self.search.find(OURS, [store], query, **given)]  # type: ignore[arg-type]


def in_library(folder: Path, work: Callable[[Library], Awaitable[None]]) -> None:
    """Run `work` in a new library."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(library(database, folder))

    asyncio.run(main())


def library(database: Database, folder: Path) -> Library:
    """Wire a library over a database."""
    chance, now = fixed_chance(), [float(NOW)]
    mint, clock, bell = chance.mint, lambda: now[0], Bell()
    shelf = Shelf(BlobRows(database), FolderBlobs(folder / "blobs"), mint, clock)
    files = Files(FileRows(database), shelf, mint, clock)
    parsed = ParsedFiles(ParsedRows(database), files, Reading())
    encoders = Encoders([ScriptEmbedder()], {})
    rows, entries, chunks = StoreRows(database), EntryRows(database), ChunkRows(database)
    inside = StoreFiles(entries, mint, clock, bell)
    indexes = Indexes(chunks, 1 << 30)
    return Library(
        database=database,
        files=files,
        parsed=parsed,
        encoders=encoders,
        rows=rows,
        entries=entries,
        chunks=chunks,
        stores=VectorStores(rows, inside, lambda: encoders.default, mint, clock, bell),
        inside=inside,
        indexes=indexes,
        search=Search(chunks, rows, encoders, indexes, clock),
        ingest=Ingest(database, files, parsed, encoders, clock),
        jobs=JobRows(database),
        now=now,
    )
