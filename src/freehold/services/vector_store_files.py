"""Files in vector stores, and the batches in which they are put there."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.jobs import Bell
from freehold.storage.repos.jobs import JobRow
from freehold.storage.repos.vector_store_files import BatchRow, EntryRow, EntryRows, Wanted
from freehold.storage.repos.windows import Window
from freehold.surfaces.vector_store_files import (
    AddBatchBody,
    AddFileBody,
    Attributes,
    FileContent,
    FileContentPage,
    FileCounts,
    LastError,
    Static,
    StaticChunking,
    VectorStoreFile,
    VectorStoreFileBatch,
    VectorStoreFileDeleted,
    VectorStoreFilePage,
    chunking,
    files_of,
)

KIND = "ingest"
"""The kind of the jobs that take a file in."""


class Task(Struct, frozen=True):
    """What the job that takes a file in knows beyond its row: the key that it came with."""

    key: str


class StoreFiles:
    """The files in the stores of every project, each seen by its own only."""

    def __init__(self, rows: EntryRows, mint: Mint, clock: Clock, bell: Bell) -> None:
        self._rows = rows
        self._mint = mint
        self._clock = clock
        self._bell = bell

    async def add(self, who: Principal, store_id: str, body: AddFileBody) -> VectorStoreFile:
        """Put a file into a store, to be taken in soon; when this returns, that survives a crash.

        One that is there already stays as it is, but for its attributes; one that failed is tried again. Raises
        NotFound, and Invalid for a chunking that makes no sense.
        """
        wanted = self.wanted(who, store_id, (body,), None)
        (row,) = await self._rows.put(who.project, store_id, self._clock(), wanted)
        self._bell.ring()
        return shown(row)

    async def retrieve(self, who: Principal, store_id: str, file_id: str) -> VectorStoreFile:
        """Return a file in a store. Raises NotFound."""
        return shown(await self._rows.get(who.project, store_id, file_id))

    async def list(
        self, who: Principal, store_id: str, window: Window, status: str | None, batch_id: str | None = None
    ) -> VectorStoreFilePage:
        """Return a page of the files in a store, or in a batch. Raises NotFound, and Invalid for a cursor."""
        rows, has_more = await self._rows.page(who.project, store_id, window, status, batch_id)
        return VectorStoreFilePage(
            data=tuple(map(shown, rows)),
            first_id=rows[0].file if rows else None,
            last_id=rows[-1].file if rows else None,
            has_more=has_more,
        )

    async def update(
        self, who: Principal, store_id: str, file_id: str, attributes: Attributes | None
    ) -> VectorStoreFile:
        """Replace the attributes of a file in a store. Raises NotFound."""
        given = attributes or {}
        encoded = msgspec.json.encode(given)
        return shown(await self._rows.set_attributes(who.project, store_id, file_id, given, encoded))

    async def delete(self, who: Principal, store_id: str, file_id: str) -> VectorStoreFileDeleted:
        """Take a file out of a store: it is found no more. The file itself stays. Raises NotFound."""
        await self._rows.delete(who.project, store_id, file_id)
        return VectorStoreFileDeleted(file_id)

    async def content(self, who: Principal, store_id: str, file_id: str) -> FileContentPage:
        """Return what was read in a file, in its pieces. Raises NotFound."""
        texts = await self._rows.content(who.project, store_id, file_id)
        return FileContentPage(data=tuple(map(FileContent, texts)))

    async def add_batch(self, who: Principal, store_id: str, body: AddBatchBody) -> VectorStoreFileBatch:
        """Put files into a store together: all or none. Raises NotFound, Invalid."""
        files = tuple({one.file_id: one for one in files_of(body)}.values())
        batch = BatchRow(id=self._mint("vsfb_"), store=store_id, created=int(self._clock()))
        wanted = self.wanted(who, store_id, files, "file_ids" if body.files is None else "files", batch.id)
        await self._rows.put(who.project, store_id, self._clock(), wanted, batch)
        self._bell.ring()
        return await self.batch(who, store_id, batch.id)

    async def batch(self, who: Principal, store_id: str, batch_id: str) -> VectorStoreFileBatch:
        """Return a batch, its files counted as of now. Raises NotFound."""
        return _batch(*await self._rows.batch(who.project, store_id, batch_id))

    async def cancel(self, who: Principal, store_id: str, batch_id: str) -> VectorStoreFileBatch:
        """Have the files of a batch that are not taken in yet stay out. Raises NotFound."""
        return _batch(*await self._rows.cancel(who.project, store_id, batch_id))

    def wanted(
        self, who: Principal, store_id: str, files: Sequence[AddFileBody], path: str | None, batch: str | None = None
    ) -> Sequence[Wanted]:
        """Return the rows of files that are to be put into a store; `path` is where the request lists them.

        Raises Invalid for a chunking that makes no sense.
        """
        now, found = int(self._clock()), []
        for place, file in enumerate(files):
            inside = "" if path != "files" else f"files[{place}]."
            static = chunking(file.chunking_strategy, f"{inside}chunking_strategy")
            attributes = file.attributes or {}
            row = EntryRow(
                store=store_id,
                file=file.file_id,
                batch=batch,
                created=now,
                attributes=msgspec.json.encode(attributes),
                chunking=msgspec.json.encode(static),
            )
            job = JobRow(
                id=self._mint("job_"),
                kind=KIND,
                subject="",
                project=who.project,
                payload=msgspec.json.encode(Task(who.key)),
                created=now,
            )
            named = f"{path}[{place}]" if path == "file_ids" else f"{inside}file_id"
            found.append(Wanted(row=row, attributes=attributes, job=job, path=named))
        return found


def shown(row: EntryRow) -> VectorStoreFile:
    """A file in a store as it stands on the wire."""
    return VectorStoreFile(
        id=row.file,
        usage_bytes=row.bytes,
        created_at=row.created,
        vector_store_id=row.store,
        status=row.status,  # type: ignore[arg-type]
        last_error=None if row.error is None else msgspec.json.decode(row.error, type=LastError),
        chunking_strategy=StaticChunking(msgspec.json.decode(row.chunking, type=Static)),
        attributes=msgspec.json.decode(row.attributes, type=Attributes),
    )


def counts(found: Mapping[str, int]) -> FileCounts:
    """The counts of files by their states, as objects show them."""
    return FileCounts(total=sum(found.values()), **found)


def _batch(row: BatchRow, found: dict[str, int]) -> VectorStoreFileBatch:
    shown_counts = counts(found)
    all_failed = 0 < shown_counts.total == shown_counts.failed
    ended = "cancelled" if row.cancelled else "failed" if all_failed else "completed"
    return VectorStoreFileBatch(
        id=row.id,
        created_at=row.created,
        vector_store_id=row.store,
        status="in_progress" if shown_counts.in_progress and not row.cancelled else ended,
        file_counts=shown_counts,
    )
