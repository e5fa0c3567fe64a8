"""The worker: every result once, whoever is killed; retries, leases, stops, and an end that gives everything back."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from freehold.core.errors import StorageFailed
from freehold.services.jobs import Bell, Claimed
from freehold.storage.database import Database, open_database
from freehold.storage.repos import jobs
from freehold.storage.repos.jobs import JobRow, JobRows
from freehold.storage.repos.keys import KeyRow, KeyRows
from freehold.storage.tables import keys
from freehold.worker.loop import Pace, Worker
from tests.databases import database_url

PACE = Pace(lease=0.3, beat=0.1, poll=0.02, retry=0.05, longest_retry=0.1, sweep=0.05)
STEADY = Pace(lease=2.0, beat=0.2, poll=0.02)
"""Of workers that must not lose a lease only because the machine is busy."""
Run = Callable[[Claimed], Awaitable[None]]

WORK_UNTIL_KILLED = """
import asyncio, sys, time
from pathlib import Path
from freehold.services.jobs import Bell
from freehold.storage.database import open_database
from freehold.storage.repos.jobs import JobRows
from freehold.worker.loop import Pace, Worker

class Slow:
    kind, most_at_once, most_attempts = "k", 4, 9

    async def run(self, job):
        print(job.row.id, flush=True)
        await asyncio.sleep(60)

async def main():
    async with open_database(sys.argv[2], Path(sys.argv[1])) as database:
        pace = Pace(lease=2.0, beat=0.2, poll=0.02)
        await Worker(JobRows(database), {"k": Slow()}, "doomed", time.time, Bell(), pace=pace).run()

asyncio.run(main())
"""


class Doing:
    """A handler that does what it is told, and finishes the job by writing a row that must not be there yet."""

    def __init__(self, database: Database, run: Run | None = None, most_attempts: int = 3) -> None:
        self.kind = "k"
        self.most_at_once = 2
        self.most_attempts = most_attempts
        self.given_up: list[str] = []
        self.begun: list[JobRow] = []
        self._database = database
        self._run = run

    async def run(self, job: Claimed) -> None:
        self.begun.append(job.row)
        if self._run is not None:
            await self._run(job)
        await self.write_result(job.row)

    async def give_up(self, job: JobRow, reason: str) -> None:
        self.given_up.append(reason)
        await self.write_result(job)

    async def write_result(self, job: JobRow) -> None:
        def work(connection: Connection) -> None:
            values = {"id": job.id, "project": "p", "name": str(job.worker), "hash": job.id.encode(), "hint": ""}
            connection.execute(insert(keys), {**values, "owner": False, "created": 0})
            jobs.finish(connection, job)

        await self._database.write(work)


def row(name: str, subject: str | None = None) -> JobRow:
    return JobRow(id=name, kind="k", subject=subject or name, project="p", created=0.0)


@asynccontextmanager
async def working(
    database: Database, handler: Doing, name: str = "w", bell: Bell | None = None, pace: Pace = PACE
) -> AsyncIterator[Worker]:
    """A worker that runs inside the block, and is cancelled at its end."""
    worker = Worker(JobRows(database), {"k": handler}, name, time.time, bell or Bell(), pace=pace)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def results(database: Database) -> list[KeyRow]:
    return sorted(await KeyRows(database).list(), key=lambda one: one.id)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  it is many different things
            await asyncio.sleep(0.01)


async def has_results(database: Database, count: int) -> None:
    async with asyncio.timeout(10):
        while len(await results(database)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def with_database(folder: Path, work: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(database)

    asyncio.run(main())


def test_every_job_is_done_once(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        handler = Doing(database)
        for number in range(20):
            await JobRows(database).add(row(f"{number:02}", "same" if number % 2 else None))
        async with working(database, handler) as worker:
            await has_results(database, 20)
            await worker.idle()
            assert len(worker) == 0
        assert len(handler.begun) == 20
        assert await JobRows(database).due(["k"], time.time() + 60) == set()

    with_database(tmp_path, work)


def test_a_killed_workers_jobs_go_on_and_each_result_is_written_once(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        rows = JobRows(database)
        for number in range(8):
            await rows.add(row(str(number)))
        command = [sys.executable, "-c", WORK_UNTIL_KILLED, str(tmp_path), database_url(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as doomed:  # noqa: ASYNC220
            assert doomed.stdout is not None
            begun = {doomed.stdout.readline().strip() for _ in range(4)}
            handler = Doing(database)
            async with working(database, handler):
                await has_results(database, 4)
                await asyncio.sleep(2.5)  # more than its lease: it beats, so it keeps what it has
                assert {one.id for one in await results(database)} == {str(number) for number in range(8)} - begun
                doomed.send_signal(signal.SIGKILL)
                killed = time.monotonic()
                await has_results(database, 8)
                assert time.monotonic() - killed < 4
            assert doomed.wait(5) == -signal.SIGKILL
        assert [one.name for one in await results(database)] == ["w"] * 8
        assert {one.id: one.attempts for one in handler.begun} == {str(n): 1 + (str(n) in begun) for n in range(8)}

    with_database(tmp_path, work)


def test_a_worker_that_was_blocked_loses_its_lease_and_is_refused(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        ends: list[str] = []

        async def block(job: Claimed) -> None:
            time.sleep(2 * PACE.lease)  # noqa: ASYNC251  no beat leaves meanwhile
            stealing = JobRows(database).claim("thief", ["k"], time.time(), 60.0, 1)
            stolen, late = await asyncio.gather(stealing, handler.write_result(job.row), return_exceptions=True)
            ends.append(type(late).__name__)
            assert [one.worker for one in stolen] == ["thief"]  # type: ignore[union-attr]
            raise late  # type: ignore[misc]

        handler = Doing(database, block)
        await JobRows(database).add(row("a"))
        async with working(database, handler) as worker:
            await until(lambda: len(handler.begun) == 1)
            await worker.idle()
            await asyncio.sleep(2 * PACE.longest_retry)
        assert ends in (["LeaseLost"], [])  # the worker may have noticed first, and cancelled it
        assert (len(handler.begun), handler.given_up, await results(database)) == (1, [], [])
        assert (await JobRows(database).look("thief", ["a"])).stolen == set()

    with_database(tmp_path, work)


def test_a_job_that_another_has_is_cancelled_and_left_to_it(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        async def wait(_: Claimed) -> None:
            await asyncio.sleep(60)

        handler = Doing(database, wait)
        await JobRows(database).add(row("a"))
        async with working(database, handler) as worker:
            await until(lambda: len(handler.begun) == 1)
            assert len(await JobRows(database).claim("thief", ["k"], time.time() + 60, 60.0, 1)) == 1
            await asyncio.wait_for(worker.idle(), 5)
        assert (await JobRows(database).look("thief", ["a"])).stolen == set()

    with_database(tmp_path, work)


def test_a_beating_worker_keeps_a_job_longer_than_a_lease(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        async def last(_: Claimed) -> None:
            await asyncio.sleep(1.5 * STEADY.lease)

        first, second = Doing(database, last), Doing(database)
        await JobRows(database).add(row("a"))
        async with working(database, first, "w", pace=STEADY):
            await until(lambda: len(first.begun) == 1)
            async with working(database, second, "v", pace=STEADY):
                await has_results(database, 1)
        assert [one.name for one in await results(database)] == ["w"]
        assert second.begun == []

    with_database(tmp_path, work)


def test_a_failure_is_tried_again_and_given_up_after_the_most_attempts(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        times: list[float] = []

        async def fail(job: Claimed) -> None:
            times.append(time.monotonic())
            if job.row.id == "hopeless" or job.row.attempts < 3:
                raise ValueError("not today")

        handler = Doing(database, fail, most_attempts=4)
        await JobRows(database).add(row("hopeless"))
        async with working(database, handler):
            await has_results(database, 1)
            assert handler.given_up == ["ValueError: not today"]
            assert [one.attempts for one in handler.begun] == [1, 2, 3, 4]
            pauses = [after - before for before, after in pairwise(times)]
            assert pauses[0] >= 0.05
            assert pauses[1] >= 0.1
            assert pauses[2] >= 0.1
            await JobRows(database).add(row("stubborn"))
            await has_results(database, 2)
        assert len(handler.given_up) == 1

    with_database(tmp_path, work)


def test_a_job_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        rows = JobRows(database)
        await rows.add(row("deadly"))
        for number in range(3):
            assert len(await rows.claim(f"dead-{number}", ["k"], time.time(), -1.0, 1)) == 1
        handler = Doing(database)
        async with working(database, handler):
            await has_results(database, 1)
        assert handler.given_up == ["its worker died in every one of 3 attempts"]
        assert handler.begun == []

    with_database(tmp_path, work)


def test_a_stop_reaches_a_job_under_way_and_one_that_waits(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        async def watch(job: Claimed) -> None:
            while not job.stopped():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        handler = Doing(database, watch)
        rows = JobRows(database)
        await rows.add(row("a"))
        async with working(database, handler):
            await until(lambda: len(handler.begun) == 1)
            assert await rows.stop("p", "a")
            await has_results(database, 1)
            await rows.add(row("b"))
            assert await rows.stop("p", "b")
            await has_results(database, 2)

    with_database(tmp_path, work)


def test_cancelling_the_worker_puts_its_jobs_back_at_once_and_uncounted(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        async def wait(_: Claimed) -> None:
            await asyncio.sleep(60)

        rows, handler = JobRows(database), Doing(database, wait)
        await rows.add(row("a"))
        await rows.add(row("b"))
        async with working(database, handler):
            await until(lambda: len(handler.begun) == 2)
        claimed = await rows.claim("next", ["k"], time.time(), 60.0, 9)
        assert [(one.id, one.attempts) for one in claimed] == [("a", 1), ("b", 1)]

    with_database(tmp_path, work)


def test_a_retired_worker_claims_nothing_and_finishes_only_what_may_finish(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        go_on = asyncio.Event()

        async def wait(_: Claimed) -> None:
            await go_on.wait()

        for finishing, left in ((["k"], ["b"]), ([], ["a", "b"])):
            rows, handler = JobRows(database), Doing(database, wait)
            go_on.clear()
            await rows.add(row("a"))
            async with working(database, handler) as worker:
                await until(lambda handler=handler: len(handler.begun) == 1)
                worker.retire(finishing)
                await rows.add(row("b"))
                await asyncio.sleep(5 * PACE.poll)
                go_on.set()
                await worker.idle()
            claimed = await rows.claim("next", ["k"], time.time(), 60.0, 9)
            assert [one.id for one in claimed] == left
            for one in claimed:
                await database.write(lambda connection, one=one: jobs.finish(connection, one))

    with_database(tmp_path, work)


def test_the_bell_ends_the_pause(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        handler, bell = Doing(database), Bell()
        async with working(database, handler, bell=bell, pace=Pace(poll=60.0)):
            await asyncio.sleep(0.1)
            await JobRows(database).add(row("a"))
            bell.ring()
            await has_results(database, 1)

    with_database(tmp_path, work)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_loses_no_lease_and_holds_up_no_job(tmp_path: Path, jump: float) -> None:
    async def work(database: Database) -> None:
        go_on = asyncio.Event()

        async def wait(job: Claimed) -> None:
            if job.row.id == "a":
                await go_on.wait()

        handler, now = Doing(database, wait), [0.0]
        worker = Worker(JobRows(database), {"k": handler}, "w", lambda: time.time() + now[0], Bell(), pace=STEADY)
        task = asyncio.create_task(worker.run())
        await JobRows(database).add(row("a"))
        await until(lambda: len(handler.begun) == 1)
        now[0] = jump
        await asyncio.sleep(20 * STEADY.poll)
        await JobRows(database).add(row("b"))
        await has_results(database, 1)
        here = time.time() + jump
        assert await JobRows(database).claim("v", ["k"], here, 60.0, 1) == []
        assert len(await JobRows(database).claim("v", ["k"], here + STEADY.lease + 1, 60.0, 1)) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [one.id for one in handler.begun] == ["a", "b"]

    with_database(tmp_path, work)


def test_the_worker_outlives_a_database_that_is_away_and_a_sweep_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(database: Database) -> None:
        swept: list[int] = []

        async def sweep() -> None:
            swept.append(1)
            raise ValueError("no broom")

        async def away(*_: object) -> set[str]:
            raise StorageFailed("It is away.")

        handler, rows = Doing(database), JobRows(database)
        task = asyncio.create_task(Worker(rows, {"k": handler}, "w", time.time, Bell(), sweep, PACE).run())
        await asyncio.sleep(0)
        with monkeypatch.context() as patch:
            patch.setattr(rows, "due", away)
            await rows.add(row("a"))
            await until(lambda: len(swept) > 1)
            assert handler.begun == []
        await has_results(database, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with_database(tmp_path, work)
