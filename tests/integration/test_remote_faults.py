"""Servers elsewhere that break, hang and refuse: what Freehold's clients see of it, and what goes on untouched."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from freehold.engines.registry import EngineSpec
from freehold.engines.remote import upstreams
from freehold.engines.remote.replicas import FAILURES
from tests.chunk_checker import check_chunks
from tests.house import house_of
from tests.integration.test_remote import SCRIPTED, chat, front, respond, run, text_of
from tests.servers import Server, running_server
from tests.sse_checker import Json, check_stream, read_events
from tests.upstream import CHAT, HEAD, Answering, Upstream, hang, reply, said, stream, upstream, words, write

ERROR = {"error": {"message": "no such thing", "type": "invalid_request_error", "param": None, "code": None}}
DEAD = write(b"", close=True)


async def ask(
    client: httpx2.AsyncClient, path: str = "/chat/completions", streamed: bool = False, model: str = "m"
) -> httpx2.Response:
    given = {"input": "hi"} if path == "/responses" else {"messages": [{"role": "user", "content": "hi"}]}
    return await client.post(path, json={"model": model, "stream": streamed, **given})


@pytest.mark.parametrize(
    ("broken", "status", "code", "message"),
    [
        (reply("no", 401), 502, "bad_gateway", "Freehold's own credentials"),
        (reply("no", 403), 502, "bad_gateway", "Freehold's own credentials"),
        (reply(ERROR, 404), 404, "model_not_found", "not there on the server"),
        (reply("not found", 404), 502, "bad_gateway", "status 404"),
        (reply(ERROR, 400), 400, None, "no such thing"),
        (reply(ERROR, 429), 503, "server_overloaded", "at its limit"),
        (reply(ERROR, 500), 502, "bad_gateway", "status 500"),
        (reply(ERROR, 503), 503, "server_overloaded", "at its limit"),
        (reply("", 302, location="http://elsewhere/"), 502, "bad_gateway", "status 302"),
        (reply("<html>Welcome</html>", content_type="text/html; charset=utf-8"), 502, "bad_gateway", "web page"),
        (reply("hello"), 502, "bad_gateway", "no completion"),
        (write(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "bad_gateway", "not HTTP"),
        (DEAD, 502, "bad_gateway", "connection ended"),
        (hang, 502, "bad_gateway", "said nothing for 0.2 seconds"),
        (stream(said(role="assistant"), then="hang"), 502, "bad_gateway", "said nothing for 0.2 seconds"),
        (stream(said(role="assistant"), ERROR), 502, "bad_gateway", "broke off"),
    ],
)
def test_what_does_not_begin_is_an_error_with_a_status(
    tmp_path: Path, broken: Answering, status: int, code: str | None, message: str
) -> None:
    async def main() -> None:
        ways = [(path, streamed) for path in ("/responses", "/chat/completions") for streamed in (False, True)]
        first = 0.2 if "0.2 seconds" in message else 30.0
        told: Json = {"dialect": "plain", "abilities": (), "first_seconds": first}
        async with upstream() as up:
            engines = [
                EngineSpec(name=str(place), kind="remote", models=(f"m{place}",), url=up.url, **told)
                for place in range(len(ways))
            ]
            up.answer(CHAT, broken)
            async with house_of(tmp_path, *engines, embedders=(SCRIPTED,)) as (_, client):
                asked = [ask(client, *way, model=f"m{place}") for place, way in enumerate(ways)]
                for answer in await asyncio.gather(*asked):
                    error = answer.json()["error"]
                    assert (answer.status_code, error["code"]) == (status, code)
                    assert message in error["message"]
                    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
                    assert ("retry-after" in answer.headers) == (status == 503)

    run(main)


@pytest.mark.parametrize(
    "then",
    [
        stream(said(content="one"), then="cut"),
        stream(said(content="one"), then="hang"),
        stream(said(content="one"), ERROR),
        stream(said(content="one"), b"data: <html>\n\n"),
    ],
    ids=["cut", "hang", "error", "garbage"],
)
def test_what_breaks_off_is_told_in_the_stream_and_not_asked_again(tmp_path: Path, then: Answering) -> None:
    async def main() -> None:
        async with upstream() as bad, upstream() as good, front(tmp_path, bad, good, silent_seconds=0.2) as client:
            bad.answer(CHAT, then)
            good.answer(CHAT, stream(*words("two")))
            chunks = check_chunks((await ask(client, streamed=True)).content)
            assert (chunks["error"]["code"], chunks["error"]["type"]) == ("bad_gateway", "server_error")
            response = check_stream(read_events((await ask(client, "/responses", streamed=True)).content))
            assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
            assert text_of(response) == "one"
            whole = await ask(client)
            assert (whole.status_code, whole.json()["error"]["code"]) == (502, "bad_gateway")
            assert (len(bad.at(CHAT)), good.at(CHAT)) == (3, [])

    run(main)


def test_a_server_that_dies_takes_only_its_own_answers_with_it(tmp_path: Path) -> None:
    both, died, on = asyncio.Barrier(2), asyncio.Event(), asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await both.wait()
        await on.wait()
        await stream(*words("well", " done"))(writer)

    async def dying(writer: asyncio.StreamWriter) -> None:
        await both.wait()
        await stream(said(content="one"), then="cut")(writer)
        died.set()

    async def main() -> None:
        async with upstream() as bad, upstream() as good, front(tmp_path, bad, good) as client:
            bad.answer(CHAT, dying)
            good.answer(CHAT, slowly)
            asked = [asyncio.create_task(ask(client, streamed=True)) for _ in range(2)]
            await died.wait()
            on.set()
            folds = [check_chunks((await one).content) for one in asked]
            assert sorted("error" in fold for fold in folds) == [False, True]
            answered = next(fold for fold in folds if "error" not in fold)
            assert answered["choices"][0]["message"]["content"] == "well done"
            good.answer(CHAT, stream(*words("again")))
            bad.answer(CHAT, DEAD)
            for _ in range(3):
                assert (await chat(client, False))["choices"][0]["message"]["content"] == "again"

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "broken",
    [
        DEAD,
        hang,
        reply("", 500),
        reply("", 429, retry_after="30"),
        reply("", 401),
        reply(ERROR, 404),
        reply("<html>", content_type="text/html"),
        stream(said(role="assistant"), then="cut"),
        write(HEAD + b"zz\r\n"),
    ],
    ids=["dead", "hanging", "500", "429", "401", "404", "page", "cut", "garbage"],
)
def test_what_fails_before_its_first_word_is_asked_of_another(
    tmp_path: Path, streamed: bool, broken: Answering
) -> None:
    async def main() -> None:
        first = 1.0 if broken is hang else 30.0
        async with upstream() as bad, upstream() as good, front(tmp_path, bad, good, first_seconds=first) as client:
            bad.answer(CHAT, broken)
            good.answer(CHAT, stream(*words("good")))
            assert text_of(await respond(client, streamed)) == "good"
            assert bad.at(CHAT)
            assert len(good.at(CHAT)) == 1

    run(main)


def test_the_breaker_opens_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams, "LOOK_SECONDS", 0.05)

    async def main() -> None:
        async with upstream() as bad, upstream() as good, front(tmp_path, bad, good) as client:
            models = bad.answers["/v1/models"]
            bad.answers["/v1/models"] = [reply("", 500)]
            bad.answer(CHAT, DEAD)
            good.answer(CHAT, stream(*words("good")))
            for number in range(FAILURES):
                assert await ask_for(client, str(number)) == "good"
            asked = len(bad.at(CHAT))
            for number in range(FAILURES, 10):
                assert await ask_for(client, str(number)) == "good"
            assert len(bad.at(CHAT)) == asked >= FAILURES
            bad.answers["/v1/models"] = models
            bad.answer(CHAT, stream(*words("back")))
            for number in count(10):
                if await ask_for(client, str(number)) == "back":
                    break
                await asyncio.sleep(0.02)
            assert await ask_for(client, "next") == "back"

    run(main)


async def ask_for(client: httpx2.AsyncClient, text: str) -> str:
    completion = await chat(client, False, messages=[{"role": "user", "content": text}])
    return completion["choices"][0]["message"]["content"]


def test_where_all_are_down_the_client_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, DEAD)
            answers = [await ask(client, streamed=True) for _ in range(4)]
            assert [one.status_code for one in answers] == [502, 502, 502, 503]
            assert answers[3].json()["error"]["code"] == "server_unavailable"
            assert int(answers[3].headers["retry-after"]) >= 1
            asked = len(up.at(CHAT))
            assert (await ask(client, "/responses")).status_code == 503
            assert len(up.at(CHAT)) == asked

    run(main)


def test_a_kept_connection_that_is_dead_is_not_the_clients_trouble(tmp_path: Path) -> None:
    async def once(writer: asyncio.StreamWriter) -> None:
        await stream(*words("one"))(writer)
        asyncio.get_running_loop().call_soon(writer.close)

    async def half(writer: asyncio.StreamWriter) -> None:
        await stream(*words("one"))(writer)
        writer.write_eof()

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            for ending in (once, half):
                up.answer(CHAT, ending)
                for _ in range(4):
                    assert text_of(await respond(client, True)) == "one"

    run(main)


def test_a_connection_on_which_nothing_comes_any_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as bad, upstream() as good, front(tmp_path, bad, good, first_seconds=1.0) as client:
            bad.answer(CHAT, stream(*words("one")), hang)
            good.answer(CHAT, stream(*words("two")))
            assert text_of(await respond(client, True)) == "one"
            assert text_of(await respond(client, True)) == "two"
            await bad.left.wait()

    run(main)


@asynccontextmanager
async def served(folder: Path, up: Upstream, **more: str) -> AsyncIterator[tuple[Server, httpx2.AsyncClient]]:
    """Freehold in a process of its own in front of an upstream of this loop, and a client of it."""
    told = {"name": "far", "kind": "remote", "url": up.url, **more}
    lines = ["[[engines]]", 'models = ["m"]', *(f"{name} = {json.dumps(value)}" for name, value in told.items())]
    config = folder / "freehold.toml"
    config.write_text("\n".join([*lines, '[[embedders]]\nname = "e"\nkind = "script"\n']))
    server = running_server(folder, "--config", str(config))
    started = await asyncio.to_thread(server.__enter__)
    headers = {"authorization": f"Bearer {started.key}"}
    try:
        async with httpx2.AsyncClient(base_url=started.base_url, headers=headers, timeout=30) as client:
            yield started, client
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


def test_a_client_that_leaves_is_a_hang_up_for_the_server(tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as up, served(tmp_path, up, dialect="plain") as (_, client):
            up.answer(CHAT, stream(said(content="one"), then="hang"))
            for path in ("/responses", "/chat/completions"):
                given: Json = (
                    {"input": "hi"} if path == "/responses" else {"messages": [{"role": "user", "content": "a"}]}
                )
                up.left.clear()
                async with client.stream("POST", path, json={"model": "m", "stream": True, **given}) as answer:
                    async for line in answer.aiter_lines():
                        if "one" in line:
                            break
                    assert not up.left.is_set()
                await up.left.wait()
                up.left.clear()
                asked = len(up.at(CHAT))
                waiting = asyncio.create_task(client.post(path, json={"model": "m", **given}))
                while len(up.at(CHAT)) == asked:  # noqa: ASYNC110  the upstream keeps what it is asked, and tells nobody
                    await asyncio.sleep(0.01)
                waiting.cancel()
                await up.left.wait()

    run(main)


@pytest.mark.parametrize("by", ["key_env", "key_file"])
def test_its_key_is_sent_and_stands_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    key = "sk-never-to-be-seen"
    monkeypatch.setenv("FAR_KEY", key)
    (tmp_path / "far.key").write_text(f"{key}\n")
    told = {by: "FAR_KEY" if by == "key_env" else str(tmp_path / "far.key")}

    async def main() -> None:
        async with upstream() as up, served(tmp_path, up, dialect="plain", **told) as (server, client):
            up.answer(CHAT, reply(f"your key {key[:4]}… is wrong", 401))
            answer = await ask(client)
            assert answer.status_code == 502
            assert up.at(CHAT)[0].headers["authorization"] == f"Bearer {key}"
            assert all(one.headers["authorization"] == f"Bearer {key}" for one in up.asked)
            models = await client.get("/models")
            up.answer(CHAT, DEAD)
            broken = await ask(client, streamed=True)
            shown = server.log.read_text() + answer.text + models.text + broken.text + str(answer.headers)
            assert "key_env" in server.log.read_text()
            assert key not in shown

    run(main)


@pytest.mark.parametrize(
    ("param", "chats", "responses"),
    [
        ("messages", "messages", "input"),
        ("response_format.json_schema", "response_format", "text.format"),
        ("reasoning_effort", "reasoning_effort", "reasoning.effort"),
        ("temperature", "temperature", "temperature"),
        ("best_of", None, None),
    ],
)
def test_what_a_server_finds_wrong_has_the_name_that_the_client_knows(
    tmp_path: Path, param: str, chats: str | None, responses: str | None
) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, reply({"error": {"message": "too much", "param": param, "code": "invalid_value"}}, 400))
            for path, name in (("/chat/completions", chats), ("/responses", responses)):
                for streamed in (False, True):
                    answer = await ask(client, path, streamed)
                    error = answer.json()["error"]
                    assert (answer.status_code, error["param"], error["code"]) == (400, name, "invalid_value")

    run(main)


def test_projects_are_kept_apart_in_the_cache_of_a_server(tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as up, front(tmp_path, up, dialect="vllm") as client:
            up.answer(CHAT, stream(*words("a")))
            await chat(client, False)
            await respond(client, True, prompt_cache_key="family")
            salts = [one.json["cache_salt"] for one in up.at(CHAT)]
            assert salts[0] == salts[1] != ""
            assert "prompt_cache_key" not in up.at(CHAT)[1].json

    run(main)


def test_log_says_where_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        async with upstream() as up, front(tmp_path, up) as client:
            up.answer(CHAT, reply({"error": {"message": "CUDA out of memory"}}, 500))
            told: Any = (await ask(client)).json()
            assert "CUDA" not in told["error"]["message"]
            assert up.url in caplog.text
            assert "CUDA out of memory" in caplog.text

    run(main)
