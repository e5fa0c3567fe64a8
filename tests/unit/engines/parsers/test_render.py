"""Prompts written out as plain turns, and read back by the parser of the same notation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.deltas import CallArgs, CallStart, Text
from freehold.core.prompt import Begun, Call, Choice, Function, Image, JsonFormat, Prompt, Turn
from freehold.engines.parsers.calls import Calls
from freehold.engines.parsers.render import TEXT_INPUT, offered, render, render_said

ADD = Function(name="add", description="Adds.", parameters={"type": "object", "properties": {"a": {"type": "integer"}}})
SHELL = Function(name="shell", free="text")
SQL = Function(name="sql", description="Asks.", free="lark", definition='start: "SELECT"')
HEX = Function(name="hex", free="regex", definition="[0-9]+")
ALL = (ADD, SHELL, SQL, HEX)
HI = Turn("user", "Hi")


def rendered(
    *turns: Turn,
    functions: tuple[Function, ...] = (),
    choice: Choice | None = None,
    format: JsonFormat | None = None,
    thinking: int = 0,
    prompted: bool = False,
) -> tuple[Turn, ...]:
    prompt = Prompt(
        model="m", turns=turns, functions=functions, choice=choice or Choice(), format=format, thinking=thinking
    )
    return render(prompt, prompted)


def system(functions: tuple[Function, ...], choice: Choice | None = None) -> str:
    first, hi = rendered(HI, functions=functions, choice=choice)
    assert (first.speaker, hi) == ("system", HI)
    return first.text


def test_plain_turns_stay_as_they_are() -> None:
    turns = (Turn("system", "Be kind."), HI, Turn("assistant", "Hello!"), Turn("user", "\ufffc", images=(Image(b"x"),)))
    assert rendered(*turns) == turns


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(), ["add", "shell", "sql", "hex"]),
        (Choice("required"), ["add", "shell", "sql", "hex"]),
        (Choice("auto", ("sql", "add")), ["add", "sql"]),
        (Choice("required", ("hex",)), ["hex"]),
        (Choice("none"), []),
    ],
)
def test_only_what_may_be_called_is_offered(choice: Choice, names: list[str]) -> None:
    prompt = Prompt(model="m", turns=(HI,), functions=ALL, choice=choice)
    assert [one.name for one in offered(prompt)] == names
    told = rendered(HI, functions=ALL, choice=choice)[0].text
    assert [one.name for one in ALL if f'"{one.name}"' in told or f"- {one.name}:" in told] == names


def test_functions_and_custom_tools_of_any_text_are_signatures() -> None:
    text = system((ADD, SHELL))
    between = text.split("<tools>\n")[1].split("\n</tools>")[0]
    signatures = [json.loads(line) for line in between.splitlines()]
    assert [one["type"] for one in signatures] == ["function", "function"]
    assert [one["function"] for one in signatures] == [
        {"name": "add", "description": "Adds.", "parameters": ADD.parameters},
        {"name": "shell", "description": "", "parameters": TEXT_INPUT},
    ]
    assert "plain text" not in text


def test_a_grammar_is_told_in_its_own_words() -> None:
    text = system((SQL, HEX))
    assert "<tools>" not in text
    assert '- sql: Asks.\n  Its input follows this Lark grammar:\nstart: "SELECT"' in text
    assert "- hex: no description\n  Its input follows this regular expression:\n[0-9]+" in text
    assert '{"name": "sql"}\nthe input\n</tool_call>' in text


def test_a_required_call_is_told() -> None:
    assert "You must call a function now." in system((ADD,), Choice("required"))
    assert "You must call a function now." not in system((ADD,))


def test_rules_follow_the_system_turn() -> None:
    turns = rendered(Turn("system", "Be kind."), HI, functions=(ADD,), format=JsonFormat())
    assert [turn.speaker for turn in turns] == ["system", "user"]
    assert turns[0].text.startswith("Be kind.\n\n# Tools")
    assert turns[0].text.endswith("Answer with a JSON object and nothing else.")


def test_a_schema_is_told_with_what_it_is_for() -> None:
    wanted = JsonFormat(schema={"type": "object"}, name="x", description="a point")
    text = rendered(HI, format=wanted)[0].text
    assert text.endswith('with JSON (a point) that follows this JSON schema, and with nothing else:\n{"type":"object"}')


@pytest.mark.parametrize(
    ("thinking", "prompted", "told"), [(5, True, True), (5, False, False), (0, True, False), (0, False, False)]
)
def test_only_models_that_were_not_trained_to_think_are_told_how(thinking: int, prompted: bool, told: bool) -> None:
    texts = [turn.text for turn in rendered(HI, thinking=thinking, prompted=prompted)]
    assert any("<think>" in text for text in texts) == told


def test_a_larger_budget_asks_for_a_longer_thought() -> None:
    told = [rendered(HI, thinking=budget, prompted=True)[0].text for budget in (32, 128, 512, 1_024, 100_000)]
    assert told[0] == told[1] and "in a few words" in told[0]
    assert "step by step" in told[2]
    assert told[3] == told[4] and "at length" in told[3]


def test_thoughts_stand_before_what_was_said() -> None:
    said = Turn("assistant", "Yes.", thought="Hm.")
    called = Turn("assistant", "", (Call("c", "add", "{}"),), thought="Hm.")
    texts = [turn.text for turn in rendered(HI, said, HI, called)]
    assert texts[1] == "<think>\nHm.\n</think>\n\nYes."
    assert texts[3] == '<think>\nHm.\n</think>\n\n<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'


def test_results_of_one_turn_stand_together_and_the_last_say_what_they_are_for() -> None:
    image = Image(b"x")
    turns = (
        HI,
        Turn("assistant", "", (Call("c1", "add", "{}"), Call("c2", "add", "{}"))),
        Turn("tool", "1", call_id="c1"),
        Turn("tool", "2\ufffc", call_id="c2", images=(image,)),
        Turn("assistant", "", (Call("c3", "add", "{}"),)),
        Turn("tool", "3", call_id="c3"),
    )
    found = rendered(*turns)
    assert [turn.speaker for turn in found] == ["user", "assistant", "user", "assistant", "user"]
    assert found[2].text == "<tool_response>\n1\n</tool_response>\n<tool_response>\n2\ufffc\n</tool_response>"
    assert found[2].images == (image,)
    assert found[4].text.startswith("<tool_response>\n3\n</tool_response>\n\nNow answer my question")
    assert all(turn.call_id is None and not turn.calls for turn in found)


NAMED = st.sampled_from(["add", "shell", "sql"])


@given(st.lists(st.tuples(NAMED, st.text(max_size=20)), min_size=1, max_size=3))
def test_earlier_calls_are_written_as_the_parser_reads_them(made: list[tuple[str, str]]) -> None:
    calls = tuple(
        Call("c", name, json.dumps({"x": text}) if name == "add" else text, free=name != "add")
        for name, text in made
        if name != "sql" or "\n</tool_call>" not in text
    )
    written = rendered(HI, Turn("assistant", "So:", calls), functions=ALL)[-1].text
    parser = Calls(ALL)
    found: list[tuple[str, str]] = []
    for delta in (*parser.feed(written), *parser.end()):
        match delta:
            case CallStart(name):
                found.append((name, ""))
            case CallArgs(piece):
                found[-1] = (found[-1][0], found[-1][1] + piece)
            case Text(text):
                assert not found and text == "So:"
    assert found == [(call.name, call.arguments) for call in calls]


def test_a_call_of_a_custom_tool_that_is_gone_is_written_as_any_text() -> None:
    text = rendered(HI, Turn("assistant", "", (Call("c", "gone", 'a "b"', free=True),)))[-1].text
    assert text == '<tool_call>\n{"name": "gone", "arguments": {"input":"a \\"b\\""}}\n</tool_call>'


@given(st.lists(st.one_of(st.text("ab {}<`\n", min_size=1), st.sampled_from(["add", "shell", "sql"])), max_size=4))
def test_what_was_said_reads_back_as_what_was_told(said: list[str]) -> None:
    inputs = {"add": '{"a": 1}', "shell": 'ls "x"\n', "sql": "SELECT 1"}
    begun = tuple(Call("call_1", one, inputs[one], one != "add") if one in inputs else one.strip() for one in said)
    begun = tuple(one for one in begun if one)
    prompt = Prompt(model="m", turns=(HI,), functions=ALL, begun=Begun(said=begun))
    calls, found = Calls(ALL), []
    for one in (*calls.feed(render_said(prompt)), *calls.end()):
        if isinstance(one, CallStart):
            found.append([one.name, ""])
        elif isinstance(one, CallArgs):
            found[-1][1] += one.text
    assert found == [[one.name, one.arguments] for one in begun if isinstance(one, Call)]
