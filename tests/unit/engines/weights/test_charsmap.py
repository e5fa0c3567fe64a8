"""The trie of replacements, walked as llama.cpp walks it."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.weights.charsmap import charsmap

CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")


def replaced(packed: bytes, text: str) -> str:
    """What a SentencePiece tokenizer of llama.cpp makes of a text with this map."""
    (size,) = struct.unpack_from("<I", packed)
    units, texts = struct.unpack_from(f"<{size // 4}I", packed, 4), packed[4 + size :]
    given, made, start = text.encode(), b"", 0
    while start < len(given):
        node, length, found = units[0] >> 10, 0, 0
        for place, byte in enumerate(given[start:], start):
            node ^= byte
            if node >= len(units) or units[node] & 0x800000FF != byte:
                break
            leaf, node = units[node] >> 8 & 1, node ^ units[node] >> 10
            if leaf:
                length, found = place - start + 1, units[node] & 0x7FFFFFFF
        if length:
            made += texts[found : texts.index(b"\0", found)]
            start += length
        else:
            made += given[start : start + 1]
            start += 1
    return made.decode()


@given(st.dictionaries(CHARACTERS, st.text(CHARACTERS, max_size=3), min_size=1), st.text(CHARACTERS))
def test_characters_are_replaced_and_others_are_not(table: dict[str, str], text: str) -> None:
    packed = charsmap(table)
    for one in (text, "".join(table)):
        assert replaced(packed, one) == "".join(table.get(character, character) for character in one)


def test_the_longest_key_that_fits_wins() -> None:
    packed = charsmap({"a": "1", "ab": "2", "abc": "", "ü": "ue"})
    assert replaced(packed, "aababcabdü") == "121"[:2] + "2due"
