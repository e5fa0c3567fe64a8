"""A URL leads to a database with the schema that the program knows, or to words that a person can act on."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from freehold.core.errors import StorageFailed
from freehold.storage import opening
from freehold.storage.database import open_database
from freehold.storage.migrations.upgrade import HEAD
from freehold.storage.opening import Migrated, dialect_of, upgraded
from tests.databases import database_url


def opened(url: str, folder: Path, migrate: bool = True) -> None:
    """Open and close a database."""

    async def main() -> None:
        async with open_database(url, folder, migrate):
            return

    asyncio.run(main())


def made_by(schema: str, folder: Path) -> None:
    """Have a database look like one that a program of that schema made."""

    def work(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await database.write(work)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/freehold", "'mysql' is not supported .sqlite:///FILE and postgresql:// are"),
        ("postgresql+asyncpg://localhost/freehold", r"'postgresql\+asyncpg' is not supported"),
        ("freehold.db", "is no URL like sqlite:///freehold.db"),
        ("postgresql://me:secret@host:port/freehold", "is no URL like"),
        ("postgresql://me:secret@host", "name a database, as in"),
        ("postgresql://me:secret@host/freehold?sslmode=require&sslmode=disable", "'sslmode' is there twice"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///freehold.db?mode=ro", "name a file and nothing else"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        opened(url, tmp_path)
    assert "secret" not in str(refused.value)


def test_without_the_driver_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'freehold\[postgres\]'"):
        opened("postgresql://localhost/freehold", tmp_path)


def test_a_database_that_must_not_be_migrated_is_refused_until_it_is(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    with pytest.raises(StorageFailed, match=r"has no tables yet\. Run `freehold migrate`"):
        opened(url, tmp_path, migrate=False)
    dialect = dialect_of(url, tmp_path)
    assert upgraded(dialect) == Migrated(dialect.where, None, HEAD)
    assert upgraded(dialect) == Migrated(dialect.where, HEAD, HEAD)
    dialect.engine.dispose()
    opened(url, tmp_path, migrate=False)
    made_by("0001", tmp_path)
    with pytest.raises(StorageFailed, match=f"at schema 0001, and this Freehold needs {HEAD}. Run `freehold migrate`"):
        opened(url, tmp_path, migrate=False)


@pytest.mark.parametrize("migrate", [True, False])
def test_a_database_of_a_newer_program_is_refused(tmp_path: Path, migrate: bool) -> None:
    made_by("9999", tmp_path)
    with pytest.raises(StorageFailed, match="at schema 9999, made by a newer Freehold than this one"):
        opened(database_url(tmp_path), tmp_path, migrate)
