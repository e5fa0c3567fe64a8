"""`client.chat.completions` of the official Python SDK, in strict mode."""

import json

import httpx2
from openai import OpenAI

from tests.sse_checker import read_frames

HELLO = [{"role": "system", "content": "You repeat."}, {"role": "user", "content": "Hello there, world!"}]


def test_create(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-4.1", messages=HELLO)
    assert (completion.object, completion.model) == ("chat.completion", "gpt-4.1")
    assert completion.id.startswith("chatcmpl-")
    [choice] = completion.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content) == ("assistant", "Hello there, world!")
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 3)
    assert completion.usage.total_tokens == 8


def test_the_limits_of_an_answer(client: OpenAI) -> None:
    cut = client.chat.completions.create(model="gpt-4.1", messages=HELLO, max_completion_tokens=2)
    assert (cut.choices[0].finish_reason, cut.choices[0].message.content) == ("length", "Hello there, ")
    stopped = client.chat.completions.create(model="gpt-4.1", messages=HELLO, stop=["there"])
    assert (stopped.choices[0].finish_reason, stopped.choices[0].message.content) == ("stop", "Hello ")


def test_stream_concatenates_to_the_answer(client: OpenAI) -> None:
    with client.chat.completions.create(model="gpt-4.1", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there, world!"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_include_usage_adds_one_last_chunk(client: OpenAI) -> None:
    with client.chat.completions.create(
        model="gpt-4.1", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (5, 3, 8)


def test_the_stream_helper_accumulates_the_same_answer(client: OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4.1", messages=HELLO) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content == "Hello there, world!"


def test_the_bytes_of_a_stream(raw: httpx2.Client) -> None:
    answer = raw.post("/chat/completions", json={"model": "gpt-4.1", "messages": HELLO, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *frames, last = read_frames(answer.content)
    assert last == (None, "[DONE]")
    assert all(name is None for name, _ in frames)
    always = {"id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"}
    assert all(json.loads(data).keys() == always | {"obfuscation"} for _, data in frames)
