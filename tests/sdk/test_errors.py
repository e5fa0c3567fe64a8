"""Bad requests, as the official Python SDK raises them."""

import openai
import pytest
from openai import OpenAI

from tests.servers import Server


def test_a_wrong_key(server: Server) -> None:
    with (
        OpenAI(base_url=server.base_url, api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.models.list()
    assert caught.value.code == "invalid_api_key"


BAD_RESPONSES = [
    ({"temperature": -1}, "decimal_below_min_value", "temperature"),
    ({"temperature": "hot"}, "invalid_type", "temperature"),
    ({"max_output_tokens": 1}, "integer_below_min_value", "max_output_tokens"),
    ({"input": [{"role": "wizard", "content": "hi"}]}, "invalid_value", "input[0].role"),
    ({"input": [{"role": "user"}]}, "missing_required_parameter", "input[0].content"),
    ({"previous_response_id": "resp_none"}, "previous_response_not_found", "previous_response_id"),
    ({"model": "gpt-17"}, "model_not_found", "model"),
    ({"extra_body": {"wish": 1}}, "unknown_parameter", "wish"),
    ({"background": True, "store": False}, "invalid_value", "background"),
    ({"moderation": {"model": "omni-moderation-latest"}}, "unsupported_parameter", "moderation"),
    ({"input": "word " * 40_000}, "context_length_exceeded", "input"),
]


@pytest.mark.parametrize(("parameters", "code", "param"), BAD_RESPONSES, ids=[case[1] for case in BAD_RESPONSES])
@pytest.mark.parametrize("stream", [False, True])
def test_responses(client: OpenAI, parameters: dict, code: str, param: str, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": "gpt-5", "input": "hi", "stream": stream, **parameters})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.type == "invalid_request_error"


BAD_CHATS = [
    ({"messages": []}, "array_below_min_length", "messages"),
    ({"messages": [{"role": "user", "content": 7}]}, "invalid_type", "messages[0].content"),
    ({"n": 0}, "integer_below_min_value", "n"),
    ({"presence_penalty": 3}, "decimal_above_max_value", "presence_penalty"),
]


@pytest.mark.parametrize(("parameters", "code", "param"), BAD_CHATS, ids=[case[1] for case in BAD_CHATS])
def test_chat(client: OpenAI, parameters: dict, code: str, param: str) -> None:
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "gpt-5", "messages": messages, **parameters})
    assert (caught.value.code, caught.value.param) == (code, param)


def test_an_unknown_model_on_chat(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-17", messages=[{"role": "user", "content": "hi"}])
    assert (caught.value.code, caught.value.param) == ("model_not_found", None)


def test_an_unknown_response(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve("resp_none")
    assert "resp_none" in caught.value.message


def test_an_unknown_url(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.get("/nowhere", cast_to=object)
    assert caught.value.code == "unknown_url"


def test_an_engine_that_breaks(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.responses.create(model="gpt-5", input="!crash after 3")
    assert (caught.value.status_code, caught.value.type) == (500, "server_error")
    with (
        client.chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": "!crash after 3"}], stream=True
        ) as stream,
        pytest.raises(openai.APIError, match="crash"),
    ):
        list(stream)
