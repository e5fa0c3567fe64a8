"""Models in the E5S1 format become GGUF files; anything else is refused."""

from pathlib import Path

import pytest

from freehold.engines.llama.header import read_header
from freehold.engines.weights.e5s1 import rewrite
from freehold.engines.weights.errors import Damaged
from tests.e5s1_file import CONTEXT, INNER, WIDTH, e5s1

WORDS = ("▁red", "▁green")


def test_a_model_is_rewritten(tmp_path: Path) -> None:
    rewrite(e5s1(WORDS, {"\t": " "}), tmp_path / "model.gguf")
    header = read_header(tmp_path / "model.gguf")
    assert (header["general.architecture"], header["bert.pooling_type"]) == ("bert", 1)
    assert (header["bert.context_length"], header["bert.embedding_length"]) == (CONTEXT, WIDTH)
    assert (header["bert.feed_forward_length"], header["bert.block_count"]) == (INNER, 1)
    assert header["tokenizer.ggml.tokens"] == header["tokenizer.ggml.scores"] == len(WORDS) + 5 + 2


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        rewrite(e5s1(WORDS, {"\t": " "}), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("raw", [b"", b"E5S1", b"GGUF" * 100, e5s1(WORDS, {}).replace(b"E5S1\1", b"E5S1\2")])
def test_what_is_no_such_model_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(Damaged, match="E5S1 format"):
        rewrite(raw, tmp_path / "model.gguf")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = e5s1(WORDS, {"\t": " ", "x": ""})
    for length in range(0, len(whole), 7):
        with pytest.raises(Damaged, match="E5S1 format"):
            rewrite(whole[:length], tmp_path / "model.gguf")
