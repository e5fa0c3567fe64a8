"""Freehold in front of servers elsewhere, seen by its own clients: what they say comes through, in whatever dialect."""

import asyncio
import json
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from freehold.core.secret import Secret
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.registry import EngineSpec
from tests.chunk_checker import check_chunks
from tests.house import house_of
from tests.sse_checker import Json, check_stream, read_events
from tests.upstream import CHAT, Upstream, reply, said, stream, upstream, used, words

SECONDS = 60
SCRIPTED = EmbedderSpec(name="embedder", kind="script")
TOOL: Json = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


@asynccontextmanager
async def front(folder: Path, *ups: Upstream, **spec: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of Freehold in front of some upstreams, which are not tried out unless `spec` says so."""
    told = {"models": ("m",), "dialect": "plain", "abilities": (), "urls": tuple(up.url for up in ups), **spec}
    engine = EngineSpec(name="far", kind="remote", **told)
    async with house_of(folder, engine, embedders=(SCRIPTED,)) as (_, client):
        yield client


def run(main: Callable[[], Awaitable[None]], seconds: float = SECONDS) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await main()

    asyncio.run(bounded())


async def respond(client: httpx2.AsyncClient, streamed: bool, **asked: Any) -> Json:
    """A response, from its object or folded from its checked stream."""
    body = {"model": "m", "input": "hi", "store": False, "stream": streamed, **asked}
    answer = await client.post("/responses", json=body)
    assert answer.status_code == 200, answer.text
    return check_stream(read_events(answer.content)) if streamed else answer.json()


async def chat(client: httpx2.AsyncClient, streamed: bool, **asked: Any) -> Json:
    """A chat completion, from its object or folded from its checked stream."""
    usage = {"stream_options": {"include_usage": True}} if streamed else {}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": streamed, **usage, **asked}
    answer = await client.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return check_chunks(answer.content) if streamed else answer.json()


def text_of(response: Json) -> str:
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


@pytest.mark.parametrize("streamed", [False, True])
def test_text_on_both_surfaces(tmp_path: Path, streamed: bool) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, stream(said(role="assistant", content=""), *words("Hel", "lo")))
            response = await respond(client, streamed, instructions="Be kind.", temperature=0.5, max_output_tokens=64)
            assert (response["status"], text_of(response)) == ("completed", "Hello")
            assert response["usage"]["total_tokens"] == 5
            completion = await chat(client, streamed, stop=["x"], seed=4)
            choice = completion["choices"][0]
            assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello", "stop")
            assert completion["usage"]["prompt_tokens"] == 3
            first, second = (one.json for one in up.at(CHAT))
            assert first["messages"] == [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "hi"},
            ]
            assert (first["temperature"], first["max_tokens"]) == (0.5, 64)
            assert (second["stop"], second["seed"]) == (["x"], 4)

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_legacy_completions(tmp_path: Path, streamed: bool) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            chunks = ({"choices": [{"text": " upon"}]}, {"choices": [{"text": "", "finish_reason": "length"}]})
            up.answer("/v1/completions", stream(*chunks, used(2, 1)))
            body = {"model": "m", "prompt": "Once", "max_tokens": 1, "stream": streamed}
            answer = await client.post("/completions", json=body)
            assert answer.status_code == 200
            assert '" upon"' in answer.text
            assert '"length"' in answer.text
            assert up.at("/v1/completions")[0].json["prompt"] == "Once"

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "chunks",
    [
        (said(reasoning_content="hm"), said(reasoning_content=" so"), *words("Yes")),
        (said(reasoning="hm"), said(reasoning=" so"), *words("Yes")),
        words("<thi", "nk>\nhm", " so\n</th", "ink>\n\nYes"),
    ],
    ids=["reasoning_content", "reasoning", "tags"],
)
def test_thoughts_are_items_and_never_text(tmp_path: Path, streamed: bool, chunks: tuple[Json, ...]) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up, abilities=("reasoning",)) as client:
            up.answer(CHAT, stream(*chunks))
            response = await respond(client, streamed, reasoning={"effort": "low"})
            assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
            assert text_of(response) == "Yes"
            assert response["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
            completion = await chat(client, streamed, reasoning_effort="high")
            assert completion["choices"][0]["message"]["content"] == "Yes"
            assert [one.json["reasoning_effort"] for one in up.at(CHAT)] == ["low", "high"]

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_in_pieces_and_side_by_side(tmp_path: Path, streamed: bool) -> None:
    def piece(index: int, arguments: str, **more: Any) -> Json:
        function = {"arguments": arguments, **({"name": "weather"} if more else {})}
        return said(tool_calls=[{"index": index, "function": function, **more}])

    chunks = (
        said(content="\n\n"),
        piece(0, "", id="a", type="function"),
        piece(0, '{"city": '),
        piece(1, '{"city"', id="b", type="function"),
        piece(0, '"Oslo"}'),
        piece(1, ': "Rome"}'),
        said("tool_calls"),
    )
    wanted = [("weather", '{"city": "Oslo"}'), ("weather", '{"city": "Rome"}')]

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, stream(*chunks))
            response = await respond(client, streamed, tools=[{"type": "function", **TOOL}])
            calls = [item for item in response["output"] if item["type"] == "function_call"]
            assert [(item["name"], item["arguments"]) for item in calls] == wanted
            assert [item["type"] for item in response["output"]][-2:] == ["function_call", "function_call"]
            completion = await chat(client, streamed, tools=[{"type": "function", "function": TOOL}])
            choice = completion["choices"][0]
            found = [
                (call["function"]["name"], call["function"]["arguments"]) for call in choice["message"]["tool_calls"]
            ]
            assert (found, choice["finish_reason"]) == (wanted, "tool_calls")

    run(main)


def test_the_result_of_a_call_goes_back_to_the_server(tmp_path: Path) -> None:
    call = {"id": "a", "index": 0, "function": {"name": "weather", "arguments": "{}"}}

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, stream(said(tool_calls=[call]), said("tool_calls")), stream(*words("Rain.")))
            first = await respond(client, False, store=True, tools=[{"type": "function", **TOOL}])
            given = [{"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "rain"}]
            second = await respond(client, True, previous_response_id=first["id"], input=given)
            assert text_of(second) == "Rain."
            roles = [message["role"] for message in up.at(CHAT)[1].json["messages"]]
            assert roles == ["user", "assistant", "tool"]
            asked, told = up.at(CHAT)[1].json["messages"][1:]
            assert asked["tool_calls"][0]["id"] == told["tool_call_id"]

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_outputs(tmp_path: Path, streamed: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    named = {"name": "person", "schema": schema, "strict": True}

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up, abilities=("schema",)) as client:
            up.answer(CHAT, stream(*words('{"name":', ' "Ada"}')))
            response = await respond(client, streamed, text={"format": {"type": "json_schema", **named}})
            assert json.loads(text_of(response)) == {"name": "Ada"}
            held = {"type": "json_schema", "json_schema": named}
            assert (await chat(client, streamed, response_format=held))["choices"][0]["message"]["content"]
            assert [one.json["response_format"] for one in up.at(CHAT)] == [held, held]
            up.answer(CHAT, stream(said(refusal="I will not."), said("stop")))
            refused = await respond(client, streamed, text={"format": {"type": "json_schema", **named}})
            assert refused["output"][0]["content"][0] == {"type": "refusal", "refusal": "I will not."}
            up.answer(CHAT, stream(*words('{"name": 5}')))
            body = {"model": "m", "input": "hi", "text": {"format": {"type": "json_schema", **named}}}
            broken = await client.post("/responses", json=body)
            assert (broken.status_code, broken.json()["error"]["code"]) == (502, "bad_gateway")

    run(main)


def test_a_server_that_holds_no_schema_is_not_asked_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            form = {"type": "json_schema", "name": "n", "strict": True, "schema": {"type": "object"}}
            refused = await client.post("/responses", json={"model": "m", "input": "hi", "text": {"format": form}})
            assert refused.status_code == 400
            assert refused.json()["error"]["param"].startswith("text.format")
            assert up.at(CHAT) == []

    run(main)


def _usage(**told: Any) -> tuple[Json, ...]:
    return (said(content="a"), said("stop"), {"choices": [], **told})


@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        (_usage(usage={"prompt_tokens": 9, "completion_tokens": 1}), (9, 0, 1, 0)),
        (
            _usage(
                usage={
                    "prompt_tokens": 9,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 8},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                }
            ),
            (9, 8, 5, 4),
        ),
        (_usage(usage={"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 7}), (9, 7, 1, 0)),
        (_usage(usage={"prompt_tokens": 9, "completion_tokens": 5, "reasoning_tokens": 3}), (9, 0, 5, 3)),
        (_usage(timings={"prompt_n": 2, "cache_n": 7, "predicted_n": 1}), (9, 7, 1, 0)),
        (_usage(prompt_eval_count=9, eval_count=1), (9, 0, 1, 0)),
        (_usage(), (0, 0, 0, 0)),
    ],
    ids=["plain", "openai", "deepseek", "sglang", "llama-server", "ollama", "none"],
)
def test_counts_in_every_dialect(tmp_path: Path, chunks: tuple[Json, ...], wanted: tuple[int, ...]) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, stream(*chunks))
            usage = (await respond(client, True))["usage"]
            cached, thought = usage["input_tokens_details"], usage["output_tokens_details"]
            counts = usage["input_tokens"], cached["cached_tokens"], usage["output_tokens"], thought["reasoning_tokens"]
            assert counts == wanted
            usage = (await chat(client, False))["usage"]
            assert usage["prompt_tokens_details"]["cached_tokens"] == wanted[1]

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_logprobs(tmp_path: Path, streamed: bool) -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up, abilities=("logprobs",)) as client:
            up.answer(CHAT, stream(said(content="a", logprobs={"content": [token]}), said("stop")))
            told = await chat(client, streamed, logprobs=True, top_logprobs=1)
            found = told["choices"][0]["logprobs"]["content"][0]
            assert (found["token"], found["logprob"], found["top_logprobs"][0]["token"]) == ("a", -0.5, "b")
            response = await respond(client, streamed, include=["message.output_text.logprobs"], top_logprobs=1)
            assert response["output"][0]["content"][0]["logprobs"][0]["logprob"] == -0.5
            assert up.at(CHAT)[0].json["top_logprobs"] == 1

    run(main)


@pytest.mark.parametrize("packed", [False, True])
def test_embeddings(tmp_path: Path, packed: bool) -> None:
    def vector(*numbers: float) -> object:
        return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode() if packed else list(numbers)

    async def main() -> None:
        async with upstream() as up:
            one = {"index": 0, "embedding": vector(3.0, 4.0)}
            up.answer("/v1/embeddings", reply({"data": [one], "usage": {"prompt_tokens": 1}}))
            engine = EngineSpec(name="s", kind="script")
            spec = EmbedderSpec(name="e", kind="remote", model="vec", url=up.url, key=Secret("sk-far"))
            async with house_of(tmp_path, engine, embedders=(spec,)) as (_, client):
                two = [{"index": 1, "embedding": vector(0.0, 2.0)}, one]
                up.answer("/v1/embeddings", reply({"data": two, "usage": {"prompt_tokens": 5}}))
                told = await client.post("/embeddings", json={"model": "text-embedding-3-small", "input": ["a", "b"]})
                assert told.status_code == 200, told.text
                vectors = [row["embedding"] for row in told.json()["data"]]
                assert vectors == [pytest.approx([0.6, 0.8]), [0.0, 1.0]]
                assert told.json()["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
                asked = up.at("/v1/embeddings")[-1]
                assert asked.headers["authorization"] == "Bearer sk-far"
                assert asked.json == {"model": "vec", "input": ["a", "b"], "encoding_format": "float"}
                up.answer("/v1/embeddings", reply({"data": [one]}))
                short = await client.post("/embeddings", json={"model": "vec", "input": ["a", "b"]})
                assert (short.status_code, short.json()["error"]["code"]) == (502, "bad_gateway")

    run(main)
