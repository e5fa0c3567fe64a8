"""The input file of a batch, on its way into rows: each line is looked at, and its place is stored."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from freehold.services.jobs import Claimed
from freehold.storage.repos.batches import BatchRows, LineRow
from freehold.surfaces.batch_input import Inspection
from freehold.surfaces.batches import BatchError
from freehold.surfaces.jsonl import Line, Splitter

MOST_ERRORS = 100
"""How many errors are told of; the rest of the file is not read then."""
_AT_ONCE = 500
_SLICE = 64 * 1024


class Taken(Struct, frozen=True):
    """What a file turned out to be: the model that its requests name, and what is wrong with it."""

    model: str | None
    errors: tuple[BatchError, ...]


async def take_in(
    rows: BatchRows, job: Claimed, endpoint: str, chunks: AsyncGenerator[bytes, None], longest: int
) -> Taken:
    """Read a file and store its lines, in constant memory; those that are stored already are only looked at.

    A line has at most `longest` bytes. Stops where the job is asked to. Raises LeaseLost, and what the chunks raise.
    """
    inspection = Inspection(endpoint, longest)
    stored = await rows.last_line(job.row.subject)
    errors: list[BatchError] = []
    new: list[LineRow] = []
    async with aclosing(_lines(chunks, longest)) as lines:
        async for line in lines:
            if job.stopped() or len(errors) == MOST_ERRORS:
                break
            found = inspection.look(line)
            if isinstance(found, BatchError):
                errors.append(found)
                if found.code == "too_many_tasks":
                    break
            elif not errors and line.number > stored:
                new.append(
                    LineRow(
                        number=line.number,
                        custom_id=found.custom_id,
                        start=line.start,
                        length=line.length,
                        prefix=found.prefix,
                    )
                )
                if len(new) == _AT_ONCE:
                    await rows.add_lines(job.row, new)
                    new = []
    if new and not errors:
        await rows.add_lines(job.row, new)
    if not inspection.count and not errors:
        errors.append(
            BatchError(
                code="empty_file",
                message="The input file is empty. Please ensure that the batch contains at least one request.",
                param="input_file_id",
            )
        )
    return Taken(inspection.model, tuple(errors))


async def _lines(chunks: AsyncGenerator[bytes, None], longest: int) -> AsyncGenerator[Line, None]:
    """The lines of a file; others get a turn between the slices of a large chunk."""
    splitter = Splitter(longest)
    async with aclosing(chunks):
        async for chunk in chunks:
            for start in range(0, len(chunk), _SLICE):
                for line in splitter.feed(chunk[start : start + _SLICE]):
                    yield line
                await asyncio.sleep(0)
    for line in splitter.end():
        yield line
