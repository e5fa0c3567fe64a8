from typing import Any

import pytest

from freehold.core.prompt import Choice, Function, JsonFormat, Prompt, Turn
from freehold.engines.llama.grammar import grammar

OPEN = Function(name="look_up", parameters={"type": "object", "properties": {"q": {"type": "string"}}})
ODD = Function(name="a-b", parameters={"type": "object", "patternProperties": {"^x": {"type": "string"}}})


def of(*functions: Function, **more: Any) -> str:
    return grammar(Prompt(model="m", turns=(Turn("user", "Hi"),), functions=functions, **more))


def test_plain_text_needs_no_grammar() -> None:
    assert of() == "" and of(OPEN, choice=Choice("none")) == ""


def test_a_format_is_json_alone() -> None:
    assert of(format=JsonFormat()).startswith('%llguidance {}\nstart: %json {"type":"object"')
    assert '"maxLength":3' in of(format=JsonFormat(schema={"type": "object", "properties": {"a": {"maxLength": 3}}}))


def test_a_free_choice_holds_only_what_names_an_offered_function() -> None:
    text = of(OPEN, ODD)
    assert "start: (TEXT | BRACE | call)*" in text
    assert "call: OPEN0 arguments0 CLOSE | OPEN1 arguments1 CLOSE" in text
    assert '"(look_up|a\\-b)"' in text


def test_required_begins_with_a_call_and_names_narrow_it() -> None:
    text = of(OPEN, ODD, choice=Choice("required", ("look_up",)))
    assert 'start: "<tool_call>\\n" call' in text
    assert "OPEN0" in text and "OPEN1" not in text and "a\\-b" not in text


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_without_parallel_calls_there_is_room_for_one(mode: Any) -> None:
    start = next(line for line in of(OPEN, parallel=False, choice=Choice(mode)).splitlines() if "start" in line)
    assert start.count("call") - start.count("tool_call") == 1 and ")*" not in start.split("call", 1)[1]


def test_a_schema_that_cannot_be_decoded_by_is_any_object() -> None:
    line = next(line for line in of(ODD).splitlines() if line.startswith("arguments0"))
    assert line.startswith('arguments0: %json {"type":"object","x-guidance"')
