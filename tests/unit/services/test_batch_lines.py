"""Batches are executed: every request is answered once, whatever happens meanwhile."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from freehold.core.errors import EngineFailed, StorageFailed
from freehold.services import batch_intake, batch_lines
from freehold.services.answering import Chance
from freehold.services.batch_lines import BatchLines
from freehold.storage.database import open_database
from freehold.storage.repos.batches import BatchRows
from freehold.storage.tables import batch_lines as lines_table
from freehold.storage.tables import jobs
from freehold.surfaces import batch_input
from freehold.wiring import House
from tests.databases import database_url
from tests.house import NOW, fixed_chance, house, working

CHAT = "/v1/chat/completions"
DAY = 24 * 3600
Json = dict[str, Any]


class Batch:
    """A batch as a client sees it."""

    def __init__(self, client: httpx2.AsyncClient, batch_id: str) -> None:
        self._client = client
        self._path = f"/batches/{batch_id}"

    async def now(self) -> Json:
        return (await self._client.get(self._path)).json()

    async def until(self, wanted: Callable[[Json], bool]) -> Json:
        async with asyncio.timeout(20):
            while not wanted(batch := await self.now()):  # noqa: ASYNC110  there is nothing to wait for but the server
                await asyncio.sleep(0.02)
        return batch

    async def ended(self) -> Json:
        return await self.until(lambda batch: batch["status"] in ("completed", "failed", "expired", "cancelled"))

    async def cancel(self) -> Json:
        return (await self._client.post(self._path + "/cancel")).raise_for_status().json()

    async def file(self, which: str) -> list[Json]:
        """The lines of the output file or of the error file."""
        file_id = (await self.now())[f"{which}_file_id"]
        if file_id is None:
            return []
        content = (await self._client.get(f"/files/{file_id}/content")).raise_for_status().text
        assert content.endswith("\n")
        return [json.loads(line) for line in content.splitlines()]


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are made in the order of the input, as those are whose prompts begin alike."""
    monkeypatch.setattr(batch_input, "_prefix", lambda _: b"p")


def said(*texts: str, **more: Any) -> str:
    """Input that asks for each of the texts to be repeated."""
    lines = (
        {
            "custom_id": f"c{number}",
            "method": "POST",
            "url": CHAT,
            "body": {"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more},
        }
        for number, text in enumerate(texts)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


async def begun(client: httpx2.AsyncClient, content: str | bytes, **more: Any) -> Batch:
    files = {"file": ("a.jsonl", content)}
    file = (await client.post("/files", files=files, data={"purpose": "batch"})).raise_for_status().json()
    order = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h", **more}
    return Batch(client, (await client.post("/batches", json=order)).raise_for_status().json()["id"])


@asynccontextmanager
async def worked(folder: Path, chance: Chance | None = None, **spec: object) -> AsyncIterator[httpx2.AsyncClient]:
    async with house(folder, chance, **spec) as (built, client), working(built):
        yield client


def handler(built: House) -> BatchLines:
    found = built.worker._handlers["batch"]
    assert isinstance(found, BatchLines)
    return found


async def left(folder: Path) -> tuple[int, int]:
    """How many jobs and lines there are."""
    async with open_database(database_url(folder), folder) as database:
        counts = [select(func.count()).select_from(table) for table in (jobs, lines_table)]
        found = [await database.read(lambda connection, one=one: connection.execute(one).scalar()) for one in counts]
        return found[0] or 0, found[1] or 0


def codes(batch: Json) -> list[tuple[str, int | None]]:
    return [(error["code"], error["line"]) for error in batch["errors"]["data"]]


def test_every_request_is_answered_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(batch_lines, "PATIENCE", {EngineFailed: (3, 0.01)})
        async with worked(tmp_path) as client:
            texts = ["one", "two words", "!crash after 2 x", "three little words"]
            batch = await begun(client, said(*texts) + said("hot", temperature=9).replace("c0", "c4"))
            found = await batch.ended()
            assert (found["status"], found["model"], found["errors"]) == ("completed", "gpt-5", None)
            assert found["request_counts"] == {"total": 5, "completed": 3, "failed": 2}
            assert found["in_progress_at"] == found["finalizing_at"] == found["completed_at"] == NOW
            assert (found["usage"]["input_tokens"], found["usage"]["output_tokens"]) == (6, 6)
            output, errors = await batch.file("output"), await batch.file("error")
            assert [(line["custom_id"], line["error"]) for line in output] == [("c0", None), ("c1", None), ("c3", None)]
            answers = [line["response"]["body"]["choices"][0]["message"]["content"] for line in output]
            assert answers == ["one", "two words", "three little words"]
            assert [line["response"]["status_code"] for line in output] == [200] * 3
            assert [line["response"]["status_code"] for line in errors] == [500, 400]
            assert [line["response"]["body"]["error"]["param"] for line in errors] == [None, "temperature"]
            assert len({line["id"] for line in output + errors}) == 5
            files = (await client.get("/files", params={"purpose": "batch_output"})).json()["data"]
            assert {file["filename"] for file in files} == {"batch_1_output.jsonl", "batch_1_error.jsonl"}
            assert {file["expires_at"] for file in files} == {None}
        assert await left(tmp_path) == (0, 0)

    asyncio.run(main())


def test_files_expire_as_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with worked(tmp_path) as client:
            batch = await begun(client, said("x"), output_expires_after={"anchor": "created_at", "seconds": 3600})
            found = await batch.ended()
            file = (await client.get(f"/files/{found['output_file_id']}")).json()
            assert (file["expires_at"], found["error_file_id"]) == (NOW + 3600, None)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "body", "text"),
    [
        ("/v1/responses", {"input": "Hi"}, lambda body: body["output"][0]["content"][0]["text"]),
        ("/v1/completions", {"model": "gpt-5", "prompt": "Hi"}, lambda body: body["choices"][0]["text"]),
    ],
)
def test_other_endpoints(tmp_path: Path, url: str, body: Json, text: Callable[[Json], str]) -> None:
    async def main() -> None:
        async with worked(tmp_path) as client:
            line = {"custom_id": "a", "method": "POST", "url": url, "body": body}
            batch = await begun(client, json.dumps(line), endpoint=url)
            assert (await batch.ended())["status"] == "completed"
            (answer,) = await batch.file("output")
            assert text(answer["response"]["body"]) == "Hi"
            assert (await batch.now())["usage"]["total_tokens"] == 2

    asyncio.run(main())


GOOD = said("Hi").strip()
BAD_FILES: list[tuple[bytes, list[tuple[str, int | None]]]] = [
    (b"\n \r\n", [("empty_file", None)]),
    (b"\xef\xbb\xbf\n", [("empty_file", None)]),
    (f"{GOOD}\nnot json\n\n{GOOD}\n".encode(), [("invalid_json_line", 2), ("duplicate_custom_id", 4)]),
    (GOOD.replace(CHAT, "/v1/responses").encode(), [("invalid_url", 1)]),
    (GOOD.replace("gpt-5", "gpt-none").encode(), [("model_not_found", None)]),
    (b"\xff\xfe\n" + GOOD.encode(), [("invalid_json_line", 1)]),
    (b'{"a":"' + b"x" * 5000 + b'"}\n' + GOOD.encode(), [("line_too_long", 1)]),
    (b"x\n" * 500, [("invalid_json_line", line) for line in range(1, batch_intake.MOST_ERRORS + 1)]),
]


@pytest.mark.parametrize(("content", "wanted"), BAD_FILES)
def test_a_bad_file_fails_with_the_lines_that_are_wrong(
    tmp_path: Path, content: bytes, wanted: list[tuple[str, int | None]]
) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client):
            handler(built)._longest = 4000
            async with working(built):
                batch = await begun(client, content)
                found = await batch.ended()
                assert (found["status"], found["failed_at"]) == ("failed", NOW)
                assert codes(found) == wanted
                assert found["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
                assert (found["output_file_id"], found["error_file_id"]) == (None, None)
        assert await left(tmp_path) == (0, 0)

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + said("x", "y").encode(), said("x", "y").replace("\n", "\r\n"),
                                     "\n\n" + said("x", "y").rstrip("\n")])  # fmt: skip
def test_marks_line_ends_and_blank_lines_do_not_matter(tmp_path: Path, content: bytes | str) -> None:
    async def main() -> None:
        async with worked(tmp_path) as client:
            batch = await begun(client, content)
            assert (await batch.ended())["request_counts"] == {"total": 2, "completed": 2, "failed": 0}

    asyncio.run(main())


def test_a_line_of_ten_megabytes_is_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with worked(tmp_path) as client:
            batch = await begun(client, said("a" * 10_000_000, "b"))
            assert (await batch.ended())["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
            first, _ = await batch.file("output")
            assert len(first["response"]["body"]["choices"][0]["message"]["content"]) == 10_000_000

    asyncio.run(main())


def test_what_was_answered_stays_when_another_worker_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, rate=40.0, slots=3) as (built, client):
            batch = await begun(client, said(*(f"{number} b c d" for number in range(9))))
            async with working(built):
                seen = await batch.until(lambda batch: batch["request_counts"]["completed"] >= 2)
                assert seen["status"] == "in_progress"
                assert seen["request_counts"]["total"] == 9
            rows = handler(built)._rows
            before = {line.custom_id: line.result for line in await rows.results("batch_1", "completed", 0, 99)}
            assert 2 <= len(before) < 9
            async with working(built):
                assert (await batch.ended())["request_counts"] == {"total": 9, "completed": 9, "failed": 0}
            output = await batch.file("output")
            assert [line["custom_id"] for line in output] == [f"c{number}" for number in range(9)]
            kept = {line["custom_id"]: line for line in output}
            assert {name: kept[name] for name in before} == {
                name: json.loads(result or b"") for name, result in before.items()
            }

    asyncio.run(main())


def test_the_input_is_read_on_where_another_worker_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(batch_intake, "_AT_ONCE", 2)
        add_lines, failed = BatchRows.add_lines, 0

        async def breaking(self: BatchRows, job: Any, lines: Any) -> None:
            nonlocal failed
            await add_lines(self, job, lines)
            if failed < 2:
                failed += 1
                raise RuntimeError("the process dies after it wrote")

        monkeypatch.setattr(BatchRows, "add_lines", breaking)
        async with worked(tmp_path) as client:
            batch = await begun(client, said("a", "b", "c", "d", "e"))
            assert (await batch.ended())["request_counts"] == {"total": 5, "completed": 5, "failed": 0}
            assert failed == 2

    asyncio.run(main())


def test_a_cancelled_batch_keeps_what_was_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(batch_lines, "GRACE_SECONDS", 0.3)
        async with worked(tmp_path, rate=20.0, slots=1) as client:
            batch = await begun(client, said("x", "y z", "z " * 500, "never", "never"))
            await batch.until(lambda batch: batch["request_counts"]["completed"] == 2)
            assert (await batch.cancel())["status"] == "cancelling"
            found = await batch.ended()
            assert (found["status"], found["cancelling_at"], found["cancelled_at"]) == ("cancelled", NOW, NOW)
            assert found["request_counts"] == {"total": 5, "completed": 2, "failed": 0}
            assert await batch.cancel() == found
            assert [line["custom_id"] for line in await batch.file("output")] == ["c0", "c1"]
            others = [(line["custom_id"], line["error"]["code"]) for line in await batch.file("error")]
            assert others == [(f"c{number}", "batch_cancelled") for number in (2, 3, 4)]
        assert await left(tmp_path) == (0, 0)

    asyncio.run(main())


def test_a_batch_that_is_cancelled_before_it_was_read_makes_no_files(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client):
            batch = await begun(client, said("x"))
            assert (await batch.cancel())["status"] == "cancelling"
            async with working(built):
                found = await batch.ended()
            assert (found["status"], found["output_file_id"], found["error_file_id"]) == ("cancelled", None, None)
            assert found["request_counts"] == {"total": 0, "completed": 0, "failed": 0}

    asyncio.run(main())


@pytest.mark.parametrize("rate", [0.0, 20.0])
def test_a_batch_expires_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float) -> None:
    """At once, and in the middle."""

    async def main() -> None:
        monkeypatch.setattr(batch_lines, "GRACE_SECONDS", 0.0)
        now = float(NOW)
        fixed = fixed_chance()
        chance = Chance(fixed.mint, lambda: now, fixed.pad)
        async with house(tmp_path, chance, rate=rate, slots=1) as (built, client):
            batch = await begun(client, said("x", "y " * 500, "z"))
            if not rate:
                now += DAY
            async with working(built):
                if rate:
                    await batch.until(lambda batch: batch["request_counts"]["completed"] == 1)
                    now += DAY
                found = await batch.ended()
            done = 1 if rate else 0
            assert (found["status"], found["expired_at"]) == ("expired", NOW + DAY)
            assert found["request_counts"] == {"total": 3, "completed": done, "failed": 0}
            assert [line["custom_id"] for line in await batch.file("output")] == ["c0"][:done]
            others = [(line["custom_id"], line["error"]["code"]) for line in await batch.file("error")]
            assert others == [(f"c{number}", "batch_expired") for number in range(done, 3)]

    asyncio.run(main())


def test_a_busy_engine_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with worked(tmp_path, rate=40.0, slots=1, queue=0) as client:
            chat = {"model": "gpt-5", "messages": [{"role": "user", "content": "word " * 40}]}
            interactive = asyncio.create_task(client.post("/chat/completions", json=chat))
            await asyncio.sleep(0.1)
            batch = await begun(client, said("x"))
            assert (await batch.ended())["request_counts"]["completed"] == 1
            assert (await interactive).status_code == 200

    asyncio.run(main())


def test_an_interactive_request_does_not_wait_for_a_batch(tmp_path: Path) -> None:
    async def main() -> None:
        async with worked(tmp_path, rate=20.0, slots=2) as client:
            batch = await begun(client, said(*["word " * 40] * 4))
            await batch.until(lambda batch: batch["status"] == "in_progress")
            await asyncio.sleep(0.2)
            started = time.monotonic()
            for _ in range(3):
                chat = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}
                assert (await client.post("/chat/completions", json=chat)).status_code == 200
            assert time.monotonic() - started < 1.0
            await batch.cancel()

    asyncio.run(main())


def test_requests_fail_whose_input_was_deleted_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with worked(tmp_path, rate=20.0, slots=1) as client:
            batch = await begun(client, said("a b c d e f", "y", "z"))
            found = await batch.until(lambda batch: batch["status"] == "in_progress")
            await asyncio.sleep(0.1)
            await client.delete(f"/files/{found['input_file_id']}")
            found = await batch.ended()
            assert (found["status"], found["request_counts"]["failed"]) == ("completed", 2)
            errors = [line["response"]["body"]["error"]["message"] for line in await batch.file("error")]
            assert errors == [f"No such File object: {found['input_file_id']}"] * 2

    asyncio.run(main())


def test_a_batch_whose_input_was_deleted_before_it_was_read_fails(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client):
            batch = await begun(client, said("x"))
            await client.delete(f"/files/{(await batch.now())['input_file_id']}")
            async with working(built):
                found = await batch.ended()
            assert (found["status"], codes(found)) == ("failed", [("file_not_found", None)])

    asyncio.run(main())


def test_the_storage_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(batch_lines, "STORAGE_SECONDS", 0.01)
        answer, failures = BatchRows.answer, 0

        async def failing(self: BatchRows, job: Any, number: int, state: str, result: bytes) -> None:
            nonlocal failures
            failures += 1
            if failures % 2:
                raise StorageFailed("The disk is full.")
            await answer(self, job, number, state, result)

        monkeypatch.setattr(BatchRows, "answer", failing)
        async with worked(tmp_path) as client:
            batch = await begun(client, said("x", "y", "z"))
            found = await batch.ended()
            assert (found["status"], found["request_counts"]["completed"]) == ("completed", 3)
            assert [line["custom_id"] for line in await batch.file("output")] == ["c0", "c1", "c2"]

    asyncio.run(main())


@pytest.mark.parametrize(("failures", "status"), [(2, 200), (3, 503)])
def test_a_request_that_breaks_the_storage_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, status: int
) -> None:
    async def main() -> None:
        monkeypatch.setattr(batch_lines, "PATIENCE", {StorageFailed: (3, 0.2)})
        async with house(tmp_path, slots=2) as (built, client):
            executing, left_to_fail = handler(built), failures
            reply = executing._replies[CHAT]

            async def failing(who: Any, body: Any) -> bytes:
                nonlocal left_to_fail
                if b"bad" in bytes(body) and left_to_fail:
                    left_to_fail -= 1
                    raise StorageFailed("A value cannot be stored.")
                return await reply(who, body)

            monkeypatch.setattr(executing, "_replies", {CHAT: failing})
            async with working(built):
                batch = await begun(client, said("bad", "good", "good"))
                await batch.until(lambda batch: batch["request_counts"]["completed"] == 2)
                assert left_to_fail
                assert (await batch.ended())["status"] == "completed"
                lines = {line["custom_id"]: line for line in await batch.file("output") + await batch.file("error")}
                assert lines["c0"]["response"]["status_code"] == status
                assert lines["c1"]["response"]["status_code"] == 200

    asyncio.run(main())


def test_a_defect_in_one_request_is_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client):
            executing = handler(built)
            reply = executing._replies[CHAT]

            async def breaking(who: Any, body: Any) -> bytes:
                if b"bad" in bytes(body):
                    raise RuntimeError("a bug")
                return await reply(who, body)

            monkeypatch.setattr(executing, "_replies", {CHAT: breaking})
            async with working(built):
                batch = await begun(client, said("good", "bad"))
                assert (await batch.ended())["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
                (error,) = await batch.file("error")
                assert (error["custom_id"], error["response"]["status_code"]) == ("c1", 500)
                assert "a bug" not in json.dumps(error)

    asyncio.run(main())


def test_a_batch_that_is_given_up_keeps_what_was_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, rate=20.0, slots=1) as (built, client):
            batch = await begun(client, said("x", "y " * 500))
            async with working(built):
                await batch.until(lambda batch: batch["request_counts"]["completed"] == 1)
            (job,) = await built.worker._rows.claim("w", ["batch"], NOW, 15.0, 1)
            await handler(built).give_up(job, "its worker died")
            found = await batch.ended()
            assert (found["status"], codes(found)) == ("failed", [("server_error", None)])
            assert found["request_counts"] == {"total": 2, "completed": 1, "failed": 0}
            assert [line["custom_id"] for line in await batch.file("output")] == ["c0"]
            assert [line["error"]["code"] for line in await batch.file("error")] == ["batch_failed"]

    asyncio.run(main())


def test_its_end_is_announced(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client):
            types = ["batch.completed", "batch.failed"]
            hook = {"name": "n", "url": "https://93.184.215.14/hook", "event_types": types}
            assert (await client.post("/webhook_endpoints", json=hook)).status_code == 200
            built.worker._handlers = {"batch": handler(built)}
            async with working(built):
                await (await begun(client, said("x"))).ended()
                await (await begun(client, "x")).ended()
            queue = built.worker._rows
            told = [job for _ in range(2) for job in await queue.claim("w", ["webhook"], NOW, 15.0, 1)]
        events = [json.loads(job.payload) for job in told]
        assert {(event["type"], event["data"]["id"]) for event in events} == {
            ("batch.completed", "batch_1"),
            ("batch.failed", "batch_2"),
        }

    asyncio.run(main())
