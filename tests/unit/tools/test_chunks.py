"""Texts cut into pieces."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.tools.chunks import chunks, tokens
from freehold.tools.sections import Parsed, lines

WORDS = st.lists(st.text("abc é\n|#.", max_size=60), max_size=40).map("\n".join)


def cut(text: str, most: int = 100, overlap: int = 0, marked: bool = True) -> list[str]:
    return [chunk.text for chunk in chunks(lines(Parsed(text, marked)), most, overlap)]


def test_a_short_text_is_one_piece() -> None:
    assert cut("Hello there.") == ["Hello there."]
    assert cut("") == cut(" \n\n ") == []


def test_pieces_overlap_and_lines_stay_whole() -> None:
    rows = [f"| row {number} | value {number} |" for number in range(60)]
    pieces = cut("\n".join(rows), most=100, overlap=40)
    assert len(pieces) > 3
    for piece in pieces:
        assert set(piece.split("\n")) <= set(rows)
    for before, after in itertools.pairwise(pieces):
        assert after.split("\n")[0] in before.split("\n")


def test_a_heading_goes_with_what_follows_it() -> None:
    text = "# One\n" + "word " * 95 + "\n\n# Two\n" + "more " * 60
    first, second = cut(text)
    assert first.startswith("# One")
    assert second.startswith("# Two")
    found = list(chunks(lines(Parsed("\f3\n" + text, marked=True)), 100, 0))
    assert [(chunk.page, chunk.headings) for chunk in found] == [(3, ("One",)), (3, ("Two",))]


def test_a_line_without_end_is_cut() -> None:
    pieces = cut("x" * 5_000, most=100)
    assert "".join(pieces) == "x" * 5_000
    assert max(map(tokens, pieces)) <= 100


@settings(max_examples=200, deadline=None)
@given(WORDS, st.integers(20, 200), st.booleans())
def test_nothing_is_lost_and_nothing_too_long(text: str, most: int, marked: bool) -> None:
    pieces = cut(text, most, 0, marked)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
    assert all(tokens(piece) <= most for piece in pieces)


@settings(max_examples=100, deadline=None)
@given(WORDS, st.integers(20, 200))
def test_overlap_repeats_but_loses_nothing(text: str, most: int) -> None:
    plain, overlapping = cut(text, most, 0), cut(text, most, most // 2)
    assert len(overlapping) >= len(plain)
    assert all(tokens(piece) <= most for piece in overlapping)
    words = set(text.split())
    assert set(" ".join(overlapping).split()) >= {word for word in words if tokens(word) <= most}
