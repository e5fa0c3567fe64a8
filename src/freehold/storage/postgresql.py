"""PostgreSQL: a server that many processes write to at once, and that may be away for a while.

No wait is without a bound. Connecting takes at most 5 s, and after a failure nobody tries again for a second; a
statement takes at most 30 s; a server that says nothing, not even that it is gone, is given up after 15 s.
"""

import time
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, exc

from freehold.core.errors import StorageFailed
from freehold.storage.dialect import Dialect

READERS = 8
WRITERS = 4
CONNECT_SECONDS = 5
PAUSE_SECONDS = 1.0
_MIGRATORS = int.from_bytes(b"Freehold")
"""The number of the lock that migrators hold."""
_PARAMETERS: dict[str, str | int] = {
    "application_name": "freehold",
    "client_encoding": "utf8",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
_SESSION = (
    "SET statement_timeout = '30s'",
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    # What is acknowledged must survive; a server that promises more than its own disk keeps its word.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)


def postgresql(url: URL) -> Dialect:
    """Prepare to connect to a server. Parameters of the URL's query are libpq's. Raises ValueError."""
    door = _Door(_given(url))
    engine = create_engine(
        "postgresql+psycopg://",
        creator=door.connect,
        isolation_level="AUTOCOMMIT",  # transactions begin with statements of ours
        pool_size=READERS + WRITERS,
        max_overflow=0,
        hide_parameters=True,  # they are what people wrote, and errors are logged
    )
    event.listen(engine, "connect", _prepare)
    return Dialect(
        kind="PostgreSQL",
        where=url.render_as_string(hide_password=True).partition("?")[0],
        engine=engine,
        readers=READERS,
        writers=WRITERS,
        read="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        alone="BEGIN",
        # A row that another transaction holds must not hold up everybody; and two that wait for each other end soon.
        together="BEGIN; SET LOCAL lock_timeout = '250ms'",
        migrate=(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10min'",
            f"SELECT pg_advisory_xact_lock({_MIGRATORS})",
        ),
        survey="SELECT current_setting('server_version'), pg_database_size(current_database())",
        begin=_begin,
        is_closed=lambda connection: connection.closed,
        is_crossed=_is_crossed,
        reason=_reason,
    )


class _Door:
    """Connects. After a failure, nobody waits for the next one for a moment."""

    def __init__(self, parameters: dict[str, str | int]) -> None:
        self._parameters = parameters
        self._shut_until = 0.0
        self._failure = ""

    def connect(self) -> psycopg.Connection[Any]:
        """Return a new connection. Raises psycopg.OperationalError, within a bounded time."""
        if time.monotonic() < self._shut_until:
            raise psycopg.OperationalError(self._failure)
        try:
            return psycopg.connect(**self._parameters)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            self._shut_until, self._failure = time.monotonic() + PAUSE_SECONDS, str(error)
            raise


def _given(url: URL) -> dict[str, str | int]:
    if not url.database:
        raise ValueError("setting storage.database: name a database, as in postgresql://user:password@host/freehold")
    named = {"host": url.host, "port": url.port, "user": url.username, "password": url.password, "dbname": url.database}
    given = {name: value for name, value in named.items() if value is not None}
    for name, value in url.query.items():
        if not isinstance(value, str):
            raise ValueError(f"setting storage.database: the parameter {name!r} is there twice")
        given[name] = value
    return _PARAMETERS | given


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)  # SQLAlchemy notices a connection that was cut, and then renews them all


def _prepare(connection: psycopg.Connection[Any], _record: Any) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageFailed(f"The database's encoding is {encoding}; make one with `createdb -E UTF8 -T template0`.")
    for statement in _SESSION:
        connection.execute(statement)


def _is_crossed(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(
        cause, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure
    )


def _reason(error: BaseException) -> str:
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:  # of the driver itself: it is about the values
        return str(error)
    return error.diag.message_primary or "it cannot be reached"  # what else there is names its address
