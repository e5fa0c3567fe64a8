"""The checker of chat streams itself: it takes good streams and refuses every way to spoil one."""

import copy
import json
from typing import Any

import httpx2
import pytest

from tests.chunk_checker import check_chunks
from tests.sse_checker import Json, StreamError, read_frames

STREAMS: list[Json] = [
    {"messages": "one two three"},
    {"messages": "!refuse not that"},
    {"messages": '!call add {"a": 1}', "tools": [{"type": "function", "function": {"name": "add"}}]},
    {"messages": "!call shell ls -l", "tools": [{"type": "custom", "custom": {"name": "shell"}}]},
    {"messages": '!call add {"a": 1}', "functions": [{"name": "add"}]},
    {"messages": "a b", "logprobs": True, "top_logprobs": 1},
    {"messages": "a b", "n": 2, "stream_options": {"include_usage": True}},
    {"messages": "one two three", "reasoning_effort": "low", "max_tokens": 2},
]


def streamed(raw: httpx2.Client, body: Json) -> list[Json]:
    """The chunks of a good stream."""
    message = {"role": "user", "content": body["messages"]}
    asked = {"model": "gpt-5.2", "stream": True, **body, "messages": [message]}
    *frames, _ = read_frames(raw.post("/chat/completions", json=asked).content)
    return [json.loads(data) for _, data in frames]


def checked(chunks: list[Json], choices: int = 1) -> Json:
    frames = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return check_chunks("".join((*frames, "data: [DONE]\n\n")).encode(), choices)


@pytest.mark.parametrize("body", STREAMS)
def test_a_chunk_that_is_missing_or_twice_is_noticed(raw: httpx2.Client, body: Json) -> None:
    chunks, choices = streamed(raw, body), body.get("n", 1)
    whole = checked(chunks, choices)
    assert len(whole["choices"]) == choices
    for place in range(len(chunks)):
        for spoilt in (chunks[:place] + chunks[place + 1 :], chunks[: place + 1] + chunks[place:]):
            try:
                found = checked(spoilt, choices)
            except StreamError:
                continue
            assert found != whole


SPOILT: list[tuple[int, dict[str, Any]]] = [
    (0, {"role": "user"}),
    (1, {"content": ""}),
    (1, {"content": "a", "refusal": "b"}),
    (1, {"thought": "a"}),
    (1, {"tool_calls": [{"index": 1, "function": {"arguments": "x"}}]}),
    (1, {"tool_calls": [{"index": 0, "type": "function", "function": {"name": "f", "arguments": ""}}]}),
    (1, {"function_call": {"name": "f"}}),
    (4, {"content": "a"}),
]


@pytest.mark.parametrize(("place", "delta"), SPOILT)
def test_a_spoilt_chunk(raw: httpx2.Client, place: int, delta: Json) -> None:
    chunks = copy.deepcopy(streamed(raw, STREAMS[0]))
    chunks[place]["choices"][0]["delta"] = delta
    with pytest.raises(StreamError):
        checked(chunks)


@pytest.mark.parametrize("key", ["id", "created", "model", "object", "system_fingerprint"])
def test_every_chunk_is_of_the_same_completion(raw: httpx2.Client, key: str) -> None:
    chunks = streamed(raw, STREAMS[0])
    chunks[2][key] = "other"
    with pytest.raises(StreamError):
        checked(chunks)


def test_a_stream_has_its_last_frame(raw: httpx2.Client) -> None:
    with pytest.raises(StreamError):
        check_chunks(f"data: {json.dumps(streamed(raw, STREAMS[0])[0])}\n\n".encode())
