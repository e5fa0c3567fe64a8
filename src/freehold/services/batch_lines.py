"""The execution of batches: the handler of their jobs.

What there is to know of a batch is in its row and in those of its lines, so any process can go on where another one
died. Each step ends with a write that holds the job; what was not written is done again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import EngineBusy, EngineFailed, Fault, Limited, NotFound, StorageFailed
from freehold.core.ports import Load
from freehold.core.principal import Principal
from freehold.core.surface import Surface
from freehold.services.answering import Answering, Chance
from freehold.services.batch_intake import take_in
from freehold.services.batch_output import Output
from freehold.services.batches import KIND, Task, as_row, count, forget_lines, from_row
from freehold.services.blobs import Received, Shelf
from freehold.services.files import Files, NewFile
from freehold.services.jobs import Claimed
from freehold.storage.repos.batches import BatchRow, BatchRows, LineRow
from freehold.storage.repos.jobs import JobRow, LeaseLost
from freehold.surfaces.batch_input import Request
from freehold.surfaces.batches import (
    OUTPUT_PURPOSE,
    Batch,
    BatchError,
    BatchErrors,
    Status,
    answered,
    refused,
    usage_of,
)
from freehold.surfaces.decode import Decoder
from freehold.surfaces.webhooks import EventType

log = logging.getLogger(__name__)

Reply = Callable[[Principal, Raw], Awaitable[bytes]]
"""Answers the body of a request with JSON. Raises the fault that it is to be answered with instead."""
Announce = Callable[[Connection, str, EventType, str, float], None]
"""Enqueues an event of a project, as part of a write: its type, the id of the object, the unix time."""
Ending = Literal["completed", "failed", "expired", "cancelled"]

PATIENCE: Mapping[type[Fault], tuple[int, float]] = {EngineFailed: (3, 1.0), StorageFailed: (24, 5.0)}
"""How often a request is made that breaks something, and the seconds between."""
LONGEST_PAUSE_SECONDS = 5.0
STORAGE_SECONDS = 5.0
GRACE_SECONDS = 10.0
"""How long requests under way may go on when the batch is to end early."""
_TICK_SECONDS = 0.2
_AT_ONCE = 500
_LEFT: Mapping[Ending, str] = {
    "completed": "batch_expired",
    "expired": "batch_expired",
    "cancelled": "batch_cancelled",
    "failed": "batch_failed",
}
"""What becomes of the lines that were not executed."""
_TOLD: Mapping[Ending, EventType] = {
    "completed": "batch.completed",
    "failed": "batch.failed",
    "expired": "batch.expired",
    "cancelled": "batch.cancelled",
}


def generating(surface: Surface[Any], answering: Answering) -> Reply:
    """Return what answers the requests of a surface, when nobody else wants to be answered."""
    decode: Decoder[Any] = Decoder(surface.body)

    async def reply(who: Principal, body: Raw) -> bytes:
        return await (await answering.prepare(who, surface, decode(body), batch=True)).result()

    return reply


class BatchLines:
    """Executes batches: reads the input, answers the requests, writes the files."""

    kind = KIND
    most_at_once = 8
    most_attempts = 25

    def __init__(
        self,
        rows: BatchRows,
        files: Files,
        shelf: Shelf,
        replies: Mapping[str, Reply],
        load: Callable[[str | None], Load | None],
        announce: Announce,
        chance: Chance,
        longest: int,
    ) -> None:
        """`replies` are by endpoint; `load` is that of the engine behind a model; `longest` is a line's, in bytes."""
        self._rows = rows
        self._files = files
        self._shelf = shelf
        self._replies = replies
        self._load = load
        self._announce = announce
        self._mint = chance.mint
        self._clock = chance.clock
        self._longest = longest
        self._task = msgspec.json.Decoder(Task).decode
        self._request: Decoder[Request] = Decoder(Request)

    async def run(self, job: Claimed) -> None:
        """Execute a batch, or the rest of it. Raises LeaseLost, and EngineFailed when no engine here has its model."""
        while True:
            try:
                return await self._go_on(job)
            except StorageFailed as fault:
                log.warning("batch %s waits for the storage: %s", job.row.subject, fault.message)
                await asyncio.sleep(STORAGE_SECONDS)

    async def give_up(self, job: JobRow, reason: str) -> None:
        """End a batch as failed, with the answers that there are."""
        error = BatchError(code="server_error", message=f"The batch could not be finished: {reason}.")
        await self._finish(job, await self._find(job), "failed", (error,))

    async def _go_on(self, job: Claimed) -> None:
        """Take one step after the other, as the status says, which others may change between them."""
        while True:
            batch = await self._find(job.row)
            match batch.status:
                case "validating":
                    await self._validate(job, batch)
                case "in_progress":
                    await self._execute(job, batch)
                    await self._move(job.row, "in_progress", "finalizing")
                case "finalizing":
                    await self._finish(job.row, batch, "completed")
                case "cancelling":
                    await self._finish(job.row, batch, "cancelled")
                case _:
                    return

    async def _find(self, job: JobRow) -> Batch:
        found = await self._rows.get(job.project, job.subject)
        if found is None:
            raise LeaseLost(f"batch {job.subject} is gone")
        return from_row(found[0])

    async def _move(self, job: JobRow, before: Status, after: Status, model: str | None = None) -> None:
        """Write the next status, unless it is another one by now than it was."""
        now = int(self._clock())

        def change(_: Connection, row: BatchRow) -> BatchRow:
            batch = from_row(row)
            if batch.status != before:
                return row
            new = replace(batch, status=after, model=model or batch.model)
            return as_row(row.project, replace(new, **{f"{after}_at": now}))

        await self._rows.move(job, change)

    async def _validate(self, job: Claimed, batch: Batch) -> None:
        try:
            _, chunks = await self._files.open(self._who(job.row), batch.input_file_id)
        except NotFound as fault:
            error = BatchError(code="file_not_found", message=fault.message, param="input_file_id")
            return await self._finish(job.row, batch, "failed", (error,))
        taken = await take_in(self._rows, job, batch.endpoint, chunks, self._longest)
        if job.stopped():
            return None
        errors = taken.errors
        if not errors and self._load(taken.model) is None:
            why = f"The model `{taken.model}` does not exist or you do not have access to it."
            errors = (BatchError(code="model_not_found", message=why, param="body.model"),)
        if errors:
            return await self._finish(job.row, batch, "failed", errors)
        return await self._move(job.row, "validating", "in_progress", taken.model)

    async def _execute(self, job: Claimed, batch: Batch) -> None:
        """Answer the pending lines, as many at once as the engine has slots, until the batch is to end."""
        load = self._load(batch.model)
        if load is None:
            raise EngineFailed(f"no engine of this process serves the model {batch.model!r}")
        running: set[asyncio.Task[None]] = set()

        def over() -> bool:
            return job.stopped() or self._clock() >= batch.expires_at

        try:
            async with aclosing(self._pending(batch.id)) as lines:
                async for line in lines:
                    await _fewer(running, load.slots, over)
                    if over():
                        break
                    running.add(asyncio.create_task(self._do(job.row, batch, line)))
            await _fewer(running, 1, over)
            if running:
                await asyncio.wait(running, timeout=GRACE_SECONDS)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _pending(self, batch_id: str) -> AsyncGenerator[LineRow, None]:
        last: LineRow | None = None
        while lines := await self._rows.pending(batch_id, last, _AT_ONCE):
            last = lines[-1]
            for line in lines:
                yield line

    async def _do(self, job: JobRow, batch: Batch, line: LineRow) -> None:
        """Make the request of a line and write what came of it. Raises LeaseLost, and StorageFailed where it cannot."""
        line_id = self._mint("batch_req_")
        request_id = "req_" + line_id.removeprefix("batch_req_")
        state = "failed"
        try:
            body = await self._answer(self._who(job, request_id), batch, line)
            state, result = "completed", answered(line_id, request_id, line.custom_id, body)
        except Fault as fault:
            result = refused(line_id, request_id, line.custom_id, fault)
        except Exception:
            log.exception("request %s of batch %s failed", request_id, batch.id)
            why = "The server had an error while processing your request. Sorry about that!"
            result = refused(line_id, request_id, line.custom_id, EngineFailed(why))
        await self._rows.answer(job, line.number, state, result)

    async def _answer(self, who: Principal, batch: Batch, line: LineRow) -> bytes:
        """Answer the request of a line, again where that may help. Raises the fault that it is answered with."""
        failures = 0
        while True:
            try:
                return await self._replies[batch.endpoint](who, await self._body(who, batch, line))
            except (EngineBusy, Limited) as busy:
                pause = min(busy.retry_after, LONGEST_PAUSE_SECONDS)
            except (EngineFailed, StorageFailed) as fault:
                failures += 1
                most, pause = PATIENCE[type(fault)]
                if failures >= most:
                    raise
            await asyncio.sleep(pause)

    async def _body(self, who: Principal, batch: Batch, line: LineRow) -> Raw:
        _, pieces = await self._files.open(who, batch.input_file_id, line.start, line.start + line.length)
        async with aclosing(pieces):
            return self._request(b"".join([piece async for piece in pieces])).body

    async def _finish(self, job: JobRow, batch: Batch, ending: Ending, errors: tuple[BatchError, ...] = ()) -> None:
        """Write the files, then the end of the batch in one transaction. Raises LeaseLost and StorageFailed."""
        left = _LEFT[ending]
        counts = await self._rows.close(job, left)
        if ending == "completed" and counts.get(left):
            ending = "expired"
        if batch.in_progress_at is None:
            counts = {}  # the input was never accepted
        output = Output(self._rows, batch.id, counts, self._mint)
        async with self._shelf.receiving() as receive:
            answers = await output.write(receive, ("completed",))
            others = await output.write(receive, ("failed", left))
            now = self._clock()

            def change(connection: Connection, row: BatchRow) -> BatchRow:
                self._announce(connection, job.project, _TOLD[ending], batch.id, now)
                new = replace(
                    from_row(row),
                    status=ending,
                    errors=BatchErrors(data=errors) if errors else None,
                    output_file_id=self._adopt(connection, job, "output", answers),
                    error_file_id=self._adopt(connection, job, "error", others),
                    request_counts=count(counts),
                    usage=usage_of(output.usage),
                )
                return as_row(row.project, replace(new, **{f"{ending}_at": int(now)}))

            await self._rows.end(job, change)
        await forget_lines(self._rows, batch.id)

    def _adopt(self, connection: Connection, job: JobRow, name: str, received: Received | None) -> str | None:
        if received is None:
            return None
        new = NewFile(
            filename=f"{job.subject}_{name}.jsonl",
            purpose=OUTPUT_PURPOSE,
            lifetime=self._task(job.payload).lifetime,
        )
        return self._files.adopt(connection, job.project, new, received).id

    def _who(self, job: JobRow, request_id: str | None = None) -> Principal:
        return Principal(job.project, self._task(job.payload).key, request=request_id)


async def _fewer(running: set[asyncio.Task[Any]], than: int, over: Callable[[], bool]) -> None:
    """Wait until fewer than that many tasks run, or it is over. Raises what one of them raised."""
    while len(running) >= than and not over():
        done, _ = await asyncio.wait(running, timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            running.remove(task)
            task.result()
