"""Streams of `client.responses`, checked event by event against the grammar."""

import httpx2
import pytest
from openai import OpenAI

from tests.sse_checker import StreamChecker, check_stream, read_events

STORY = "Once upon a time there was a server,\n\nand it spoke: “héllo, 世界 🙂”. The end."


def test_typed_events_follow_the_grammar(client: OpenAI) -> None:
    checker = StreamChecker()
    deltas = []
    with client.responses.create(model="gpt-5", input=STORY, stream=True) as stream:
        for event in stream:
            checker.push(event.to_dict())
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
    response = checker.finish()
    assert "".join(deltas) == STORY
    assert response["status"] == "completed"
    assert client.responses.retrieve(response["id"]).to_dict() == response


def test_the_stream_helper_accumulates_the_same_response(client: OpenAI) -> None:
    with client.responses.stream(model="gpt-5", input=STORY) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert types[0] == "response.created"
    assert types[-1] == "response.completed"
    assert final.output_text == STORY


@pytest.mark.parametrize(
    ("request_body", "last", "status"),
    [
        ({"input": STORY}, "response.completed", "completed"),
        ({"input": "word " * 300}, "response.completed", "completed"),
        ({"input": "word " * 40, "max_output_tokens": 16}, "response.incomplete", "incomplete"),
        ({"input": "!crash after 5 some words"}, "response.failed", "failed"),
        ({"input": "!crash after 0"}, "response.failed", "failed"),
        ({"input": " "}, "response.completed", "completed"),
    ],
)
def test_every_ending_follows_the_grammar(raw: httpx2.Client, request_body: dict, last: str, status: str) -> None:
    answer = raw.post("/responses", json={"model": "gpt-5", "stream": True, **request_body})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b"[DONE]" not in answer.content
    events = read_events(answer.content)
    assert check_stream(events)["status"] == status
    assert events[-1]["type"] == last


def test_obfuscation_hides_the_sizes_unless_declined(raw: httpx2.Client) -> None:
    def sizes(options: dict[str, bool]) -> list[int | None]:
        body = {"model": "gpt-5", "input": "a four-letter sesquipedalian", "stream": True, "stream_options": options}
        events = read_events(raw.post("/responses", json=body).content)
        deltas = [event for event in events if event["type"] == "response.output_text.delta"]
        return [len(one["delta"] + one["obfuscation"]) % 16 if "obfuscation" in one else None for one in deltas]

    assert sizes({"include_obfuscation": True}) == [0, 0, 0]
    assert sizes({"include_obfuscation": False}) == [None, None, None]


def test_a_stream_may_be_continued_at_once(client: OpenAI) -> None:
    with client.responses.create(model="gpt-5", input="one", stream=True) as stream:
        first = next(event.response.id for event in stream if event.type == "response.completed")
        second = client.responses.create(model="gpt-5", input="two", previous_response_id=first)
    assert second.previous_response_id == first
