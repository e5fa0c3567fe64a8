"""The file search of a whole server: the script engine calls it, what is found is fixed."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from freehold.services.search import Hit, Search
from freehold.storage.repos.vector_stores import StoreRows
from tests.house import house, working
from tests.sse_checker import check_stream, read_events

ASKED = '!call file_search {"queries": ["ice in the harbour 【1】"]}'
BODY: dict[str, Any] = {
    "model": "script",
    "input": ASKED,
    "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}],
}
INCLUDE = {"include": ["file_search_call.results"]}
HIT = Hit(store="vs_1", file_id="file-1", filename="sea.txt", score=0.5, attributes={}, text="Ice.", page=None)
FOUND = [{"attributes": {}, "file_id": "file-1", "filename": "sea.txt", "score": 0.5, "text": "Ice."}]


@pytest.fixture(autouse=True)
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    asked: list[Sequence[str]] = []

    async def find(*given: Any) -> list[Hit]:
        asked.append(given[3])
        return [HIT]

    async def known(_: object, __: str, ids: Sequence[str]) -> set[str]:
        return set(ids) & {"vs_1"}

    monkeypatch.setattr(Search, "find", find)
    monkeypatch.setattr(StoreRows, "known", known)
    return asked


def told(folder: Path, work: Any) -> Any:
    async def main() -> Any:
        async with house(folder) as (built, client):
            return await work(built, client)

    return asyncio.run(main())


async def posted(client: httpx2.AsyncClient, **more: Any) -> Any:
    answer = await client.post("/responses", json=BODY | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def check_answer(output: list[Any], results: object) -> None:
    search, message = output
    assert (search["type"], search["status"], search["id"][:3]) == ("file_search_call", "completed", "fs_")
    assert search["queries"] == ["ice in the harbour 【1】"]
    assert search["results"] == results
    part = message["content"][0]
    assert "【1】" not in part["text"]
    note = {"type": "file_citation", "file_id": "file-1", "filename": "sea.txt", "index": part["text"].index('"]}')}
    assert part["annotations"] == [note]


def test_an_answer_searches_and_cites(tmp_path: Path) -> None:
    async def work(_: object, client: httpx2.AsyncClient) -> None:
        plain = await posted(client)
        check_answer(plain["output"], None)
        check_answer((await posted(client, **INCLUDE))["output"], FOUND)
        path = f"/responses/{plain['id']}"
        assert (await client.get(path)).json() == plain
        listed = (await client.get(path, params={"include[]": "file_search_call.results"})).json()
        check_answer(listed["output"], FOUND)
        again = (await client.get(path, params={"stream": "true"})).content
        check_answer(check_stream(read_events(again))["output"], None)

    told(tmp_path, work)


@pytest.mark.parametrize(("more", "results"), [({}, None), (INCLUDE, FOUND)])
def test_the_stream_tells_every_step(tmp_path: Path, more: dict[str, Any], results: object) -> None:
    async def work(_: object, client: httpx2.AsyncClient) -> None:
        events = read_events((await client.post("/responses", json=BODY | more | {"stream": True})).content)
        check_answer(check_stream(events)["output"], results)
        kinds = [event["type"] for event in events]
        assert kinds[2:7] == [
            "response.output_item.added",
            "response.file_search_call.in_progress",
            "response.file_search_call.searching",
            "response.file_search_call.completed",
            "response.output_item.done",
        ]
        assert "response.output_text.annotation.added" in kinds

    told(tmp_path, work)


def test_a_background_response_searches_once_and_keeps_what_it_found(
    tmp_path: Path, searched: list[Sequence[str]]
) -> None:
    async def work(built: Any, client: httpx2.AsyncClient) -> None:
        queued = await posted(client, background=True)
        path = f"/responses/{queued['id']}"
        async with working(built), asyncio.timeout(10):
            await client.get(path, params={"stream": "true"})
        check_answer((await client.get(path)).json()["output"], None)
        for include, results in (({}, None), ({"include[]": "file_search_call.results"}, FOUND)):
            stream = (await client.get(path, params={"stream": "true", **include})).content
            check_answer(check_stream(read_events(stream))["output"], results)
        assert len(searched) == 1

    told(tmp_path, work)


def test_the_next_turn_reads_and_lists_the_search(tmp_path: Path) -> None:
    async def work(_: object, client: httpx2.AsyncClient) -> None:
        first = await posted(client)
        second = await posted(client, previous_response_id=first["id"], input="And now?", tools=[])
        assert [item["type"] for item in second["output"]] == ["message"]
        items = (await client.get(f"/responses/{second['id']}/input_items")).json()["data"]
        assert [item["type"] for item in items] == ["message", "message", "file_search_call", "message"]
        assert items[2]["results"] is None
        passed = [{"role": "user", "content": "Why?"}, *first["output"], {"role": "user", "content": "And now?"}]
        assert (await posted(client, input=passed, tools=[]))["status"] == "completed"

    told(tmp_path, work)


def test_a_store_that_is_not_there_is_named_before_the_first_byte(tmp_path: Path) -> None:
    async def work(_: object, client: httpx2.AsyncClient) -> None:
        tools = [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]
        answer = await client.post("/responses", json=BODY | {"tools": tools, "stream": True})
        assert answer.status_code == 404
        assert json.loads(answer.content)["error"]["param"] == "tools[0].vector_store_ids[1]"

    told(tmp_path, work)


def test_the_tool_counts_as_input(tmp_path: Path) -> None:
    async def work(_: object, client: httpx2.AsyncClient) -> None:
        asked = {"model": "script", "input": "Hi"}
        counted = await client.post("/responses/input_tokens", json=asked | {"tools": BODY["tools"]})
        assert counted.status_code == 200, counted.text
        assert counted.json()["input_tokens"] > 0

    told(tmp_path, work)
