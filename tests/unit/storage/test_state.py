"""The doctor looks at a database and leaves it as it is."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from freehold.core.errors import StorageFailed
from freehold.storage.database import open_database
from freehold.storage.migrations.upgrade import HEAD
from freehold.storage.state import state_of
from tests.databases import POSTGRESQL, SQLITE, database_url


def test_a_database_says_what_it_is(tmp_path: Path) -> None:
    async def made(schema: str) -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            change = text("UPDATE alembic_version SET version_num = :schema")
            await database.write(lambda connection: connection.execute(change, {"schema": schema}))

    asyncio.run(made(HEAD))
    state = state_of(database_url(tmp_path), tmp_path)
    assert state is not None and state.current and not state.newer
    assert state.program.startswith("PostgreSQL 1" if POSTGRESQL else "SQLite 3.")
    assert state.bytes > 100_000 and 0 < state.seconds < 5
    asyncio.run(made("9999"))
    state = state_of(database_url(tmp_path), tmp_path)
    assert state is not None and state.newer and not state.current


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert state_of(SQLITE, tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "freehold.db").write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StorageFailed, match="cannot be opened: file is not a database"):
        state_of(SQLITE, tmp_path)
