"""Formats and refusals with the official client: what this engine cannot be held to, and how an answer is declined."""

from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI
from pydantic import BaseModel

from tests.chunk_checker import check_chunks
from tests.sse_checker import StreamChecker

SCHEMA: Any = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
DECLINED = "!refuse I can't do that."


class Point(BaseModel):
    x: int


@pytest.mark.parametrize(
    ("wanted", "param", "code"),
    [
        ({"type": "json_object"}, "text.format", "unsupported_parameter"),
        ({"type": "json_schema", "name": "x", "schema": SCHEMA}, "text.format", "unsupported_parameter"),
        ({"type": "json_schema", "name": "x y", "schema": SCHEMA}, "text.format.name", "invalid_value"),
        (
            {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": True},
            "text.format.schema",
            "invalid_json_schema",
        ),
        ({"type": "yaml"}, "text.format.type", "invalid_value"),
    ],
)
def test_a_format_that_cannot_be_held_to_is_refused(client: OpenAI, wanted: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5", input="Hi", text={"format": wanted})
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"type": "json_object"}, "response_format"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, "response_format"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_and_in_chat(client: OpenAI, wanted: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(
            model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], response_format=wanted
        )
    assert caught.value.param == param


def test_the_parse_helpers_are_told_so(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.parse(model="gpt-5", input="Hi", text_format=Point)
    assert caught.value.param == "text.format"
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.parse(
            model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], response_format=Point
        )
    assert caught.value.param == "response_format"


def test_a_refusal_is_a_part_of_a_message(client: OpenAI) -> None:
    response = client.responses.create(model="gpt-5", input=DECLINED)
    (message,) = response.output
    assert message.type == "message"
    (part,) = message.content
    assert (part.type, response.output_text) == ("refusal", "")
    assert part.type == "refusal" and part.refusal == "I can't do that."
    parsed = client.responses.parse(model="gpt-5", input=DECLINED)
    assert parsed.output_parsed is None


def test_a_refusal_streams(client: OpenAI) -> None:
    checker, deltas = StreamChecker(), []
    with client.responses.create(model="gpt-5", input=DECLINED, stream=True) as stream:
        for event in stream:
            checker.push(event.to_dict())
            if event.type == "response.refusal.delta":
                deltas.append(event.delta)
    assert "".join(deltas) == "I can't do that."
    assert checker.finish()["output"][0]["content"] == [{"type": "refusal", "refusal": "I can't do that."}]
    with client.responses.stream(model="gpt-5", input=DECLINED) as helper:
        done = [event.refusal for event in helper if event.type == "response.refusal.done"]
    assert done == ["I can't do that."]


def test_a_refusal_is_remembered(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input=DECLINED)
    second = client.responses.create(model="gpt-5", input="Why?", previous_response_id=first.id)
    assert second.usage is not None
    assert second.usage.input_tokens == 5 + 4 + 1


def test_a_refusal_in_chat(client: OpenAI, raw: httpx2.Client) -> None:
    messages: Any = [{"role": "user", "content": DECLINED}]
    whole = client.chat.completions.create(model="gpt-4.1", messages=messages)
    message = whole.choices[0].message
    assert (message.content, message.refusal, whole.choices[0].finish_reason) == (None, "I can't do that.", "stop")
    with client.chat.completions.stream(model="gpt-4.1", messages=messages) as stream:
        done = [event.refusal for event in stream if event.type == "refusal.done"]
        final = stream.get_final_completion()
    assert done == [final.choices[0].message.refusal] == ["I can't do that."]
    streamed = raw.post("/chat/completions", json={"model": "gpt-4.1", "messages": messages, "stream": True})
    assert check_chunks(streamed.content)["choices"] == [
        {"index": 0, "message": message.to_dict(), "logprobs": None, "finish_reason": "stop"}
    ]
    again: Any = [*messages, message, {"role": "user", "content": "Why?"}]
    assert client.chat.completions.create(model="gpt-4.1", messages=again).choices[0].message.content == "Why?"
