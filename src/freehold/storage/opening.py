"""From a URL to a database whose schema is the one that this program knows."""

from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from freehold.core.errors import StorageFailed
from freehold.storage.dialect import Dialect
from freehold.storage.migrations.upgrade import HEAD, refuse_others, revision, upgrade
from freehold.storage.sqlite import file_of, sqlite


class Migrated(Struct, frozen=True):
    """Which database was brought from which schema to which; `before` is None for one that had no tables."""

    where: str
    before: str | None
    after: str


def dialect_of(url: str, folder: Path) -> Dialect:
    """Return the database at `url`; a relative path is inside the data folder `folder`, which is made if need be.

    Raises ValueError for a URL that is wrong, or that needs an extra that is not installed, and StorageFailed.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # neither is shown: the URL may hold a password
        raise ValueError(
            "setting storage.database is no URL like sqlite:///freehold.db or postgresql://user:password@host/database"
        ) from None
    if parsed.drivername == "sqlite":
        return sqlite(file_of(parsed, folder))
    if parsed.drivername in ("postgresql", "postgres"):
        if find_spec("psycopg") is None:
            raise ValueError("setting storage.database: PostgreSQL needs the extra: pip install 'freehold[postgres]'")
        from freehold.storage.postgresql import postgresql  # noqa: PLC0415  an extra

        return postgresql(parsed)
    raise ValueError(
        f"setting storage.database: {parsed.drivername!r} is not supported (sqlite:///FILE and postgresql:// are)"
    )


def upgraded(dialect: Dialect) -> Migrated:
    """Bring a database to the newest schema, whoever else is about to do the same. Raises StorageFailed."""
    try:
        with dialect.engine.connect() as connection:
            for statement in dialect.migrate:
                connection.exec_driver_sql(statement)
            before = revision(connection)
            upgrade(connection)
            connection.commit()
            return Migrated(dialect.where, before, HEAD)
    except exc.SQLAlchemyError as error:
        raise unopened(dialect, error) from error


def check(dialect: Dialect) -> None:
    """Make sure that a database has exactly the schema that this program knows. Raises StorageFailed."""
    try:
        with dialect.engine.connect() as connection:
            refuse_others(revision(connection))
    except exc.SQLAlchemyError as error:
        raise unopened(dialect, error) from error


def unopened(dialect: Dialect, error: exc.SQLAlchemyError) -> StorageFailed:
    """Return what to tell people who would have opened a database: all that the driver says, as they are its owners."""
    words = "; ".join(line.strip() for line in str(getattr(error, "orig", error)).strip().splitlines())
    return StorageFailed(f"The database {dialect.where} cannot be opened: {words.rstrip('.')}.")
