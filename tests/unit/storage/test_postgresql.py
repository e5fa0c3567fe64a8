"""PostgreSQL may go away and come back: nobody waits for long, nothing is done twice, and no password is ever shown."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Barrier, Event

import psycopg
import pytest
from sqlalchemy import Connection, text

from freehold.core.errors import Invalid, StorageFailed
from freehold.storage import postgresql
from freehold.storage.database import Database, open_database
from freehold.storage.opening import dialect_of, upgraded
from tests.databases import PASSWORD, Server, postgresql_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be stopped."""
    with postgresql_server() as running:
        yield running


def with_database(url: str, work: Callable[[Database], Awaitable[None]]) -> None:
    """Do a work with a database."""

    async def main() -> None:
        async with open_database(url, Path("unused")) as database:
            await work(database)

    asyncio.run(main())


def add(name: str, connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO conversations (id, project, created, metadata) VALUES (:id, 'p', 1, '')"), {"id": name}
    )


def touch(name: str, connection: Connection) -> int:
    changed = connection.execute(text("UPDATE conversations SET created = created + 1 WHERE id = :id"), {"id": name})
    return changed.rowcount


def names(connection: Connection) -> set[str]:
    return set(connection.execute(text("SELECT id FROM conversations")).scalars())


async def outcomes(database: Database, count: int) -> list[object]:
    """What reads and writes at the same time are told, `count` of each."""
    works = [database.read(names) for _ in range(count)]
    works += [database.write(names) for _ in range(count)]
    return list(await asyncio.gather(*works, return_exceptions=True))


def test_a_database_that_is_away_and_back_is_an_error_and_no_error(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        await database.write(lambda connection: add("before", connection))
        server.stop()
        for _ in range(3):
            begun = time.monotonic()
            told = await outcomes(database, 30)
            assert time.monotonic() - begun < 5
            assert {type(one) for one in told} == {StorageFailed}
            assert {str(one) for one in told} == {
                "The database cannot be used now: it cannot be reached. Please retry your request."
            }
        server.start()
        await asyncio.sleep(postgresql.PAUSE_SECONDS)
        assert await outcomes(database, 30) == [{"before"}] * 60

    with_database(server.database(tmp_path), work)


def test_connections_that_were_cut_are_replaced_and_nobody_notices(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        await outcomes(database, 30)
        for number in range(5):
            server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold'")
            assert await outcomes(database, 30) == [{f"r{n}" for n in range(number)}] * 60
            await database.write(lambda connection, number=number: add(f"r{number}", connection))

    with_database(server.database(tmp_path), work)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(server: Server, tmp_path: Path) -> None:
    async def main() -> None:
        dialect = dialect_of(server.database(tmp_path), tmp_path)
        await asyncio.to_thread(upgraded, dialect)
        database = Database(dialect, asyncio.get_running_loop(), patience=0.5)
        await outcomes(database, 3)
        with server.frozen():
            begun = time.monotonic()
            told = await outcomes(database, 30)
            assert time.monotonic() - begun < 5
            assert {type(one) for one in told} == {StorageFailed}
        await database.close()

    asyncio.run(main())


def test_after_a_failure_to_connect_nobody_tries_again_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    def connect(**parameters: object) -> psycopg.Connection:
        tried.append(time.monotonic())
        raise psycopg.OperationalError("nobody there")

    monkeypatch.setattr(psycopg, "connect", connect)
    monkeypatch.setattr(postgresql, "PAUSE_SECONDS", 0.2)
    door = postgresql._Door({})
    deadline = time.monotonic() + 1
    while len(tried) < 3 and time.monotonic() < deadline:
        with pytest.raises(psycopg.OperationalError, match="nobody there"):
            door.connect()
    assert len(tried) == 3 and tried[2] - tried[0] >= 0.4


def test_a_write_that_was_lost_in_its_commit_is_not_repeated(server: Server, tmp_path: Path) -> None:
    ran: list[int] = []

    def die_in_commit(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE fatal (id INT)"))
        connection.execute(
            text(
                "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER dying AFTER INSERT ON fatal INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION die()"
            )
        )

    def fatal(connection: Connection) -> None:
        ran.append(1)
        connection.execute(text("INSERT INTO fatal VALUES (1)"))

    async def work(database: Database) -> None:
        await database.write(die_in_commit)
        with pytest.raises(StorageFailed, match="it may be stored, or not"):
            await database.write(fatal)
        assert ran == [1]
        assert await database.write(names) == set()

    with_database(server.database(tmp_path), work)


def test_a_work_that_waits_for_a_row_holds_up_nobody_else(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        await database.write(lambda connection: add("held", connection))
        with psycopg.connect(server.database(tmp_path)) as other:
            other.execute("UPDATE conversations SET created = 7 WHERE id = 'held'")
            waiting = [asyncio.create_task(database.write(lambda connection: touch("held", connection)))]
            waiting += [
                asyncio.create_task(database.write(lambda connection, n=n: add(f"r{n}", connection)))
                for n in range(100)
            ]
            await asyncio.wait_for(asyncio.gather(*waiting[1:]), 5)
            assert not waiting[0].done()
            other.commit()
        assert await waiting[0] == 1
        assert len(await database.read(names)) == 101
        created = text("SELECT created FROM conversations WHERE id = 'held'")
        assert await database.read(lambda connection: connection.execute(created).scalar()) == 8

    with_database(server.database(tmp_path), work)


def test_works_that_wait_for_each_other_are_both_done(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        for name in ("a", "b"):
            await database.write(lambda connection, name=name: add(name, connection))
        both = Barrier(2)
        first = Event()

        def cross(one: str, other: str, connection: Connection) -> int:
            touch(one, connection)
            if not first.is_set():
                both.wait(10)
                first.set()
            return touch(other, connection)

        crossing = (
            database.write(lambda connection: cross("a", "b", connection)),
            database.write(lambda connection: cross("b", "a", connection)),
        )
        assert await asyncio.gather(*crossing) == [1, 1]
        created = text("SELECT id, created FROM conversations")
        found = await database.read(lambda connection: connection.execute(created).all())
        assert {row.id: row.created for row in found} == {"a": 3, "b": 3}

    with_database(server.database(tmp_path), work)


def test_what_the_database_cannot_hold_is_the_callers_fault(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        with pytest.raises(Invalid, match=r"can neither be stored nor looked up: .*NUL"):
            await database.write(lambda connection: add("zero \0 inside", connection))
        sought = text("SELECT id FROM conversations WHERE id = :id AND created = :created")
        with pytest.raises(Invalid, match="NUL"):
            await database.read(lambda connection: connection.execute(sought, {"id": "\0", "created": 1}).first())
        with pytest.raises(Invalid, match="out of range"):
            await database.read(lambda connection: connection.execute(text("SELECT (2 ^ 40)::INT")).first())

    with_database(server.database(tmp_path), work)


def test_what_is_acknowledged_is_on_the_disk_whatever_the_servers_default(server: Server, tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        shown = text("SHOW synchronous_commit")
        assert await database.write(lambda connection: connection.execute(shown).scalar()) == "on"
        with pytest.raises(StorageFailed, match="read-only transaction"):
            await database.read(lambda connection: add("a", connection))

    server.ask("ALTER ROLE freehold SET synchronous_commit = off")
    try:
        with_database(server.database(tmp_path), work)
    finally:
        server.ask("ALTER ROLE freehold RESET synchronous_commit")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("/postgres", "/none"), 'database "none" does not exist'),
        ((PASSWORD, "wrong-one"), 'password authentication failed for user "freehold"'),
        (("/postgres", "/postgres?sslmode=odd"), 'invalid sslmode value: "odd"'),
        (("/postgres", "/postgres?colour=red"), 'invalid connection option "colour"'),
        (("/postgres", "/latin"), "encoding is LATIN1; make one with `createdb -E UTF8"),
    ],
)
def test_a_database_that_cannot_be_opened_is_said_without_the_password(
    server: Server, change: tuple[str, str], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(_: Database) -> None:
        pytest.fail("it was opened")

    if change[1] == "/latin":
        server.ask("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with caplog.at_level(logging.DEBUG), pytest.raises(StorageFailed) as refused:
        with_database(server.url().replace(*change), never)
    assert message in refused.value.message
    shown = refused.value.message + caplog.text
    assert PASSWORD not in shown and "wrong-one" not in shown


def test_nobody_there_is_said_with_the_address(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"postgres://me:secret@127.0.0.1:{taken.getsockname()[1]}/freehold"
        with pytest.raises(
            StorageFailed, match=r"postgres://me:\*\*\*@127\.0\.0\.1:\d+/freehold cannot be opened: .*refused"
        ):
            with_database(url, lambda database: outcomes(database, 1))  # type: ignore[arg-type,return-value]
