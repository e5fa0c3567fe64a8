"""The tools and legacy functions of `POST /v1/chat/completions`."""

from typing import Any

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.prompt import Choice, Function
from freehold.surfaces.chat.tools import parse_choice, parse_function_call, parse_functions, parse_tools

STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
ADD = {"type": "function", "function": {"name": "add", "parameters": STRICT}}
SHELL = {"type": "custom", "custom": {"name": "shell", "format": {"type": "text"}}}
HEX = {
    "type": "custom",
    "custom": {
        "name": "hex",
        "description": "Hex.",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[0-9a-f]+"}},
    },
}


def test_functions_are_strict_only_where_it_is_said() -> None:
    assert parse_tools(None) == ()
    assert parse_tools(
        [ADD, {"type": "function", "function": {"name": "f", "parameters": STRICT, "strict": True}}]
    ) == (
        Function(name="add", parameters=STRICT),
        Function(name="f", parameters=STRICT, strict=True),
    )


def test_custom_tools_take_text_or_follow_a_grammar() -> None:
    assert parse_tools([SHELL, HEX]) == (
        Function(name="shell", free="text"),
        Function(name="hex", description="Hex.", free="regex", definition="[0-9a-f]+"),
    )


BAD: list[tuple[dict[str, Any], type[Fault], str]] = [
    ({"type": "web_search"}, Unsupported, "tools[1].type"),
    ({"type": "function", "name": "f"}, Invalid, "tools[1].name"),
    ({"type": "function", "function": {"nane": "f"}}, Invalid, "tools[1].function.nane"),
    ({"type": "function", "function": {"name": "add"}}, Invalid, "tools[1].function.name"),
    ({"type": "function", "function": {"name": "f", "strict": True}}, Invalid, "tools[1].function.parameters"),
    ({"type": "custom", "custom": {}}, Invalid, "tools[1].custom.name"),
    ({"type": "custom", "custom": {"name": "t t"}}, Invalid, "tools[1].custom.name"),
    (
        {"type": "custom", "custom": {"name": "t", "format": {"type": "grammar", "syntax": "lark"}}},
        Invalid,
        "tools[1].custom.format.syntax",
    ),
]


@pytest.mark.parametrize(("tool", "kind", "param"), BAD)
def test_a_tool_that_cannot_be_offered_is_refused_by_its_path(
    tool: dict[str, Any], kind: type[Fault], param: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_tools([ADD, tool])
    assert caught.value.param == param


OFFERED = parse_tools([ADD, SHELL])
NAMES = [{"type": "custom", "custom": {"name": "shell"}}, {"type": "function", "function": {"name": "add"}}]


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (None, Choice()),
        ("required", Choice("required")),
        ({"type": "function", "function": {"name": "add"}}, Choice("required", ("add",))),
        ({"type": "custom", "custom": {"name": "shell"}}, Choice("required", ("shell",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": NAMES}},
            Choice("required", ("shell", "add")),
        ),
    ],
)
def test_a_choice_is_read(given: Any, choice: Choice) -> None:
    assert parse_choice(given, OFFERED) == choice


@pytest.mark.parametrize(
    ("given", "kind", "param"),
    [
        ("any", Invalid, "tool_choice"),
        ({"type": "function", "name": "add"}, Invalid, "tool_choice.name"),
        ({"type": "custom", "custom": {"name": "gone"}}, Invalid, "tool_choice"),
        ({"type": "mcp"}, Unsupported, "tool_choice.type"),
        ({"type": "allowed_tools", "mode": "auto"}, Invalid, "tool_choice.mode"),
    ],
)
def test_a_choice_that_is_none_is_refused(given: Any, kind: type[Fault], param: str) -> None:
    with pytest.raises(kind) as caught:
        parse_choice(given, OFFERED)
    assert caught.value.param == param


def test_legacy_functions_and_their_choice_are_read() -> None:
    offered = parse_functions([{"name": "f", "description": "d", "parameters": STRICT}, {"name": "g"}])
    assert offered == (Function(name="f", description="d", parameters=STRICT), Function(name="g"))
    assert parse_function_call(None, offered) == parse_function_call("auto", offered) == Choice()
    assert parse_function_call("none", offered) == Choice("none")
    assert parse_function_call({"name": "g"}, offered) == Choice("required", ("g",))


@pytest.mark.parametrize("given", ["always", {"name": "gone"}, {"type": "function"}])
def test_a_legacy_choice_that_is_none_is_refused_by_its_own_name(given: Any) -> None:
    with pytest.raises(Invalid) as caught:
        parse_function_call(given, parse_functions([{"name": "f"}]))
    assert caught.value.param == "function_call"


def test_a_legacy_function_is_refused_by_its_path() -> None:
    for bad, param in (({"name": "f!"}, "name"), ({}, "name"), ({"name": "f", "parameters": 3}, "parameters")):
        with pytest.raises(Invalid) as caught:
            parse_functions([{"name": "f"}, bad])
        assert caught.value.param == f"functions[1].{param}"
