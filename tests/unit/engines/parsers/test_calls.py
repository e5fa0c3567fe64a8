import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.deltas import CallArgs, CallStart, Text
from freehold.engines.parsers.calls import Calls

NAMES = ("get_weather", "get_time")
FENCED = '```json\n{\n  "name": "get_weather",\n  "arguments": {"location": "P {aris}\\"", "units": "c"}\n}\n```'
TAGGED = '<tool_call>\n{"name": "get_weather", "arguments": {"a": 1}}\n</tool_call>'

CASES = [
    (FENCED, [("get_weather", '{"location": "P {aris}\\"", "units": "c"}')]),
    (TAGGED, [("get_weather", '{"a": 1}')]),
    (
        f'{TAGGED}\n<tool_call>{{"name":"get_time","arguments":{{}}}}</tool_call>\n',
        [
            ("get_weather", '{"a": 1}'),
            ("get_time", "{}"),
        ],
    ),
    (
        'Sure! {"name": "get_time", "parameters": {"a": [1, {"b": 2}]}} done.',
        [
            "Sure!",
            ("get_time", '{"a": [1, {"b": 2}]}'),
            " done.",
        ],
    ),
    (f"I will look.\n\n```\n{TAGGED}\n```", ["I will look.", ("get_weather", '{"a": 1}')]),
    ('{"name": "get_weather", "arguments": {"a": "cut', [("get_weather", '{"a": "cut')]),
    ('{"name": "get_weather", "arguments": {"a": 1}', [("get_weather", '{"a": 1}')]),
    (
        'Here is {"name": "other", "arguments": {}} and `code` <b> x {',
        ['Here is {"name": "other", "arguments": {}} and `code` <b> x {'],
    ),
    ('{"name": "get_weather_in_paris", "arguments": {}}', ['{"name": "get_weather_in_paris", "arguments": {}}']),
    ("```python\nprint({})\n```\n", ["```python\nprint({})\n```\n"]),
    ("text <tool", ["text <tool"]),
    ("  \n", ["  \n"]),
]


def read(pieces: list[str]) -> list[str | tuple[str, str]]:
    """What the pieces hold: texts, and calls as name and arguments, neighbours joined."""
    calls = Calls(NAMES)
    found = [delta for piece in pieces for delta in calls.feed(piece)] + calls.end()
    joined: list[str | tuple[str, str]] = []
    for delta in found:
        last = joined[-1] if joined else None
        match delta:
            case CallStart(name):
                joined.append((name, ""))
            case CallArgs(json) if isinstance(last, tuple):
                joined[-1] = (last[0], last[1] + json)
            case Text(text) if isinstance(last, str):
                joined[-1] = last + text
            case Text(text):
                joined.append(text)
            case _:
                raise AssertionError(f"{delta} after {last}")
    return joined


@pytest.mark.parametrize(("answer", "holds"), CASES)
def test_calls_are_found_however_they_are_wrapped(answer: str, holds: list[str | tuple[str, str]]) -> None:
    assert read([answer]) == holds


@pytest.mark.parametrize(("answer", "holds"), CASES)
def test_every_split_finds_the_same(answer: str, holds: list[str | tuple[str, str]]) -> None:
    assert read(list(answer)) == holds
    for at in range(len(answer)):
        assert read([answer[:at], answer[at:]]) == holds


PIECES = st.sampled_from(["{", "}", '"name"', '"get_time"', ":", ",", '"arguments"', "`", "```json", "<tool_call>", " ",
                          "\n", "x", "\\", '"', "[", "]", "</tool_call>"])  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_any_stream_is_read_alike_in_one_piece_and_in_many(pieces: list[str]) -> None:
    assert read(pieces) == read(["".join(pieces)])


@given(st.text(alphabet='ab <`{}\n"', max_size=60))
def test_text_without_a_call_comes_out_as_it_went_in(text: str) -> None:
    assert "".join(str(one) for one in read(list(text))) == text


def test_text_is_not_held_back_longer_than_needed() -> None:
    calls = Calls(NAMES)
    assert calls.feed("Hello") == [Text("Hello")]
    assert calls.feed(" <b") == [Text(" <b")]
    assert calls.feed(" <to") == []
    assert calls.feed("p>") == [Text(" <top>")]
