"""The tools of `POST /v1/responses`, as they are read and as they are shown."""

from typing import Any

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.prompt import Choice, Function
from freehold.surfaces.responses.tools import parse_choice, parse_tools, shown_tools

STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
ADD = {"type": "function", "name": "add", "parameters": STRICT}
SHELL = {"type": "custom", "name": "shell"}
SQL = {
    "type": "custom",
    "name": "sql",
    "description": "Asks.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
}


def test_functions_are_strict_where_they_can_be_and_custom_tools_take_text() -> None:
    assert parse_tools(None) == parse_tools([]) == ()
    assert parse_tools([ADD, {"type": "function", "name": "f"}, SHELL, SQL]) == (
        Function(name="add", parameters=STRICT, strict=True),
        Function(name="f"),
        Function(name="shell", free="text"),
        Function(name="sql", description="Asks.", free="lark", definition="start: X"),
    )
    assert parse_tools([{**SHELL, "format": {"type": "text"}}]) == (Function(name="shell", free="text"),)


def test_tools_are_shown_with_what_holds_where_nothing_was_said() -> None:
    assert shown_tools(None) == []
    assert shown_tools([ADD, {"type": "function", "name": "f", "strict": None}, SHELL, SQL]) == [
        {**ADD, "description": None, "strict": True},
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": False},
        {**SHELL, "description": None, "format": {"type": "text"}},
        SQL,
    ]


BAD: list[tuple[dict[str, Any], type[Fault], str]] = [
    ({"type": "web_search"}, Unsupported, "tools[1].type"),
    ({"type": "mcp", "server_label": "x"}, Unsupported, "tools[1].type"),
    ({"type": "function", "nane": "f"}, Invalid, "tools[1].nane"),
    ({"type": "function", "name": ""}, Invalid, "tools[1].name"),
    ({"type": "function", "name": "f", "parameters": []}, Invalid, "tools[1].parameters"),
    ({"type": "function", "name": "add"}, Invalid, "tools[1].name"),
    ({"type": "custom"}, Invalid, "tools[1].name"),
    ({"type": "custom", "name": "t", "format": {"type": "yaml"}}, Invalid, "tools[1].format.type"),
    ({"type": "custom", "name": "t", "format": {"type": "grammar"}}, Invalid, "tools[1].format.syntax"),
    (
        {"type": "custom", "name": "t", "format": {"type": "grammar", "syntax": "ebnf", "definition": "x"}},
        Invalid,
        "tools[1].format.syntax",
    ),
    ({"type": "custom", "name": "t", "parameters": {}}, Invalid, "tools[1].parameters"),
]


@pytest.mark.parametrize(("tool", "kind", "param"), BAD)
def test_a_tool_that_cannot_be_offered_is_refused_by_its_path(
    tool: dict[str, Any], kind: type[Fault], param: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_tools([ADD, tool])
    assert caught.value.param == param


OFFERED = parse_tools([ADD, SHELL])


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (None, Choice()),
        ("auto", Choice()),
        ("none", Choice("none")),
        ("required", Choice("required")),
        ({"type": "function", "name": "add"}, Choice("required", ("add",))),
        ({"type": "custom", "name": "shell"}, Choice("required", ("shell",))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "shell"}]},
            Choice("auto", ("shell",)),
        ),
    ],
)
def test_a_choice_is_read(given: Any, choice: Choice) -> None:
    assert parse_choice(given, OFFERED) == choice


@pytest.mark.parametrize(
    ("given", "kind", "param"),
    [
        ("any", Invalid, "tool_choice"),
        ({"type": "function", "name": "gone"}, Invalid, "tool_choice"),
        ({"type": "function"}, Invalid, "tool_choice.name"),
        ({"type": "web_search"}, Unsupported, "tool_choice.type"),
        ({}, Unsupported, "tool_choice.type"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, Invalid, "tool_choice.tools"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}, Invalid, "tool_choice.tools[0].type"),
    ],
)
def test_a_choice_that_is_none_is_refused(given: Any, kind: type[Fault], param: str) -> None:
    with pytest.raises(kind) as caught:
        parse_choice(given, OFFERED)
    assert caught.value.param == param
