"""The whole HTTP side over the script engine, in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from freehold.wiring import House
from tests.house import house

Use = Callable[[House, httpx2.AsyncClient], Awaitable[None]]
HELLO = {"model": "gpt-5", "input": "Hello there!"}


def inside(folder: Path, use: Use, **spec: object) -> None:
    async def main() -> None:
        async with house(folder, **spec) as (built, client):
            await use(built, client)

    asyncio.run(asyncio.wait_for(main(), 20))


@asynccontextmanager
async def running(built: House, client: httpx2.AsyncClient, text: str) -> AsyncIterator[asyncio.Task[httpx2.Response]]:
    """A plain answer that is under way while the block runs."""
    task = asyncio.create_task(client.post("/responses", json={"model": "gpt-5", "input": text}))
    while not len(built.running):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def test_every_answer_has_openais_headers(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        answers = [
            await client.post("/responses", json=HELLO),
            await client.get("/models"),
            await client.get("/nothing"),
            await client.post("/responses", content=b"{"),
            await client.get("/models", headers={"authorization": "Bearer wrong"}),
        ]
        for answer in answers:
            assert answer.headers["x-request-id"].startswith("req_")
            assert answer.headers["openai-processing-ms"].isdecimal()
            assert answer.headers["openai-version"] and answer.headers["openai-organization"]
        assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
        assert answers[0].headers["x-freehold-model"] == "script"
        assert answers[0].headers["x-ratelimit-limit-requests"] == str(8 + 256)

    inside(tmp_path, use)


@pytest.mark.parametrize(
    ("authorization", "code", "words"),
    [
        (None, None, "You didn't provide an API key"),
        ("Basic abc", None, "You didn't provide an API key"),
        ("Bearer ", None, "You didn't provide an API key"),
        ("Bearer sk-wrong-0123456789-key", "invalid_api_key", "Incorrect API key provided: sk-wr"),
    ],
)
def test_a_wrong_or_missing_key_is_a_401(tmp_path: Path, authorization: str | None, code: str, words: str) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        del client.headers["authorization"]
        headers = {} if authorization is None else {"authorization": authorization}
        answer = await client.post("/responses", json=HELLO, headers=headers)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (401, code)
        assert words in error["message"] and "0123456789" not in error["message"]

    inside(tmp_path, use)


def test_a_body_over_the_limit_is_a_413(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(65):
                yield b" " * 2**20

        declared = await client.post("/responses", content=b" " * (64 * 2**20 + 1))
        chunked = await client.post("/responses", content=chunks())
        for answer in (declared, chunked):
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")

    inside(tmp_path, use)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/responses", {"model": "gpt-5", "input": "word " * 40_000}, "input"),
        (
            "/chat/completions",
            {"model": "gpt-5", "messages": [{"role": "user", "content": "word " * 40_000}]},
            "messages",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_over_the_context_is_a_400_before_any_byte(
    tmp_path: Path, path: str, body: dict[str, object], param: str, stream: bool
) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        answer = await client.post(path, json=body | {"stream": stream})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", param)
        assert "40000 tokens" in error["message"]

    inside(tmp_path, use)


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_queue_is_a_503_that_says_when_to_come_back(tmp_path: Path, stream: bool) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        async with running(built, client, "a long text"):
            await asyncio.sleep(0.02)
            answer = await client.post("/responses", json=HELLO | {"stream": stream})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "server_overloaded"

    inside(tmp_path, use, slots=1, queue=0, rate=0.5)


def test_a_draining_server_refuses_and_says_so(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        assert (await client.get("http://test/healthz")).status_code == 200
        built.app.draining = True
        answer = await client.post("/responses", json=HELLO)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert (await client.get("http://test/healthz")).status_code == 503

    inside(tmp_path, use)


def test_no_object_of_another_project_is_visible(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        _, other = await built.keys.create("other", project="other")
        mine = (await client.post("/responses", json=HELLO)).json()["id"]
        theirs = {"authorization": f"Bearer {other}"}
        for method, path in [
            ("GET", f"/responses/{mine}"),
            ("DELETE", f"/responses/{mine}"),
            ("POST", f"/responses/{mine}/cancel"),
            ("GET", f"/responses/{mine}/input_items"),
        ]:
            assert (await client.request(method, path, headers=theirs)).status_code == 404
        chained = await client.post("/responses", json=HELLO | {"previous_response_id": mine}, headers=theirs)
        assert chained.json()["error"]["code"] == "previous_response_not_found"
        assert (await client.get(f"/responses/{mine}")).status_code == 200

    inside(tmp_path, use)


def test_an_answer_under_way_can_be_cancelled(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        async with running(built, client, "one two three four five six seven eight nine ten") as task:
            await asyncio.sleep(0.05)
            cancelled = (await client.post("/responses/resp_1/cancel")).json()
            assert (await task).json() == cancelled
        assert cancelled["status"] == "cancelled" and cancelled["output"][0]["status"] == "incomplete"
        assert (await client.get("/responses/resp_1")).json() == cancelled

    inside(tmp_path, use, rate=50.0)


def test_a_finished_answer_is_returned_by_cancel_as_it_is(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        finished = (await client.post("/responses", json=HELLO)).json()
        assert (await client.post("/responses/resp_1/cancel")).json() == finished

    inside(tmp_path, use)


def test_only_an_owner_withdraws_a_model(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        _, member = await built.keys.create("member")
        refused = await client.delete("/models/gpt-5", headers={"authorization": f"Bearer {member}"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_permissions")
        assert (await client.delete("/models/gpt-5")).json() == {"id": "gpt-5", "object": "model", "deleted": True}
        assert (await client.get("/models/gpt-5")).status_code == 404

    inside(tmp_path, use)


def test_what_is_not_stored_is_not_there(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        answer = (await client.post("/responses", json=HELLO | {"store": False})).json()
        assert answer["store"] is False
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 404

    inside(tmp_path, use)


def test_a_stream_and_a_plain_answer_are_the_same_fold(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        plain = (await client.post("/responses", json=HELLO)).json()
        stream = (await client.post("/responses", json=HELLO | {"stream": True})).text
        last = json.loads(stream.strip().rsplit("data: ", 1)[1])["response"]
        for answer in (plain, last):
            answer["id"] = answer["output"][0]["id"] = ""
        assert plain == last

    inside(tmp_path, use)


def test_a_bug_is_a_500_without_a_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        async def broken(secret: str | None) -> None:
            raise ZeroDivisionError("secret detail")

        built.app._authenticate = broken  # type: ignore[assignment]
        answer = await client.get("/models")
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "server_error"
        assert "secret detail" not in answer.text and answer.headers["x-request-id"] in answer.text
        assert "secret detail" in caplog.text

    inside(tmp_path, use)


def test_a_query_is_refused_where_none_is_taken(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        refused = [
            await client.post("/responses?what=1", json=HELLO),
            await client.get("/models?what=1"),
            await client.get("/responses/resp_1?what=1"),
        ]
        for answer in refused:
            error = answer.json()["error"]
            assert (answer.status_code, error["param"], error["code"]) == (400, "what", "unknown_parameter")
        assert (await client.post("/responses?beta=true", json=HELLO)).status_code == 200

    inside(tmp_path, use)


def test_a_number_that_is_no_events_is_refused(tmp_path: Path) -> None:
    async def use(built: House, client: httpx2.AsyncClient) -> None:
        made = (await client.post("/responses", json=HELLO)).json()["id"]
        answer = await client.get(f"/responses/{made}?stream=true&starting_after={10**30}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "starting_after")
        assert (await client.get(f"/responses/{made}?stream=true&starting_after=1000")).text == ""

    inside(tmp_path, use)
