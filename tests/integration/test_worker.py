"""`freehold worker` and the worker inside `freehold serve`: they deliver, take over from the dead, and give back."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from freehold.core.ids import random_id
from freehold.core.principal import Principal
from freehold.services.keys import pepper
from freehold.services.sealing import Seals
from freehold.services.webhooks import Webhooks
from freehold.storage.database import open_database
from freehold.storage.repos.webhooks import WebhookRows
from freehold.storage.tables import jobs
from freehold.surfaces.webhooks import CreateBody
from freehold.tools.guard import Guard
from tests.databases import database_setting, database_url
from tests.receiver import Receiver, receiving
from tests.servers import running_server

LEASE_SECONDS = 15


def announced(folder: Path, receiver: Receiver, path: str, times: int = 1) -> None:
    """Store an endpoint at `path` of the receiver, and announce events to it."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            seals, guard = Seals(pepper(folder / "pepper")), Guard([receiver.address])
            hooks = Webhooks(WebhookRows(database), guard, seals, random_id, time.time)
            body = CreateBody(event_types=("batch.completed",), name="n", url=receiver.url(path))
            await hooks.create(Principal("default", "key"), body)
            for number in range(times):
                await database.write(
                    lambda connection, number=number: hooks.announce(
                        connection, "default", "batch.completed", f"batch_{number}", time.time()
                    )
                )

    asyncio.run(main())


def queued(folder: Path) -> list[tuple[int, str | None, float]]:
    """The attempts, the worker and the due time of each job."""

    async def main() -> list[tuple[int, str | None, float]]:
        async with open_database(database_url(folder), folder) as database:
            chosen = select(jobs.c.attempts, jobs.c.worker, jobs.c.due)
            return await database.read(lambda connection: [tuple(row) for row in connection.execute(chosen)])  # type: ignore[misc]

    return asyncio.run(main())


@contextmanager
def working(folder: Path, receiver: Receiver) -> Iterator[subprocess.Popen[bytes]]:
    """Run `freehold worker` inside the block."""
    config = folder / "freehold.toml"
    config.write_text(f'[outbound]\nallow = ["{receiver.address}"]\n')
    freehold = Path(sys.executable).with_name("freehold")
    with (folder / "worker.log").open("ab") as log:
        command = [freehold, "worker", "--data", str(folder), "--engine", "script"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=database_setting(folder))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(receiver: Receiver, path: str, count: int, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while len(receiver.at(path)) < count:
        assert time.monotonic() < deadline, f"{len(receiver.at(path))} of {count} came within {seconds:g} s"
        time.sleep(0.02)


def test_a_worker_alone_delivers_and_ends_with_0(tmp_path: Path) -> None:
    with receiving() as receiver:
        announced(tmp_path, receiver, "/hook", 20)
        with working(tmp_path, receiver) as worker:
            until(receiver, "/hook", 20)
            worker.terminate()
            assert worker.wait(10) == 0
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 20
    assert len(receiver.got) == 20
    assert queued(tmp_path) == []
    log = (tmp_path / "worker.log").read_text().splitlines()
    assert log[:2] == ["engine script: as --engine says", "working"]
    assert all("stopping: waiting" in line for line in log[2:])  # it may end the last deliveries first


def test_a_second_signal_puts_a_job_back_at_once_and_uncounted(tmp_path: Path) -> None:
    with receiving() as receiver:
        announced(tmp_path, receiver, "/hang")
        with working(tmp_path, receiver) as worker:
            until(receiver, "/hang", 1)
            worker.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(1)
            worker.terminate()
            assert worker.wait(5) == 0
        assert queued(tmp_path) == [(0, None, 0.0)]


def test_a_killed_workers_delivery_is_made_by_the_server(tmp_path: Path) -> None:
    with receiving() as receiver:
        data = tmp_path / "data"
        data.mkdir()
        announced(data, receiver, "/hang")
        with working(data, receiver) as worker:
            until(receiver, "/hang", 1)
            worker.send_signal(signal.SIGKILL)
            worker.wait(5)
        killed = time.monotonic()
        with running_server(tmp_path, "--engine", "script") as server:
            until(receiver, "/hang", 2, LEASE_SECONDS + 10)
            assert time.monotonic() - killed < LEASE_SECONDS + 5
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            server.signal(signal.SIGTERM)
            assert server.exit_code() == 0
    first, second = receiver.got
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert [attempts for attempts, _, _ in queued(data)] == [1]
