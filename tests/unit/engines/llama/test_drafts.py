"""Which guesses of llama.cpp are counted as those of a prediction."""

import pytest

from freehold.engines.llama.drafts import Drafts
from freehold.engines.llama.sight import Timings

TOLD = list[tuple[str, int, int, int]]
"""Pieces of an answer, each with the tokens so far: written, guessed, kept."""


def counted(predicted: str, told: TOLD) -> tuple[int, int]:
    drafts = Drafts(predicted)
    for text, written, guessed, kept in told:
        drafts.take(text, Timings(0, written, guessed, kept))
    drafts.end()
    return drafts.accepted, drafts.rejected


CASES: list[tuple[str, TOLD, tuple[int, int]]] = [
    ("a b c d e", [("a", 1, 0, 0), (" b", 2, 0, 0), (" c", 3, 0, 0), ("", 3, 0, 0)], (0, 0)),
    ("a b c d e", [("a", 1, 0, 0), (" b", 2, 3, 2), (" c", 3, 3, 2), (" x", 4, 3, 2), ("", 4, 3, 2)], (2, 1)),
    ("a b c d e", [("a", 1, 0, 0), (" x", 2, 4, 0), (" b", 3, 4, 0)], (0, 4)),
    ("", [("a", 1, 0, 0), (" b", 2, 3, 2), (" c", 3, 3, 2)], (0, 0)),
    ("something else", [("a", 1, 0, 0), (" b", 2, 3, 2), (" c", 3, 3, 2)], (0, 0)),
    ("a b c", [("z", 1, 0, 0), (" b", 2, 3, 1), (" q", 3, 3, 1), (" b", 4, 6, 1)], (0, 0)),
    # Two guesses, one after the other.
    ("a b c d e", [("a", 1, 0, 0), (" b", 2, 2, 1), (" c", 3, 2, 1), (" d", 4, 4, 3), (" e", 5, 4, 3)], (3, 1)),
    # A character of two tokens: one piece.
    ("a é b", [("a", 1, 0, 0), (" é", 3, 2, 2), (" c", 4, 2, 2)], (2, 0)),
    # A stop sequence ended the answer within what was kept.
    ("a b c d e", [("a", 1, 0, 0), (" b", 2, 3, 3)], (1, 2)),
    # The first guess of an answer, with nothing before it to find the prediction by.
    ("a b", [("x", 1, 4, 0), ("y", 2, 4, 0)], (0, 0)),
]


@pytest.mark.parametrize(("predicted", "told", "expected"), CASES)
def test_counted(predicted: str, told: TOLD, expected: tuple[int, int]) -> None:
    assert counted(predicted, told) == expected


def test_an_answer_that_was_begun_anew() -> None:
    drafts = Drafts("a b c d e")
    for text, written, guessed, kept in [("a", 1, 0, 0), (" b", 2, 3, 1)]:
        drafts.take(text, Timings(0, written, guessed, kept))
    drafts.end()
    drafts.take(" c", Timings(0, 1, 0, 0))
    drafts.take(" d", Timings(0, 2, 2, 2))
    drafts.take(" e", Timings(0, 3, 2, 2))
    drafts.end()
    assert (drafts.accepted, drafts.rejected) == (3, 2)
