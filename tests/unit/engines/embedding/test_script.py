"""The script embedder: texts that share words are near each other."""

import asyncio

import numpy as np
import pytest

from freehold.core.errors import Invalid
from freehold.core.prompt import Raw
from freehold.engines.embedding.script import CONTEXT, DIMENSIONS, NAME, ScriptEmbedder


def embedded(*texts: Raw) -> np.ndarray:
    vectors = asyncio.run(ScriptEmbedder().embed(NAME, texts))
    return np.frombuffer(b"".join(vectors.rows), "<f4").reshape(len(texts), DIMENSIONS)


def test_vectors_are_of_length_one_and_always_the_same() -> None:
    rows = embedded("the cat sat", "", "...", (1, 2, 3))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert (rows == embedded("the cat sat", "", "...", (1, 2, 3))).all()


def test_what_shares_words_is_near() -> None:
    cat, cats, rain = embedded("the cat sat on the mat", "a cat on the mat", "heavy rain falls in Spain")
    assert cat @ cats > 0.5 > cat @ rain


def test_too_many_words_are_refused_by_index() -> None:
    with pytest.raises(Invalid) as caught:
        embedded("fine", "word " * (CONTEXT + 1))
    assert (caught.value.param, caught.value.code) == ("input[1]", "context_length_exceeded")
