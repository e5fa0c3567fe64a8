"""Lines with their pages and headings."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.tools.sections import Line, Parsed, lines


def test_pages_and_headings_are_known_on_every_line() -> None:
    text = "\f1\n# A\none\n## B\ntwo\n\f2\nthree\n# C\nfour"
    assert list(lines(Parsed(text, marked=True))) == [
        Line("# A\n", 1, ("A",)),
        Line("one\n", 1, ("A",)),
        Line("## B\n", 1, ("A", "B")),
        Line("two\n", 1, ("A", "B")),
        Line("three\n", 2, ("A", "B")),
        Line("# C\n", 2, ("C",)),
        Line("four", 2, ("C",)),
    ]


def test_code_has_no_headings() -> None:
    assert [line.headings for line in lines(Parsed("# a comment\nx = 1\n", marked=False))] == [(), ()]


@given(st.text())
def test_no_text_is_lost(text: str) -> None:
    assert "".join(line.text for line in lines(Parsed(text, marked=False))) == text
