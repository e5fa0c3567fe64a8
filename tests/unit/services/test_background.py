"""Background responses: handed from worker to worker without a gap, cancelled, failed, deleted, forgotten."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from freehold.core.errors import EngineFailed, Invalid, StorageFailed
from freehold.services.answering import Answering
from freehold.services.background import KEPT_SECONDS, Background, _may_pass
from freehold.storage.database import Database, open_database
from freehold.storage.repos.jobs import JobRow, JobRows, LeaseLost
from freehold.storage.repos.journal import JournalRows
from freehold.storage.tables import frames, items, jobs
from freehold.wiring import House
from tests.databases import database_url
from tests.house import NOW, fixed_chance, house, working
from tests.sse_checker import Json, check_stream, read_events

ADD = {"type": "function", "name": "add", "parameters": {}, "strict": False}
TOLD = "one two three four five six seven eight nine ten eleven twelve"
CASES: dict[str, Json] = {
    "text": {"input": TOLD},
    "thought": {"model": "gpt-5.2", "input": TOLD, "reasoning": {"effort": "low", "summary": "auto"}},
    "refusal": {"input": f"!refuse {TOLD}"},
    "call": {"input": '!call add {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}', "tools": [ADD]},
    "cut": {"input": f"{TOLD} {TOLD}", "max_output_tokens": 16},
    "logprobs": {"input": TOLD, "include": ["message.output_text.logprobs"], "top_logprobs": 1},
}


def body(**given: Any) -> Json:
    return {"model": "gpt-5", "background": True, **given}


async def journal(database: Database) -> list[bytes]:
    """The frames of the response `resp_1`."""
    page = await JournalRows(database).read("default", "resp_1", -1, 10_000)
    assert page is not None
    return page.frames


async def status(client: httpx2.AsyncClient) -> str:
    return (await client.get("/responses/resp_1")).json()["status"]


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await reached():  # noqa: ASYNC110  what is waited for happens in a database
            await asyncio.sleep(0.005)


async def counts(database: Database) -> tuple[int, int, int]:
    """How many jobs, frames and items there are."""

    def count(connection: Any) -> tuple[int, int, int]:
        one, two, three = (connection.execute(select(func.count()).select_from(it)).scalar() for it in TABLES)
        return one, two, three

    return await database.read(count)


TABLES = (jobs, frames, items)


@asynccontextmanager
async def one_house(folder: Path, **spec: Any) -> AsyncIterator[tuple[House, httpx2.AsyncClient, Database]]:
    async with house(folder, **spec) as (built, client), open_database(database_url(folder), folder) as database:
        yield built, client, database


async def uninterrupted(folder: Path, asked: Json) -> list[bytes]:
    async with one_house(folder) as (built, client, database), working(built):
        await client.post("/responses", json=asked)
        await until(lambda: ended(client))
        return await journal(database)


def named(told: list[bytes]) -> bytes:
    """The frames with ids that count up: an attempt that came to nothing has used some."""
    known: dict[bytes, bytes] = {}
    return re.sub(
        rb'"(msg|rs|fc|call)_[0-9]+"', lambda one: known.setdefault(one[0], b'"%d"' % len(known)), b"".join(told)
    )


async def ended(client: httpx2.AsyncClient) -> bool:
    return await status(client) not in ("queued", "in_progress")


@pytest.mark.parametrize("case", CASES)
def test_handed_from_worker_to_worker_it_is_the_same_stream(tmp_path: Path, case: str) -> None:
    asked = body(**CASES[case])

    async def main() -> None:
        wanted = await uninterrupted(tmp_path / "alone", asked)
        chance, folder, hands = fixed_chance(), tmp_path / "shared", 0
        async with (
            house(folder, chance, rate=60.0) as (first, client),
            house(folder, chance, rate=60.0) as (second, _),
            open_database(database_url(folder), folder) as database,
        ):
            await client.post("/responses", json=asked)
            while not await ended(client):
                before = len(await journal(database))
                hands += 1
                due = time.monotonic() + 0.05 * hands

                async def told(before: int = before, due: float = due) -> bool:
                    more = len(await journal(database)) >= before + 3
                    return more or time.monotonic() > due or await ended(client)

                async with working(first if hands % 2 else second):
                    await until(told)
                await database.write(lambda connection: connection.execute(update(jobs).values(due=0.0)))
            found = await journal(database)
            assert named(found) == named(wanted)
            assert hands > 1
            assert (await counts(database))[0] == 0
            final = check_stream(read_events(b"".join(found)))
            assert (await client.get("/responses/resp_1")).json() == final

    asyncio.run(main())


def test_a_compacted_conversation_is_not_compacted_again(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "word " * 1_100}, {"role": "assistant", "content": "Yes."}]
    asked = body(
        input=[*said, {"role": "user", "content": "again " * 120}],
        context_management=[{"type": "compaction", "compact_threshold": 1_000}],
    )

    async def main() -> None:
        chance = fixed_chance()
        async with (
            one_house(tmp_path, chance=chance, rate=400.0) as (first, client, database),
            house(tmp_path, chance, rate=400.0) as (second, _),
        ):
            await client.post("/responses", json=asked)

            async def compacted() -> bool:
                return len(await journal(database)) > 8

            async with working(first):
                await until(compacted)
            before = await journal(database)
            async with working(second):
                await until(lambda: ended(client))
            found = await journal(database)
            assert found[: len(before)] == before and len(found) > len(before)
            final = check_stream(read_events(b"".join(found)))
            assert [item["type"] for item in final["output"]] == ["compaction", "message"]
            assert final["output"][1]["content"][0]["text"] == "again " * 120

    asyncio.run(main())


def test_a_call_is_journaled_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=40.0) as (built, client, database), working(built):
            await client.post("/responses", json=body(**CASES["call"]))
            seen = set()
            while not await ended(client):
                seen.add(len(await journal(database)))
                await asyncio.sleep(0.002)
            assert seen <= {2, 3, len(await journal(database))}

    asyncio.run(main())


def test_a_running_response_is_cancelled_with_what_was_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=50.0) as (built, client, database), working(built):
            await client.post("/responses", json=body(input="word " * 500))

            async def speaking() -> bool:
                return len(await journal(database)) > 8

            await until(speaking)
            cancelled = (await client.post("/responses/resp_1/cancel")).json()
            assert cancelled["status"] == "cancelled" and cancelled["background"]
            assert cancelled["output"][0]["status"] == "incomplete"
            assert (await client.post("/responses/resp_1/cancel")).json() == cancelled
            assert check_stream(read_events(b"".join(await journal(database)))) == cancelled
            assert (await counts(database))[0] == 0

    asyncio.run(main())


def test_a_response_that_waits_for_its_engine_is_cancelled_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=50.0, slots=1) as (built, client, _), working(built):
            foreground = asyncio.ensure_future(client.post("/responses", json={"input": "word " * 500}))
            await until(lambda: busy(built))
            created = (await client.post("/responses", json=body(input="Hello"))).json()

            async def working_on_it() -> bool:
                return (await client.get(f"/responses/{created['id']}")).json()["status"] == "in_progress"

            await until(working_on_it)
            cancelled = (await client.post(f"/responses/{created['id']}/cancel")).json()
            assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
            assert (await client.post("/responses/resp_1/cancel")).json()["status"] == "cancelled"
            assert (await foreground).status_code == 200

    asyncio.run(main())


async def busy(built: House) -> bool:
    return len(built.running) > 0


def test_one_that_was_put_back_in_the_middle_is_cancelled_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=50.0) as (built, client, database):
            await client.post("/responses", json=body(input="word " * 500))

            async def speaking() -> bool:
                return len(await journal(database)) > 8

            async with working(built):
                await until(speaking)
            cancelled = (await client.post("/responses/resp_1/cancel")).json()
            assert (cancelled["status"], cancelled["output"][0]["status"]) == ("cancelled", "incomplete")
            assert check_stream(read_events(b"".join(await journal(database)))) == cancelled
            assert (await counts(database))[0] == 0

    asyncio.run(main())


def test_a_deleted_response_is_made_no_further(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=50.0) as (built, client, database), working(built):
            await client.post("/responses", json=body(input="word " * 500))

            async def speaking() -> bool:
                return len(await journal(database)) > 8

            await until(speaking)
            assert (await client.delete("/responses/resp_1")).json()["deleted"]
            async with asyncio.timeout(5):
                await built.worker.idle()
            assert await counts(database) == (0, 0, 0)
            assert (await client.get("/responses/resp_1", params={"stream": "true"})).status_code == 404

    asyncio.run(main())


def test_an_engine_that_breaks_every_time_fails_the_response_and_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database), working(built):
            await client.post("/responses", json=body(input="!crash after 3 a b c"))
            await until(lambda: ended(client))
            final = check_stream(read_events(b"".join(await journal(database))))
            assert final["error"] == {
                "code": "server_error",
                "message": "The script engine crashed after 3 words, as it was told to.",
            }
            assert final["output"][0]["content"][0]["text"] == "a b c "
            assert await status(client) == "failed"

    asyncio.run(main())


def handler(built: House) -> Background:
    """The handler of the house's background responses."""
    found = built.worker._handlers["response"]
    assert isinstance(found, Background)
    return found


async def claimed(database: Database) -> JobRow:
    (job,) = await JobRows(database).claim("doomed", ["response"], NOW, 15.0, 1)
    return job


def test_a_response_whose_workers_all_die_is_given_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database):
            await client.post("/responses", json=body(input="Hello"))
            job = await claimed(database)
            for _ in range(5):
                assert await JobRows(database).put_off(job, 0.0)
                job = await claimed(database)
            assert await JobRows(database).put_off(job, 0.0)
            async with working(built):
                await until(lambda: ended(client))
            final = check_stream(read_events(b"".join(await journal(database))))
            message = "The response could not be finished: its worker died in every one of 5 attempts."
            assert (final["status"], final["error"]["message"]) == ("failed", message)

    asyncio.run(main())


def test_what_a_worker_writes_that_lost_its_lease_is_undone(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database):
            await client.post("/responses", json=body(input="Hello"))
            stale = await claimed(database)
            assert await JobRows(database).put_off(stale, 0.0)
            async with working(built):
                await until(lambda: ended(client))
            before = await journal(database), (await client.get("/responses/resp_1")).json()
            with pytest.raises(LeaseLost):
                await handler(built).give_up(stale, "it is late")
            assert (await journal(database), (await client.get("/responses/resp_1")).json()) == before

    asyncio.run(main())


def test_what_it_continues_was_deleted_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, _):
            before = (await client.post("/responses", json={"input": "Hello"})).json()
            created = await client.post("/responses", json=body(input="And?", previous_response_id=before["id"]))
            await client.delete(f"/responses/{before['id']}")
            path = f"/responses/{created.json()['id']}"

            async def over() -> bool:
                return (await client.get(path)).json()["status"] == "failed"

            async with working(built):
                await until(over)
            error = (await client.get(path)).json()["error"]
            assert error["message"] == f"Previous response with id '{before['id']}' not found."

    asyncio.run(main())


def test_a_busy_engine_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path, rate=40.0, slots=1, queue=0) as (built, client, _):
            await client.post("/responses", json=body(input="Hello"))
            foreground = asyncio.ensure_future(client.post("/responses", json={"input": "word " * 40}))
            await until(lambda: busy(built))
            async with working(built):
                await until(lambda: ended(client))
            assert await status(client) == "completed"
            assert (await foreground).json()["status"] == "completed"

    asyncio.run(main())


def test_an_ended_response_without_its_journal_is_replayed(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database), working(built):
            await client.post("/responses", json=body(input="Hello there"))
            await until(lambda: ended(client))
            await handler(built).forget(NOW + KEPT_SECONDS)
            assert len(await journal(database)) > 0
            await handler(built).forget(NOW + KEPT_SECONDS + 1)
            assert await journal(database) == []
            answer = await client.get("/responses/resp_1", params={"stream": "true"})
            final = check_stream(read_events(answer.content))
            assert final == (await client.get("/responses/resp_1")).json()
            assert answer.text.count("response.output_text.delta") == 2

    asyncio.run(main())


def test_a_response_under_way_keeps_its_journal(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database):
            await client.post("/responses", json=body(input="Hello there"))
            await handler(built).forget(NOW + 10 * KEPT_SECONDS)
            assert len(await journal(database)) == 2

    asyncio.run(main())


def test_nothing_is_stored_of_a_request_that_is_wrong(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (_, client, database):
            for wrong in ({"input": "x", "model": "gpt-17"}, {"input": "x", "previous_response_id": "resp_0"}):
                assert (await client.post("/responses", json=body(**wrong))).status_code == 400
            assert await counts(database) == (0, 0, 0)

    asyncio.run(main())


def test_only_what_may_pass_is_tried_again() -> None:
    assert _may_pass(EngineFailed("x")) and _may_pass(StorageFailed("x"))
    assert _may_pass(Invalid("x", "model_not_found", "model"))
    assert not _may_pass(Invalid("x", "previous_response_not_found"))


def test_a_bug_is_not_told_to_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a secret")

    async def main() -> None:
        async with one_house(tmp_path) as (built, client, _):
            await client.post("/responses", json=body(input="Hello"))
            monkeypatch.setattr(Answering, "prepare", broken)
            async with working(built):
                await until(lambda: ended(client))
            error = (await client.get("/responses/resp_1")).json()["error"]
            assert error["message"] == "The server had an error while processing your request. Sorry about that!"

    asyncio.run(main())


def test_the_key_and_the_padding_survive_in_the_job(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_house(tmp_path) as (built, client, database):
            await client.post("/responses", json=body(input="Hello"))
            job = await claimed(database)
            task = handler(built)._task(job.payload)
            assert task.pad == "0123456789abcdef" and b'"input":"Hello"' in bytes(task.body)

    asyncio.run(main())
