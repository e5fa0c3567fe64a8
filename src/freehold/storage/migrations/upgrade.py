"""Bring a database to the newest schema this program knows."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from freehold.core.errors import StorageFailed

HEAD = "0002"
"""The newest revision in `versions`; a test compares the two."""


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction, which must hold the write lock.

    Alembic is imported only when something is missing: it costs a third of a second. Raises StorageFailed for a
    database that a newer program made.
    """
    at = _revision(connection)
    if at == HEAD:
        return
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        raise StorageFailed(
            f"The database is at schema {at}, made by a newer Freehold than this one (which knows up to {HEAD}). "
            "Install the newer Freehold, or use another data folder."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
