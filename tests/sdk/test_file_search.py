"""File search with the official client in strict mode: files in a real store, found, cited, told in a stream."""

import io
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.responses import (
    FileSearchToolParam,
    Response,
    ResponseFileSearchToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

TEXTS = {
    "sea.txt": b"The northern harbour freezes every winter between December and March.",
    "hens.txt": b"Speckled hens lay about two hundred brown eggs yearly.",
}
ASKED = '!call file_search {"queries": ["when does the harbour freeze 【1】"]}'


@pytest.fixture
def tool(client: OpenAI) -> Iterator[FileSearchToolParam]:
    store = client.vector_stores.create(name="facts")
    for name, text in TEXTS.items():
        added = client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=(name, io.BytesIO(text)), poll_interval_ms=50
        )
        assert added.status == "completed", added.last_error
    yield {"type": "file_search", "vector_store_ids": [store.id]}
    client.vector_stores.delete(store.id)


def check(response: Response) -> ResponseFileSearchToolCall:
    search, message = response.output
    assert isinstance(search, ResponseFileSearchToolCall)
    assert isinstance(message, ResponseOutputMessage)
    assert (search.status, search.queries) == ("completed", ["when does the harbour freeze 【1】"])
    part = message.content[0]
    assert isinstance(part, ResponseOutputText)
    note = part.annotations[0]
    assert note.type == "file_citation"
    assert note.filename == "sea.txt"
    assert part.text[note.index :].startswith('"]}')
    return search


def test_it_finds_and_cites(client: OpenAI, tool: FileSearchToolParam) -> None:
    plain = client.responses.create(model="gpt-5", input=ASKED, tools=[tool])
    assert check(plain).results is None
    full = client.responses.retrieve(plain.id, include=["file_search_call.results"])
    results = check(full).results
    assert results
    assert results[0].filename == "sea.txt"
    assert results[0].text == TEXTS["sea.txt"].decode()


def test_the_stream_is_the_same_answer(client: OpenAI, tool: FileSearchToolParam) -> None:
    kinds: list[str] = []
    with client.responses.stream(
        model="gpt-5", input=ASKED, tools=[tool], include=["file_search_call.results"]
    ) as stream:
        kinds += [event.type for event in stream]
        assert check(stream.get_final_response()).results
    assert kinds.index("response.file_search_call.searching") < kinds.index("response.file_search_call.completed")
    assert "response.output_text.annotation.added" in kinds


def test_a_store_of_nobody_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as found:
        client.responses.create(
            model="gpt-5", input="Hi", tools=[{"type": "file_search", "vector_store_ids": ["vs_none"]}]
        )
    assert found.value.param == "tools[0].vector_store_ids[0]"
