"""Functions as they are offered on the wire, for every surface that offers them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Invalid
from freehold.core.prompt import Choice, ChoiceMode, Function
from freehold.surfaces.schema import check_name, check_strict, is_strict

MOST_FUNCTIONS = 128
LONGEST_GRAMMAR = 65_536

Syntax = Literal["text", "lark", "regex"]

Name = Annotated[str, Meta(min_length=1)]


class FunctionBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A function's definition, as it stands inside the tool of either surface."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class PlainFormat(Struct, frozen=True, forbid_unknown_fields=True, tag="text"):
    """The input of a custom tool is any text."""


def function(body: FunctionBody, path: str, default_strict: bool) -> Function:
    """Check one definition at `path`. Where `strict` is left out and `default_strict`, it is strict if it can be.

    Raises Invalid.
    """
    check_name(body.name, path)
    parameters = body.parameters or {}
    if body.strict:
        check_strict(parameters or {"type": "object"}, f"function '{body.name}'", f"{path}.parameters")
    elif parameters and parameters.get("type", "object") != "object":
        raise Invalid(
            f"Invalid schema for function '{body.name}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: \"{parameters.get('type')}\"'.",
            "invalid_function_parameters",
            f"{path}.parameters",
        )
    strict = body.strict if body.strict is not None else default_strict and bool(parameters) and is_strict(parameters)
    return Function(name=body.name, description=body.description, parameters=parameters, strict=bool(strict))


def custom(name: str, description: str | None, syntax: Syntax, definition: str | None, path: str) -> Function:
    """Check one custom tool at `path`. Raises Invalid."""
    check_name(name, path)
    if definition is not None and len(definition) > LONGEST_GRAMMAR:
        raise Invalid(
            f"Invalid '{path}.format': the grammar is too long. Expected at most {LONGEST_GRAMMAR} characters, but got "
            f"{len(definition)}.",
            "string_above_max_length",
            f"{path}.format",
        )
    return Function(name=name, description=description, free=syntax, definition=definition or "")


def unique(found: Sequence[tuple[Function, str]]) -> tuple[Function, ...]:
    """All definitions with their paths. Raises Invalid for too many and for two of one name."""
    if len(found) > MOST_FUNCTIONS:
        raise Invalid(
            f"Invalid 'tools': array too long. Expected an array with maximum length {MOST_FUNCTIONS}, but got an "
            f"array with length {len(found)} instead.",
            "array_above_max_length",
            "tools",
        )
    names: set[str] = set()
    for one, path in found:
        if one.name in names:
            raise Invalid(f"Duplicate tool name '{one.name}' in 'tools'.", "invalid_value", f"{path}.name")
        names.add(one.name)
    return tuple(one for one, _ in found)


def choice_mode(given: str) -> ChoiceMode:
    """Read a tool choice that is a word. Raises Invalid."""
    modes: dict[str, ChoiceMode] = {"none": "none", "auto": "auto", "required": "required"}
    if given not in modes:
        raise Invalid(
            f"Invalid value: '{given}'. Supported values are: 'none', 'auto', and 'required'.",
            "invalid_value",
            "tool_choice",
        )
    return modes[given]


def choice(mode: ChoiceMode, names: tuple[str, ...], offered: tuple[Function, ...]) -> Choice:
    """Check a tool choice against the functions that are offered. Raises Invalid."""
    known = {one.name for one in offered}
    for name in names:
        if name not in known:
            raise Invalid(f"Tool choice '{name}' not found in 'tools' parameter.", "invalid_value", "tool_choice")
    if mode == "required" and not offered:
        raise Invalid("Tool choice 'required' must be specified with 'tools' parameter.", None, "tool_choice")
    return Choice(mode, names)
