"""The rows of background responses while they are made: their journal, frame by frame, and how they begin and end.

Each write holds the job behind the response: what a worker writes that has lost its lease is undone.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from freehold.storage.database import Database
from freehold.storage.repos import jobs as queue
from freehold.storage.repos.conversations import append
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.jobs import JobRow
from freehold.storage.repos.responses import UNDER_WAY, ResponseRow, rows_of
from freehold.storage.tables import frames, items, jobs, responses


class Begun(Struct, frozen=True):
    """A response that has begun, and all frames of its stream so far."""

    row: ResponseRow
    frames: list[bytes]


class Ending(Struct, frozen=True, kw_only=True):
    """How a response ends. `frames` are the last of its stream, the first of them with the number `first`.

    What was said is added to the `conversation` where there is one; `also` is done in the same transaction.
    """

    status: str
    body: bytes
    outputs: Sequence[ItemRow]
    first: int
    frames: Sequence[bytes]
    conversation: str | None = None
    also: Callable[[Connection], None]


class Page(Struct, frozen=True):
    """The status of a response, and frames that follow each other."""

    status: str
    frames: list[bytes]
    last: int

    @property
    def ended(self) -> bool:
        """Whether the response has ended, and so its journal."""
        return self.status not in UNDER_WAY


_one = (responses.c.id == bindparam("id"), responses.c.project == bindparam("project"))
_GET = select(*(responses.c[name] for name in ResponseRow.__struct_fields__)).where(*_one)
_STATUS = select(responses.c.status).where(*_one)
_own = frames.c.response == bindparam("id")
_FRAMES = select(frames.c.body).where(_own).order_by(frames.c.number)
_AFTER = (
    select(frames.c.number, frames.c.body)
    .where(_own, frames.c.number > bindparam("after"))
    .order_by(frames.c.number)
    .limit(bindparam("most"))
)
_ADD = insert(frames)
_WORKING = (
    update(responses)
    .where(responses.c.id == bindparam("its_id"), responses.c.status == "queued")
    .values(status="in_progress")
)
_END = (
    update(responses)
    .where(responses.c.id == bindparam("its_id"))
    .values(status=bindparam("new_status"), body=bindparam("new_body"))
)
_INPUTS = select(items.c.id, items.c.body).where(items.c.response == bindparam("id")).order_by(items.c.position)
_ADD_ITEMS = insert(items)
_TAKE = delete(jobs).where(
    jobs.c.project == bindparam("its_project"),
    jobs.c.subject == bindparam("its_subject"),
    jobs.c.kind == bindparam("its_kind"),
    or_(jobs.c.worker.is_(None), jobs.c.due < bindparam("now")),
)
_KEPT = select(frames.c.response).where(frames.c.number == 0)
_OLD = (
    select(responses.c.id)
    .where(
        responses.c.id.in_(_KEPT),
        responses.c.created < bindparam("before"),
        responses.c.status.not_in(UNDER_WAY),
    )
    .limit(bindparam("most"))
)
_FORGET = delete(frames).where(frames.c.response.in_(bindparam("ids", expanding=True)))


class JournalRows:
    """The journals of every project's responses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, row: ResponseRow, inputs: Sequence[ItemRow], first: Sequence[bytes], job: JobRow) -> None:
        """Store a response with its input, its first frames and the job that makes it: all or nothing."""

        def work(connection: Connection) -> None:
            for statement, values in rows_of(row, inputs, ()):
                connection.execute(statement, values)
            _write(connection, row.id, 0, first)
            queue.enqueue(connection, job)

        await self._database.write(work)

    async def get(self, project: str, response_id: str) -> Begun | None:
        """Return a response with its whole journal."""
        return await self._database.read(lambda connection: _get(connection, project, response_id))

    async def read(self, project: str, response_id: str, after: int, most: int) -> Page | None:
        """Return up to `most` frames with numbers over `after`; None when there is no such response."""
        sought = {"id": response_id, "project": project}

        def work(connection: Connection) -> Page | None:
            status = connection.execute(_STATUS, sought).scalar()
            if status is None:
                return None
            rows = connection.execute(_AFTER, {"id": response_id, "after": after, "most": most}).all()
            return Page(status, [row.body for row in rows], rows[-1].number if rows else after)

        return await self._database.read(work)

    async def add(self, job: JobRow, first: int, new: Sequence[bytes]) -> None:
        """Add frames, the first of them with the number `first`; the response is in progress. Raises LeaseLost."""

        def work(connection: Connection) -> None:
            queue.hold(connection, job)
            _write(connection, job.subject, first, new)
            connection.execute(_WORKING, {"its_id": job.subject})

        await self._database.write(work)

    async def end(self, job: JobRow, ending: Ending) -> None:
        """End a response and finish its job. Raises LeaseLost."""

        def work(connection: Connection) -> None:
            queue.finish(connection, job)
            _end(connection, job.project, job.subject, ending)

        await self._database.write(work)

    async def end_early(
        self, project: str, response_id: str, kind: str, now: float, end: Callable[[Begun], Ending]
    ) -> bool:
        """End a response at once whose job, of that kind, no worker has; ask the worker to end it that has it.

        Returns whether a worker was asked.
        """
        its = {"its_project": project, "its_subject": response_id}

        def work(connection: Connection) -> bool:
            if connection.execute(_TAKE, {**its, "its_kind": kind, "now": now}).rowcount == 0:
                return queue.stop(connection, project, response_id)
            begun = _get(connection, project, response_id)
            if begun is not None:
                _end(connection, project, response_id, end(begun))
            return False

        return await self._database.write(work)

    async def forget(self, before: float, most: int = 100) -> int:
        """Delete the journals of up to `most` responses that have ended and were created before that unix time.

        Returns of how many.
        """
        sought = {"before": before, "most": most}
        ids = await self._database.read(lambda connection: list(connection.execute(_OLD, sought).scalars()))
        if ids:
            await self._database.write(lambda connection: connection.execute(_FORGET, {"ids": ids}))
        return len(ids)


def _get(connection: Connection, project: str, response_id: str) -> Begun | None:
    found = connection.execute(_GET, {"id": response_id, "project": project}).mappings().first()
    if found is None:
        return None
    return Begun(ResponseRow(**found), list(connection.execute(_FRAMES, {"id": response_id}).scalars()))


def _write(connection: Connection, response_id: str, first: int, new: Sequence[bytes]) -> None:
    if new:
        rows = [{"response": response_id, "number": number, "body": body} for number, body in enumerate(new, first)]
        connection.execute(_ADD, rows)


def _end(connection: Connection, project: str, response_id: str, ending: Ending) -> None:
    values = {"its_id": response_id, "new_status": ending.status, "new_body": ending.body}
    connection.execute(_END, values)
    _write(connection, response_id, ending.first, ending.frames)
    inputs = [ItemRow(item_id, body) for item_id, body in connection.execute(_INPUTS, {"id": response_id})]
    outputs = [
        {"response": response_id, "position": position, "output": True, "id": item.id, "body": item.body}
        for position, item in enumerate(ending.outputs, len(inputs))
    ]
    if outputs:
        connection.execute(_ADD_ITEMS, outputs)
    if ending.conversation is not None:
        append(connection, project, ending.conversation, [*inputs, *ending.outputs])
    ending.also(connection)
