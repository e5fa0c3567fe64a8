"""Batches: create, find, list and cancel. What executes them is in `batch_lines`."""

from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import Conflict, Invalid, NotFound, Unsupported
from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.files import Files
from freehold.services.jobs import Bell
from freehold.storage.repos.batches import UNDER_WAY, BatchRow, BatchRows
from freehold.storage.repos.jobs import JobRow
from freehold.surfaces.batches import MOST_BYTES, SECONDS, Batch, BatchPage, CreateBody, RequestCounts

KIND = "batch"
_AT_ONCE = 1_000


class Task(Struct, frozen=True):
    """What a batch's job knows beyond its row: the key that it came with, and the seconds that its files stay."""

    key: str
    lifetime: int | None


class Batches:
    """The batches of every project, each seen by its own only."""

    def __init__(
        self, rows: BatchRows, files: Files, endpoints: Collection[str], mint: Mint, clock: Clock, bell: Bell
    ) -> None:
        """`endpoints` are those that batches are taken for."""
        self._rows = rows
        self._files = files
        self._endpoints = endpoints
        self._mint = mint
        self._clock = clock
        self._bell = bell

    async def create(self, who: Principal, body: CreateBody) -> Batch:
        """Begin a batch; when this returns, it survives a crash.

        Raises Unsupported for an endpoint that batches are not taken for, Invalid for a file that cannot be their
        input.
        """
        if body.endpoint not in self._endpoints:
            known = ", ".join(f"'{one}'" for one in self._endpoints)
            raise Unsupported(
                f"Unsupported value: 'endpoint' does not support '{body.endpoint}' on this server. Supported values "
                f"are: {known}.",
                "endpoint",
                "unsupported_value",
            )
        await self._check_input(who, body.input_file_id)
        now, expiry = int(self._clock()), body.output_expires_after
        batch = Batch(
            id=self._mint("batch_"),
            endpoint=body.endpoint,
            input_file_id=body.input_file_id,
            completion_window=body.completion_window,
            status="validating",
            created_at=now,
            expires_at=now + SECONDS,
            metadata=body.metadata,
        )
        job = JobRow(
            id=self._mint("job_"),
            kind=KIND,
            subject=batch.id,
            project=who.project,
            payload=msgspec.json.encode(Task(who.key, None if expiry is None else expiry.seconds)),
            created=now,
        )
        await self._rows.begin(as_row(who.project, batch), job)
        self._bell.ring()
        return batch

    async def retrieve(self, who: Principal, batch_id: str) -> Batch:
        """Return a batch, its requests counted as of now. Raises NotFound."""
        found = await self._rows.get(who.project, batch_id)
        if found is None:
            raise _missing(batch_id)
        return _shown(*found)

    async def list(self, who: Principal, after: str | None, limit: int) -> BatchPage:
        """Return a page of the batches, the newest first. Raises Invalid when `after` is none of them."""
        found, has_more = await self._rows.page(who.project, after, limit)
        data = tuple(_shown(row, counts) for row, counts in found)
        return BatchPage(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=has_more,
        )

    async def cancel(self, who: Principal, batch_id: str) -> Batch:
        """Have a batch end early and return it, soon to be cancelled; one that has failed or expired stays as it is.

        Raises NotFound, and Conflict for one whose requests have all been executed.
        """
        now = int(self._clock())

        def change(_: Connection, row: BatchRow) -> BatchRow:
            batch = from_row(row)
            if batch.status in ("completed", "finalizing"):
                raise Conflict(f"Cannot cancel a batch with status '{batch.status}'.")
            if batch.status in ("validating", "in_progress"):
                return as_row(row.project, replace(batch, status="cancelling", cancelling_at=now))
            return row

        if not await self._rows.cancel(who.project, batch_id, change):
            raise _missing(batch_id)
        self._bell.ring()
        return await self.retrieve(who, batch_id)

    async def sweep(self, _now: float) -> None:
        """Delete the lines of batches that have ended."""
        for batch_id in await self._rows.ended_with_lines():
            await forget_lines(self._rows, batch_id)

    async def _check_input(self, who: Principal, file_id: str) -> None:
        try:
            file = await self._files.find(who, file_id)
        except NotFound as fault:
            raise Invalid(fault.message, "invalid_value", "input_file_id") from None
        if file.purpose != "batch":
            raise Invalid(
                f"Invalid 'input_file_id': expected a file with the purpose 'batch', but '{file_id}' has the purpose "
                f"'{file.purpose}'.",
                "invalid_value",
                "input_file_id",
            )
        if file.bytes > MOST_BYTES:
            raise Invalid(
                f"Invalid 'input_file_id': the file '{file_id}' has {file.bytes} bytes. A batch takes up to "
                f"{MOST_BYTES}.",
                "file_too_large",
                "input_file_id",
            )


def as_row(project: str, batch: Batch) -> BatchRow:
    """A batch as it is stored."""
    return BatchRow(
        id=batch.id,
        project=project,
        status=batch.status,
        expires=batch.expires_at,
        body=msgspec.json.encode(batch),
    )


def from_row(row: BatchRow) -> Batch:
    """A stored batch, without the counts of its lines."""
    return msgspec.json.decode(row.body, type=Batch)


def count(counts: Mapping[str, int]) -> RequestCounts:
    """The counts of lines by their states, as a batch shows them."""
    return RequestCounts(
        total=sum(counts.values()), completed=counts.get("completed", 0), failed=counts.get("failed", 0)
    )


async def forget_lines(rows: BatchRows, batch_id: str) -> None:
    """Delete the lines of a batch, some at a time, so that nobody else has to wait for long."""
    while await rows.forget(batch_id, _AT_ONCE):
        continue


def _shown(row: BatchRow, counts: Mapping[str, int]) -> Batch:
    batch = from_row(row)
    live = batch.status in UNDER_WAY and batch.status != "validating"
    return replace(batch, request_counts=count(counts)) if live else batch


def _missing(batch_id: str) -> NotFound:
    return NotFound(f"No batch found with id '{batch_id}'.", None, "batch_id")
