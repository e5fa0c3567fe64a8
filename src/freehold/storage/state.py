"""How a database is doing, without changing anything in it."""

import time
from pathlib import Path

from msgspec import Struct
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from freehold.storage.migrations.upgrade import HEAD, VERSIONS, revision
from freehold.storage.opening import dialect_of, unopened
from freehold.storage.sqlite import file_of


class State(Struct, frozen=True, kw_only=True):
    """What a database says of itself: `bytes` is its size, `seconds` how long a small question takes."""

    where: str
    program: str
    schema: str | None
    bytes: int
    seconds: float

    @property
    def current(self) -> bool:
        """Whether it has the schema that this program knows."""
        return self.schema == HEAD

    @property
    def newer(self) -> bool:
        """Whether a newer program made it."""
        return self.schema is not None and self.schema not in VERSIONS


def state_of(url: str, folder: Path) -> State | None:
    """Ask a database how it is; None for a file that is not there yet. Blocks.

    Raises ValueError for a URL that is wrong, and StorageFailed when the database cannot be opened.
    """
    if url.startswith("sqlite:") and not file_of(make_url(url), folder).exists():
        return None
    dialect = dialect_of(url, folder)
    try:
        with dialect.engine.connect() as connection:
            schema = revision(connection)
            begun = time.perf_counter()
            version, size = connection.exec_driver_sql(dialect.survey).one()
            seconds = time.perf_counter() - begun
    except exc.SQLAlchemyError as error:
        raise unopened(dialect, error) from error
    finally:
        dialect.engine.dispose()
    return State(where=dialect.where, program=f"{dialect.kind} {version}", schema=schema, bytes=size, seconds=seconds)
