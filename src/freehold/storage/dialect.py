"""What differs between the kinds of databases, as one record: everything else in this room is the same for all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, exc

from freehold.core.errors import Fault, Invalid, StorageFailed


@dataclass(frozen=True)
class Dialect:
    """A database that can be connected to; nothing has been asked of it yet.

    `where` names it for people, without a password. Transactions are begun by statements of ours: `read` begins one
    that sees a single snapshot, `alone` one for a single write, `together` one for the writes of many callers, and
    `migrate` one that keeps other migrators out. `survey` selects the version of the database's program, and how many
    bytes the database has.
    """

    kind: str
    where: str
    engine: Engine
    readers: int
    writers: int
    read: str
    alone: str
    together: str
    migrate: tuple[str, ...]
    survey: str
    begin: Callable[[Connection, str], None]
    """Begins a transaction with a statement."""
    is_closed: Callable[[Any], bool]
    """Whether a driver's connection has been lost."""
    is_crossed: Callable[[BaseException], bool]
    """Whether an error means only that another writer was in the way, so that the same work may succeed again."""
    reason: Callable[[BaseException], str]
    """The driver's words for an error, as far as they are for callers to read."""

    def lost(self, connection: Connection) -> bool:
        """Say whether a connection is gone; one that is will be replaced when the next is asked for."""
        if connection.invalidated:
            return True
        if not self.is_closed(connection.connection.dbapi_connection):
            return False
        connection.invalidate()
        return True

    def fault(self, error: BaseException) -> Fault:
        """Return what to tell the caller of a work that the database did not take."""
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        # Other errors than the driver's own hold the statement, which is nothing for the caller to read.
        reason = type(error).__name__ if cause is None or isinstance(cause, exc.SQLAlchemyError) else self.reason(cause)
        if isinstance(error, exc.DataError):
            fault: Fault = Invalid(f"A value of the request can neither be stored nor looked up: {reason}.")
        else:
            fault = StorageFailed(f"The database cannot be used now: {reason}. Please retry your request.")
        fault.__cause__ = error
        return fault
