"""Bring a database to the newest schema this program knows.

The migrations are our own and not Alembic's: its part in this was one list of functions, and it is three of the twenty
packages of the base install (ADR 0006). The table with the revision has kept its name.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, inspect, text

from freehold.core.errors import StorageFailed
from freehold.storage.migrations.versions import (
    v0001_keys_and_responses,
    v0002_conversations_and_completions,
    v0003_files_jobs_and_batches,
    v0004_times_after_2038,
    v0005_vector_stores,
)

VERSIONS: Mapping[str, Callable[[Connection], None]] = {
    "0001": v0001_keys_and_responses.upgrade,
    "0002": v0002_conversations_and_completions.upgrade,
    "0003": v0003_files_jobs_and_batches.upgrade,
    "0004": v0004_times_after_2038.upgrade,
    "0005": v0005_vector_stores.upgrade,
}
"""Every revision, oldest first, and what brings the schema there from the one before."""

HEAD = list(VERSIONS)[-1]


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction, which must keep other migrators out.

    Raises StorageFailed for a database that a newer program made.
    """
    at = revision(connection)
    _refuse_newer(at)
    missing = [one for one in VERSIONS if at is None or one > at]
    for one in missing:
        VERSIONS[one](connection)
    if at is None:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    elif missing:
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})


def refuse_others(at: str | None) -> None:
    """Raise StorageFailed for the schema of an older or a newer program, or none."""
    _refuse_newer(at)
    if at != HEAD:
        state = "has no tables yet" if at is None else f"is at schema {at}, and this Freehold needs {HEAD}"
        raise StorageFailed(f"The database {state}. Run `freehold migrate`.")


def _refuse_newer(at: str | None) -> None:
    if at is not None and at not in VERSIONS:
        raise StorageFailed(
            f"The database is at schema {at}, made by a newer Freehold than this one (which knows up to {HEAD}). "
            "Install the newer Freehold, or use another database."
        )


def revision(connection: Connection) -> str | None:
    """Return the schema that a database has; None for one without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
