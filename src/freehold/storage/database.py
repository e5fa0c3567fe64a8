"""The database: SQLAlchemy Core on threads of its own, one writer that commits many works together.

Durability on SQLite: WAL with `synchronous=FULL`, so that a commit is on the disk before its caller goes on, also
through a power cut. NORMAL would survive a kill as well, and save one fsync a commit, but a power cut would undo the
last acknowledged ones; because up to 200 works share a commit, they share the fsync too.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, Engine, Insert, create_engine, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPICursor

from freehold.core.errors import StorageFailed
from freehold.storage.migrations.upgrade import upgrade

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
READERS = 2
BUSY_SECONDS = 10.0


class Database:
    """Runs works on the database: reads on a few threads, writes on one.

    A work is a function of a Connection; it neither begins nor ends transactions.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is the event loop of every caller."""
        self._engine = engine
        self._loop = loop
        self._closing = False
        self._busy = False
        self._readers = ThreadPoolExecutor(READERS, "database-reader")
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._writer = Thread(target=self._write_all, name="database-writer", daemon=True)
        self._writer.start()

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Run a work that only reads, on one snapshot, and return what it returns.

        Raises StorageFailed when the database cannot, and what the work raises.
        """
        self._refuse_when_closing()
        return self._loop.run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a work and return what it returns once it is durable.

        Works of many callers share a transaction, each in its own savepoint: one that raises undoes only itself. A
        caller that is cancelled while it waits leaves its work to be done. Raises StorageFailed when the database
        cannot, and what the work raises.
        """
        return await self._submit(work)

    async def _submit(self, work: Work) -> Any:
        self._refuse_when_closing()
        done: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put((work, done))
        return await done

    async def insert(self, *rows: Rows) -> None:
        """Insert rows, all or none, durable when this returns.

        Costs a fraction of the same inserts in a `write`. Raises StorageFailed when the database cannot, or will not.
        """
        await self._submit(Inserts(rows))

    async def close(self) -> None:
        """Refuse new works, finish those that wait, then close."""
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._wind_up)

    def _wind_up(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise StorageFailed("The database is being closed: the server is shutting down.")

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                connection.connection.cursor().execute("BEGIN")  # without it every statement sees a newer state
                return work(connection)
        except exc.SQLAlchemyError as error:
            log.exception("the database could not be read")
            raise _failed(error) from error

    def _write_all(self) -> None:
        while jobs := self._take():
            outcomes = self._write_together(jobs)
            settled = [(done, outcome) for (_, done), outcome in zip(jobs, outcomes, strict=True)]
            self._loop.call_soon_threadsafe(_settle, settled)

    def _take(self) -> list[Job]:
        """Wait for a job and return it with those behind it; none at all once the database is to be closed."""
        jobs: list[Job] = []
        if self._busy:
            time.sleep(GATHER_SECONDS)  # where many write at once, a little patience saves most of the commits
        while not jobs or (len(jobs) < TOGETHER and not self._queue.empty()):
            job = self._queue.get()
            if job is None:
                self._queue.put(None)  # the next call must find it too
                break
            jobs.append(job)
        self._busy = len(jobs) > 1
        return jobs

    def _write_together(self, jobs: list[Job]) -> list[Any]:
        """Run the jobs in one transaction and return a result, or an exception, for each."""
        outcomes: list[Any] = []
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                cursor = connection.connection.cursor()
                merged = [work for work, _ in jobs if isinstance(work, Inserts)]
                inserted = len(merged) > 1 and _insert_together(connection, cursor, merged)
                for work, _ in jobs:
                    done = inserted and isinstance(work, Inserts)
                    outcomes.append(None if done else _run_alone(connection, cursor, work))
                connection.commit()
        except Exception as error:  # the thread must outlive it, and every caller must hear of it
            log.error("the database could not be written", exc_info=error)
            return [_failed(error) for _ in jobs]
        return outcomes


def _insert_together(connection: Connection, cursor: DBAPICursor, works: list[Inserts]) -> bool:
    """Insert the rows of all works by one statement a table; False, and nothing inserted, when one does not fit.

    Tables are filled in the order in which they first appear, so rows that others refer to come first.
    """
    tables: dict[Insert, list[Mapping[str, Any]]] = {}
    for work in works:
        for statement, rows in work.rows:
            tables.setdefault(statement, []).extend(rows)
    cursor.execute("SAVEPOINT work")
    try:
        for statement, rows in tables.items():
            connection.execute(statement, rows)
    except exc.IntegrityError:
        cursor.execute("ROLLBACK TO work")
        cursor.execute("RELEASE work")
        return False
    cursor.execute("RELEASE work")
    return True


def _run(connection: Connection, work: Work) -> Any:
    if not isinstance(work, Inserts):
        return work(connection)
    for statement, rows in work.rows:
        connection.execute(statement, rows)


def _run_alone(connection: Connection, cursor: DBAPICursor, work: Work) -> Any:
    # On the bare cursor: through SQLAlchemy, the savepoint would cost half as much as the work.
    cursor.execute("SAVEPOINT work")
    try:
        outcome = _run(connection, work)
    except Exception as error:  # it goes to the caller whose work it is
        try:
            cursor.execute("ROLLBACK TO work")
        except Exception:  # noqa: BLE001  a full disk, for one, ends the whole transaction: then all jobs have failed
            raise error from None
        if isinstance(error, exc.SQLAlchemyError):
            log.error("a write failed", exc_info=error)
            outcome = _failed(error)
        else:
            outcome = error
    cursor.execute("RELEASE work")
    return outcome


def _settle(settled: list[Settled]) -> None:
    for done, outcome in settled:
        if done.cancelled():
            continue
        if isinstance(outcome, BaseException):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


def _failed(error: Exception) -> StorageFailed:
    # Other errors than the driver's own hold the statement, which is nothing for the caller to read.
    reason = error.orig if isinstance(error, exc.DBAPIError) else type(error).__name__
    fault = StorageFailed(f"The database cannot be used now: {reason}. Please retry your request.")
    fault.__cause__ = error
    return fault


@asynccontextmanager
async def open_database(url: str, folder: Path) -> AsyncIterator[Database]:
    """Open the database at `url`, bring its schema up to date, and close it at the end.

    A relative path is inside the data folder `folder`, which is made when it is missing. Raises ValueError for a URL
    that is wrong or not supported, StorageFailed when the database cannot be opened or is a newer program's.
    """
    engine = await asyncio.to_thread(_open, _path(url, folder))
    database = Database(engine, asyncio.get_running_loop())
    try:
        yield database
    finally:
        await database.close()


def _path(url: str, folder: Path) -> Path:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise ValueError(f"setting storage.database: {url!r} is not a URL like sqlite:///freehold.db") from error
    if parsed.drivername != "sqlite":
        raise ValueError(
            f"setting storage.database: {parsed.drivername!r} is not supported yet (supported: sqlite:///FILE)"
        )
    if not parsed.database or parsed.database == ":memory:" or parsed.host or parsed.query:
        raise ValueError("setting storage.database: name a file and nothing else, as in sqlite:///freehold.db")
    return folder / parsed.database


def _open(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=READERS + 1,
        hide_parameters=True,  # they are what people wrote, and errors are logged
    )
    event.listen(engine, "connect", _prepare)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            upgrade(connection)
            connection.commit()
    except OSError as error:
        raise StorageFailed(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
    except exc.SQLAlchemyError as error:
        engine.dispose()
        raise StorageFailed(f"The database {path} cannot be opened: {getattr(error, 'orig', error)}.") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # Without this the driver begins transactions by itself, after the statements that must be inside them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
