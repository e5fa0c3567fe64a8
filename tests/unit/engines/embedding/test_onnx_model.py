"""An ONNX model in this process: averages over the tokens of each text, of length 1, in the order of the texts."""

from pathlib import Path

import numpy as np
import pytest

from freehold.core.prompt import Raw
from freehold.engines.embedding.onnx_model import OnnxModel
from freehold.engines.worker.messages import Open, Refused
from tests.onnx_folder import CONTEXT, VECTORS, onnx_folder


def model(folder: Path, **more: object) -> OnnxModel:
    made = onnx_folder(folder, **more)  # type: ignore[arg-type]
    return OnnxModel(Open(backend="", path=str(made), folder="", slots=1, context=CONTEXT, pool=None, threads=1))


def expected(*words: int) -> np.ndarray:
    mean = VECTORS[list(words)].mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_a_text_is_the_mean_of_its_words_and_not_of_the_padding(tmp_path: Path) -> None:
    texts: tuple[Raw, ...] = ("red", "red green blue blue", (3, 1), "purple red")
    found = model(tmp_path).embed(texts)
    assert found.tokens == 9
    for row, words in zip(found.rows, ((1,), (1, 2, 3, 3), (3, 1), (0, 1)), strict=True):
        np.testing.assert_allclose(np.frombuffer(row, "<f4"), expected(*words), rtol=1e-6)


def test_many_texts_come_back_in_their_order(tmp_path: Path) -> None:
    texts = tuple(" ".join(["blue"] * (1 + place % 3) + ["red"] * (place % 2)) for place in range(50))
    loaded = model(tmp_path)
    assert loaded.embed(texts).rows == tuple(loaded.embed((text,)).rows[0] for text in texts)


def test_a_model_is_given_the_inputs_that_it_has(tmp_path: Path) -> None:
    wanted = expected(1).tobytes()
    assert model(tmp_path / "one", inputs=("input_ids",)).embed(("red",)).rows == (wanted,)
    three = ("input_ids", "attention_mask", "token_type_ids")
    assert model(tmp_path / "three", inputs=three).embed(("red",)).rows == (wanted,)


def test_a_text_that_is_too_long_is_named(tmp_path: Path) -> None:
    found = model(tmp_path).embed(("red", "red " * (CONTEXT + 1)))
    assert (found.rows, found.tokens, found.too_long) == ((), CONTEXT + 1, 1)


def test_a_token_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"Invalid token: 4\. The model has 4 tokens\."):
        model(tmp_path).embed(((4,),))
