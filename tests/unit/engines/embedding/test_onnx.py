"""The folder of an ONNX model: what is read of it, and what is said of one that is not whole."""

import asyncio
import json
from pathlib import Path

import pytest

from freehold.core.ports import Encoder
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.onnx import model_file, open_onnx
from tests.onnx_folder import CONTEXT, onnx_folder


def opened(folder: Path) -> Encoder:
    """What an embedder says of the model in a folder."""

    async def main() -> Encoder:
        spec = EmbedderSpec(name="mine", kind="onnx", model=str(folder))
        async with open_onnx(spec, Path) as embedder:
            return embedder.models[0]

    return asyncio.run(main())


def test_a_model_goes_by_the_name_of_its_folder(tmp_path: Path) -> None:
    encoder = opened(onnx_folder(tmp_path / "words-v1"))
    assert (encoder.name, encoder.dimensions, encoder.context) == ("words-v1", 4, CONTEXT)
    assert (encoder.query, encoder.document, encoder.backend) == ("", "", "onnxruntime")


def test_the_file_may_be_where_sentence_transformers_put_it(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "words-v1", inside="onnx")
    assert model_file(folder) == folder / "onnx" / "model.onnx"
    assert opened(folder).name == "words-v1"


def test_models_of_the_e5_family_are_told_what_a_text_is_for(tmp_path: Path) -> None:
    encoder = opened(onnx_folder(tmp_path / "multilingual-e5-small"))
    assert (encoder.query, encoder.document, encoder.context) == ("query: ", "passage: ", CONTEXT - 2)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "config.json"])
def test_what_is_missing_is_named(tmp_path: Path, file: str) -> None:
    folder = onnx_folder(tmp_path / "words-v1")
    (folder / file).unlink()
    with pytest.raises(ValueError, match=rf"embedder 'mine': .*{file} is not there"):
        opened(folder)


def test_a_config_that_says_too_little_is_refused(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "words-v1")
    (folder / "config.json").write_text(json.dumps({"hidden_size": 4}))
    with pytest.raises(ValueError, match="max_position_embeddings"):
        opened(folder)
