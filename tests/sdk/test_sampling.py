"""How answers are drawn, with the official client: choices, log-probabilities, stops, and what is merely taken."""

from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.chunk_checker import check_chunks
from tests.servers import Server
from tests.sse_checker import StreamChecker

MESSAGES: Any = [{"role": "user", "content": "one two é"}]
WORDS = ["one ", "two ", "é"]


def test_several_choices_are_counted_once(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, n=3)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert {choice.message.content for choice in completion.choices} == {"one two é"}
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (3, 9)


def test_several_choices_stream_side_by_side(client: OpenAI, raw: httpx2.Client) -> None:
    body = {"model": "gpt-4.1", "messages": MESSAGES, "n": 3, "logprobs": True}
    whole = client.chat.completions.create(**body).to_dict()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    folded = check_chunks(raw.post("/chat/completions", json=body | options).content, 3)
    assert {**folded, "id": "", "created": 0} == {**whole, "id": "", "created": 0}
    with client.chat.completions.stream(**body) as stream:
        final = stream.get_final_completion()
    assert [choice.message.content for choice in final.choices] == ["one two é"] * 3


def test_a_choice_that_breaks_ends_all(client: OpenAI, raw: httpx2.Client) -> None:
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "!crash after 2 a"}], "n": 2}
    assert raw.post("/chat/completions", json=body).status_code == 500
    streamed = raw.post("/chat/completions", json=body | {"stream": True})
    assert check_chunks(streamed.content, 2)["error"]["code"] == "server_error"


@pytest.mark.parametrize("n", [0, 129])
def test_there_are_bounds_to_choices(client: OpenAI, n: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, n=n)
    assert caught.value.param == "n"


@pytest.mark.parametrize("alternatives", [None, 0, 1, 20])
def test_logprobs_in_chat(client: OpenAI, alternatives: int | None) -> None:
    more: Any = {} if alternatives is None else {"top_logprobs": alternatives}
    completion = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, logprobs=True, **more)
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    assert [one.token for one in logprobs.content] == WORDS
    assert [bytes(one.bytes or ()) for one in logprobs.content] == [word.encode() for word in WORDS]
    assert [len(one.top_logprobs) for one in logprobs.content] == [1 if alternatives else 0] * 3
    with client.chat.completions.stream(model="gpt-4.1", messages=MESSAGES, logprobs=True, **more) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].logprobs == logprobs
    plain = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES)
    assert plain.choices[0].logprobs is None


@pytest.mark.parametrize(
    ("more", "told", "alternatives"),
    [
        ({}, 0, 0),
        ({"include": ["message.output_text.logprobs"]}, 3, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, 3, 1),
        ({"top_logprobs": 2}, 3, 1),
    ],
)
def test_logprobs_in_responses(client: OpenAI, more: Any, told: int, alternatives: int) -> None:
    response = client.responses.create(model="gpt-4.1", input="one two é", **more)
    (message,) = response.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    logprobs = part.logprobs or []
    assert [one.token for one in logprobs] == WORDS[:told]
    assert all(len(one.top_logprobs) == alternatives for one in logprobs)
    checker = StreamChecker()
    with client.responses.create(model="gpt-4.1", input="one two é", stream=True, **more) as stream:
        for event in stream:
            checker.push(event.to_dict())
    assert checker.finish()["output"][0]["content"] == [part.to_dict()]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"logit_bias": {"word": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"prediction": {"type": "content"}}, "prediction.content"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(client: OpenAI, more: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, **more)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("stop", "content"), [("two", "one "), (["é", "two"], "one "), ([" "], "one"), (["three"], "one two é")]
)
def test_an_answer_stops_before_a_stop(client: OpenAI, stop: Any, content: str) -> None:
    completion = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, stop=stop)
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == (content, "stop")
    with client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, stop=stop, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == content


@pytest.mark.parametrize(
    "more",
    [
        {"prediction": {"type": "content", "content": "one two three"}},
        {"prediction": {"type": "content", "content": [{"type": "text", "text": "one"}]}},
        {"service_tier": "auto"},
        {"verbosity": "high"},
        {"seed": 7, "temperature": 0, "top_p": 0.5, "presence_penalty": 1.5, "frequency_penalty": -1.5},
        {"safety_identifier": "s", "user": "u", "prompt_cache_key": "k"},
        {"parallel_tool_calls": True},
    ],
)
def test_what_changes_nothing_here_is_taken(client: OpenAI, more: Any) -> None:
    completion = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, **more)
    assert completion.choices[0].message.content == "one two é"
    assert completion.service_tier == "default"
    assert completion.usage is not None
    details = completion.usage.completion_tokens_details
    assert details is not None
    assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (0, 0)


def test_the_answer_says_its_tier(client: OpenAI) -> None:
    for given, told in (("flex", "flex"), ("priority", "priority"), ("default", "default")):
        asked: Any = given
        completion = client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, service_tier=asked)
        response = client.responses.create(model="gpt-5", input="one", service_tier=asked)
        assert (completion.service_tier, response.service_tier) == (told, told)


def test_the_oldest_turns_are_left_out_where_that_is_allowed(client: OpenAI) -> None:
    turns: Any = [{"role": "user", "content": "word " * 9_000} for _ in range(4)]
    turns.append({"role": "user", "content": "and now"})
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5", input=turns, instructions="Be kind.")
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    response = client.responses.create(model="gpt-5", input=turns, instructions="Be kind.", truncation="auto")
    assert response.output_text == "and now"
    assert response.truncation == "auto"
    assert response.usage is not None
    assert response.usage.input_tokens == 2 + 3 * 9_000 + 2


def test_a_stored_prompt(client: OpenAI, server: Server) -> None:
    folder = server.log.parent / "data" / "prompts" / "default" / "pmpt_greet"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text('{"messages": [{"role": "user", "content": "Hello {{name}}!"}], "model": "gpt-5.2"}')
    (folder / "2.json").write_text('{"instructions": "Greet.", "messages": [{"role": "user", "content": "Hi!"}]}')
    first = client.responses.create(prompt={"id": "pmpt_greet", "version": "1", "variables": {"name": "Ann"}})
    assert (first.output_text, first.prompt and first.prompt.id) == ("Hello Ann!", "pmpt_greet")
    newest = client.responses.create(model="gpt-5", prompt={"id": "pmpt_greet"})
    assert newest.output_text == "Hi!"
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(prompt={"id": "pmpt_greet", "version": "1"})
    assert caught.value.param == "prompt.variables"


def test_an_item_is_referred_to(client: OpenAI, stranger: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input="one two three")
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    second = client.responses.create(model="gpt-5", input=[reference, {"role": "user", "content": "four"}])
    assert second.usage is not None
    assert second.usage.input_tokens == 4
    with pytest.raises(NotFoundError):
        stranger.responses.create(model="gpt-5", input=[reference])
