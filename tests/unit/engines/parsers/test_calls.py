"""Calls read out of streamed text: however it is cut, the same texts and calls come out, and nothing is lost."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freehold.core.deltas import CallArgs, CallStart, Text
from freehold.core.prompt import Function
from freehold.engines.parsers.calls import Calls

TOOLS = (
    Function(name="get_weather"),
    Function(name="get_time", strict=True),
    Function(name="shell", free="text"),
    Function(name="sql", free="lark", definition="start: /.+/"),
    Function(name="hex", free="regex", definition="[0-9a-f]+"),
)
FENCED = '```json\n{\n  "name": "get_weather",\n  "arguments": {"location": "P {aris}\\"", "units": "c"}\n}\n```'
TAGGED = '<tool_call>\n{"name": "get_weather", "arguments": {"a": 1}}\n</tool_call>'
SHELL = '<tool_call>\n{"name": "shell", "arguments": {"input": "echo \\"a\\"\\n\\u00e9 \\ud83d\\ude42"}}\n</tool_call>'
SQL = '<tool_call>\n{"name": "sql"}\nSELECT 1;\n  </tool_cal>{"name": "hex"}\n</tool_call>'
HEX = '<tool_call>\n{"name": "hex"}\nff00\n</tool_call>'

Held = str | tuple[str, str]

CASES: list[tuple[str, list[Held]]] = [
    (FENCED, [("get_weather", '{"location": "P {aris}\\"", "units": "c"}')]),
    (TAGGED, [("get_weather", '{"a": 1}')]),
    (
        f'{TAGGED}\n<tool_call>{{"name":"get_time","arguments":{{}}}}</tool_call>\n',
        [("get_weather", '{"a": 1}'), ("get_time", "{}")],
    ),
    (
        'Sure! {"name": "get_time", "parameters": {"a": [1, {"b": 2}]}} done.',
        ["Sure!", ("get_time", '{"a": [1, {"b": 2}]}'), " done."],
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
    (SHELL, [("shell", 'echo "a"\né 🙂')]),
    (f"Look: {SHELL}{TAGGED} end", ["Look:", ("shell", 'echo "a"\né 🙂'), ("get_weather", '{"a": 1}'), " end"]),
    ('{"name": "shell", "input": "ls"} done', [("shell", "ls"), " done"]),
    ('{"name": "shell", "parameters": {"input": ""}}', [("shell", "")]),
    ('{"name": "shell", "arguments": {"input": "cut \\ud83d', [("shell", "cut ")]),
    ('{"name": "shell", "arguments": {"inputs": "ls"}}', ['{"name": "shell", "arguments": {"inputs": "ls"}}']),
    (SQL, [("sql", 'SELECT 1;\n  </tool_cal>{"name": "hex"}')]),
    (f"Now:\n{HEX}\n{SQL} ok", ["Now:", ("hex", "ff00"), ("sql", 'SELECT 1;\n  </tool_cal>{"name": "hex"}'), " ok"]),
    ('<tool_call>\n{"name": "hex"}\nff', [("hex", "ff")]),
    ('<tool_call>\n{"name": "hex"}\nff\n', [("hex", "ff")]),
    ('<tool_call>\n{"name": "hex"}', ['<tool_call>\n{"name": "hex"}']),
    ('<tool_call>\n{"name": "hex"}\n', [("hex", "")]),
    (
        r'{"name": "shell", "arguments": {"input": "\d \ud83d \ude42 \ud83d\u0041 \ud83d\ud83d\ude42 \u12"}} ok',
        [("shell", "\\d \ufffd \ufffd \ufffdA \ufffd🙂 \\u12"), " ok"],
    ),
]


def read(pieces: list[str], tools: tuple[Function, ...] = TOOLS) -> list[Held]:
    """What the pieces hold: texts, and calls as name and arguments, neighbours joined."""
    calls = Calls(tools)
    found = [delta for piece in pieces for delta in calls.feed(piece)] + calls.end()
    joined: list[Held] = []
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
def test_calls_are_found_however_they_are_wrapped(answer: str, holds: list[Held]) -> None:
    assert read([answer]) == holds


@pytest.mark.parametrize(("answer", "holds"), CASES)
def test_every_split_finds_the_same(answer: str, holds: list[Held]) -> None:
    assert read(list(answer)) == holds
    for at in range(len(answer)):
        assert read([answer[:at], answer[at:]]) == holds


PIECES = st.sampled_from(["{", "}", '"name"', '"get_time"', ":", ",", '"arguments"', "`", "```json", "<tool_call>", " ",
                          "\n", "x", "\\", '"', "[", "]", "</tool_call>", '"shell"', '"input"', "\\u00e9", "\\ud83d",
                          "\\ude42", "\\u1", '{"name": "hex"}\n', '{"name": "shell", "arguments": {"input": "',
                          '{"name": "get_time", "arguments": '])  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_any_stream_is_read_alike_in_one_piece_and_in_many(pieces: list[str]) -> None:
    whole = "".join(pieces)
    held = read([whole])
    assert read(pieces) == held
    assert read(list(whole)) == held


@given(st.text(alphabet='ab <`{}\n"', max_size=60))
def test_text_without_a_call_comes_out_as_it_went_in(text: str) -> None:
    assert "".join(str(one) for one in read(list(text))) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_raises_or_is_lost(before: str, after: str) -> None:
    assert "".join(str(one) for one in read([before, after], ())) == before + after


ARGUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.one_of(st.text(max_size=10), st.integers(), st.none(), st.lists(st.booleans(), max_size=2)),
    max_size=3,
)


@given(ARGUMENTS, st.booleans(), st.integers(1, 7))
@example({"a": '</tool_call> } \\ "'}, True, 1)
def test_arguments_come_out_as_they_were_written(arguments: dict[str, object], plain: bool, size: int) -> None:
    written = json.dumps(arguments, ensure_ascii=not plain)
    answer = f'<tool_call>\n{{"name": "get_weather", "arguments": {written}}}\n</tool_call>'
    assert read([answer[at : at + size] for at in range(0, len(answer), size)]) == [("get_weather", written)]


@given(st.text(max_size=30), st.booleans(), st.integers(1, 7))
@example('"}}\n</tool_call>\\u0041', False, 1)
def test_the_input_of_a_custom_tool_comes_out_as_it_was_meant(text: str, plain: bool, size: int) -> None:
    written = json.dumps({"input": text}, ensure_ascii=not plain)
    answer = f'<tool_call>\n{{"name": "shell", "arguments": {written}}}\n</tool_call>'
    assert read([answer[at : at + size] for at in range(0, len(answer), size)]) == [("shell", text)]


@given(st.text(max_size=30).filter(lambda text: "\n</tool_call>" not in text), st.integers(1, 7))
def test_the_input_of_a_grammar_comes_out_as_it_stands(text: str, size: int) -> None:
    answer = f'<tool_call>\n{{"name": "sql"}}\n{text}\n</tool_call>'
    assert read([answer[at : at + size] for at in range(0, len(answer), size)]) == [("sql", text)]


def test_text_is_not_held_back_longer_than_needed() -> None:
    calls = Calls(TOOLS)
    assert calls.feed("Hello") == [Text("Hello")]
    assert calls.feed(" <b") == [Text(" <b")]
    assert calls.feed(" <to") == []
    assert calls.feed("p>") == [Text(" <top>")]


def test_arguments_and_inputs_are_streamed_as_they_come() -> None:
    calls = Calls(TOOLS)
    assert calls.feed('{"name": "get_time", "arguments": {"a') == [CallStart("get_time"), CallArgs('{"a')]
    assert calls.feed('": 1}}') == [CallArgs('": 1}')]
    assert calls.feed('\n<tool_call>\n{"name": "shell", "arguments": {"input": "l') == [
        CallStart("shell"),
        CallArgs("l"),
    ]
    assert calls.feed("s\\") == [CallArgs("s")]
    assert calls.feed('n"}}\n</tool_call>\n<tool_call>\n{"name": "hex"}\nf') == [
        CallArgs("\n"),
        CallStart("hex"),
        CallArgs("f"),
    ]
    assert calls.feed("0\n</") == [CallArgs("0")]
    assert calls.feed("tool_call>") == calls.end() == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["{", "<tool_call>", "```", '{"name": ', " ", "\n", "}"])
def test_a_hostile_answer_takes_no_long_time(unit: str) -> None:
    pieces = [unit] * 4_000
    assert "".join(str(one) for one in read(pieces)) == "".join(pieces)
