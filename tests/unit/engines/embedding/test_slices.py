"""Slices: every text once, in order, none longer than it may be."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.embedding.slices import MOST_BYTES, MOST_TEXTS, slices


@given(st.lists(st.integers(0, 3 * MOST_BYTES), max_size=200))
def test_they_cover_everything_within_the_bounds(sizes: list[int]) -> None:
    parts = list(slices(sizes))
    assert [number for part in parts for number in part] == list(range(len(sizes)))
    for part in parts:
        assert 1 <= len(part) <= MOST_TEXTS
        assert len(part) == 1 or sum(sizes[number] for number in part) <= MOST_BYTES
