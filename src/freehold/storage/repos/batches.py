"""The rows of batches and of their lines.

What a worker writes holds the job behind the batch: what one writes that has lost its lease is undone. A line is
answered once: only one that is still pending takes a result.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, LargeBinary, bindparam, delete, func, insert, select, tuple_, update

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.repos import jobs
from freehold.storage.repos.jobs import JobRow
from freehold.storage.tables import batch_lines, batches


class BatchRow(Struct, frozen=True, kw_only=True):
    """A batch; `expires` is a unix time, `body` the JSON of its object without the counts of its lines."""

    id: str
    project: str
    status: str
    expires: int
    body: bytes


class LineRow(Struct, frozen=True, kw_only=True):
    """A line of the input and its place there, in bytes."""

    number: int
    custom_id: str
    start: int
    length: int
    prefix: bytes


class ResultRow(Struct, frozen=True):
    """What came of a line; `result` is the JSON of its answer, None where it has none."""

    number: int
    custom_id: str
    result: bytes | None


Counts = Mapping[str, int]
"""How many lines are in each state."""
Change = Callable[[Connection, BatchRow], BatchRow]
"""Makes a new row of a batch's row, as part of the write."""

PENDING = "pending"
UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
"""What a batch is that has not ended."""

_columns = [batches.c[name] for name in BatchRow.__struct_fields__]
_one = (batches.c.id == bindparam("id"), batches.c.project == bindparam("project"))
_ADD = insert(batches)
_GET = select(*_columns).where(*_one)
_LOCK = _GET.with_for_update()
_NUMBER = select(batches.c.number).where(*_one)
_CHANGE = (
    update(batches)
    .where(batches.c.id == bindparam("its_id"))
    .values(status=bindparam("new_status"), body=bindparam("new_body"))
)
_own = batch_lines.c.batch == bindparam("its_batch")
_pending = batch_lines.c.state == PENDING
_place = tuple_(batch_lines.c.prefix, batch_lines.c.number)
_line = [batch_lines.c[name] for name in LineRow.__struct_fields__]
_COUNT = (
    select(batch_lines.c.batch, batch_lines.c.state, func.count())
    .where(batch_lines.c.batch.in_(bindparam("ids", expanding=True)))
    .group_by(batch_lines.c.batch, batch_lines.c.state)
)
_ADD_LINES = insert(batch_lines)
_LAST = select(func.max(batch_lines.c.number)).where(_own)
_PENDING = (
    select(*_line)
    .where(
        _own,
        _pending,
        tuple_(batch_lines.c.prefix, batch_lines.c.number)
        > tuple_(bindparam("prefix", type_=LargeBinary), bindparam("after")),
    )
    .order_by(batch_lines.c.prefix, batch_lines.c.number)
    .limit(bindparam("most"))
)
_ANSWER = (
    update(batch_lines)
    .where(_own, batch_lines.c.number == bindparam("its_number"), _pending)
    .values(state=bindparam("new_state"), result=bindparam("new_result"))
)
_CLOSE = update(batch_lines).where(_own, _pending).values(state=bindparam("new_state"))
_RESULTS = (
    select(batch_lines.c.number, batch_lines.c.custom_id, batch_lines.c.result)
    .where(_own, batch_lines.c.state == bindparam("its_state"), batch_lines.c.number > bindparam("after"))
    .order_by(batch_lines.c.number)
    .limit(bindparam("most"))
)
_SOME = select(batch_lines.c.number).where(_own).limit(bindparam("most"))
_FORGET = delete(batch_lines).where(_own, batch_lines.c.number.in_(_SOME))
_ENDED = select(batches.c.id).where(batches.c.status.not_in(UNDER_WAY))
_LEFT_OVER = select(batch_lines.c.batch).where(batch_lines.c.batch.in_(_ENDED)).distinct()


class BatchRows:
    """The batches of every project; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, row: BatchRow, job: JobRow) -> None:
        """Store a batch and the job that executes it: all or nothing."""

        def work(connection: Connection) -> None:
            connection.execute(_ADD, {name: getattr(row, name) for name in BatchRow.__struct_fields__})
            jobs.enqueue(connection, job)

        await self._database.write(work)

    async def get(self, project: str, batch_id: str) -> tuple[BatchRow, Counts] | None:
        """Return a batch, and the counts of its lines."""

        def work(connection: Connection) -> tuple[BatchRow, Counts] | None:
            found = connection.execute(_GET, {"id": batch_id, "project": project}).mappings().first()
            return None if found is None else (BatchRow(**found), _counts(connection, [batch_id])[batch_id])

        return await self._database.read(work)

    async def page(self, project: str, after: str | None, limit: int) -> tuple[list[tuple[BatchRow, Counts]], bool]:
        """Return a page of the batches, the newest first, and if there is more.

        Raises Invalid when `after` is no batch of the project.
        """
        chosen = select(*_columns).where(batches.c.project == project).order_by(batches.c.number.desc())
        chosen = chosen.limit(limit + 1)

        def work(connection: Connection) -> tuple[list[tuple[BatchRow, Counts]], bool]:
            statement = chosen
            if after is not None:
                number = connection.execute(_NUMBER, {"id": after, "project": project}).scalar()
                if number is None:
                    raise Invalid(f"No batch found with id '{after}'.", "invalid_value", "after")
                statement = statement.where(batches.c.number < number)
            rows = [BatchRow(**row) for row in connection.execute(statement).mappings()]
            counts = _counts(connection, [row.id for row in rows[:limit] if row.status in UNDER_WAY])
            return [(row, counts.get(row.id, {})) for row in rows[:limit]], len(rows) > limit

        return await self._database.read(work)

    async def cancel(self, project: str, batch_id: str, change: Change) -> bool:
        """Change a batch, and ask its job to end early; False when there is no such batch."""

        def work(connection: Connection) -> bool:
            jobs.stop(connection, project, batch_id)
            return _change(connection, project, batch_id, change)

        return await self._database.write(work)

    async def last_line(self, batch_id: str) -> int:
        """Return the number of the last line that is stored; 0 where there is none."""
        sought = {"its_batch": batch_id}
        return await self._database.read(lambda connection: connection.execute(_LAST, sought).scalar() or 0)

    async def add_lines(self, job: JobRow, lines: Sequence[LineRow]) -> None:
        """Add lines to the job's batch, durable when this returns. Raises LeaseLost."""
        rows = [{name: getattr(line, name) for name in LineRow.__struct_fields__} for line in lines]
        same = {"batch": job.subject, "state": PENDING}

        def work(connection: Connection) -> None:
            jobs.hold(connection, job)
            connection.execute(_ADD_LINES, [row | same for row in rows])

        await self._database.write(work)

    async def move(self, job: JobRow, change: Change) -> None:
        """Change the job's batch. Raises LeaseLost."""

        def work(connection: Connection) -> None:
            jobs.hold(connection, job)
            _change(connection, job.project, job.subject, change)

        await self._database.write(work)

    async def pending(self, batch_id: str, after: LineRow | None, most: int) -> list[LineRow]:
        """Return up to `most` lines that were not executed yet, those with the same prefix together.

        They are those behind the line `after`.
        """
        sought = {"its_batch": batch_id, "prefix": b"", "after": 0, "most": most}
        if after is not None:
            sought |= {"prefix": after.prefix, "after": after.number}

        def work(connection: Connection) -> list[LineRow]:
            return [LineRow(**row) for row in connection.execute(_PENDING, sought).mappings()]

        return await self._database.read(work)

    async def answer(self, job: JobRow, number: int, state: str, result: bytes) -> None:
        """Write what came of a line, durable when this returns. Raises LeaseLost."""
        values = {"its_batch": job.subject, "its_number": number, "new_state": state, "new_result": result}

        def work(connection: Connection) -> None:
            jobs.hold(connection, job)
            connection.execute(_ANSWER, values)

        await self._database.write(work)

    async def close(self, job: JobRow, state: str) -> Counts:
        """Give the lines that are pending that state, for good, and return the counts of all. Raises LeaseLost."""

        def work(connection: Connection) -> Counts:
            jobs.hold(connection, job)
            connection.execute(_CLOSE, {"its_batch": job.subject, "new_state": state})
            return _counts(connection, [job.subject])[job.subject]

        return await self._database.write(work)

    async def results(self, batch_id: str, state: str, after: int, most: int) -> list[ResultRow]:
        """Return what came of up to `most` lines in that state, in their order, behind the line number `after`."""
        sought = {"its_batch": batch_id, "its_state": state, "after": after, "most": most}
        return await self._database.read(
            lambda connection: [ResultRow(*row) for row in connection.execute(_RESULTS, sought)]
        )

    async def end(self, job: JobRow, change: Change) -> None:
        """Change the job's batch for the last time and finish the job. Raises LeaseLost."""

        def work(connection: Connection) -> None:
            jobs.finish(connection, job)
            _change(connection, job.project, job.subject, change)

        await self._database.write(work)

    async def ended_with_lines(self) -> list[str]:
        """Return the batches that have ended and still have lines."""
        return await self._database.read(lambda connection: list(connection.execute(_LEFT_OVER).scalars()))

    async def forget(self, batch_id: str, most: int) -> bool:
        """Delete up to `most` lines of a batch; False when there was none."""
        sought = {"its_batch": batch_id, "most": most}
        return await self._database.write(lambda connection: connection.execute(_FORGET, sought).rowcount > 0)


def _counts(connection: Connection, batch_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {one: {} for one in batch_ids}
    for batch, state, count in connection.execute(_COUNT, {"ids": list(counts)}):
        counts[batch][state] = count
    return counts


def _change(connection: Connection, project: str, batch_id: str, change: Change) -> bool:
    found = connection.execute(_LOCK, {"id": batch_id, "project": project}).mappings().first()
    if found is None:
        return False
    new = change(connection, BatchRow(**found))
    connection.execute(_CHANGE, {"its_id": new.id, "new_status": new.status, "new_body": new.body})
    return True
