"""The rows of jobs: a queue with leases, on the database that holds everything else.

A job is enqueued in the transaction of the row that needs it, and deleted in the one that writes its result. A worker
has a job while it renews the lease; once another has claimed it, `worker` and `attempts` are no longer what the first
knows, and whatever the first still writes is undone.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from freehold.storage.database import Database
from freehold.storage.tables import jobs


class LeaseLost(Exception):
    """The job is no longer this worker's: another one has it, or it was dropped."""


class JobRow(Struct, frozen=True, kw_only=True):
    """Work for the object `subject`; times are unix seconds.

    `due` 0 is at once, whatever the clock does. `worker` and `attempts` are this claim's, and tell it from any other.
    """

    id: str
    kind: str
    subject: str
    project: str
    payload: bytes = b""
    created: float
    due: float = 0.0
    attempts: int = 0
    worker: str | None = None
    stop: bool = False


class Seen(Struct, frozen=True):
    """What became of jobs while they ran: those that were asked to stop, and those that another worker has by now."""

    stopping: frozenset[str]
    stolen: frozenset[str]


_own = jobs.c
_columns = [_own[name] for name in JobRow.__struct_fields__]
_these = _own.id.in_(bindparam("ids", expanding=True))
_ours = (_own.id == bindparam("its_id"), _own.worker == bindparam("its_worker"), _own.attempts == bindparam("its_turn"))
_free = (
    _own.kind.in_(bindparam("kinds", expanding=True)),
    _own.due <= bindparam("now"),
    _own.subject.not_in(bindparam("busy", expanding=True)),
)
_first = select(_own.id, func.row_number().over(partition_by=_own.subject, order_by=(_own.created, _own.id)).label("n"))
_candidates = _first.where(*_free).subquery()
_ADD = insert(jobs)
_DUE = select(_own.kind).where(*_free).distinct()
_CLAIMABLE = (
    select(_own.id)
    .where(_own.id.in_(select(_candidates.c.id).where(_candidates.c.n == 1)), _own.due <= bindparam("now"))
    .order_by(_own.created, _own.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIM = update(jobs).where(_these).values(worker=bindparam("to"), due=bindparam("until"), attempts=_own.attempts + 1)
_CLAIMED = select(*_columns).where(_these).order_by(_own.created, _own.id)
_HOLD = select(_own.id).where(*_ours).with_for_update()
_FINISH = delete(jobs).where(*_ours)
_PUT_OFF = update(jobs).where(*_ours).values(worker=None, due=bindparam("at"), attempts=bindparam("turns"))
_BEAT = update(jobs).where(_these, _own.worker == bindparam("its_worker")).values(due=bindparam("until"))
_SEEN = select(_own.id, _own.worker, _own.stop).where(_these)
_STOP = (
    update(jobs)
    .where(_own.project == bindparam("its_project"), _own.subject == bindparam("its_subject"))
    .values(stop=True, due=case((_own.worker.is_(None), 0.0), else_=_own.due))
)
_DROP = delete(jobs).where(_own.project == bindparam("its_project"), _own.subject == bindparam("its_subject"))


def enqueue(connection: Connection, job: JobRow) -> None:
    """Add a job, as part of the write of the row that needs it."""
    connection.execute(_ADD, {name: getattr(job, name) for name in JobRow.__struct_fields__})


def finish(connection: Connection, job: JobRow) -> None:
    """Delete a job, as part of the write of its result. Raises LeaseLost."""
    if connection.execute(_FINISH, _claim_of(job)).rowcount == 0:
        raise LeaseLost(f"job {job.id} is no longer {job.worker}'s")


def hold(connection: Connection, job: JobRow) -> None:
    """Make sure that a job is still this worker's until the write ends that this is part of. Raises LeaseLost."""
    if connection.execute(_HOLD, _claim_of(job)).first() is None:
        raise LeaseLost(f"job {job.id} is no longer {job.worker}'s")


def stop(connection: Connection, project: str, subject: str) -> bool:
    """Ask the jobs of an object to end early, as part of a write; False when it has none.

    One that waits for its next attempt is due at once, so that it can end.
    """
    return connection.execute(_STOP, {"its_project": project, "its_subject": subject}).rowcount > 0


def drop(connection: Connection, project: str, subject: str) -> None:
    """Delete the jobs of an object, as part of the write that deletes it; those under way lose their leases."""
    connection.execute(_DROP, {"its_project": project, "its_subject": subject})


class JobRows:
    """The queue, as workers see it: the jobs of every project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: JobRow) -> None:
        """Add a job that no other row needs, durable when this returns."""
        await self._database.write(lambda connection: enqueue(connection, job))

    async def due(self, kinds: Collection[str], now: float, busy: Collection[str] = ()) -> set[str]:
        """Return those of the kinds of which `claim` may find a job; it costs less than a claim that finds none."""
        sought = {"kinds": list(kinds), "now": now, "busy": list(busy)}
        return await self._database.read(lambda connection: set(connection.execute(_DUE, sought).scalars()))

    async def claim(
        self, worker: str, kinds: Collection[str], now: float, lease: float, limit: int, busy: Collection[str] = ()
    ) -> list[JobRow]:
        """Claim up to `limit` jobs that are due, oldest first, for `lease` seconds.

        They are of different subjects, and of none of the `busy` ones.
        """
        sought = {"kinds": list(kinds), "now": now, "busy": list(busy), "most": limit}

        def work(connection: Connection) -> list[JobRow]:
            ids = list(connection.execute(_CLAIMABLE, sought).scalars())
            if not ids:
                return []
            connection.execute(_CLAIM, {"ids": ids, "to": worker, "until": now + lease})
            return [JobRow(**row) for row in connection.execute(_CLAIMED, {"ids": ids}).mappings()]

        return await self._database.write(work)

    async def beat(self, worker: str, ids: Collection[str], due: float) -> Seen:
        """Renew the worker's leases until `due`, and return what `look` returns."""
        sought = {"ids": list(ids)}

        def work(connection: Connection) -> Seen:
            connection.execute(_BEAT, {**sought, "its_worker": worker, "until": due})
            return _seen(connection, worker, sought)

        return await self._database.write(work)

    async def look(self, worker: str, ids: Collection[str]) -> Seen:
        """Return what became of jobs that the worker runs. Those that are gone are finished, or were dropped."""
        return await self._database.read(lambda connection: _seen(connection, worker, {"ids": list(ids)}))

    async def put_off(self, job: JobRow, due: float, counted: bool = True) -> bool:
        """Give a job back to the queue until `due`; False when it was this worker's no longer.

        An attempt that is not `counted` was not the job's fault.
        """
        values = {**_claim_of(job), "at": due, "turns": job.attempts if counted else job.attempts - 1}
        return await self._database.write(lambda connection: connection.execute(_PUT_OFF, values).rowcount > 0)

    async def stop(self, project: str, subject: str) -> bool:
        """Ask the jobs of an object to end early; False when it has none."""
        return await self._database.write(lambda connection: stop(connection, project, subject))


def _claim_of(job: JobRow) -> dict[str, object]:
    return {"its_id": job.id, "its_worker": job.worker, "its_turn": job.attempts}


def _seen(connection: Connection, worker: str, sought: Mapping[str, object]) -> Seen:
    rows = connection.execute(_SEEN, sought).all()
    mine = {row.id: row.stop for row in rows if row.worker == worker}
    stopping = frozenset(job_id for job_id, asked in mine.items() if asked)
    return Seen(stopping, frozenset(row.id for row in rows if row.id not in mine))
