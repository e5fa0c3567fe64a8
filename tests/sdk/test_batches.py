"""`client.batches` with the official Python SDK in strict mode."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, ConflictError, NotFoundError, OpenAI
from openai.types import Batch
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.servers import Server, strict_client

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


def request(custom_id: str, text: str, url: str = CHAT, **more: Any) -> dict[str, Any]:
    said = {"input": text} if url == RESPONSES else {"messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": "gpt-5", **said, **more}}


def begin(client: OpenAI, *requests: dict[str, Any], endpoint: Any = CHAT, **more: Any) -> Batch:
    content = "".join(json.dumps(one) + "\n" for one in requests).encode()
    file = client.files.create(file=("input.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def ended(client: OpenAI, batch: Batch) -> Batch:
    deadline = time.monotonic() + 30
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    return batch


def lines(client: OpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    """The lines of a file by their custom ids."""
    assert file_id is not None
    found = [json.loads(line) for line in client.files.content(file_id).text.splitlines()]
    by_id = {line["custom_id"]: line for line in found}
    assert len(by_id) == len(found)
    return by_id


def test_a_batch_of_chat_completions(client: OpenAI) -> None:
    requests = [request(f"line {number}", f"Say {number}") for number in range(30)]
    begun = begin(client, *requests, metadata={"night": "1"})
    assert (begun.object, begun.status, begun.endpoint) == ("batch", "validating", CHAT)
    assert (begun.completion_window, begun.metadata, begun.expires_at) == (
        "24h",
        {"night": "1"},
        begun.created_at + 86_400,
    )
    batch = ended(client, begun)
    assert (batch.status, batch.model, batch.errors, batch.error_file_id) == ("completed", "gpt-5", None, None)
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (30, 30, 0)
    assert batch.in_progress_at is not None
    assert batch.completed_at is not None
    assert batch.created_at <= batch.in_progress_at <= batch.completed_at
    output = lines(client, batch.output_file_id)
    assert list(output) == [one["custom_id"] for one in requests]
    for number, line in enumerate(output.values()):
        assert line["id"].startswith("batch_req_")
        assert (line["error"], line["response"]["status_code"]) == (None, 200)
        answer = ChatCompletion.model_validate(line["response"]["body"], strict=True)
        assert answer.choices[0].message.content == f"Say {number}"
    assert batch.usage is not None
    assert (batch.usage.input_tokens, batch.usage.output_tokens, batch.usage.total_tokens) == (60, 60, 120)
    assert client.batches.retrieve(batch.id) == batch
    assert next(iter(client.batches.list(limit=1))) == batch
    file = client.files.retrieve(batch.output_file_id or "")
    assert (file.purpose, file.filename) == ("batch_output", f"{batch.id}_output.jsonl")


def test_a_batch_of_responses_that_are_stored(client: OpenAI) -> None:
    batch = ended(client, begin(client, request("a", "Hello", RESPONSES), endpoint=RESPONSES))
    body = lines(client, batch.output_file_id)["a"]["response"]["body"]
    answer = Response.model_validate(body)
    assert (answer.status, answer.output_text) == ("completed", "Hello")
    assert client.responses.retrieve(answer.id).output_text == "Hello"


def test_faults_are_in_the_error_file(client: OpenAI) -> None:
    good, hot, tool = request("good", "x"), request("hot", "x", temperature=9), request("tool", "x", tool_choice=5)
    batch = ended(client, begin(client, good, hot, tool))
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 2)
    assert list(lines(client, batch.output_file_id)) == ["good"]
    errors = lines(client, batch.error_file_id)
    assert {name: line["response"]["status_code"] for name, line in errors.items()} == {"hot": 400, "tool": 400}
    with pytest.raises(BadRequestError) as refused:
        client.chat.completions.create(**hot["body"])
    assert errors["hot"]["response"]["body"] == refused.value.response.json()


def test_a_bad_file_fails_with_errors(client: OpenAI) -> None:
    batch = ended(client, begin(client, request("a", "x"), request("a", "y"), request("b", "x", "/v1/completions")))
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert batch.errors.object == "list"
    found = [(error.code, error.line, error.param) for error in batch.errors.data or ()]
    assert found == [("duplicate_custom_id", 2, "custom_id"), ("invalid_url", 3, "url")]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"endpoint": "/v1/moderations"}, "endpoint", "/v1/moderations"),
    ({"endpoint": "/v1/videos"}, "endpoint", "/v1/videos"),
    ({"endpoint": "/v1/none"}, "endpoint", "Supported values are: '/v1/chat/completions'"),
    ({"completion_window": "7d"}, "completion_window", "'24h'"),
    ({"input_file_id": "file-none"}, "input_file_id", "No such File object: file-none"),
    ({"metadata": {"k": 5}}, "metadata", "expected a string"),
    ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds", "3600"),
    ({"wish": 1}, "wish", "Unknown parameter: 'wish'."),
]


@pytest.mark.parametrize(("change", "param", "message"), REFUSED)
def test_what_is_wrong_is_named(client: OpenAI, change: dict[str, Any], param: str, message: str) -> None:
    given = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h", **change}
    with pytest.raises(BadRequestError, match=message) as refused:
        client.post("/batches", cast_to=object, body=given)
    assert (refused.value.param or "").startswith(param)


def test_a_file_must_be_there_for_batches(client: OpenAI, stranger: OpenAI) -> None:
    other = client.files.create(file=("a.jsonl", b"{}"), purpose="user_data")
    foreign = stranger.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    for file, message in ((other, "has the purpose 'user_data'"), (foreign, "No such File object")):
        with pytest.raises(BadRequestError, match=message) as refused:
            client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        assert refused.value.param == "input_file_id"


def test_pages_and_strangers(client: OpenAI, stranger: OpenAI) -> None:
    made = [begin(client, request("a", "x")) for _ in range(3)]
    page = client.batches.list(limit=2)
    assert [batch.id for batch in page.data] == [made[2].id, made[1].id]
    assert (page.has_more, page.next_page_info() is not None) == (True, True)
    assert client.batches.list(limit=2, after=made[1].id).data[0].id == made[0].id
    assert made[0].id in [batch.id for batch in client.batches.list(limit=2)]
    for ask in (stranger.batches.retrieve, stranger.batches.cancel):
        with pytest.raises(NotFoundError, match="No batch found with id"):
            ask(made[0].id)
    assert list(stranger.batches.list()) == []
    with pytest.raises(BadRequestError, match="No batch found with id"):
        stranger.batches.list(after=made[0].id)
    with pytest.raises(BadRequestError, match="limit"):
        client.batches.list(limit=0)


@pytest.fixture
def slow(slow_server: Server) -> Iterator[OpenAI]:
    with strict_client(slow_server) as client:
        yield client


def test_to_cancel_keeps_what_was_answered(slow: OpenAI) -> None:
    batch = begin(slow, *(request(f"{number}", "word " * 15) for number in range(40)))
    deadline = time.monotonic() + 20
    while not (counts := slow.batches.retrieve(batch.id).request_counts) or not counts.completed:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert counts.total == 40
    cancelling = slow.batches.cancel(batch.id)
    assert cancelling.status == "cancelling"
    assert cancelling.cancelling_at is not None
    batch = ended(slow, cancelling)
    assert batch.status == "cancelled"
    output, errors = lines(slow, batch.output_file_id), lines(slow, batch.error_file_id)
    assert batch.request_counts is not None
    assert batch.request_counts.completed == len(output) >= 1
    assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
    assert sorted([*output, *errors], key=int) == [str(number) for number in range(40)]
    assert slow.batches.cancel(batch.id) == batch


def test_a_completed_batch_cannot_be_cancelled(client: OpenAI) -> None:
    batch = ended(client, begin(client, request("a", "x")))
    with pytest.raises(ConflictError, match="Cannot cancel a batch with status 'completed'"):
        client.batches.cancel(batch.id)


def test_the_body_must_be_json(raw: httpx2.Client) -> None:
    answer = raw.post("/batches", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert raw.post("/batches", data={"endpoint": CHAT}).status_code == 400
