"""SQLite survives power cuts, full disks and files that are none of ours."""

import asyncio
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, text

from freehold.core.errors import StorageFailed
from freehold.storage.database import TOGETHER, open_database
from tests.databases import SQLITE


def add_row(name: str, connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO conversations (id, project, created, metadata) VALUES (:id, 'p', 1, x'7b7d')"), {"id": name}
    )


def names(connection: Connection) -> set[str]:
    return set(connection.execute(text("SELECT id FROM conversations")).scalars())


def setting(name: str, connection: Connection) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(SQLITE, tmp_path) as database:
            for run in (database.read, database.write):
                assert await run(lambda connection: setting("journal_mode", connection)) == "wal"
                assert await run(lambda connection: setting("synchronous", connection)) == 2  # FULL
                assert await run(lambda connection: setting("foreign_keys", connection)) == 1

    asyncio.run(main())


def test_a_full_disk_fails_the_work_and_says_so(tmp_path: Path) -> None:
    def add_much(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO conversations (id, project, created, metadata) VALUES ('big', 'p', 1, zeroblob(1000000))")
        )

    async def main() -> None:
        async with open_database(SQLITE, tmp_path) as database:
            assert await database.write(lambda connection: setting("max_page_count = 80", connection)) == 80
            with pytest.raises(StorageFailed, match="database or disk is full"):
                await database.write(add_much)
            await database.write(lambda connection: add_row("later", connection))
            assert await database.read(names) == {"later"}

    asyncio.run(main())


def test_when_the_database_ends_the_transaction_no_work_of_the_batch_is_acknowledged(tmp_path: Path) -> None:
    def end(connection: Connection) -> None:
        connection.execute(text("INSERT OR ROLLBACK INTO alembic_version SELECT version_num FROM alembic_version"))

    async def main() -> None:
        async with open_database(SQLITE, tmp_path) as database:
            all_queued = Event()
            writes = asyncio.gather(
                database.write(lambda connection: add_row("before", connection)),
                database.write(lambda _: all_queued.wait(10)),
                database.write(lambda connection: add_row("same batch", connection)),
                database.write(end),
                return_exceptions=True,
            )
            await asyncio.sleep(0)
            all_queued.set()
            outcomes = await writes
            assert isinstance(outcomes[2], StorageFailed)
            assert isinstance(outcomes[3], StorageFailed)
            assert "UNIQUE constraint failed: alembic_version.version_num" in outcomes[3].message
            assert await database.read(names) == ({"before"} if outcomes[0] is None else set())

    asyncio.run(main())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "freehold.db").write_bytes(b"Dear diary, " * 1000)

    async def main() -> None:
        async with open_database(SQLITE, tmp_path):
            pytest.fail("it was opened")

    with pytest.raises(StorageFailed, match=r"freehold\.db cannot be opened: file is not a database"):
        asyncio.run(main())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    async def main() -> None:
        async with open_database(SQLITE, tmp_path / "taken"):
            pytest.fail("it was opened")

    with pytest.raises(StorageFailed, match="taken cannot be made: File exists"):
        asyncio.run(main())


def test_a_full_queue_is_written_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(SQLITE, tmp_path) as database:
            seen: list[int] = []
            await asyncio.gather(*(database.write(lambda _, n=n: seen.append(n)) for n in range(TOGETHER * 3)))
            assert seen == list(range(TOGETHER * 3))

    asyncio.run(main())


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(SQLITE, tmp_path / "new" / "folder"):
            return

    asyncio.run(main())
    assert (tmp_path / "new" / "folder" / "freehold.db").exists()
