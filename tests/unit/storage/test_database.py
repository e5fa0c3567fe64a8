"""The database keeps what it acknowledged, and one bad work spoils no other."""

import asyncio
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, insert, select, text

from freehold.core.errors import StorageFailed
from freehold.storage.database import TOGETHER, Database, open_database
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRows
from freehold.storage.tables import keys

URL = "sqlite:///freehold.db"

WRITE_UNTIL_KILLED = """
import asyncio, itertools, sys
from pathlib import Path
from freehold.storage.database import open_database
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRow, ResponseRows

async def write(rows, writer):
    for number in itertools.count():
        name = f"resp_{writer}_{number}"
        row = ResponseRow(
            id=name, project="p", previous=None, created=1, status="completed", model="m", body=b"{}"
        )
        await rows.add(row, [ItemRow("in", b"{}")], [ItemRow("out", b"{}")])
        print(name, flush=True)

async def main():
    async with open_database("sqlite:///freehold.db", Path(sys.argv[1])) as database:
        rows = ResponseRows(database)
        await asyncio.gather(*(write(rows, writer) for writer in range(5)))

asyncio.run(main())
"""

OPEN_AND_WRITE = """
import asyncio, sys
from pathlib import Path
from freehold.storage.database import open_database
from freehold.storage.repos.responses import ResponseRow, ResponseRows

async def main():
    print("here", flush=True)
    sys.stdin.readline()
    async with open_database("sqlite:///freehold.db", Path(sys.argv[1])) as database:
        await ResponseRows(database).add(
            ResponseRow(
                id=sys.argv[2], project="p", previous=None, created=1, status="completed", model="m", body=b"{}"
            ),
            [],
            [],
        )

asyncio.run(main())
"""


def add_row(name: str, connection: Connection) -> None:
    values = {"id": name, "body": b"{}"}
    connection.execute(
        text(
            "INSERT INTO responses (id, project, created, status, model, body)"
            " VALUES (:id, 'p', 1, 'completed', 'm', :body)"
        ),
        values,
    )


def names(connection: Connection) -> set[str]:
    return set(connection.execute(text("SELECT id FROM responses")).scalars())


def setting(name: str, connection: Connection) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_work_returns_what_it_returns_and_reads_see_what_was_written(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path / "new" / "folder") as database:
            await database.write(lambda connection: add_row("a", connection))
            assert await database.read(names) == {"a"}
            assert await database.write(names) == {"a"}

    asyncio.run(main())
    assert (tmp_path / "new" / "folder" / "freehold.db").exists()


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            for run in (database.read, database.write):
                assert await run(lambda connection: setting("journal_mode", connection)) == "wal"
                assert await run(lambda connection: setting("synchronous", connection)) == 2  # FULL
                assert await run(lambda connection: setting("foreign_keys", connection)) == 1

    asyncio.run(main())


def test_a_failing_work_undoes_itself_only(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        add_row("half", connection)
        raise LookupError("changed my mind")

    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            works = [database.write(lambda connection, n=n: add_row(f"r{n}", connection)) for n in range(10)]
            works.insert(5, database.write(half))
            works.insert(7, database.write(lambda connection: add_row("r0", connection)))
            outcomes = await asyncio.gather(*works, return_exceptions=True)

            duplicate = outcomes.pop(7)
            assert isinstance(outcomes.pop(5), LookupError)
            assert isinstance(duplicate, StorageFailed)
            assert "UNIQUE constraint failed: responses.id" in duplicate.message
            assert outcomes == [None] * 10
            assert await database.read(names) == {f"r{n}" for n in range(10)}

    asyncio.run(main())


def test_a_full_disk_fails_the_work_and_says_so(tmp_path: Path) -> None:
    def add_much(connection: Connection) -> None:
        connection.execute(
            text(
                "INSERT INTO responses (id, project, created, status, model, body)"
                " VALUES ('big', 'p', 1, 'completed', 'm', zeroblob(1000000))"
            )
        )

    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
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
        async with open_database(URL, tmp_path) as database:
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


def test_a_caller_that_is_cancelled_does_not_stop_the_writer(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path) as database:

            async def write(name: str) -> None:
                await database.write(lambda connection: add_row(name, connection))

            impatient = [asyncio.create_task(write(f"gone{n}")) for n in range(20)]
            await asyncio.sleep(0)
            for task in impatient:
                task.cancel()
            await asyncio.gather(*impatient, return_exceptions=True)
            await write("stayed")
            assert await database.read(names) == {"stayed", *(f"gone{n}" for n in range(20))}

    asyncio.run(main())


def test_closing_finishes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            writes = [
                asyncio.ensure_future(database.write(lambda connection, n=n: add_row(f"r{n}", connection)))
                for n in range(TOGETHER * 2 + 1)
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*writes)
        with pytest.raises(StorageFailed, match="shutting down"):
            await database.write(names)
        with pytest.raises(StorageFailed, match="shutting down"):
            await database.read(names)
        async with open_database(URL, tmp_path) as database:
            assert len(await database.read(names)) == TOGETHER * 2 + 1

    asyncio.run(main())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE_UNTIL_KILLED, tmp_path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(40)]
        writer.kill()
        acknowledged += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]

    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            rows = ResponseRows(database)
            for line in acknowledged:
                assert await rows.history("p", line.decode().strip()) == [ItemRow("in", b"{}"), ItemRow("out", b"{}")]

    asyncio.run(main())
    assert len(acknowledged) >= 40


def test_several_processes_may_start_at_once_on_a_new_folder(tmp_path: Path) -> None:
    ids = {"a", "b", "c"}
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_WRITE, tmp_path, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ids
    ]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in starting:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()

    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            assert await database.read(names) == ids

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://localhost/freehold", "'postgresql' is not supported yet .supported: sqlite:///FILE"),
        ("freehold.db", "'freehold.db' is not a URL"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///freehold.db?mode=ro", "name a file and nothing else"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(tmp_path: Path, url: str, message: str) -> None:
    async def main() -> None:
        async with open_database(url, tmp_path):
            pytest.fail("it was opened")

    with pytest.raises(ValueError, match=message):
        asyncio.run(main())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "freehold.db").write_bytes(b"Dear diary, " * 1000)

    async def main() -> None:
        async with open_database(URL, tmp_path):
            pytest.fail("it was opened")

    with pytest.raises(StorageFailed, match=r"freehold\.db cannot be opened: file is not a database"):
        asyncio.run(main())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    async def main() -> None:
        async with open_database(URL, tmp_path / "taken"):
            pytest.fail("it was opened")

    with pytest.raises(StorageFailed, match="taken cannot be made: File exists"):
        asyncio.run(main())


def test_a_full_queue_is_written_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            seen: list[int] = []
            await asyncio.gather(*(database.write(lambda _, n=n: seen.append(n)) for n in range(TOGETHER * 3)))
            assert seen == list(range(TOGETHER * 3))

    asyncio.run(main())


def key_row(name: str) -> dict[str, object]:
    return {
        "id": name,
        "project": "p",
        "name": name,
        "hash": name.encode(),
        "hint": "",
        "owner": False,
        "created": 1,
        "revoked": None,
    }


def inserted(folder: Path, *batches: list[str]) -> tuple[set[str], list[BaseException | None]]:
    """Insert each batch as a caller of its own, all at once; return what is there, and what each caller was told."""

    async def main() -> tuple[set[str], list[BaseException | None]]:
        async with open_database(URL, folder) as database:
            told = await asyncio.gather(
                *(database.insert((insert(keys), [key_row(name) for name in batch])) for batch in batches),
                return_exceptions=True,
            )
            return await stored(database), told

    return asyncio.run(main())


async def stored(database: Database) -> set[str]:
    return await database.read(lambda connection: set(connection.execute(select(keys.c.id)).scalars()))


def test_rows_of_many_callers_are_all_there(tmp_path: Path) -> None:
    there, told = inserted(tmp_path, *([f"{i}", f"{i}b"] for i in range(300)))
    assert len(there) == 600 and set(told) == {None}


def test_a_caller_whose_rows_do_not_fit_spoils_nobody_elses(tmp_path: Path) -> None:
    there, told = inserted(tmp_path, ["a"], ["b", "a"], ["c"], ["d", "d"], ["e"])
    assert there == {"a", "c", "e"}
    assert [isinstance(one, StorageFailed) for one in told] == [False, True, False, True, False]


def test_the_rows_of_one_caller_are_all_there_or_none(tmp_path: Path) -> None:
    there, told = inserted(tmp_path, ["a", "b", "a"])
    assert there == set() and isinstance(told[0], StorageFailed)


def test_nothing_is_inserted_once_it_closes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(URL, tmp_path) as database:
            pass
        with pytest.raises(StorageFailed, match="shutting down"):
            await database.insert((insert(keys), [key_row("a")]))

    asyncio.run(main())
