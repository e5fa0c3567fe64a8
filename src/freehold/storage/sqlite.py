"""SQLite: one file, which one writes at a time while others read.

Durability: WAL with `synchronous=FULL`, so that a commit is on the disk before its caller goes on, also through a power
cut. NORMAL would survive a kill as well, and save one fsync a commit, but a power cut would undo the last acknowledged
ones; because up to 200 works share a commit, they share the fsync too.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event

from freehold.core.errors import StorageFailed
from freehold.storage.dialect import Dialect

READERS = 2
BUSY_SECONDS = 10.0
_WRITE = "BEGIN IMMEDIATE"


def file_of(url: URL, folder: Path) -> Path:
    """Return the database's file, which is inside `folder` if its path is relative. Raises ValueError."""
    if not url.database or url.database == ":memory:" or url.host or url.query:
        raise ValueError("setting storage.database: name a file and nothing else, as in sqlite:///freehold.db")
    return folder / url.database


def sqlite(file: Path) -> Dialect:
    """Make the folder of a database file. Raises StorageFailed."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"The folder {file.parent} cannot be made: {error.strerror}.") from error
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        pool_size=READERS + 1,
        hide_parameters=True,  # they are what people wrote, and errors are logged
    )
    event.listen(engine, "connect", _prepare)
    return Dialect(
        kind="SQLite",
        where=str(file),
        engine=engine,
        readers=READERS,
        writers=1,
        read="BEGIN",  # without it every statement sees a newer state
        alone=_WRITE,
        together=_WRITE,
        migrate=(_WRITE,),
        survey="SELECT sqlite_version(), page_count * page_size FROM pragma_page_count, pragma_page_size",
        begin=_begin,
        is_closed=lambda _: False,
        is_crossed=lambda _: False,
        reason=str,
    )


def _begin(connection: Connection, statement: str) -> None:
    connection.connection.cursor().execute(statement)  # through SQLAlchemy it would cost as much as a read


def _prepare(connection: Any, _record: Any) -> None:
    # Without this the driver begins transactions by itself, after the statements that must be inside them.
    connection.isolation_level = None
    connection.create_function("octet_length", 1, _octets, deterministic=True)  # its own is from 3.43 on
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _octets(text: str) -> int:
    return len(text.encode())
