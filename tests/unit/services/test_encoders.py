"""Names of embedding models, cut vectors, and what is refused."""

import asyncio

import numpy as np
import pytest

from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.ports import Encoder, Vectors
from freehold.engines.embedding.script import DIMENSIONS, NAME, ScriptEmbedder
from freehold.services.encoders import Encoders


class Whole:
    """A model whose vectors cannot be cut, and that says what it was given."""

    models = (Encoder(name="whole", dimensions=2, context=9, created=1, query="q: ", document="d: "),)

    def __init__(self) -> None:
        self.given: list[object] = []

    async def embed(self, model: str, texts: object, batch: bool = False) -> Vectors:
        self.given.append(texts)
        return Vectors((np.array([1, 0], "<f4").tobytes(),), 1)


def test_the_real_names_mean_the_first_model_and_aliases_another() -> None:
    encoders = Encoders([ScriptEmbedder(), Whole()], {"text-embedding-3-large": "whole", "gpt-5": "elsewhere"})
    found = {name: encoders.find(name) for name in ("text-embedding-3-small", "text-embedding-3-large", NAME, "gpt-5")}
    assert [one and one.encoder.name for one in found.values()] == [NAME, "whole", NAME, None]
    assert encoders.default == NAME
    with pytest.raises(ValueError, match="no embedder"):
        Encoders([], {})


def test_a_cut_vector_is_the_beginning_of_the_whole() -> None:
    encoders = Encoders([ScriptEmbedder()], {})
    text = " ".join(f"word{number}" for number in range(200))

    async def rows(dimensions: int | None) -> np.ndarray:
        (row,) = (await encoders.vectors(NAME, [text], dimensions=dimensions)).rows
        return np.frombuffer(row, "<f4")

    whole, cut = asyncio.run(rows(None)), asyncio.run(rows(64))
    assert np.allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-6)
    assert np.isclose(np.linalg.norm(cut), 1, atol=1e-6)
    assert (asyncio.run(rows(DIMENSIONS)) == whole).all()


def test_queries_and_documents_have_their_words_before_them() -> None:
    whole = Whole()
    encoders = Encoders([whole], {})
    for use in ("plain", "query", "document"):
        asyncio.run(encoders.vectors("whole", ["x"], use))  # type: ignore[arg-type]
    asyncio.run(encoders.vectors("whole", [(1, 2)], "query"))
    assert whole.given == [["x"], ["q: x"], ["d: x"], [(1, 2)]]


@pytest.mark.parametrize(
    ("name", "dimensions", "kind", "param"),
    [
        ("whole", 1, Unsupported, "dimensions"),
        (NAME, 1, Unsupported, "dimensions"),
        (NAME, DIMENSIONS + 1, Unsupported, "dimensions"),
        ("gpt-4o", None, Invalid, "model"),
        ("nobody", None, NotFound, "model"),
    ],
)
def test_what_is_refused(name: str, dimensions: int | None, kind: type[Fault], param: str) -> None:
    encoders = Encoders([ScriptEmbedder(), Whole()], {})
    with pytest.raises(kind) as caught:
        asyncio.run(encoders.vectors(name, ["x"], dimensions=dimensions))
    assert caught.value.param == param
