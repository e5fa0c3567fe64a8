"""The database: SQLAlchemy Core on threads of its own, one writer that commits many works together.

Durability on SQLite: WAL with `synchronous=FULL`, so that a commit is on the disk before its caller goes on, also
through a power cut. NORMAL would save one fsync a commit and lose the last ones; because up to 200 works share a
commit, the fsync is shared too.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

from freehold.core.errors import Fault, StorageFailed
from freehold.storage.migrations.upgrade import upgrade

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], Any]
Job = tuple[Work, asyncio.Future[Any]]

TOGETHER = 200
READERS = 2
BUSY_SECONDS = 10.0


class Database:
    """Runs works on the database: reads on a few threads, writes on one. A work is a function of a Connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = ThreadPoolExecutor(READERS, "database-reader")
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._writer = Thread(target=self._write_all, name="database-writer", daemon=True)
        self._writer.start()

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Run a work that only reads and return what it returns. Raises StorageFailed when the database cannot."""
        return asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a work and return what it returns once it is durable.

        Works of many callers share a transaction, each in its own savepoint: one that raises undoes only itself. A
        caller that is cancelled while it waits leaves its work to be done. Raises StorageFailed when the database
        cannot, and what the work raises.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, done))
        return await done

    def close(self) -> None:
        """Finish the works that wait, then close."""
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")  # one snapshot for all the statements of a work
                return work(connection)
        except exc.SQLAlchemyError as error:
            raise _failed(error) from error

    def _write_all(self) -> None:
        open_ = True
        while open_:
            jobs: list[Job] = []
            job = self._queue.get()
            while True:
                if job is None:
                    open_ = False
                    break
                jobs.append(job)
                if len(jobs) == TOGETHER or self._queue.empty():
                    break
                job = self._queue.get()
            if jobs:
                _answer(jobs, self._write_together(jobs))

    def _write_together(self, jobs: list[Job]) -> list[Any]:
        """Run the jobs in one transaction and return a result, or an exception, for each."""
        outcomes: list[Any] = []
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                for work, _ in jobs:
                    outcomes.append(_run_alone(connection, work))
                connection.commit()
        except exc.SQLAlchemyError as error:
            log.error("the database could not be written: %s", error)
            return [_failed(error)] * len(jobs)
        return outcomes


def _run_alone(connection: Connection, work: Work) -> Any:
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        outcome = work(connection)
    except Exception as error:  # noqa: BLE001  it goes to the caller whose work it is
        connection.exec_driver_sql("ROLLBACK TO work")
        outcome = _failed(error) if isinstance(error, exc.OperationalError) else error
    connection.exec_driver_sql("RELEASE work")
    return outcome


def _answer(jobs: list[Job], outcomes: list[Any]) -> None:
    """Wake the callers: one call into each event loop, whatever the number of jobs."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for (_, done), outcome in zip(jobs, outcomes, strict=True):
        by_loop.setdefault(done.get_loop(), []).append((done, outcome))
    for loop, settled in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, outcome in settled:
        if done.cancelled():
            continue
        if isinstance(outcome, BaseException):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


def _failed(error: Exception) -> Fault:
    reason = str(getattr(error, "orig", None) or error)
    return StorageFailed(f"The database cannot be used now: {reason}. Nothing was stored; please retry your request.")


@asynccontextmanager
async def open_database(url: str, folder: Path) -> AsyncIterator[Database]:
    """Open the database at `url`, bring its schema up to date, and close it at the end.

    A relative path is inside the data folder `folder`, which is made when it is missing. Raises ValueError for a kind
    of database that is not supported, StorageFailed when it cannot be opened or is a newer program's.
    """
    database = await asyncio.to_thread(_open, url, folder)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def _open(url: str, folder: Path) -> Database:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(
            f"setting storage.database: {parsed.get_backend_name()!r} is not supported yet (supported: sqlite:///FILE)"
        )
    if not parsed.database:
        raise ValueError("setting storage.database: name a file, as in sqlite:///freehold.db")
    path = folder / parsed.database
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"The data folder {path.parent} cannot be made: {error.strerror}.") from error
    engine = create_engine(parsed.set(database=str(path)), pool_size=READERS + 1)
    event.listen(engine, "connect", _prepare)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            upgrade(connection)
            connection.commit()
    except exc.SQLAlchemyError as error:
        raise StorageFailed(f"The database {path} cannot be opened: {getattr(error, 'orig', error)}.") from error
    return Database(engine)


def _prepare(connection: Any, _record: Any) -> None:
    # Without this the driver begins transactions by itself, after the statements that must be inside them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
