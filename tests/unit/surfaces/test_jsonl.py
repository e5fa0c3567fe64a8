"""Lines in chunks: wherever a chunk ends, the lines are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.surfaces.jsonl import Line, Splitter

MARK = b"\xef\xbb\xbf"
LONGEST = 20


def lines_of(chunks: list[bytes], longest: int = LONGEST) -> list[Line]:
    splitter = Splitter(longest)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.end())


def test_lines_have_their_places() -> None:
    content = MARK + b'{"a":1}\r\n\n  \n{"b":"\xc3\xa9"}\n{"c":3}'
    first, second, third = lines_of([content])
    assert first == Line(1, 3, 7, b'{"a":1}')
    assert (second.number, second.text) == (4, b'{"b":"\xc3\xa9"}')
    assert third == Line(5, len(content) - 7, 7, b'{"c":3}')
    for line in (first, second, third):
        assert content[line.start : line.start + line.length] == line.text


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\r\n", b" \t\n", MARK, MARK + b"\n"])
def test_nothing_but_white_space_is_no_line(content: bytes) -> None:
    assert lines_of([content]) == []


def test_a_line_that_is_too_long_is_counted_and_not_kept() -> None:
    splitter = Splitter(LONGEST)
    assert list(splitter.feed(b"a" * LONGEST + b"\n")) == [Line(1, 0, LONGEST, b"a" * LONGEST)]
    for _ in range(1000):
        assert list(splitter.feed(b"b" * 1000)) == []
        assert sum(map(len, splitter._pieces)) <= LONGEST
    assert list(splitter.feed(b"\nc\n")) == [
        Line(2, LONGEST + 1, 1_000_000, None),
        Line(3, LONGEST + 1_000_002, 1, b"c"),
    ]


def test_the_mark_before_the_first_line_does_not_make_it_too_long() -> None:
    assert lines_of([MARK + b"a" * LONGEST]) == [Line(1, 3, LONGEST, b"a" * LONGEST)]


CONTENT = MARK + b'{"custom_id":"1"}\r\n\n{"custom_id":"\xf0\x9f\x8c\x8a"}\n\r\n' + b"x" * 30 + b'\n{"a":2}'


@pytest.mark.parametrize("place", range(len(CONTENT) + 1))
def test_cut_at_any_byte_the_lines_are_the_same(place: int) -> None:
    assert lines_of([CONTENT[:place], CONTENT[place:]]) == lines_of([CONTENT])


@given(
    st.lists(st.sampled_from([b"{}", b"\n", b"\r", b"\n\n", b" ", MARK, b"\xc3", b"a" * 9, b"b" * 21])),
    st.lists(st.integers(0, 300)),
)
def test_cut_anywhere_any_number_of_times_the_lines_are_the_same(pieces: list[bytes], places: list[int]) -> None:
    content = b"".join(pieces)
    cuts = [0, *sorted(place for place in places if place < len(content)), len(content)]
    chunks = [content[start:end] for start, end in pairwise(cuts)]
    whole = lines_of([content])
    assert lines_of(chunks) == whole
    for line in whole:
        assert line.text is None or content[line.start : line.start + line.length] == line.text
