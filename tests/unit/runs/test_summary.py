"""Summaries: sentences of the thought, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.items import SummaryText
from freehold.core.prompt import Summary
from freehold.runs.summary import summarise

THOUGHT = """The user asks for 3.5 apples. That is odd.
I count:  one,
two.

Half an apple is fine! So it works.  More words here.

So the answer is 3.5"""


def parts(thought: str, style: Summary) -> list[str]:
    return [part.text for part in summarise(thought, style)]


@pytest.mark.parametrize("style", ["auto", "concise"])
def test_a_short_summary_is_the_first_and_the_last_sentence(style: Summary) -> None:
    assert parts(THOUGHT, style) == ["The user asks for 3.5 apples. So the answer is 3.5"]


def test_a_detailed_summary_is_how_each_paragraph_begins() -> None:
    assert parts(THOUGHT, "detailed") == [
        "The user asks for 3.5 apples. That is odd.",
        "Half an apple is fine! So it works.",
        "So the answer is 3.5",
    ]


def test_a_thought_of_one_sentence_is_told_once() -> None:
    assert parts("Two plus two is four.", "auto") == ["Two plus two is four."]


@pytest.mark.parametrize("style", ["auto", "concise", "detailed"])
@pytest.mark.parametrize("thought", ["", " ", "\n\n \n"])
def test_there_is_nothing_to_tell_of_nothing(thought: str, style: Summary) -> None:
    assert summarise(thought, style) == ()


def test_a_sentence_without_end_is_cut() -> None:
    (part,) = parts("word " * 1000, "auto")
    assert len(part) == 300
    assert part.endswith("…")


def test_a_detailed_summary_has_an_end() -> None:
    assert len(summarise("One.\n\n" * 1000, "detailed")) == 12


@pytest.mark.timeout(10)
@pytest.mark.parametrize("hostile", ["." * 200_000, "a. " * 70_000, " " * 200_000 + "a", "\n" * 200_000])
def test_no_thought_takes_long(hostile: str) -> None:
    assert len(summarise(hostile, "auto")) <= 1
    assert len(summarise(hostile, "detailed")) <= 12


@given(st.text(alphabet="ab .!:\n…é", max_size=60), st.sampled_from(["auto", "concise", "detailed"]))
def test_nothing_is_invented(thought: str, style: Summary) -> None:
    words = thought.split()
    for part in summarise(thought, style):
        assert isinstance(part, SummaryText)
        assert part.text
        assert set(part.text.split()) <= set(words)
