"""The database keeps what it acknowledged, and one bad work spoils no other."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, insert, select, text

from freehold.core.errors import StorageFailed
from freehold.storage.database import TOGETHER, Database, open_database
from freehold.storage.opening import dialect_of, upgraded
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRows
from freehold.storage.tables import keys
from tests.chains import history
from tests.databases import database_url

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
    async with open_database(sys.argv[2], Path(sys.argv[1])) as database:
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
    async with open_database(sys.argv[2], Path(sys.argv[1])) as database:
        await ResponseRows(database).add(
            ResponseRow(
                id=sys.argv[3], project="p", previous=None, created=1, status="completed", model="m", body=b"{}"
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


def test_a_work_returns_what_it_returns_and_reads_see_what_was_written(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            await database.write(lambda connection: add_row("a", connection))
            assert await database.read(names) == {"a"}
            assert await database.write(names) == {"a"}

    asyncio.run(main())


def test_a_failing_work_undoes_itself_only(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        add_row("half", connection)
        raise LookupError("changed my mind")

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            await database.write(lambda connection: add_row("r0", connection))
            works = [database.write(lambda connection, n=n: add_row(f"r{n}", connection)) for n in range(1, 11)]
            works.insert(5, database.write(half))
            works.insert(7, database.write(lambda connection: add_row("r0", connection)))
            outcomes = await asyncio.gather(*works, return_exceptions=True)

            duplicate = outcomes.pop(7)
            assert isinstance(outcomes.pop(5), LookupError)
            assert isinstance(duplicate, StorageFailed)
            assert re.search(
                "UNIQUE constraint failed: responses.id|unique constraint .pk_responses", duplicate.message
            )
            assert outcomes == [None] * 10
            assert await database.read(names) == {f"r{n}" for n in range(11)}

    asyncio.run(main())


def test_a_caller_that_is_cancelled_does_not_stop_the_writer(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:

            async def write(name: str) -> None:
                await database.write(lambda connection: add_row(name, connection))

            impatient = [asyncio.create_task(write(f"gone{n}")) for n in range(20)]
            await asyncio.sleep(0)
            for task in impatient:
                task.cancel()
            await asyncio.gather(*impatient, return_exceptions=True)
            await write("stayed")
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert await database.read(names) == {"stayed", *(f"gone{n}" for n in range(20))}

    asyncio.run(main())


def test_closing_finishes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
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
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert len(await database.read(names)) == TOGETHER * 2 + 1

    asyncio.run(main())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, tmp_path, database_url(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(40)]
        writer.kill()
        acknowledged += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            rows = ResponseRows(database)
            for line in acknowledged:
                assert await history(rows, line.decode().strip()) == [ItemRow("in", b"{}"), ItemRow("out", b"{}")]

    asyncio.run(main())
    assert len(acknowledged) >= 40


def test_several_processes_may_start_at_once_on_a_new_folder(tmp_path: Path) -> None:
    ids = {"a", "b", "c", "d"}
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_WRITE, tmp_path, database_url(tmp_path), name],
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
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert await database.read(names) == ids

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
        async with open_database(database_url(folder), folder) as database:
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
        async with open_database(database_url(tmp_path), tmp_path) as database:
            pass
        with pytest.raises(StorageFailed, match="shutting down"):
            await database.insert((insert(keys), [key_row("a")]))

    asyncio.run(main())


def test_a_work_that_fails_alone_changes_nothing(tmp_path: Path) -> None:
    def both(connection: Connection) -> None:
        add_row("a", connection)
        add_row("a", connection)

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            with pytest.raises(StorageFailed):
                await database.write(both)
            assert await database.read(names) == set()

    asyncio.run(main())


def test_a_read_sees_one_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            begun, written = Event(), Event()

            def twice(connection: Connection) -> tuple[set[str], set[str]]:
                before = names(connection)
                begun.set()
                assert written.wait(10)
                return before, names(connection)

            reading = asyncio.create_task(database.read(twice))
            assert await asyncio.to_thread(begun.wait, 10)
            await database.write(lambda connection: add_row("a", connection))
            written.set()
            assert await reading == (set(), set())
            assert await database.read(names) == {"a"}

    asyncio.run(main())


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        dialect = dialect_of(database_url(tmp_path), tmp_path)
        await asyncio.to_thread(upgraded, dialect)
        database = Database(dialect, asyncio.get_running_loop(), patience=0.1)
        awake = Event()
        with pytest.raises(StorageFailed, match=r"gives no answer now\. Please retry"):
            await database.read(lambda _: awake.wait(10))
        with pytest.raises(StorageFailed, match="it may be stored, or not"):
            await database.write(lambda _: awake.wait(10))
        awake.set()
        await database.close()

    asyncio.run(main())


def test_a_timeout_that_a_work_raises_is_its_own(tmp_path: Path) -> None:
    def late(_: Connection) -> None:
        raise TimeoutError("mine")

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            for run in (database.read, database.write):
                with pytest.raises(TimeoutError, match="mine"):
                    await run(late)

    asyncio.run(main())
