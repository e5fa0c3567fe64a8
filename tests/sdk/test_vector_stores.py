"""Vector stores with the official client in strict mode: all operations, and its helpers that wait."""

from typing import Any

import openai
import pytest
from openai import OpenAI

SEA = ("sea.txt", b"The northern harbour freezes every winter.")
HENS = ("hens.md", b"# Hens\n\nSpeckled hens lay brown eggs.")


def test_the_life_of_a_store(client: OpenAI, stranger: OpenAI) -> None:
    store = client.vector_stores.create(
        name="facts", expires_after={"anchor": "last_active_at", "days": 1}, metadata={"a": "b"}
    )
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=SEA, poll_interval_ms=20)
    assert (file.status, file.last_error) == ("completed", None)
    batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=[HENS], poll_interval_ms=20)
    assert (batch.status, batch.file_counts.completed) == ("completed", 1)
    shown = client.vector_stores.retrieve(store.id)
    assert (shown.status, shown.file_counts.completed, shown.file_counts.total) == ("completed", 2, 2)
    assert store.id in [one.id for one in client.vector_stores.list(limit=1)]
    assert client.vector_stores.update(store.id, name="new").name == "new"
    assert next(iter(client.vector_stores.files.list(store.id, order="asc"))).id == file.id
    assert len(list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id))) == 1
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id) == batch
    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"wet": True})
    assert changed.attributes == {"wet": True}
    assert next(iter(client.vector_stores.files.content(file.id, vector_store_id=store.id))).text == SEA[1].decode()
    found = client.vector_stores.search(store.id, query="harbour", filters={"type": "eq", "key": "wet", "value": True})
    assert [one.filename for one in found.data] == ["sea.txt"]
    with pytest.raises(openai.NotFoundError):
        stranger.vector_stores.search(store.id, query="harbour")
    assert client.vector_stores.files.delete(file.id, vector_store_id=store.id).deleted
    assert [one.filename for one in client.vector_stores.search(store.id, query="harbour").data] == ["hens.md"]
    assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(store.id)


def test_a_batch_is_cancelled(client: OpenAI) -> None:
    store = client.vector_stores.create()
    files = [client.files.create(file=SEA, purpose="assistants").id for _ in range(3)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=files)
    ended = client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert ended.status in ("cancelled", "completed")
    assert ended.file_counts.in_progress == 0
    assert ended.file_counts.total == 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": []}, "query"),
        ({"query": "x", "max_num_results": 51}, "max_num_results"),
        ({"query": "x", "filters": {"type": "eq", "key": "a"}}, "filters.value"),
        ({"query": "x", "filters": {"type": "like", "key": "a", "value": "b"}}, "filters.type"),
        ({"query": "x", "filters": {"type": "in", "key": "a", "value": "b"}}, "filters.value"),
        ({"query": "x", "filters": {"type": "and", "filters": []}}, "filters.filters"),
        ({"query": "x", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ({"query": "x", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ({"query": "x" * 1_000_000}, "query"),
        ({"query": "x", "extra_body": {"colour": 1}}, "colour"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(client: OpenAI, body: dict[str, Any], param: str) -> None:
    store = client.vector_stores.create()
    with pytest.raises(openai.BadRequestError) as caught:
        client.vector_stores.search(store.id, **body)
    assert caught.value.param == param


def test_what_is_wrong_with_files_is_named(client: OpenAI) -> None:
    store = client.vector_stores.create()
    file = client.files.create(file=SEA, purpose="assistants")
    with pytest.raises(openai.NotFoundError) as missing:
        client.vector_stores.files.create(store.id, file_id="file-none")
    assert missing.value.param == "file_id"
    strange: Any = {"type": "static", "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}}
    with pytest.raises(openai.BadRequestError) as small:
        client.vector_stores.files.create(store.id, file_id=file.id, chunking_strategy=strange)
    assert small.value.param == "chunking_strategy.static.max_chunk_size_tokens"
    with pytest.raises(openai.BadRequestError) as many:
        client.vector_stores.files.create(store.id, file_id=file.id, attributes={str(n): n for n in range(17)})
    assert many.value.param == "attributes"
    with pytest.raises(openai.BadRequestError) as days:
        client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 366})
    assert days.value.param == "expires_after.days"
