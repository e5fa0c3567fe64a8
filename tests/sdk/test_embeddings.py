"""Embeddings with the official client in strict mode."""

import base64
from typing import Any

import msgspec
import numpy as np
import openai
import pytest
from openai import OpenAI


def test_base64_is_equal_to_floats_to_the_bit(client: OpenAI) -> None:
    texts = ["hello world", "größer", "東京都", "x" * 1000]
    plain = client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    with OpenAI(base_url=client.base_url, api_key=client.api_key) as lenient:  # the SDK decodes base64 after it checks
        raw = lenient.embeddings.with_raw_response.create(
            model="text-embedding-3-small", input=texts, encoding_format="base64"
        )
        packed = msgspec.json.decode(raw.content)
        usual = lenient.embeddings.create(model="text-embedding-3-small", input=texts)
    for one, two, three in zip(plain.data, packed["data"], usual.data, strict=True):
        row = base64.b64decode(two["embedding"])
        assert np.array(one.embedding, "<f4").tobytes() == row
        assert np.array(three.embedding, "<f4").tobytes() == row
    assert [one.index for one in plain.data] == list(range(len(texts)))
    assert plain.usage.model_dump() == packed["usage"]
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0


def test_as_many_inputs_as_may_be(client: OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-ada-002", input=["word"] * 2048, encoding_format="float")
    assert (len(answer.data), answer.usage.total_tokens) == (2048, 2048)
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="text-embedding-ada-002", input=["word"] * 2049)
    assert caught.value.param == "input"


def test_tokens_one_list_or_many(client: OpenAI) -> None:
    one = client.embeddings.create(model="script-embedding", input=[1, 2, 3], encoding_format="float")
    many = client.embeddings.create(model="script-embedding", input=[[1, 2, 3], [4]], encoding_format="float")
    assert (len(one.data), len(many.data)) == (1, 2)
    assert one.data[0].embedding == many.data[0].embedding


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": []}, "input"),
        ({"input": [-1]}, "input[0]"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 5}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"extra_body": {"colour": 1}}, "colour"),
        ({"input": ["word " * 9000]}, "input[0]"),
        ({"input": [[1] * 2000] * 151}, "input"),
    ],
)
def test_what_is_wrong_is_named(client: OpenAI, more: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(**{"model": "text-embedding-3-small", "input": "a", **more})
    assert caught.value.param == param


def test_models_of_the_other_kind_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="gpt-4o", input="a")
    with pytest.raises(openai.NotFoundError, match="embedding model"):
        client.chat.completions.create(model="text-embedding-3-small", messages=[{"role": "user", "content": "a"}])
    assert client.models.retrieve("text-embedding-3-small").id == "text-embedding-3-small"
