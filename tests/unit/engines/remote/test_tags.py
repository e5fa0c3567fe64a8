"""Thoughts between tags."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.deltas import Text, Thought
from freehold.engines.remote.tags import Tags


def read(pieces: list[str]) -> tuple[str, str]:
    tags = Tags()
    found = [one for piece in pieces for one in tags.feed(piece)] + list(tags.end())
    texts = "".join(one.text for one in found if isinstance(one, Text))
    return "".join(one.text for one in found if isinstance(one, Thought)), texts


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("<think>\nhm, </th ink\n</think>\n\nYes.", "hm, </th ink", "Yes."),
        ("Yes <think>no</think>", "", "Yes <think>no</think>"),
        ("\n<think></think>Yes", "", "Yes"),
        ("<thin", "", "<thin"),
        ("<think>never over", "never over", ""),
        ("<think>a</think>  ", "a", ""),
        ("", "", ""),
    ],
)
@given(cuts=st.lists(st.integers(0, 40), max_size=8))
def test_are_told_from_the_answer(text: str, thought: str, said: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert read([text[start:end] for start, end in pairwise(places)]) == (thought, said)
