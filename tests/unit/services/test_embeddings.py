"""Vectors for bodies: whose tokens an array holds."""

import asyncio
from collections.abc import Sequence

import pytest

from freehold.engines.embedding.script import NAME, ScriptEmbedder
from freehold.services.embeddings import Embeddings
from freehold.services.encoders import Encoders
from freehold.surfaces.embeddings import EmbeddingBody

WORDS = {1: "hens", 2: " lay", 3: " eggs"}


class Words:
    """Three tokens."""

    async def text(self, tokens: Sequence[int], param: str) -> str:
        return "".join(WORDS[token] for token in tokens)


def vectors(model: str, *inputs: object) -> list[object]:
    embeddings = Embeddings(Encoders([ScriptEmbedder()], {"mine": NAME}), Words())
    body = EmbeddingBody(input=inputs, model=model, encoding_format="base64")  # type: ignore[arg-type]
    return [one.embedding for one in asyncio.run(embeddings.create(body)).data]


@pytest.mark.parametrize("model", ["text-embedding-3-small", "text-embedding-ada-002"])
def test_tokens_under_a_real_name_are_those_of_the_real_model(model: str) -> None:
    assert vectors(model, (1, 2), (3,)) == vectors(model, "hens lay", " eggs")
    assert vectors(model, 1, 2, 3) == vectors(model, "hens lay eggs")


@pytest.mark.parametrize("model", [NAME, "mine"])
def test_tokens_under_another_name_are_those_of_the_model(model: str) -> None:
    assert vectors(model, (1, 2)) == vectors(NAME, (1, 2)) != vectors(NAME, "hens lay")
