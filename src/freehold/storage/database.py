"""The database: SQLAlchemy Core on threads of its own, whose writers commit many works together."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Insert, exc
from sqlalchemy.engine.interfaces import DBAPICursor

from freehold.core.errors import StorageFailed
from freehold.storage.dialect import Dialect
from freehold.storage.opening import check, dialect_of, upgraded

log = logging.getLogger(__name__)

T = TypeVar("T")
Rows = tuple[Insert, Sequence[Mapping[str, Any]]]


class Inserts(NamedTuple):
    """Rows to insert, table by table; those of many callers are inserted by one statement a table."""

    rows: tuple[Rows, ...]


Work = Callable[[Connection], Any] | Inserts
Job = tuple[Work, asyncio.Future[Any]]
Settled = tuple[asyncio.Future[Any], Any]

TOGETHER = 200
GATHER_SECONDS = 0.002
ATTEMPTS = 3
PATIENCE_SECONDS = 45.0
MUTE = "The database gives no answer now. Please retry your request."
UNSURE = (
    "The connection to the database was lost, or gave no answer, when this was to be stored: it may be stored, or not. "
    "Look before you repeat it."
)


class _Unsure(Exception):
    """The connection was lost during the commit."""


class Database:
    """Runs works on the database: reads on a few threads, writes on others.

    A work is a function of a Connection; it neither begins nor ends transactions. It may be run again when its
    transaction was undone, so it must change nothing but the database.
    """

    def __init__(self, dialect: Dialect, loop: asyncio.AbstractEventLoop, patience: float = PATIENCE_SECONDS) -> None:
        """`loop` is the event loop of every caller, `patience` the seconds after which a caller waits no longer."""
        self._dialect = dialect
        self._loop = loop
        self._patience = patience
        self._closing = False
        self._readers = ThreadPoolExecutor(dialect.readers, "database-reader")
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._writers = [
            Thread(target=self._write_all, name=f"database-writer-{number}", daemon=True)
            for number in range(dialect.writers)
        ]
        for writer in self._writers:
            writer.start()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a work that only reads, on one snapshot, and return what it returns.

        Raises StorageFailed when the database cannot, Invalid for values that it cannot look up, and what the work
        raises.
        """
        self._refuse_when_closing()
        return await self._answer(self._loop.run_in_executor(self._readers, self._read, work), MUTE)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a work and return what it returns once it is durable.

        Works of many callers share a transaction, each in its own savepoint: one that raises undoes only itself. A
        caller that is cancelled while it waits leaves its work to be done. Raises StorageFailed when the database
        cannot, Invalid for values that it cannot store, and what the work raises.
        """
        return await self._submit(work)

    async def insert(self, *rows: Rows) -> None:
        """Insert rows, all or none, durable when this returns.

        Costs a fraction of the same inserts in a `write`. Raises StorageFailed when the database cannot, or will not,
        and Invalid for values that it cannot store.
        """
        await self._submit(Inserts(rows))

    async def _submit(self, work: Work) -> Any:
        self._refuse_when_closing()
        done: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put((work, done))
        return await self._answer(done, UNSURE)

    async def _answer(self, done: asyncio.Future[T], otherwise: str) -> T:
        """Wait for a work. Raises StorageFailed, which says `otherwise`, when it takes too long."""
        bound = asyncio.timeout(self._patience)
        try:
            async with bound:
                return await done
        except TimeoutError as error:
            if bound.expired():
                raise StorageFailed(otherwise) from error
            raise

    async def close(self) -> None:
        """Refuse new works, finish those that wait, then close."""
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._wind_up)

    def _wind_up(self) -> None:
        for writer in self._writers:
            writer.join()
        self._readers.shutdown()
        self._dialect.engine.dispose()

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise StorageFailed("The database is being closed: the server is shutting down.")

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._transact(self._dialect.read, work, commit=False)
        except Exception as error:
            raise self._told(error) from error

    def _write_all(self) -> None:
        busy = False
        while jobs := self._take(busy):
            busy = len(jobs) > 1
            left = self._write_together(jobs) if busy else jobs
            for job in left:
                self._write_alone(job)

    def _take(self, patiently: bool) -> list[Job]:
        """Wait for a job and return it with its share of those behind it; none once the database is to be closed."""
        if patiently:
            time.sleep(GATHER_SECONDS)  # where many write at once, a little patience saves most of the commits
        jobs: list[Job] = []
        most = 1
        try:
            while len(jobs) < most:
                job = self._queue.get(block=not jobs)
                if job is None:
                    self._queue.put(None)  # the next call, and every other writer, must find it too
                    break
                if not jobs:
                    most = min(TOGETHER, 1 + self._queue.qsize() // len(self._writers))
                jobs.append(job)
        except Empty:  # another writer was faster
            return jobs
        return jobs

    def _write_together(self, jobs: list[Job]) -> list[Job]:
        """Run the jobs in one transaction and tell their callers; return those that are to be run alone instead."""
        works = [work for work, _ in jobs]
        try:
            outcomes = self._transact(self._dialect.together, lambda connection: _run_each(connection, works))
        except Exception as error:  # noqa: BLE001  the thread must outlive it, and every caller must hear of it
            outcomes = [error] * len(jobs)
        left: list[Job] = []
        settled: list[Settled] = []
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception) and self._dialect.is_crossed(outcome):
                left.append(job)
            else:
                settled.append((job[1], self._told(outcome) if isinstance(outcome, Exception) else outcome))
        self._loop.call_soon_threadsafe(_settle, settled)
        return left

    def _write_alone(self, job: Job) -> None:
        work, done = job
        try:
            outcome = self._transact(self._dialect.alone, lambda connection: _run(connection, work))
        except Exception as error:  # noqa: BLE001  the thread must outlive it, and the caller must hear of it
            outcome = self._told(error)
        self._loop.call_soon_threadsafe(_settle, [(done, outcome)])

    def _transact(self, begin: str, run: Callable[[Connection], T], commit: bool = True) -> T:
        """Run in a transaction; again when it was undone because the connection was lost, or others were in the way."""
        for left in reversed(range(ATTEMPTS)):
            with self._dialect.engine.connect() as connection:
                try:
                    self._dialect.begin(connection, begin)
                    outcome = run(connection)
                except Exception as error:
                    undone = self._dialect.lost(connection) or self._dialect.is_crossed(error)
                    if left and undone:
                        log.info("a transaction is begun again: %s", error)
                        continue
                    raise
                if commit:
                    self._commit(connection)
                return outcome
        raise AssertionError("the last attempt returns or raises")

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except exc.SQLAlchemyError as error:
            if self._dialect.lost(connection):
                raise _Unsure from error
            raise

    def _told(self, error: Exception) -> Exception:
        """Return what the caller of a work is to hear of an error, and log what is not for callers to read."""
        if isinstance(error, _Unsure):
            log.error("the database was lost during a commit", exc_info=error)
            return StorageFailed(UNSURE)
        driver = self._dialect.engine.dialect.loaded_dbapi
        if not isinstance(error, (exc.SQLAlchemyError, driver.Error)):
            return error
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(cause, driver.OperationalError):
            log.warning("the database cannot be used: %s", " ".join(str(cause).split()))
        else:
            log.error("the database refused a work", exc_info=error)
        return self._dialect.fault(error)


def _run_each(connection: Connection, works: list[Work]) -> list[Any]:
    """Run the works, each in a savepoint, and return a result, or an exception, for each."""
    cursor = connection.connection.cursor()
    merged = [work for work in works if isinstance(work, Inserts)]
    inserted = len(merged) > 1 and _attempt(cursor, lambda: _insert_together(connection, merged)) is None
    return [
        None if inserted and isinstance(work, Inserts) else _attempt(cursor, lambda work=work: _run(connection, work))
        for work in works
    ]


def _attempt(cursor: DBAPICursor, run: Callable[[], Any]) -> Any:
    """Return what a function returns, or the exception that undid all that it did."""
    # On the bare cursor: through SQLAlchemy, the savepoint would cost half as much as the work.
    cursor.execute("SAVEPOINT work")
    try:
        outcome = run()
    except Exception as error:  # noqa: BLE001  it goes to the caller whose work it is
        try:
            cursor.execute("ROLLBACK TO work")
        except Exception:  # noqa: BLE001  a full disk, for one, ends the whole transaction: then all works have failed
            raise error from None
        outcome = error
    cursor.execute("RELEASE work")
    return outcome


def _insert_together(connection: Connection, works: list[Inserts]) -> None:
    """Insert the rows of all works by one statement a table.

    Tables are filled in the order in which they first appear, so rows that others refer to come first.
    """
    tables: dict[Insert, list[Mapping[str, Any]]] = {}
    for work in works:
        for statement, rows in work.rows:
            tables.setdefault(statement, []).extend(rows)
    for statement, rows in tables.items():
        connection.execute(statement, rows)


def _run(connection: Connection, work: Work) -> Any:
    if not isinstance(work, Inserts):
        return work(connection)
    for statement, rows in work.rows:
        connection.execute(statement, rows)


def _settle(settled: list[Settled]) -> None:
    for done, outcome in settled:
        if done.cancelled():
            continue
        if isinstance(outcome, BaseException):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


@asynccontextmanager
async def open_database(url: str, folder: Path, migrate: bool = True) -> AsyncIterator[Database]:
    """Open the database at `url`, bring its schema up to date, and close it at the end.

    A relative path is inside the data folder `folder`, which is made when it is missing. Without `migrate`, the schema
    must be the one that this program knows. Raises ValueError for a URL that is wrong or not supported, StorageFailed
    when the database cannot be opened or is another program's.
    """
    dialect = dialect_of(url, folder)
    try:
        await asyncio.to_thread(upgraded if migrate else check, dialect)
    except BaseException:
        dialect.engine.dispose()
        raise
    database = Database(dialect, asyncio.get_running_loop())
    try:
        yield database
    finally:
        await database.close()
