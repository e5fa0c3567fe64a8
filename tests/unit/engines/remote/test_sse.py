"""Events are the same wherever their bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.remote import sse
from freehold.engines.remote.sse import Events, TooLong

STREAM = (
    b': a comment\r\n\r\ndata: {"a":1}\n\nevent: x\r\ndata:{"b":2}\r\nid: 7\r\n\r\n'
    b'data: {"c":\ndata: 3}\n\n\n\nretry: 5\n\ndata: [DONE]\n\n'
)
FOUND = [b'{"a":1}', b'{"b":2}', b'{"c":\n3}', b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cut_anywhere(cuts: list[int]) -> None:
    events, places = Events(), [0, *sorted(cuts), len(STREAM)]
    found = [one for start, end in pairwise(places) for one in events.feed(STREAM[start:end])]
    assert found == FOUND
    assert events.end() == []


def test_the_last_one_may_lack_its_empty_line() -> None:
    events = Events()
    assert events.feed(b"data: 1\n\ndata: 2") == [b"1"]
    assert events.end() == [b"2"]


def test_one_without_an_end_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST", 100)
    events = Events()
    with pytest.raises(TooLong):
        for _ in range(20):
            events.feed(b"data: 1234567890")
