"""The header of a GGUF file, from files that the test writes."""

from pathlib import Path
from struct import pack

import pytest

from freehold.engines.llama.header import read_header, read_numbers, tensor_types


def text(value: str) -> bytes:
    data = value.encode()
    return pack("<Q", len(data)) + data


def gguf(*pairs: bytes, version: int = 3, count: int | None = None) -> bytes:
    return b"GGUF" + pack("<IQQ", version, 0, len(pairs) if count is None else count) + b"".join(pairs)


PAIRS = (
    text("general.architecture") + pack("<I", 8) + text("llama"),
    text("tokens") + pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
    text("scores") + pack("<IIQ", 9, 6, 3) + pack("<fff", 1, 2, 3),
    text("nested") + pack("<IIQ", 9, 9, 1) + pack("<IQB", 0, 1, 5),
    text("llama.context_length") + pack("<II", 4, 8192),
    text("general.sampling.temp") + pack("<If", 6, 0.5),
)


def test_reads_single_values_and_counts_those_of_arrays(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(*PAIRS) + b"the tensors")
    assert read_header(path) == {
        "general.architecture": "llama",
        "llama.context_length": 8192,
        "general.sampling.temp": 0.5,
        "tokens": 2,
        "scores": 3,
        "nested": 1,
    }


def test_reads_the_numbers_of_one_array(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(*PAIRS) + b"the tensors")
    assert read_numbers(path, "scores") == (1, 2, 3)
    assert read_numbers(path, "general.sampling.temp") == read_numbers(path, "missing") == ()


def test_reads_the_types_of_tensors(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    tensors = [text("a") + pack("<IQQIQ", 2, 64, 3, 12, 0), text("b") + pack("<IQIQ", 1, 64, 6, 0)]
    head = b"GGUF" + pack("<IQQ", 3, len(tensors), len(PAIRS))
    path.write_bytes(head + b"".join(PAIRS) + b"".join(tensors) + b"the tensors")
    assert tensor_types(path) == {12, 6}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not a GGUF file"),
        (b"PK\x03\x04 something else", "it is not a GGUF file"),
        (gguf(version=1), "of version 1"),
        (gguf(*PAIRS)[:60], "damaged or cut off"),
        (gguf(*PAIRS, count=9), "damaged or cut off"),
        (gguf(text("k") + pack("<I", 77)), "damaged or cut off"),
        (gguf(pack("<Q", 1 << 60)), "damaged or cut off"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        read_header(path)
