"""The queue: who may claim what, leases that fence, and jobs that go with the row that needs them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from freehold.storage.database import Database, open_database
from freehold.storage.repos import jobs
from freehold.storage.repos.jobs import JobRow, JobRows, LeaseLost, Seen
from tests.databases import database_url

NOW = 1000.0
LEASE = 15.0


def with_rows(folder: Path, work: Callable[[JobRows, Database], Awaitable[None]]) -> None:
    """Run `work` on the jobs of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(JobRows(database), database)

    asyncio.run(main())


def job(name: str, subject: str | None = None, kind: str = "k", created: float = 0.0, due: float = 0.0) -> JobRow:
    return JobRow(id=name, kind=kind, subject=subject or f"of-{name}", project="p", created=created, due=due)


def names(claimed: list[JobRow]) -> str:
    return " ".join(row.id for row in claimed)


async def claim(rows: JobRows, worker: str = "w", now: float = NOW, limit: int = 10, busy: tuple[str, ...] = ()) -> str:
    return names(await rows.claim(worker, ["k"], now, LEASE, limit, busy))


def test_jobs_are_claimed_oldest_first_by_one_worker_only(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        for name, created in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
            await rows.add(job(name, created=created))
        await rows.add(job("other", kind="other"))
        assert await rows.due(["k", "none"], NOW) == {"k"}
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        assert first == JobRow(
            id="a", kind="k", subject="of-a", project="p", created=1.0, due=NOW + LEASE, attempts=1, worker="w"
        )
        assert await claim(rows, "v") == "b c"
        assert await claim(rows, "u") == ""
        assert await rows.due(["k"], NOW) == set()

    with_rows(tmp_path, work)


def test_a_job_waits_until_it_is_due(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        await rows.add(job("a", due=NOW + 1))
        assert await claim(rows) == ""
        assert await claim(rows, now=NOW + 1) == "a"

    with_rows(tmp_path, work)


def test_one_job_of_a_subject_at_a_time_and_none_of_a_busy_one(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        for number in range(3):
            await rows.add(job(f"slow{number}", "slow", created=number))
        await rows.add(job("quick", "quick", created=9.0))
        assert await claim(rows, limit=1, busy=("slow",)) == "quick"
        assert await claim(rows) == "slow0"
        assert await claim(rows) == "slow1"
        assert await claim(rows, busy=("slow",)) == ""
        assert await rows.due(["k"], NOW, ["slow"]) == set()

    with_rows(tmp_path, work)


def test_an_expired_lease_goes_to_another_and_fences_the_first(tmp_path: Path) -> None:
    async def work(rows: JobRows, database: Database) -> None:
        await rows.add(job("a"))
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        assert await claim(rows, "v", NOW + LEASE - 0.1) == ""
        (second,) = await rows.claim("v", ["k"], NOW + LEASE, LEASE, 1)
        assert (second.worker, second.attempts) == ("v", 2)
        for late in (jobs.finish, jobs.hold):
            with pytest.raises(LeaseLost, match="job a is no longer w's"):
                await database.write(lambda connection, late=late: late(connection, first))
        assert not await rows.put_off(first, 0.0)
        await database.write(lambda connection: jobs.hold(connection, second))
        await database.write(lambda connection: jobs.finish(connection, second))
        with pytest.raises(LeaseLost):
            await database.write(lambda connection: jobs.finish(connection, second))

    with_rows(tmp_path, work)


def test_a_second_claim_by_the_same_worker_fences_its_first(tmp_path: Path) -> None:
    async def work(rows: JobRows, database: Database) -> None:
        await rows.add(job("a"))
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        (second,) = await rows.claim("w", ["k"], NOW + LEASE, LEASE, 1)
        with pytest.raises(LeaseLost):
            await database.write(lambda connection: jobs.finish(connection, first))
        await database.write(lambda connection: jobs.finish(connection, second))

    with_rows(tmp_path, work)


def test_what_is_written_with_a_lost_lease_is_undone(tmp_path: Path) -> None:
    async def work(rows: JobRows, database: Database) -> None:
        await rows.add(job("a"))
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        await rows.claim("v", ["k"], NOW + LEASE, LEASE, 1)

        def result(connection: Connection) -> None:
            jobs.enqueue(connection, job("result", kind="result"))
            jobs.finish(connection, first)

        with pytest.raises(LeaseLost):
            await database.write(result)
        assert await rows.due(["result"], NOW) == set()

    with_rows(tmp_path, work)


def test_a_beat_renews_the_leases_that_are_still_ones_own(tmp_path: Path) -> None:
    async def work(rows: JobRows, database: Database) -> None:
        for name in "abc":
            await rows.add(job(name))
        mine = await rows.claim("w", ["k"], NOW, LEASE, 3)
        await database.write(lambda connection: jobs.finish(connection, mine[2]))
        await rows.beat("w", ["a"], NOW + 60)
        assert await claim(rows, "v", NOW + LEASE) == "b"
        assert await rows.stop("p", "of-a")
        ids = ["a", "b", "c"]
        assert await rows.look("w", ids) == Seen(frozenset("a"), frozenset("b"))
        assert await rows.beat("w", ids, NOW + 60) == Seen(frozenset("a"), frozenset("b"))
        assert await claim(rows, "u", NOW + 2 * LEASE) == "b"

    with_rows(tmp_path, work)


def test_putting_off_counts_the_attempt_or_does_not(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        await rows.add(job("a"))
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        assert await rows.put_off(first, NOW + 2)
        assert await claim(rows, now=NOW + 1) == ""
        (second,) = await rows.claim("w", ["k"], NOW + 2, LEASE, 1)
        assert second.attempts == 2
        assert await rows.put_off(second, 0.0, counted=False)
        (third,) = await rows.claim("v", ["k"], NOW + 2, LEASE, 1)
        assert third.attempts == 2

    with_rows(tmp_path, work)


def test_stopping_makes_a_waiting_job_due_and_leaves_a_lease_alone(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        await rows.add(job("a", due=NOW + 3600))
        assert not await rows.stop("another project", "of-a")
        assert not await rows.stop("p", "unknown")
        assert await rows.stop("p", "of-a")
        (stopping,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        assert stopping.stop
        assert await rows.stop("p", "of-a")
        assert await claim(rows, "v") == ""

    with_rows(tmp_path, work)


def test_dropping_takes_the_jobs_of_one_object_of_one_project(tmp_path: Path) -> None:
    async def work(rows: JobRows, database: Database) -> None:
        for name in ("a", "b"):
            await rows.add(job(name, "same"))
        await rows.add(job("c"))
        (first,) = await rows.claim("w", ["k"], NOW, LEASE, 1)
        await database.write(lambda connection: jobs.drop(connection, "another project", "same"))
        await database.write(lambda connection: jobs.hold(connection, first))
        await database.write(lambda connection: jobs.drop(connection, "p", "same"))
        with pytest.raises(LeaseLost):
            await database.write(lambda connection: jobs.finish(connection, first))
        assert await claim(rows) == "c"

    with_rows(tmp_path, work)


def test_two_processes_never_have_the_same_job(tmp_path: Path) -> None:
    async def work(rows: JobRows, _: Database) -> None:
        for number in range(60):
            await rows.add(job(f"{number:02}"))
        async with open_database(database_url(tmp_path), tmp_path) as other:

            async def take(queue: JobRows, worker: str) -> list[str]:
                got: list[str] = []
                while found := await queue.claim(worker, ["k"], NOW, LEASE, 3):
                    got += [row.id for row in found]
                return got

            mine, theirs = await asyncio.gather(take(rows, "w"), take(JobRows(other), "v"))
        assert sorted(mine + theirs) == [f"{number:02}" for number in range(60)]

    with_rows(tmp_path, work)
