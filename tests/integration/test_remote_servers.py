"""Freehold in front of real servers, and of stand-ins for those that cannot be had here; nothing is set but a URL."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from freehold.core.secret import Secret
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.registry import EngineSpec
from tests.certificate import certificate
from tests.house import house_of, working
from tests.integration.test_remote import SCRIPTED, TOOL, chat, respond, run, text_of
from tests.llama_listener import llama_listener
from tests.servers import Server, key_of_project, running_server
from tests.sse_checker import Json
from tests.upstream import CHAT, reply, said, stream, upstream, used, words

POINT: Json = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}, "kind": {"enum": ["a", "b"]}},
    "required": ["x", "kind"],
    "additionalProperties": False,
}
FORMAT: Json = {"format": {"type": "json_schema", "name": "point", "strict": True, "schema": POINT}}


@asynccontextmanager
async def in_front_of(
    folder: Path, url: str, embedder: EmbedderSpec = SCRIPTED, **spec: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    engine = EngineSpec(name="far", kind="remote", url=url, **spec)
    async with house_of(folder, engine, embedders=(embedder,)) as (_, client):
        yield client


async def served(client: httpx2.AsyncClient) -> dict[str, Json]:
    """What is told of each model that is no alias."""
    models = (await client.get("/models")).json()["data"]
    return {one["id"]: one["freehold"] for one in models if not one["freehold"].get("alias")}


@asynccontextmanager
async def behind(folder: Path) -> AsyncIterator[Server]:
    """Another Freehold, in a process of its own, that repeats what it is told."""
    server = running_server(folder, "--engine", "script")
    started = await asyncio.to_thread(server.__enter__)
    try:
        yield started
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


def test_freehold(tmp_path: Path) -> None:
    async def main() -> None:
        async with behind(tmp_path / "behind") as server:
            (tmp_path / "front").mkdir()
            key = Secret(await asyncio.to_thread(key_of_project, server, "front"))
            vectors = EmbedderSpec(name="e", kind="remote", model="script-embedding", url=server.base_url, key=key)
            async with in_front_of(tmp_path / "front", server.base_url, vectors, key=key) as client:
                model, told = next(
                    (name, one) for name, one in (await served(client)).items() if one["engine"] == "far"
                )
                assert told["backend"] == "freehold"
                for streamed in (False, True):
                    response = await respond(client, streamed, model=model, input="one two three")
                    assert "one two three" in text_of(response)
                    assert response["usage"]["input_tokens"] > 0
                    completion = await chat(client, streamed, model=model)
                    assert completion["choices"][0]["message"]["content"]
                counted = await client.post("/responses/input_tokens", json={"model": model, "input": "one two three"})
                assert counted.json()["input_tokens"] == response["usage"]["input_tokens"]
                asked = {"model": "text-embedding-3-small", "input": ["one", "two", "one"]}
                rows = [row["embedding"] for row in (await client.post("/embeddings", json=asked)).json()["data"]]
                assert rows[0] == rows[2] != rows[1]
                first = await respond(client, False, model=model, store=True, input="one")
                second = await respond(client, True, model=model, input="two", previous_response_id=first["id"])
                assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]

    run(main)


@pytest.mark.timeout(300)
def test_llama_cpp(tmp_path: Path, smollm2: Path) -> None:
    async def main() -> None:
        async with in_front_of(tmp_path, url) as client:
            told = (await served(client))["far"]
            assert told["backend"].startswith("llama-server")
            assert told["context_length"] <= 1024
            for streamed in (False, True):
                response = await respond(client, streamed, model="far", max_output_tokens=16)
                assert response["usage"]["output_tokens"] <= 16
                completion = await chat(client, streamed, model="far", max_tokens=4, logprobs=True, top_logprobs=2)
                logprobs = completion["choices"][0]["logprobs"]["content"]
                assert all(len(one["top_logprobs"]) == 2 for one in logprobs)
            held = await respond(client, True, model="far", text=FORMAT, temperature=0)
            assert json.loads(text_of(held))["kind"] in ("a", "b")
            counted = await client.post("/responses/input_tokens", json={"model": "far", "input": "hi"})
            assert counted.json()["input_tokens"] == response["usage"]["input_tokens"]
            raw = {"model": "far", "prompt": [5, 6, 7], "max_tokens": 2}
            assert (await client.post("/completions", json=raw)).json()["usage"]["prompt_tokens"] == 3
            long = await client.post("/chat/completions", json={"model": "far", "messages": [_user("a b c " * 2_000)]})
            error = long.json()["error"]
            assert (long.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "messages")

    with llama_listener(smollm2) as url:
        run(main, seconds=250)


def _user(text: str) -> Json:
    return {"role": "user", "content": text}


def test_a_stand_in_for_ollama(tmp_path: Path) -> None:
    shown = {"capabilities": ["completion", "thinking"], "model_info": {"qwen3.context_length": 40960}}
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}

    async def main() -> None:
        async with upstream("library") as up:
            up.answer("/api/version", reply({"version": "0.12.3"}))
            up.answer("/api/show", reply(shown))
            async with in_front_of(tmp_path, up.url) as client:
                told = (await served(client))["m"]
                assert (told["backend"], told["context_length"]) == ("ollama 0.12.3", 40960)
                assert up.at(CHAT) == []
                # Its stream: thoughts under `reasoning`, a call whole, the usage in a chunk of its own.
                chunks = (
                    said(role="assistant", content="", reasoning="hm"),
                    said(content="Hi"),
                    said("stop"),
                    used(9, 2),
                )
                up.answer(CHAT, stream(*chunks))
                response = await respond(client, True, reasoning={"effort": "low"})
                assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
                up.answer(CHAT, stream(said(role="assistant", content="", tool_calls=[call]), said("tool_calls")))
                tools = [{"type": "function", "function": TOOL}]
                completion = await chat(client, True, tools=tools)
                assert completion["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
                for wrong in ({"tools": tools, "tool_choice": "required"}, {"logit_bias": {"5": 1}}):
                    refused = await client.post(
                        "/chat/completions", json={"model": "m", "messages": [_user("a")], **wrong}
                    )
                    assert refused.status_code == 400
                    assert refused.json()["error"]["param"] in wrong

    run(main)


def test_a_stand_in_for_a_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public, tls = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    custom = {
        "type": "custom",
        "name": "date",
        "format": {"type": "grammar", "syntax": "regex", "definition": "[0-9]+"},
    }
    call = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "date", "input": "2026"}}

    async def main() -> None:
        async with upstream("openai", tls=tls) as up:
            spec: Json = {"models": ("m",), "key": Secret("sk-cloud"), "abilities": ("schema", "logprobs", "reasoning")}
            async with in_front_of(tmp_path, up.url, **spec) as client:
                assert (await served(client))["m"]["backend"] == "openai"
                assert up.at(CHAT) == []  # what it can is set, so no question is paid for
                up.answer(CHAT, stream(*words("Hello")))
                response = await respond(client, True, max_output_tokens=20, prompt_cache_key="mine")
                assert text_of(response) == "Hello"
                asked = up.at(CHAT)[0]
                assert asked.headers["authorization"] == "Bearer sk-cloud"
                assert asked.json["max_completion_tokens"] == 20
                assert asked.json["prompt_cache_key"] not in ("", "mine")
                up.answer(CHAT, stream(said(tool_calls=[call]), said("tool_calls")))
                called = await respond(client, False, tools=[custom])
                item = called["output"][0]
                assert (item["type"], item["input"]) == ("custom_tool_call", "2026")

    run(main)


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    _, tls = certificate(tmp_path)

    async def main() -> None:
        async with upstream("openai", tls=tls) as up:
            up.answer(CHAT, stream(*words("Hello")))
            spec: Json = {"models": ("m",), "dialect": "openai", "abilities": (), "key": Secret("sk-cloud")}
            async with in_front_of(tmp_path, up.url, **spec) as client:
                answer = await client.post("/responses", json={"model": "m", "input": "hi"})
                assert answer.status_code == 502
                assert "certificate" in answer.json()["error"]["message"]
                assert up.asked == []

    run(main)


def test_images_are_sent_to_a_server_that_sees(tmp_path: Path) -> None:
    data = BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "PNG")
    url = "data:image/png;base64," + b64encode(data.getvalue()).decode()
    content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": url}]

    async def main() -> None:
        async with upstream() as up:
            spec: Json = {"models": ("m",), "dialect": "plain", "abilities": (), "vision": "native"}
            async with in_front_of(tmp_path, up.url, **spec) as client:
                up.answer(CHAT, stream(*words("Red.")))
                assert text_of(await respond(client, True, input=[{"role": "user", "content": content}])) == "Red."
                parts = up.at(CHAT)[0].json["messages"][0]["content"]
                assert [part["type"] for part in parts] == ["text", "image_url"]
                assert parts[1]["image_url"]["url"].startswith("data:image/")

    run(main)


def test_background_answers(tmp_path: Path) -> None:
    async def done(client: httpx2.AsyncClient) -> Json:
        asked = {"model": "m", "input": "hi", "background": True}
        response = (await client.post("/responses", json=asked)).json()
        while response["status"] in ("queued", "in_progress"):
            await asyncio.sleep(0.02)
            response = (await client.get(f"/responses/{response['id']}")).json()
        return response

    async def main() -> None:
        async with upstream() as up:
            engine = EngineSpec(name="far", kind="remote", url=up.url, models=("m",), dialect="plain", abilities=())
            async with house_of(tmp_path, engine, embedders=(SCRIPTED,)) as (built, client), working(built):
                up.answer(CHAT, stream(*words("Hel", "lo")))
                assert text_of(await done(client)) == "Hello"
                up.answer(CHAT, reply({"error": {"message": "no such voice", "param": "messages"}}, 400))
                failed = await done(client)
                assert (failed["status"], failed["error"]["message"]) == ("failed", "no such voice")

    run(main)
