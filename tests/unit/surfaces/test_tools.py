"""Functions and custom tools as any surface offers them."""

from typing import Any

import pytest

from freehold.core.errors import Invalid
from freehold.core.prompt import Choice, Function
from freehold.surfaces.tools import (
    LONGEST_GRAMMAR,
    MOST_FUNCTIONS,
    FunctionBody,
    choice,
    choice_mode,
    custom,
    function,
    unique,
)

STRICT: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
LOOSE: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("parameters", "given", "default", "strict"),
    [
        (STRICT, True, False, True),
        (STRICT, None, True, True),
        (STRICT, None, False, False),
        (STRICT, False, True, False),
        (LOOSE, None, True, False),
        (LOOSE, False, True, False),
        (None, None, True, False),
        ({}, None, True, False),
    ],
)
def test_a_function_is_strict_where_it_is_said_or_can_be(
    parameters: dict[str, Any] | None, given: bool | None, default: bool, strict: bool
) -> None:
    read = function(FunctionBody(name="f", description="d", parameters=parameters, strict=given), "p", default)
    assert read == Function(name="f", description="d", parameters=parameters or {}, strict=strict)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (FunctionBody(name="f!"), "invalid_value", "p.name"),
        (FunctionBody(name="f" * 65), "invalid_value", "p.name"),
        (FunctionBody(name="f\n"), "invalid_value", "p.name"),
        (FunctionBody(name="f", parameters=LOOSE, strict=True), "invalid_json_schema", "p.parameters"),
        (FunctionBody(name="f", strict=True), "invalid_json_schema", "p.parameters"),
        (FunctionBody(name="f", parameters={"type": "array"}), "invalid_function_parameters", "p.parameters"),
    ],
)
def test_a_function_that_cannot_be_offered_is_refused(body: FunctionBody, code: str, param: str) -> None:
    with pytest.raises(Invalid) as caught:
        function(body, "p", default_strict=True)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_custom_tool_keeps_its_syntax_and_definition() -> None:
    assert custom("t", None, "text", None, "p") == Function(name="t", free="text")
    assert custom("t", "d", "lark", "start: X", "p") == Function(
        name="t", description="d", free="lark", definition="start: X"
    )


@pytest.mark.parametrize(
    ("name", "definition", "code", "param"),
    [("t t", "x", "invalid_value", "p.name"), ("t", "x" * 65_537, "string_above_max_length", "p.format")],
)
def test_a_custom_tool_that_cannot_be_offered_is_refused(name: str, definition: str, code: str, param: str) -> None:
    with pytest.raises(Invalid) as caught:
        custom(name, None, "regex", definition, "p")
    assert (caught.value.code, caught.value.param) == (code, param)
    assert custom("t", None, "regex", "x" * LONGEST_GRAMMAR, "p").free == "regex"


def offered(*names: str) -> list[tuple[Function, str]]:
    return [(Function(name=name), f"tools[{place}]") for place, name in enumerate(names)]


def test_names_are_unique_and_not_too_many() -> None:
    assert [one.name for one in unique(offered("a", "b"))] == ["a", "b"]
    with pytest.raises(Invalid, match="Duplicate tool name 'a'") as caught:
        unique(offered("a", "b", "a"))
    assert caught.value.param == "tools[2].name"
    many = [f"f{number}" for number in range(MOST_FUNCTIONS + 1)]
    assert len(unique(offered(*many[:-1]))) == MOST_FUNCTIONS
    with pytest.raises(Invalid, match="maximum length 128, but got an array with length 129") as caught:
        unique(offered(*many))
    assert (caught.value.code, caught.value.param) == ("array_above_max_length", "tools")


ADD, SHELL = Function(name="add"), Function(name="shell", free="text")


def test_a_choice_names_what_is_offered() -> None:
    assert choice("required", ("shell",), (ADD, SHELL)) == Choice("required", ("shell",))
    assert choice("required", (), (ADD,)) == Choice("required")
    assert choice("none", (), ()) == Choice("none")
    for given in (lambda: choice("required", (), ()), lambda: choice("auto", ("gone",), (ADD,))):
        with pytest.raises(Invalid) as caught:
            given()
        assert caught.value.param == "tool_choice"


def test_a_choice_is_one_of_three_words() -> None:
    assert [choice_mode(word) for word in ("none", "auto", "required")] == ["none", "auto", "required"]
    with pytest.raises(Invalid, match=r"Invalid value: 'any'\. Supported values are: 'none', 'auto', and 'required'\."):
        choice_mode("any")
